"""Students' mistakes: what a framework really says is what is kept, and one rule judges all."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conformance_tests import LESS_LLVM
from fake_mistakes import NAMES as FAKES
from fake_mistakes import entry as fake_entry
from fakes import entries
from forks import forks
from msgspec.structs import replace
from records_factory import record
from test_failing_well import HERE_INTERPRETER, SETTING, new_store, plan_of, specs

import backends
from harness import mistakes, registry
from harness.cli.commands.mistakes import mistakes as mistakes_command
from harness.cli.commands.run import run as run_command
from harness.cli.conducting import Ended
from harness.environments import installation
from harness.environments.interpreters import Interpreter
from harness.errors import UsageError
from harness.mistakes import BLUNDERS, NAMES, Step, blunder, clarity, ending, names
from harness.record import Mistake
from harness.records.studies import Loaded
from harness.runs import mistakes as provoke
from harness.runs.conductor import Conductor, Plan
from harness.runs.execute import available_cores, worker_environment, workplace
from harness.runs.executors.executor import Nobody
from reports.content import mistakes as said_mistakes
from reports.frame.frame import frame
from reports.page.exhibits import mistakes as mistakes_exhibits
from reports.statistics.study import StudyRead

FRAMEWORKS = registry.framework_names()
ASKED = [name for name in registry.backend_names() if registry.entry(name).mistakes]
SAY_IT = """
import json, sys
from harness import mistakes
from harness.registry import resolve
step = resolve(sys.argv[1])
found = {}
for one in mistakes.BLUNDERS:
    try:
        loss = float(step.train(*mistakes.wrong_arrays(step, one), "cpu"))
        found[one.name] = [None, str(loss)]
    except Exception as error:
        found[one.name] = [type(error).__name__, str(error)]
