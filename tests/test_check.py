"""A remembered parity pass is used again only while nothing that could change it has changed."""

import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import entries

import backends
from harness.check import Checker
from harness.interpreters import Interpreter
from harness.parity import Parity
from harness.registry import task

XOR = task("xor")
HERE = Interpreter(python=sys.executable, source="current", reason="a test")


class Counting(Checker):
    """Counts how often the proof is really made, and says yes."""

    made = 0

    def check_entry(self, *_: Any, name: str, **where: Any) -> Parity:
        self.made += 1
        return Parity(task="xor", backend=name, device="cpu", mode="eager", passed=True, levels={})


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    monkeypatch.setattr("harness.check.installed_packages", lambda _: "packages")
    return Counting()


def prove(checker: Counting, backend: str = "numpy", preset: str = "quick", **settings: str) -> int:
    """Ask for a verdict and return how often one was made so far."""
    where: dict[str, Any] = {"backend": backend, "device": "cpu", "mode": "eager", "interpreter": HERE}
    checker.check(XOR, XOR.preset(preset), settings=settings, **where)
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
