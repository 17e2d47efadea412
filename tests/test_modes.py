"""A mode is what its name says: what the shell switches off is seen, and what compilers keep is cold, then warm."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import HERE
from msgspec.structs import replace
from records_factory import PASS, measured, record

from harness import registry
from harness.contract import Entry
from harness.data.prepare import prepare
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores, machine
from harness.layers import Recurrent
from harness.model import leaves, named_layers
from harness.record import Phases, Record
from harness.runs.execute import Ready, Setting, describe, execute
from harness.runs.executors.bench import COMMAND_LINE
from harness.runs.launch import worker_environment
from harness.runs.parity import Checker
from harness.runs.plan import Wish, plan
from harness.spec import Choice, RunSpec
from reports.content.break_even import break_even
from reports.frame.frame import frame
from reports.statistics.row_runs import Runs, row_runs
from reports.statistics.summary import summarize

SWITCHES = [
    ("torch", "TORCH_COMPILE_DISABLE", "1"),
    ("torch", "TORCH_COMPILE_OVERRIDE_BACKENDS", "0-999:eager"),
    ("mindspore", "MS_JIT", "0"),
    ("jax", "JAX_DISABLE_JIT", "1"),
]


@pytest.mark.parametrize(("backend", "variable", "value"), SWITCHES)
def test_a_mode_that_the_shell_switches_off_is_not_proven_and_doctor_names_the_variable(
    python_of: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    backend: str,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    task = registry.task("xor").at("smoke")
    interpreter = Interpreter(python=python_of(backend), source="managed", reason="")
    verdict = Checker(remember=False).check(
        task, task.preset("smoke"), Choice(backend=backend, device="cpu", mode="graph"), interpreter
    )
    assert not verdict.passed
    assert "compiled nothing" in str(verdict.summary())
    traps = {trap.name: trap for trap in describe(backend, interpreter).traps}
    assert variable in traps["no compiling"].sentence
    assert traps["no compiling"].harmful


COMPILES_LSTM = """
import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 2))
torch.compile(net)(torch.ones(2, 5, 3))
inductor = __import__("sys").modules.get("torch._inductor.codecache")
print(len(inductor.PyCodeCache.modules) if inductor else 0)
torch._dynamo.reset()  # what it has passed over once it passes over in silence
try:
    torch.compile(net, fullgraph=True)(torch.ones(2, 5, 3))
except Exception as error:
    print("Dynamo does not support RNN, GRU, or LSTM" in str(error))
"""


def test_graph_mode_of_torch_refuses_just_the_nets_of_which_torch_compiles_nothing(
    python_of: Callable[[str], str], home: Path
) -> None:
    python = python_of("torch")
    done = subprocess.run([python, "-c", COMPILES_LSTM], capture_output=True, text=True, check=False, cwd=home)
    assert done.stdout.split() == ["0", "True"], (
        f"the sentence of the adapter can go: {done.stdout}{done.stderr[-500:]}"
    )
    tasks = tuple(registry.task(name) for name in registry.task_names())
    refused = describe("torch", Interpreter(python=python, source="managed", reason=""), tasks).why_not
    recurrent = {task.name for task in tasks if any(isinstance(x.layer, Recurrent) for x in leaves(named_layers(task)))}
    assert {"lstm-text", "char-rnn"} < recurrent
    assert {key for key in refused if key.endswith("/cpu/graph")} == {f"{name}/cpu/graph" for name in recurrent}


def test_mindspores_cache_of_graphs_is_not_taken_over_from_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """With it, a second process of a jitted function computes with parameters that nobody has filled (2.10.0)."""
    monkeypatch.setenv("MS_COMPILER_CACHE_ENABLE", "1")
    assert "MS_COMPILER_CACHE_ENABLE" not in worker_environment(tmp_path, (0,), None)


def test_what_compilers_keep_lies_in_the_runs_own_folder_or_in_one_for_what_is_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somebody/elses")
    own = worker_environment(tmp_path, (0,), None, compiled=tmp_path / "own")
    shared = worker_environment(tmp_path, (0,), None)
    for name in ("TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH"):
        assert Path(own[name]).is_relative_to(tmp_path / "own")
        assert Path(shared[name]).is_relative_to(home)


def keeping_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Record:
    """Do a smoke run of XOR on a fake whose compiler takes a second, unless it finds what it kept."""
    monkeypatch.setattr(registry, "caches", lambda: ("EVENBENCH_FAKE_CACHE",))
    task = registry.task("xor")
    choice = Choice(backend="numpy", device="cpu", mode="eager")
    spec: RunSpec = plan(Wish(tasks=(task,), choices=(choice,), preset="smoke", repeats=1, noise_budget_s=0))[0]
    ready = Ready(
        spec=spec,
        task=task.at("smoke"),
        data=prepare(task, task.preset("smoke"), dataset=spec.dataset, seed=0, data_dir=None),
        interpreter=COMMAND_LINE,
        parity=PASS,
        described=Entry(adapter="fakes:keeps", framework="numpy", modes=("eager",), default_mode="eager", path=HERE),
        **more,
    )
    return execute(ready, Setting(machine=machine(), git_revision=None, cores=available_cores()), tmp_path)


@pytest.mark.alone("tells a first step of a second from one of milliseconds")
def test_a_run_starts_cold_and_a_second_process_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    for _ in range(2):  # what the first run kept must not warm the second
        found = keeping_run(tmp_path, monkeypatch)
        assert found.outcome.status == "ok", found.outcome
        row = frame([found]).iloc[0]
        assert row["first_step_s"] - row["warm_first_step_s"] > 0.5
    assert row["warm_time_to_first_step_s"] > row["warm_first_step_s"]


def test_a_trial_has_no_second_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert keeping_run(tmp_path, monkeypatch, trial=True).warm_start is None


def test_the_report_says_what_a_later_process_pays() -> None:
    slow, quick = Phases(build_s=0.1, first_step_s=24.0), Phases(build_s=0.1, first_step_s=3.0)
    runs = [
        record(found=measured(step_s=0.02, phases=replace(slow, first_step_s=0.5))),
        replace(record(mode="graph", found=measured(phases=slow)), warm_start=quick),
    ]
    table = frame(runs)
    (group,) = summarize(table)
    lines = break_even(row_runs(group, Runs(table)))
    assert "pays after" in lines[0]
    assert "first step in 3.00 s, the first one in 24.0 s" in lines[1]
