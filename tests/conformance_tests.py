"""What every backend must keep of the contract, in every mode, each in its own interpreter: one test per check.

Two modules have these tests, for the processes that run tests side by side share them out by modules.
"""

from collections.abc import Callable, Iterable

import pytest

from harness import registry
from harness.runs.conformance import check_pins, in_worker
from harness.spec import Mode
from harness.worker.conformance import checks, timed_checks
from harness.worker.jobs import Finding

FIRST = ("torch", "tensorflow", "numpy")
"""The backends of the one module; the other has the rest."""
LESS_LLVM = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
AT_ONCE = {
    ("mindspore", "eager"): {"MS_DEV_LAUNCH_BLOCKING": "1"},
    ("jax", "graph"): LESS_LLVM,
    ("jax", "eager"): LESS_LLVM,
}
"""Settings with which a cell computes the same, sooner: MindSpore's threads wait by spinning (seen with 2.10.0), and on
the one processor that a test may use here they take nine tenths of the time; XLA fuses the same, and LLVM does less to
each of its kernels (seen with JAX 0.10.2). Parity in every other test is without."""


def cells(names: Iterable[str]) -> pytest.MarkDecorator:
    """Return the mark of a module that tests some backends."""
    found = [(name, mode) for name in names for mode in registry.entry(name).modes]
    return pytest.mark.parametrize(("backend", "mode"), found, ids=[f"{b}-{m}" for b, m in found], scope="module")


@pytest.fixture(scope="module")  # a process that failed is not started again for the next test
def found(backend: str, mode: Mode, python_of: Callable[[str], str]) -> dict[str, Finding]:
    settings = AT_ONCE.get((backend, mode), {})
    findings = in_worker(backend, registry.entry(backend), mode, python_of(backend), settings=settings)
    return {one.check: one for one in findings}


@pytest.mark.parametrize("check", checks())
def test_the_contract_is_kept(found: dict[str, Finding], backend: str, mode: Mode, check: str) -> None:
    assert check in found, f"not reached: {list(found.values())[-1:]}"
    assert (found[check].state, str(found[check].words)) == ("passed", "")


@pytest.mark.alone("times what is left to do after a wait, and how long products take")
def test_what_reads_a_clock_is_kept_too(python_of: Callable[[str], str], backend: str, mode: Mode) -> None:
    findings = in_worker(backend, registry.entry(backend), mode, python_of(backend), timed=True)
    assert {(one.check, one.state, str(one.words)) for one in findings} == {(c, "passed", "") for c in timed_checks()}


def test_the_pins_are_in_order(backend: str, mode: Mode) -> None:
    assert check_pins(backend).words == ""
