"""The search finds what is faster, throws out what is wrong and is not fooled by luck; a profile is kept as it was."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fakes import HERE, entries
from small_machines import BOTTOM, JOINT, STAGES, machine_task, run_job
from test_cli import call

import backends
from harness import registry
from harness.boltzmann import Stage
from harness.data.prepare import prepare
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.errors import UsageError
from harness.knobs import Here, Knob, label, usable
from harness.record import Block, Machine, Measured, Noise, ParityVerdict, Record
from harness.registry import task
from harness.runs import profiles
from harness.runs.execute import Ready, Setting, execute
from harness.runs.parity import Checker
from harness.runs.plan import Wish, plan
from harness.runs.profiles import Profile, Trial
from harness.runs.tune import REPEATS, Search
from harness.runs.tune_trials import disturbed
from harness.spec import Choice, fingerprint
from harness.worker.__main__ import attempt, run_of

XOR = task("xor")
MACHINE = Machine(cpu="c", cpu_flags=("avx512f",), cores=4, memory_bytes=1, system="Linux", kernel="k", python="p")
CHOICE = Choice(backend="tunable", device="cpu", mode="eager")
HERE_MACHINE = Here(system="Linux", cpu_flags=("avx512f",), cores=4)


class Paper:
    """A bench that computes the speed of settings instead of measuring it."""

    def __init__(self, rate: Callable[[Mapping[str, str]], float], wrong: Callable[[Mapping[str, str]], bool]) -> None:
        self.rate = rate
        self.wrong = wrong
        self.measured: list[dict[str, str]] = []
        self.asked: list[dict[str, str]] = []

    def measure(self, settings: dict[str, str]) -> Trial:
        self.measured.append(settings)
        rate = self.rate(settings)
        if rate == 0:
            return Trial(settings=settings, why_not="crashed: signal SIGABRT")
        return Trial(settings=settings, examples_per_s=rate)

    def prove(self, settings: dict[str, str]) -> tuple[bool, str]:
        self.asked.append(settings)
        return (False, "differs in forward") if self.wrong(settings) else (True, "pass")


SPACE = {"A": ("1", "2"), "B": ("1",), "C": ("1", "2", "3")}
FACTORS = {("A", "1"): 1.5, ("A", "2"): 0.5, ("C", "2"): 1.3}


def by_factors(settings: Mapping[str, str]) -> float:
    rate = 1000.0
    for item in settings.items():
        rate *= FACTORS.get(item, 1.0)
    return rate


def searched(
    rate: Callable[[Mapping[str, str]], float],
    wrong: Callable[[Mapping[str, str]], bool] = lambda _: False,
    *,
    space: Mapping[str, tuple[str, ...]] = SPACE,
    budget_s: float = 60.0,
    seed: int = 0,
) -> tuple[dict[str, str], str, Search, Paper]:
    bench = Paper(rate, wrong)
    search = Search(bench, space, budget_s=budget_s, seed=seed)
    settings, verdict = search.run()
    return settings, str(verdict), search, bench


def test_the_fastest_combination_is_found_and_holds_nothing_that_does_nothing() -> None:
    settings, verdict, search, bench = searched(by_factors)
    assert settings == {"A": "1", "C": "2"}
    assert verdict == "1.95 times as fast as stock by the medians of 4 repeats in turn"
    assert search.trials[0].settings == {}
    assert len(search.trials[0].repeats) == REPEATS
    assert settings in bench.asked, "the winner was proven"


def test_no_settings_are_tried_twice_in_the_search() -> None:
    _, _, search, _ = searched(by_factors)
    labels = [label(trial.settings) for trial in search.trials]
    assert len(set(labels)) == len(labels) <= search.size() == 24


def test_a_knob_that_breaks_parity_is_thrown_out() -> None:
    settings, _, search, _ = searched(by_factors, lambda settings: settings.get("A") == "1")
    assert settings == {"C": "2"}
    assert [str(t.why_not) for t in search.trials if t.settings == {"A": "1"}] == ["parity failed: differs in forward"]
    assert all(not t.repeats for t in search.trials if t.why_not)


def test_a_trial_that_fails_is_a_row_and_not_the_end() -> None:
    settings, _, search, _ = searched(lambda s: 0.0 if s.get("A") == "1" else by_factors(s))
    assert settings == {"C": "2"}
    assert any(t.why_not == "crashed: signal SIGABRT" for t in search.trials)


def test_a_stock_that_fails_ends_the_search() -> None:
    settings, verdict, search, _ = searched(lambda _: 0.0)
    assert (settings, len(search.trials)) == ({}, 1)
    assert "stock itself failed: crashed" in verdict


def drawn(noise: random.Random, _: Mapping[str, str]) -> float:
    return noise.gauss(1000, 100)


def test_noise_crowns_a_false_winner_in_few_searches() -> None:
    """Of equal settings under noise of 10 per cent, chance lets one win in at most 2 / 70 of the searches."""
    won = 0
    for seed in range(60):
        noise = random.Random(seed)
        space = {"A": ("1", "2"), "B": ("1",)}
        won += bool(searched(partial(drawn, noise), space=space, seed=seed)[0])
    assert won <= 5, f"{won} of 60"


def test_a_lucky_trial_loses_against_its_own_repeats() -> None:
    first: set[str] = set()

    def rate(settings: Mapping[str, str]) -> float:
        lucky = label(dict(settings)) not in first and settings == {"B": "1"}
        first.add(label(dict(settings)))
        return 5000.0 if lucky else 1000.0

    settings, verdict, search, _ = searched(rate, space={"B": ("1",)})
    assert settings == {}
    assert "may be chance" in verdict
    assert search.trials[1].repeats == (1000.0,) * REPEATS


def test_a_budget_that_is_spent_still_tries_something_and_runs_it_again_in_full() -> None:
    settings, _, search, _ = searched(by_factors, budget_s=1e-9)
    assert [trial.settings for trial in search.trials] == [{}, {"A": "1"}]
    assert settings == {"A": "1"}
    assert all(len(trial.repeats) == REPEATS for trial in search.trials)


def test_what_helps_alone_is_tried_together_before_anything_is_proposed() -> None:
    _, _, search, _ = searched(by_factors)
    assert [label(trial.settings) for trial in search.trials[:8]] == [
        "stock",
        "A=1",
        "A=2",
        "B=1",
        "C=1",
        "C=2",
        "C=3",
        "C=2 A=1",
    ]


def test_an_interrupted_search_still_knows_its_trials() -> None:
    calls = iter(range(100))

    def rate(settings: Mapping[str, str]) -> float:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return by_factors(settings)

    search = Search(Paper(rate, lambda _: False), SPACE, budget_s=60)
    with pytest.raises(KeyboardInterrupt):
        search.run()
    assert [trial.settings for trial in search.trials] == [{}, {"A": "1"}, {"A": "2"}]


def test_only_what_can_do_anything_here_is_searched() -> None:
    def knob(variable: str, **more: Any) -> Knob:
        return Knob(name=variable, variable=variable, values=("1", "2", "4", "8"), meaning="", **more)

    knobs = (
        knob("ALWAYS"),
        knob("CORES", counts_cores=True),
        knob("FLAG", cpu_flag="amx_tile"),
        knob("SYSTEM", systems=("Darwin",)),
        knob("GRAPH", modes=("graph",)),
        knob("GPU", devices=("gpu",)),
    )
    found = usable(knobs, HERE_MACHINE, device="cpu", mode="eager")
    assert found == {"ALWAYS": ("1", "2", "4", "8"), "CORES": ("1", "2")}


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())
    monkeypatch.setenv("EVENBENCH_PROFILES", str(tmp_path / "profiles"))


def profile(**changed: Any) -> Profile:
    fields: dict[str, Any] = {
        "task": "xor",
        "preset": "smoke",
        "backend": "tunable",
        "device": "cpu",
        "mode": "eager",
        "settings": {"EVENBENCH_FAKE_SLEEP_MS": "0"},
        "verdict": "twice as fast",
        "trials": (Trial(settings={}, examples_per_s=1.0, repeats=(1.0, 2.0)),),
        "machine": MACHINE,
        "cores": 2,
        "task_fingerprint": fingerprint(XOR.at("smoke")),
        "versions": {"numpy": "2"},
        "packages": "p",
        "interpreter": sys.executable,
        "evenbench": "0",
        "tuned_at": "2026-11-20T00:00:00+00:00",
        "budget_s": 1.0,
        "took_s": 1.0,
    }
    return Profile(**fields | changed)


def find(**changed: Any) -> Profile:
    where: dict[str, Any] = {"machine": MACHINE, "cores": 2, "packages": "p"}
    return profiles.find(XOR.at("smoke"), "smoke", CHOICE, **where | changed)


def test_a_profile_comes_back_as_it_was(fakes: None) -> None:
    path = profiles.write(profile())
    assert path.name == "xor.smoke.tunable.cpu.eager.json"
    assert find() == profile()
    profiles.write(profile(verdict="three times"))
    assert find().verdict == "three times"


@pytest.mark.parametrize(
    ("written", "asked", "said"),
    [
        ({}, {"cores": 4}, "there is no tuned profile"),
        ({}, {"packages": "q"}, "packages have changed"),
        ({"task_fingerprint": "0"}, {}, "the task has changed"),
        ({"schema": "one"}, {}, "cannot be read"),
    ],
)
def test_a_profile_that_does_not_hold_here_is_refused_with_the_command(
    fakes: None, written: dict[str, Any], asked: dict[str, Any], said: str
) -> None:
    profiles.write(profile(**written))
    with pytest.raises(UsageError, match=said) as error:
        find(**asked)
    assert "`evenbench tune --task xor --backend tunable --device cpu --mode eager --preset smoke`" in str(error.value)


def test_both_plans_stock_and_tuned_side_by_side() -> None:
    tuned = {("xor", CHOICE): {"A": "1"}}
    wish = Wish(tasks=(XOR,), choices=(CHOICE,), preset="smoke", repeats=2, profiles=("stock", "tuned"), tuned=tuned)
    found = {(spec.repeat, spec.profile): spec for spec in plan(wish)}
    assert {key: spec.settings for key, spec in found.items()} == {
        (0, "stock"): {},
        (0, "tuned"): {"A": "1"},
        (1, "stock"): {},
        (1, "tuned"): {"A": "1"},
    }
    assert found[0, "tuned"].run_id == "xor.tunable.cpu.eager.smoke.digits.tuned.s0.r0".replace(
        "digits", XOR.preset("smoke").dataset
    )


CELLS = [(name, knob) for name in registry.backend_names() for knob in registry.knobs(name)]


def ran(backend: str, settings: dict[str, str], tmp_path: Path) -> Record:
    """Run a trial of XOR in the reference's place, so that no framework is needed to see what reaches a worker."""
    (spec,) = plan(
        Wish(
            tasks=(XOR,),
            choices=(Choice(backend=backend, device="cpu", mode="eager"),),
            preset="smoke",
            repeats=1,
            profiles=("tuned",),
            tuned={("xor", Choice(backend=backend, device="cpu", mode="eager")): settings},
        )
    )
    preset = XOR.preset("smoke")
    ready = Ready(
        spec=spec,
        task=msgspec.structs.replace(XOR, presets={"smoke": msgspec.structs.replace(preset, measure_s=0.01)}),
        data=prepare(XOR, preset, dataset=preset.dataset, seed=0, data_dir=None),
        interpreter=Interpreter(python=sys.executable, source="current", reason="a test"),
        parity=ParityVerdict(passed=None),
        trial=True,
    )
    return execute(ready, Setting(machine=MACHINE, git_revision=None, cores=available_cores()), tmp_path)


