"""A blank in a path breaks a compiler: the doctor says so, and graph mode is unsupported with the reason."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import registry
from harness.environments.interpreters import Interpreter
from harness.runs.execute import describe


@pytest.mark.parametrize(
    ("folder", "variable", "named"),
    [
        ("with a blank", "TMPDIR", True),
        ("with a blank", "EVENBENCH_HOME", True),
        ("without", "TMPDIR", False),
    ],
)
def test_a_blank_that_breaks_the_graph_mode_is_named(
    folder: str,
    variable: str,
    named: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python_of: Callable[[str], str],
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asked anew
    chosen = Interpreter(python=python_of("torch"), source="--python", reason="a test")
    found = describe("torch", chosen, (registry.task("xor"),))
    [trap] = [trap.sentence for trap in found.traps if trap.name == "blank in a path"] or [""]
    assert ("2.13.0" in trap, f"let {variable} name a folder without one" in trap) == (named, named)
    why = {key: str(reason) for key, reason in found.why_not.items()}
    assert why.get("xor/cpu/graph", "") == trap
    assert "xor/cpu/eager" not in why
