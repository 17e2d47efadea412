"""The faults of `test_faults.py` in Paddle, caught at the same levels, and two more that only Paddle invites."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import forks
from small_machines import machine_task
from test_faults import DEEP, FAULTS, FAULTS_OF_NETS, PERSISTENT, PLAIN, SQUARE

import backends
from harness.contract import Entry
from harness.environments.interpreters import Interpreter
from harness.layers import LSTM, Dense
from harness.optimizers import SGD
from harness.parity.levels import LEVELS, Parity
from harness.parity.zoo import case
from harness.runs import launch as launching
from harness.runs.execute import describe
from harness.runs.launch import Ended
from harness.runs.parity import Checker
from harness.spec import Choice, Mode, Task

RECURRENT = case(
    "lstm", (LSTM(units=4), Dense(units=3)), SGD(learning_rate=0.5), shape=(6, 4), loss="softmax_cross_entropy"
)
OWN: dict[str, tuple[Task, str, str | None, str]] = {"second_bias_trained": (RECURRENT, "losses", None, "")}
PLANTED = FAULTS | FAULTS_OF_NETS | OWN


@pytest.fixture(scope="module", autouse=True)
def one_import(python_of: Callable[[str], str]) -> Iterator[None]:
    """Let one process import Paddle for all adapters."""
    with forks(python_of("paddle"), "paddle_faults") as forked, pytest.MonkeyPatch.context() as patch:
        launch = launching.launch

        def of_its_kind(*job: Any, path: str | None = None, **limit: Any) -> Ended:
            return (launch if path is None else forked.launch)(*job, path=path, **limit)

        patch.setattr("harness.runs.parity.launch", of_its_kind)
        yield


def entry_of(fault: str) -> Entry:
    return Entry(
        adapter=f"paddle_faults:{fault}",
        framework="paddle",
        modes=("eager", "graph"),
        default_mode="eager",
        path=str(Path(__file__).parent),
    )


@pytest.fixture(scope="module")
def check(python_of: Callable[[str], str], home: Path) -> Callable[..., Parity]:
    checker = Checker(remember=False)

    def run(fault: str, task: Task, mode: Mode = "eager") -> Parity:
        faulty = Choice(backend=fault, device="cpu", mode=mode)
        return checker.check_entry(task, task.preset("only"), faulty, entry_of(fault), python=python_of("paddle"))

    return run


@pytest.mark.parametrize("task", [SQUARE, RECURRENT, machine_task(), PERSISTENT, DEEP], ids=lambda task: task.name)
def test_an_honest_adapter_passes(check: Callable[..., Parity], task: Task) -> None:
    verdict = check("honest", task)
    assert verdict.passed
    assert verdict.summary() == ""


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught_at_its_level(check: Callable[..., Parity], fault: str) -> None:
    task, level, layer, hint = PLANTED[fault]
    verdict = check(fault, task)
    assert not verdict.passed
    first = next(name for name in LEVELS if not verdict.levels[name].passed)
    assert (first, verdict.first_layer) == (level, layer)
    assert hint in str(verdict.summary())


def test_graphs_that_were_switched_off_are_not_proven_and_doctor_says_so(
    check: Callable[..., Parity], python_of: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check("honest", PLAIN, "graph").passed
    verdict = check("to_static_off", PLAIN, "graph")
    assert not verdict.passed
    assert "compiled nothing" in str(verdict.summary())
    monkeypatch.setitem(backends.TABLE, "paddle", entry_of("to_static_off"))
    interpreter = Interpreter(python=python_of("paddle"), source="managed", reason="")
    traps = {trap.name: trap for trap in describe("paddle", interpreter).traps}
    assert "enable_to_static" in traps["no compiling"].sentence
    assert traps["no compiling"].harmful