def test_a_trial_says_how_much_of_it_others_disturbed(fakes: None, tmp_path: Path) -> None:
    record = ran("well", {}, tmp_path)
    noises = (Noise(foreign_cpu_seconds=0.0), Noise(foreign_cpu_seconds=0.9), None)
    blocks = tuple(Block(kind="steady", steps=1, seconds=1.0, cpu_seconds=1.0, noise=noise) for noise in noises)
    measured = msgspec.structs.replace(record.measured, blocks=blocks)
    assert disturbed(msgspec.structs.replace(record, measured=measured)) == 0.5
    assert disturbed(msgspec.structs.replace(record, measured=Measured())) is None


@pytest.mark.parametrize("stages", [STAGES, (JOINT,), (BOTTOM,)], ids=len)
def test_a_trial_of_a_boltzmann_machine_times_its_last_stage(stages: tuple[Stage, ...], tmp_path: Path) -> None:
    job = msgspec.structs.replace(run_job(tmp_path, machine_task(stages)), trial=True)
    trial = run_of(job)
    assert attempt(trial.go).status == "ok"
    measured = trial.measured()
    assert {block.kind for block in measured.blocks} >= {"first", "steady"}
    assert (measured.evaluations, measured.stages) == ((), ())


def test_every_declared_variable_reaches_the_worker_and_stands_in_the_record(fakes: None, tmp_path: Path) -> None:
    settings = {knob.variable: knob.values[0] for _, knob in CELLS}
    assert settings
    record = ran("well", settings, tmp_path)
    assert record.outcome.status == "ok", record.outcome.reason
    assert record.tuned_settings == settings
    assert {name: record.measured.settings[f"env {name}"] for name in settings} == settings


