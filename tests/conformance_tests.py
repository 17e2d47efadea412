"""What every backend must keep of the contract, in every mode, each in its own interpreter: one test per check.

Two modules have these tests, for the processes that run tests side by side share them out by modules.
"""

from collections.abc import Callable
from functools import cache

import pytest

from harness import registry
from harness.layers import Activation
from harness.model import leaves, named_layers
from harness.parity.zoo import zoo
from harness.runs.conformance import check_pins, in_worker
from harness.spec import Mode, Task
from harness.worker.conformance import checks, timed_checks
from harness.worker.jobs import Finding

FIRST = ("torch", "tensorflow", "numpy")
"""The backends of the one module; the other has the rest."""
LESS_LLVM = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
AT_ONCE = {
    ("mindspore", "eager"): {"MS_DEV_LAUNCH_BLOCKING": "1"},
    ("tensorflow", "xla"): LESS_LLVM,
    ("jax", "graph"): LESS_LLVM,
    ("jax", "eager"): LESS_LLVM,
}
"""Settings with which a cell computes the same, sooner: MindSpore's threads wait by spinning (seen with 2.10.0), and on
the one processor that a test may use here they take nine tenths of the time; XLA fuses the same, and LLVM does less to
each of its kernels (seen with JAX 0.10.2 and TensorFlow 2.21.0). Parity in every other test is without."""
DEFAULT_ALONE = tuple(
    f"parity: {name}" for name in ("pictures", "stacked", "gru", "characters", "plain adam", "plain rmsprop")
)
"""Checks that a backend must pass in its default mode, and here in no other: compilers take minutes for all, and what
they are made of is in the other nets too (`test_what_is_left_out_is_in_other_nets`). `evenbench conformance` leaves out
nothing."""


def wanted(backend: str, mode: Mode) -> tuple[str, ...]:
    """Return the checks that are made of a backend in a mode."""
    return tuple(c for c in checks() if c not in DEFAULT_ALONE or mode == registry.entry(backend).default_mode)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask every backend of the module in every mode, by the check where a test has one."""
    cells = [(name, mode) for name in metafunc.module.BACKENDS for mode in registry.entry(name).modes]
    if "check" in metafunc.fixturenames:
        asked = [(*cell, check) for cell in cells for check in wanted(*cell)]
        metafunc.parametrize(("backend", "mode", "check"), asked, ids=[f"{b}-{m}-{check}" for b, m, check in asked])
    elif "backend" in metafunc.fixturenames:
        metafunc.parametrize(("backend", "mode"), cells, ids=[f"{b}-{m}" for b, m in cells])


@cache  # a process that failed is not started again for the next test
def findings(backend: str, mode: Mode, python: str) -> dict[str, Finding]:
    """Make the wanted checks of a backend in a mode."""
    settings, only = AT_ONCE.get((backend, mode), {}), wanted(backend, mode)
    found = in_worker(backend, registry.entry(backend), mode, python, only=only, settings=settings)
    return {one.check: one for one in found}


REFUSED = {
    ("torch", "graph"): (
        "golden: rnn of ones",
        "golden: lstm set by hand",
        *(f"parity: {name}" for name in ("both ways", "rnn", "no bias")),
    )
}
"""What a backend refuses in a mode: torch.compile leaves nets with a recurrent layer as they are."""


def test_the_contract_is_kept(python_of: Callable[[str], str], backend: str, mode: Mode, check: str) -> None:
    found = findings(backend, mode, python_of(backend))
    assert check in found, f"not reached: {list(found.values())[-1:]}"
    one = found[check]
    if check in REFUSED.get((backend, mode), ()):
        assert one.state == "refused", one.words
    else:
        assert (one.state, str(one.words)) == ("passed", "")


def test_what_is_left_out_is_in_other_nets() -> None:
    kept = [task for task in zoo() if f"parity: {task.name}" not in DEFAULT_ALONE]
    assert len(kept) == len(zoo()) - len(DEFAULT_ALONE)
    for parts_of in (layers_of, activations_of, optimizer_of):
        assert set().union(*map(parts_of, kept)) == set().union(*map(parts_of, zoo())), parts_of.__name__


def layers_of(task: Task) -> set[object]:
    return {type(leaf.layer) for leaf in leaves(named_layers(task))} | {task.loss}


def activations_of(task: Task) -> set[object]:
    return {leaf.layer.kind for leaf in leaves(named_layers(task)) if isinstance(leaf.layer, Activation)}


def optimizer_of(task: Task) -> set[object]:
    optimizer = task.preset("only").optimizer
    return {type(optimizer), *(name for name in ("l1", "l2", "clip_norm") if getattr(optimizer, name))}


@pytest.mark.alone("times what is left to do after a wait, and how long products take")
def test_what_reads_a_clock_is_kept_too(python_of: Callable[[str], str], backend: str, mode: Mode) -> None:
    findings = in_worker(backend, registry.entry(backend), mode, python_of(backend), timed=True)
    assert {(one.check, one.state, str(one.words)) for one in findings} == {(c, "passed", "") for c in timed_checks()}


def test_the_pins_are_in_order(backend: str, mode: Mode) -> None:
    assert check_pins(backend).words == ""