print(json.dumps(found), flush=True)
"""


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    table = backends.TABLE | entries() | {name: fake_entry(name) for name in FAKES}
    monkeypatch.setattr(backends, "TABLE", table)


FORKED = ("torch", "tensorflow", "jax")
"""Frameworks that are imported once for all of their mistakes, of which each has a process of its own all the same."""


@cache
def asked(name: str, python: str) -> tuple[Mistake, ...]:
    interpreter = Interpreter(python=python, source="current", reason="a test")
    step = str(registry.entry(name).mistakes).partition(":")[0]
    with ExitStack() as undo:
        if name in FORKED:
            settings = LESS_LLVM if name == "jax" else {}
            launch = undo.enter_context(forks(python, step, settings=settings)).launch
            undo.enter_context(pytest.MonkeyPatch.context()).setattr(provoke, "launch", launch)
        return provoke.provoke(name, "cpu", interpreter, available_cores(), remember=False)


def made(name: str, mistake: str) -> Mistake:
    return provoke._make(mistake, registry.entry(name), "cpu", HERE_INTERPRETER, available_cores())


def without_numbers(text: str) -> str:
    """Return a text without the counters that frameworks append to names, and without places in the code."""
    return re.sub(r"_\d+|0x[0-9a-f]+|/\S+|line \d+", "", text)


def test_every_framework_has_a_step_for_mistakes() -> None:
    assert tuple(ASKED) == FRAMEWORKS


@pytest.mark.parametrize("name", ASKED)
def test_every_mistake_is_observed_on_every_framework(name: str, python_of: Callable[[str], str]) -> None:
    found = asked(name, python_of(name))
    assert tuple(one.name for one in found) == NAMES
    for one in found:
        assert one.reason == ""
        assert not one.died
        assert one.mode == registry.entry(name).default_mode
        assert one.right_loss is not None
        assert 1 < one.right_loss < 10, "ln 10 and what the first weights add: the step works where no mistake is made"
        assert one.seconds is not None
        assert 0 < one.seconds < 60
        assert (one.error_type is None) or one.message
        assert one.characters >= len(one.message) or one.characters > mistakes.MOST_CHARACTERS
        assert ending(one) in ("named", "unclear", "silent", "as meant")
    share = clarity(found)
    assert share is not None
    assert 0 <= share <= 1


@pytest.mark.parametrize("name", ASKED)
def test_what_is_kept_is_what_the_framework_really_says(name: str, python_of: Callable[[str], str]) -> None:
    for _attempt in range(provoke.MOST_PROCESSES):
        with workplace() as place:
            done = subprocess.run(
                [python_of(name), "-c", SAY_IT, str(registry.entry(name).mistakes)],
                cwd=place / "empty",
                env=worker_environment(place, available_cores(), None),
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        if done.returncode >= 0:  # else a signal, by which some mistakes end some processes
            break
    assert done.returncode == 0, done.stderr[-2000:]
    really = json.loads(done.stdout.strip().splitlines()[-1])
    for one in asked(name, python_of(name)):
        error_type, text = really[one.name]
        assert one.error_type == error_type, one.name
        if error_type is not None:
            kept = [part for part in one.message.split(" [...] ") if part]
            assert kept
            assert without_numbers(kept[-1])[-100:] in without_numbers(text.strip())
        elif one.loss is not None:
            assert one.loss == pytest.approx(float(text), rel=1e-4)


@pytest.mark.parametrize("mistake", NAMES)
def test_the_mistakes_are_in_the_arrays_and_nowhere_else(mistake: str) -> None:
    for axis, kind in ((1, "int64"), (-1, "int32")):
        step = Step(train=lambda x, y, device: 0.0, channel_axis=axis, labels=kind)
        right, wrong = mistakes.right_arrays(step), mistakes.wrong_arrays(step, blunder(mistake))
        changed = [
            a.shape != b.shape or a.dtype != b.dtype or not np.array_equal(a, b)
            for a, b in zip(right, wrong, strict=True)
        ]
        assert changed == [mistake not in ("label range", "float labels"), mistake in ("label range", "float labels")]
        assert right[0].shape == ((11, 1, 32, 32) if axis == 1 else (11, 32, 32, 1))
        assert (right[0].dtype, right[1].dtype) == (np.dtype("float32"), np.dtype(kind))


@pytest.mark.parametrize(
    ("mistake", "message", "expected", "given"),
    [
        ("input size", "mat1 and mat2 shapes cannot be multiplied (11x256 and 400x120)", True, True),
        ("input size", "expected shape=(None, 32, 32, 1), found shape=(11, 28, 28, 1)", True, True),
        ("input size", "bad shape (11, 28, 28, 1)", False, True),
        ("input size", 'File "net.py", line 400, in call\nin net.py:256 something is wrong', False, False),
        ("channel axis", "expected input[1, 11, 32, 32] to have 1 channels, but got 11 channels instead", True, True),
        ("channel axis", "expected min_ndim=4, found ndim=3. Full shape received: (11, 32, 32)", True, True),
        ("channel axis", "the x shape size must be equal to 4, but got 3.", True, True),
        ("channel axis", "expected 4D input", True, False),
        ("channel axis", "version 2.4.3 of conv3 in float32 failed", False, False),
        ("label range", "Target 17 is out of bounds.", False, True),
        ("label range", "Received a label value of 17 which is outside the valid range of [0, 10).", True, True),
        ("label range", "index 170 is out of bounds, see 1.10", False, False),
        ("float labels", "expected scalar type Long but found Float", True, True),
        ("float labels", "'labels' should be Int32, but got 'mindspore.float32'.", True, True),
        ("float labels", "bad labels in print(x)", False, False),
        ("input type", "Input type (double) and bias type (float) should be the same", True, True),
        ("input type", "expected float32, got float64", True, True),
        ("input type", "got float64", False, True),
        ("NaN input", "Input contains NaN.", False, True),
        ("NaN input", "the values must be finite", True, False),
        ("NaN input", "nanoseconds passed", False, False),
    ],
)
def test_a_message_names_what_it_holds_and_no_place_in_the_code(
    mistake: str, message: str, expected: bool, given: bool
) -> None:
    assert names(blunder(mistake), message) == (expected, given)


def test_a_clear_message_is_named_and_its_end_is_kept() -> None:
    found = [made("SPEAKS", name) for name in NAMES]
    assert [ending(one) for one in found] == ["named"] * len(NAMES)
    assert clarity(found) == 1
    for one in found:
        assert one.error_type == "ValueError"
        assert one.characters > 3000
        assert len(one.message) <= mistakes.MOST_CHARACTERS
        assert one.message.startswith("expected 4 axes")
        assert one.message.endswith("and so on")


def test_a_vague_message_is_unclear_and_silence_is_silence() -> None:
    assert [ending(made("MUMBLES", name)) for name in NAMES[:3]] == ["unclear"] * 3
    silent = made("SILENT", "float labels")
    assert (ending(silent), silent.loss, silent.right_loss) == ("silent", 2.6, 2.5)
    assert said_mistakes.said(silent) == "nothing; the loss became 2.600 instead of 2.500"
    assert clarity([silent]) == 0


def test_an_input_that_is_taken_as_it_was_meant_counts_neither_way() -> None:
    found = [made("FORGIVES", name) for name in ("float labels", "input type", "NaN input")]
    assert [ending(one) for one in found] == ["as meant", "as meant", "silent"]
    assert found[-1].loss is None
    assert "NaN or infinite" in said_mistakes.said(found[-1])
    assert clarity(found[:2]) is None
    assert clarity(found) == 0
    assert ending(made("FORGIVES", "label range")) == "silent", "a label that does not exist cannot be meant"


def test_a_warning_counts_as_said_from_wherever_it_comes() -> None:
    found = made("WARNS", "NaN input")
    assert (found.error_type, found.loss, ending(found)) == (None, 1.5, "named")
    for text in ("the input holds NaN", "from below: 17 is no label", "on stdout"):
        assert text in found.message


def test_a_mistake_that_ends_the_process_or_hangs_counts_against_the_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    died = made("ABORTS", "input size")
    assert (died.died, ending(died)) == (True, "died")
    assert "SIGABRT" in died.reason
    monkeypatch.setattr(provoke, "TIMEOUT_S", 1.0)
    hung = made("HANGS", "input size")
    assert (hung.died, ending(hung)) == (True, "died")
    assert "took longer than its limit" in hung.reason
    assert clarity([died, hung]) == 0


def test_a_mistake_that_ends_some_processes_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    once = provoke._once

    def first_dies(name: str, *facts: Any) -> tuple[Mistake, bool]:
        asked.append(name)
        return once(name, registry.entry("ABORTS") if len(asked) == 1 else registry.entry("SPEAKS"), *facts[1:])

    monkeypatch.setattr(provoke, "_once", first_dies)
    found = made("SPEAKS", "input size")
    assert (len(asked), found.deaths, found.died, ending(found)) == (2, 1, False, "named")
    assert said_mistakes.said(found).endswith("(in the second process; it ended the first)")
    monkeypatch.setattr(provoke, "_once", once)
    assert made("ABORTS", "input size").deaths == provoke.MOST_PROCESSES


def test_a_framework_that_does_not_work_at_all_is_not_said_to_be_unclear() -> None:
    found = made("NEVER_WORKS", "input size")
    assert (found.died, ending(found)) == (False, "not observed")
    assert "no device here" in found.reason
    assert clarity([found]) is None
    nowhere = Interpreter(python="/nowhere/python", source="--python", reason="a test")
    lost = provoke.provoke("SPEAKS", "cpu", nowhere, available_cores())
    assert all(ending(one) == "not observed" and "cannot be started" in one.reason for one in lost)


def test_answers_are_remembered_until_the_packages_change(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    packages = ["a"]

    def make(name: str, *_: Any) -> Mistake:
        asked.append(name)
        return Mistake(
            name=name, mode="eager", error_type="E", message="m", reason="broken" if packages == ["c"] else ""
        )

    monkeypatch.setattr(provoke, "_make", make)
    monkeypatch.setattr(installation, "installed_packages", lambda _: packages[0])
    name = ASKED[0]
    for kind, times in (("a", 1), ("a", 1), ("b", 2), ("a", 2), ("c", 3), ("c", 4), ("", 5), ("", 6)):
        packages[:] = [kind]
        found = provoke.provoke(name, "cpu", HERE_INTERPRETER, (0,))
        assert tuple(one.name for one in found) == NAMES
        assert len(asked) == times * len(NAMES), kind
    provoke.provoke(name, "cpu", HERE_INTERPRETER, (0,), remember=False)
    assert len(asked) == 7 * len(NAMES)
    assert provoke.provoke(registry.reference_name(), "cpu", HERE_INTERPRETER, (0,)) == ()


def test_a_study_asks_once_after_its_first_round_and_writes_the_answers_into_every_later_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def answer(backend: str, device: str, *_: Any, **__: Any) -> tuple[Mistake, ...]:
        asked.append((backend, device))
        return (Mistake(name="input size", mode="eager", error_type="E", message=backend),)

    monkeypatch.setattr("harness.runs.executors.bench.provoke", answer)
    wanted = specs("well", "aborts", repeats=2)
    plan = plan_of(wanted, with_ceilings=False, with_mistakes=True)
    found = Conductor(plan, wanted, store=new_store(tmp_path / "s", wanted), setting=SETTING, listener=Nobody()).run()
    assert sorted(asked) == [("aborts", "cpu"), ("well", "cpu")]
    assert all([one.message for one in item.mistakes] == [item.spec.backend] for item in found if item.spec.repeat)
    assert not any(item.mistakes for item in found if item.spec.repeat == 0)  # they are asked after the first round
    assert len(found) == 4
    plan = plan_of(wanted, with_ceilings=False)
    without = Conductor(plan, wanted, store=new_store(tmp_path / "t", wanted), setting=SETTING, listener=Nobody()).run()
    assert len(asked) == 2
    assert all(item.mistakes == () for item in without)


def test_the_command_prints_a_table_and_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(backend: str, *_: Any, **__: Any) -> tuple[Mistake, ...]:
        raised = Mistake(
            name="input size", mode="eager", error_type="ValueError", message="400 but \x1b[31m256", seconds=0.1
        )
        return (replace(raised, names_expected=True, names_given=True), replace(raised, name="label range"))

    monkeypatch.setattr(provoke, "provoke", answer)
    monkeypatch.setattr(
        "harness.cli.commands.mistakes.find_interpreters", lambda *_, **__: {(ASKED[0], "cpu"): HERE_INTERPRETER}
    )
    done = CliRunner().invoke(mistakes_command, ["--backend", ASKED[0]], catch_exceptions=False)
    assert done.exit_code == 0
    assert "ValueError: 400 but" in done.output
    assert "\x1b[31m" not in done.output
    first = [line.split() for line in done.output.splitlines()[:6]]
    assert [line[-1] for line in first if line][2:4] == ["named", "unclear"]  # below the names and a rule
    assert "1 of 2 mistakes that did harm were named" in done.output
    found = json.loads(CliRunner().invoke(mistakes_command, ["--json"], catch_exceptions=False).output)
    assert found[f"{ASKED[0]} cpu"]["clear_messages"] == 0.5
    assert [one["ending"] for one in found[f"{ASKED[0]} cpu"]["mistakes"]] == ["named", "unclear"]
    monkeypatch.setattr(provoke, "provoke", lambda *_, **__: (Mistake(name="input size", mode="eager", reason="lost"),))
    assert CliRunner().invoke(mistakes_command, [], standalone_mode=False).return_value == 1


def test_the_page_and_the_frame_have_what_the_records_have() -> None:
    told = (*(made("SPEAKS", name) for name in NAMES[:2]), made("MUMBLES", "label range"))
    gone = Mistake(name="a mistake of another release", mode="eager", error_type="E")
    items = [replace(record("torch"), mistakes=(*told, gone)), record("mindspore")]
    runs = frame(items)
    assert runs["clear_messages"].tolist()[0] == pytest.approx(2 / 3)
    assert runs["clear_messages"].isna().tolist() == [False, True]
    matrix, messages = mistakes_exhibits.exhibits(StudyRead(Loaded(Path("s"), None, items, []), runs))
    assert matrix.grid is not None
    assert messages.grid is not None
    assert [row[1].shown for row in matrix.grid.rows] == ["named", "named", "unclear", "—"]
    assert [row[2].shown for row in messages.grid.rows] == ["named", "named", "unclear", "—"]
    assert "2 of 3 mistakes that did harm were named" in matrix.short
    assert mistakes_exhibits.exhibits(StudyRead(Loaded(Path("s"), None, items[1:], []), runs)) == ()


def test_an_unknown_mistake_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown mistake 'typo': known are input size, channel axis"):
        blunder("typo")
    assert len({one.name for one in BLUNDERS}) == len(BLUNDERS)


def test_the_list_of_mistakes_needs_nothing_that_a_worker_has_not() -> None:
    allowed = (
        "import sys; import harness.mistakes, harness.worker.mistake; print([m for m in sys.modules if m in sys.argv])"
    )
    heavy = ["pandas", "rich", "click", "scipy", "plotly", "platformdirs"]
    done = subprocess.run([sys.executable, "-c", allowed, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "asked"), [((), True), (("--no-mistakes",), False), (("--preset", "smoke"), False)], ids=str
)
def test_a_run_makes_them_unless_it_is_to_be_short(
    given: tuple[str, ...], asked: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plans: list[Plan] = []

    def kept(plan: Plan, *_: object, **__: object) -> Ended:
        plans.append(plan)
        return Ended(0)

    monkeypatch.setattr("harness.cli.conducting._conduct", kept)
    args = ["--task", "xor", "--backend", "well", "--results", str(tmp_path), *given]
    CliRunner().invoke(run_command, args, catch_exceptions=False, standalone_mode=False)
    assert [plan.with_mistakes for plan in plans] == [asked]