@pytest.mark.parametrize(("backend", "knob"), CELLS, ids=[f"{backend}-{knob.variable}" for backend, knob in CELLS])
def test_a_declared_knob_says_what_it_is(backend: str, knob: Knob) -> None:
    assert knob.values
    assert len(knob.meaning.split()) > 4
    assert len(set(knob.values)) == len(knob.values)
    assert not knob.counts_cores or all(value.isdigit() for value in knob.values)
    assert set(knob.modes or ()) <= set(registry.entry(backend).modes)


OURS = [(name, knob) for name, knob in CELLS if knob.variable.startswith("EVENBENCH_")]


@pytest.mark.parametrize(("backend", "knob"), OURS, ids=[f"{backend}-{knob.variable}" for backend, knob in OURS])
def test_a_knob_of_an_adapter_keeps_parity(
    backend: str, knob: Knob, home: Path, python_of: Callable[[str], str]
) -> None:
    lenet = task("lenet-mnist").at("smoke")
    verdict = Checker(remember=False).check_entry(
        lenet,
        lenet.preset("smoke"),
        Choice(backend=backend, device="cpu", mode=(knob.modes or (registry.entry(backend).default_mode,))[0]),
        registry.entry(backend),
        python=python_of(backend),
        settings={knob.variable: knob.values[0]},
    )
    assert verdict.passed, verdict.summary()


