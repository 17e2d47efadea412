"""A remembered parity pass is used again only while nothing that could change it has changed."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import entries

import backends
from harness.environments.interpreters import Interpreter
from harness.parity.levels import LEVELS, Level, Parity
from harness.registry import task
from harness.runs.parity import Checker
from harness.spec import Choice, Preset, Task

XOR = task("xor")
HERE = Interpreter(python=sys.executable, source="current", reason="a test")


class Counting(Checker):
    """Counts how often the proof is really made, and says yes."""

    made = 0

    def check_entry(self, task: Task, preset: Preset, choice: Choice, *_: Any, **_more: Any) -> Parity:
        self.made += 1
        return Parity(task=task.name, backend=choice.backend, device="cpu", mode="eager", passed=True, levels={})


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    monkeypatch.setattr("harness.environments.installation.installed_packages", lambda _: "packages")
    return Counting()


def prove(checker: Counting, backend: str = "numpy", preset: str = "quick", **settings: str) -> int:
    """Ask for a verdict and return how often one was made so far."""
    checker.check(XOR, XOR.preset(preset), Choice(backend=backend, device="cpu", mode="eager"), HERE, settings=settings)
    return checker.made


def test_a_pass_is_remembered(checker: Counting) -> None:
    assert (prove(checker), prove(checker)) == (1, 1)


def test_another_tuning_of_the_shell_is_proven_anew(checker: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    prove(checker)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert prove(checker) == 2


def test_the_settings_of_a_profile_are_proven_by_themselves(checker: Counting) -> None:
    prove(checker)
    assert prove(checker, ONEDNN_MAX_CPU_ISA="AVX2") == 2
    assert prove(checker, ONEDNN_MAX_CPU_ISA="SSE41") == 3
    assert prove(checker, ONEDNN_MAX_CPU_ISA="AVX2") == 3


def test_an_adapter_from_elsewhere_is_always_proven_anew(checker: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())
    assert (prove(checker, "well"), prove(checker, "well")) == (1, 2)


def levels(losses: float | None = 0.0, gradients: float = 0.0) -> dict[Any, Level]:
    errors = dict.fromkeys(LEVELS, 0.0) | {"losses": losses, "gradients": gradients}
    return {
        name: Level(error=error, tolerance=1e-4, passed=error is not None and error <= 1e-4, where="losses/all")
        for name, error in errors.items()
    }


class Drawn(Checker):
    """Finds given levels for each draw of numbers, and remembers which were drawn."""

    apart: tuple[float, ...] = (1e-7, 1e-7, 1e-7)
    """How far the reference's losses of 1 part by themselves, by draw; those of the backend are larger by 6e-4."""

    def __init__(self, *found: dict[Any, Level]) -> None:
        super().__init__()
        self.found = found
        self.seeds: list[int] = []

    def _levels(self, *_: Any, seed: int = 0, **where: Any) -> Any:
        self.seeds.append(seed)
        reference, candidate = ({"losses/all": np.full(20, value)} for value in (1.0, 1.0006))
        return self.found[len(self.seeds) - 1], reference, candidate

    def _reference(self, *_: Any, seed: int = 0, **how: Any) -> Any:
        return {"losses/nudged": np.full((how["nudges"], 20), 1 + self.apart[seed])}

    def verdict(self) -> Parity:
        well = Choice(backend="well", device="cpu", mode="eager")
        return self.check_entry(XOR, XOR.preset("quick"), well, entries()["well"], python=sys.executable)


def test_losses_that_part_with_one_draw_only_pass_with_a_remark() -> None:
    checker = Drawn(levels(losses=6e-4), levels(losses=1e-6), levels(losses=2e-6))
    verdict = checker.verdict()
    assert verdict.passed
    assert len(set(checker.seeds)) == 3
    assert verdict.levels["losses"].error == 2e-6
    assert "differ by 6.0e-04" in str(verdict.summary())


def test_losses_that_part_by_themselves_pass_with_a_remark_and_without_another_draw() -> None:
    checker = Drawn(levels(losses=6e-4))
    checker.apart = (1e-4, 0.0, 0.0)
    verdict = checker.verdict()
    assert verdict.passed
    assert checker.seeds == [0]
    assert verdict.levels["losses"].error == pytest.approx(6e-4 / 1e-3 * 1e-4)
    assert "differ by 6.0e-04, where 1e-04 is allowed, and the reference's own by 1.0e-04" in str(verdict.summary())


def test_losses_that_part_later_in_the_reference_may_part_as_it_does_with_other_draws() -> None:
    checker = Drawn(levels(losses=6e-4), levels(losses=6e-4), levels(losses=2e-6))
    checker.apart = (1e-7, 1e-4, 0.0)
    verdict = checker.verdict()
    assert verdict.passed
    assert checker.seeds == [0, 1, 2]
    assert "pass with 2 other draws" in str(verdict.summary())


@pytest.mark.parametrize(
    "found",
    [
        (levels(losses=6e-4), levels(losses=1e-6), levels(losses=3e-4)),
        (levels(losses=6e-4), levels(losses=1e-6), levels(gradients=1e-2)),
        (levels(losses=6e-4), levels(losses=None), levels()),
    ],
)
def test_losses_that_part_with_another_draw_too_fail(
    found: tuple[dict[Any, Level], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.parity.hints.hint", lambda *_: "")
    verdict = Drawn(*found).verdict()
    assert not verdict.passed
    assert verdict.levels["losses"].error == 6e-4


def test_a_fault_at_an_earlier_level_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.parity.hints.hint", lambda *_: "")
    checker = Drawn(levels(losses=6e-4, gradients=1e-2))
    assert not checker.verdict().passed
    assert checker.seeds == [0]
