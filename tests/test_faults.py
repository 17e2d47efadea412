"""Parity must catch what earlier comparisons were embarrassed by: adapters broken on purpose, at the right level."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance_tests import LESS_LLVM
from forks import forks
from msgspec.structs import replace
from small_machines import BOTTOM, JOINT, machine_task

from harness.contract import Entry
from harness.layers import Activation, BatchNorm, Dense, Dropout
from harness.optimizers import SGD, Adam, Momentum, Nesterov, StepSchedule
from harness.parity.levels import LEVELS, Parity
from harness.parity.zoo import case, dense_net, zoo
from harness.runs import launch as launching
from harness.runs.launch import Ended
from harness.runs.parity import Checker
from harness.spec import Choice, Task

TANH = Activation(kind="tanh")
PLAIN = case("plain", dense_net(TANH), SGD(learning_rate=0.1), loss="softmax_cross_entropy")
SQUARE = case("square", dense_net(TANH, Dense(units=8), TANH), SGD(learning_rate=0.1), loss="softmax_cross_entropy")
HALVING = StepSchedule(every=3, factor=0.5)
PERSISTENT = machine_task((replace(BOTTOM, doubled="none", persistent=True),))
DEEP = machine_task((replace(JOINT, gibbs_steps=2, sparsity_cost=0.1),))

FAULTS: dict[str, tuple[Task, str, str | None, str]] = {
    "loss_summed": (PLAIN, "loss", None, "summed over the mini-batch"),
    "softmax_twice": (PLAIN, "loss", None, "applied twice"),
    "weight_transposed": (SQUARE, "forward", "dense2", ""),
    "nesterov_ignored": (
        case("nesterov", dense_net(), Nesterov(learning_rate=0.05), loss="softmax_cross_entropy"),
        "update",
        None,
        "Nesterov is ignored",
    ),
    "epsilon_wrong": (
        case("adam", dense_net(TANH), Adam(learning_rate=0.01), loss="softmax_cross_entropy"),
        "update",
        None,
        "epsilon",
    ),
    "dropout_in_evaluation": (
        case("dropout", dense_net(Dropout(rate=0.5)), SGD(learning_rate=0.1), loss="softmax_cross_entropy"),
        "forward",
        "dropout1",
        "dropout",
    ),
    "order_shuffled": (PLAIN, "losses", None, "order of the mini-batches"),
    "bias_missing": (PLAIN, "forward", "dense1", "bias"),
    "bias_unlisted": (PLAIN, "parameters", None, ""),
    "weights_own": (PLAIN, "parameters", None, "weights"),
    "layer_cut_off": (PLAIN, "gradients", None, ""),
    "penalty_on_biases": (
        case("l2", dense_net(TANH), SGD(learning_rate=0.1, l2=0.5), loss="softmax_cross_entropy"),
        "update",
        None,
        "penalties",
    ),
    "schedule_ignored": (
        case("schedule", dense_net(), Momentum(learning_rate=0.05, schedule=HALVING), loss="softmax_cross_entropy"),
        "losses",
        None,
        "",
    ),
    "statistics_inverted": (
        case("norm", dense_net(BatchNorm()), SGD(learning_rate=0.1), loss="softmax_cross_entropy"),
        "update",
        None,
        "",
    ),
    "doubling_forgotten": (machine_task(), "stages", None, "the doubled sides"),
    "rate_outside_velocity": (machine_task(), "stages", None, ""),
    "chain_restarted": (PERSISTENT, "stages", None, ""),
    "draws_in_wrong_order": (DEEP, "stages", None, "the order of the draws"),
    "own_noise": (machine_task(), "stages", None, ""),
    "decay_on_biases": (machine_task(), "stages", None, ""),
    "sparsity_in_the_biases_alone": (DEEP, "stages", None, ""),
}

ZOO = {task.name: task for task in zoo()}
FAULTS_OF_NETS: dict[str, tuple[Task, str, str | None, str]] = {
    "mask_missing": (ZOO["causal"], "forward", "residual1.layers.selfattention1", ""),
    "scores_unscaled": (ZOO["attention"], "forward", "residual1.layers.selfattention1", ""),
    "shortcut_left_out": (ZOO["residual"], "forward", "residual1", ""),
    "branches_turned": (ZOO["inception"], "forward", "branches1", ""),
    "epsilon_outside": (ZOO["causal"], "forward", "residual1.layers.layernorm1", ""),
    "positions_shifted": (ZOO["attention"], "forward", "positions1", ""),
}

BROKEN = {"torch": ("eager", "torch._dynamo"), "jax": ("graph", "jax.random")}
"""The frameworks of which `tests/<name>_faults.py` has broken adapters: the mode, and what is imported beside them;
`torch._dynamo` is what the first optimizer imports."""


@pytest.fixture(scope="module", params=BROKEN)
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def one_import(framework: str, python_of: Callable[[str], str]) -> Iterator[None]:
    """Let one process import a framework for all its adapters."""
    launch = launching.launch
    imported = f"{framework}_faults", BROKEN[framework][1]
    settings = LESS_LLVM if framework == "jax" else {}
    with forks(python_of(framework), *imported, settings=settings) as forked, pytest.MonkeyPatch.context() as patch:

        def of_its_kind(*job: Any, path: str | None = None, **limit: Any) -> Ended:
            return (launch if path is None else forked.launch)(*job, path=path, **limit)

        patch.setattr("harness.runs.parity.launch", of_its_kind)
        yield


@pytest.fixture(scope="module")
def check(framework: str, python_of: Callable[[str], str], home: Path) -> Callable[[str, Task], Parity]:
    checker = Checker(remember=False)
    mode: Any = BROKEN[framework][0]

    def run(fault: str, task: Task) -> Parity:
        entry = Entry(
            adapter=f"{framework}_faults:{fault}",
            framework=framework,
            modes=(mode,),
            default_mode=mode,
            path=str(Path(__file__).parent),
        )
        faulty = Choice(backend=fault, device="cpu", mode=mode)
        return checker.check_entry(task, task.preset("only"), faulty, entry, python=python_of(framework))

    return run


@pytest.mark.parametrize("task", [SQUARE, machine_task(), PERSISTENT, DEEP], ids=["net", "machine", "chains", "deep"])
def test_an_honest_adapter_passes(check: Callable[[str, Task], Parity], task: Task) -> None:
    verdict = check("honest", task)
    assert verdict.passed
    assert verdict.summary() == ""
    assert ("stages" in verdict.levels) == (task != SQUARE)


@pytest.mark.parametrize("fault", [*FAULTS, *FAULTS_OF_NETS])
def test_a_planted_fault_is_caught_at_its_level(check: Callable[[str, Task], Parity], fault: str) -> None:
    task, level, layer, hint = (FAULTS | FAULTS_OF_NETS)[fault]
    verdict = check(fault, task)
    assert not verdict.passed
    first = next(name for name in LEVELS if not verdict.levels[name].passed)
    assert (first, verdict.first_layer) == (level, layer)
    assert hint in str(verdict.summary())


def test_an_adapter_that_cannot_start_fails_with_its_own_words(check: Callable[[str, Task], Parity]) -> None:
    verdict = check("crashes", PLAIN)
    assert not verdict.passed
    assert "this adapter cannot even be made" in str(verdict.summary())