@pytest.mark.alone("times trials and chooses the fastest")
def test_the_command_finds_the_fast_knob_and_the_run_uses_it(home: Path, tmp_path: Path) -> None:
    given = ["--task", "xor", "--backend", "tunable", "--preset", "smoke"]
    missing = call("run", *given, "--profile", "both", home=home, cwd=tmp_path)
    assert missing.returncode == 2
    assert "run `evenbench tune --task xor --backend tunable" in missing.stderr
    env = pytest.MonkeyPatch()
    env.setenv("EVENBENCH_PROFILES", str(tmp_path / "profiles"))
    try:
        tuned = call("tune", *given, "--budget-s", "60", home=home, cwd=tmp_path)
        assert tuned.returncode == 0, tuned.stderr
        assert max(map(len, tuned.stdout.splitlines())) <= 80
        words = " ".join(tuned.stdout.split())
        assert "winner: EVENBENCH_FAKE_SLEEP_MS=0 " in words
        assert "this knob does not turn" in words
        assert "parity failed" in words
        (path,) = (tmp_path / "profiles").glob("*/*.json")
        found = msgspec.json.decode(path.read_bytes(), type=Profile)
        failed = [t for t in found.trials if "parity failed" in str(t.why_not)]
        assert {t.settings.get("EVENBENCH_FAKE_CHEAT") for t in failed} == {"1"}
        ended = call("run", *given, "--profile", "both", "--repeats", "1", "--study", "s", home=home, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert "(tuned)" in ended.stdout
        words = " ".join((tmp_path / "results" / "s" / "report.md").read_text().replace("\\", "").split())
        assert "tunable eager (tuned)" in words
        assert "(tuned): with the settings" in words
        assert "tuned settings (xor cpu eager): EVENBENCH_FAKE_SLEEP_MS=0" in words
        bad = call("run", *given, "--profile", "fast", home=home, cwd=tmp_path)
        assert bad.returncode == 2
        assert "unknown profile 'fast': known are stock, tuned, both" in bad.stderr
        env.setenv("EVENBENCH_FAKE_SLEEP_MS", "1")
        refused = call("tune", *given, home=home, cwd=tmp_path)
        assert refused.returncode == 2
        assert "EVENBENCH_FAKE_SLEEP_MS is set in this shell" in refused.stderr
    finally:
        env.undo()


def test_ctrl_c_shows_what_was_tried_and_writes_no_profile(home: Path, tmp_path: Path) -> None:
    given = ["--task", "xor", "--backend", "tunable", "--preset", "smoke", "--budget-s", "600"]
    with subprocess.Popen(
        [sys.executable, str(Path(HERE) / "cli_with_fakes.py"), "tune", *given],
        cwd=tmp_path,
        env=os.environ
        | {"EVENBENCH_HOME": str(home), "EVENBENCH_PROFILES": str(tmp_path / "profiles")}
        | {"PYTHONPATH": f"{HERE}:{Path(HERE).parent}", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "stock: " in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == ""
    assert "no profile is written" in errors
    assert "stock" in errors.partition("no profile is written")[2]
    assert "Traceback" not in errors
    assert not (tmp_path / "profiles").exists()
