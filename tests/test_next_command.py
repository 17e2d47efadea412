"""Commands that messages tell people to type: they work as they are printed."""

import shlex
from pathlib import Path

import pytest

from harness.records.next_command import next_command


def test_the_default_folder_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVENBENCH_RESULTS", raising=False)
    for same in (Path("results"), tmp_path / "results", Path("x/../results")):
        assert next_command("run", "--resume", "s", results=same) == "evenbench run --resume s"
    monkeypatch.setenv("EVENBENCH_RESULTS", str(tmp_path / "mine"))
    assert next_command("report", "s", results=Path("mine")) == "evenbench report s"
    assert next_command("report", "s", results=Path("results")) == "evenbench report s --results results"


@pytest.mark.parametrize("name", ["there", "Größe mit Leer zeichen", "it's", "$HOME;ls", "~"])
def test_another_folder_is_named_so_that_a_shell_reads_it_back(name: str, tmp_path: Path) -> None:
    printed = next_command("report", "s", results=tmp_path / name)
    assert shlex.split(printed) == ["evenbench", "report", "s", "--results", str(tmp_path / name)]


@pytest.mark.parametrize(
    ("on_path", "typed", "shown"),
    [
        (True, ".venv/bin/evenbench", "evenbench"),
        (False, ".venv/bin/evenbench", ".venv/bin/evenbench"),
        (False, "/somewhere/pytest", "evenbench"),
    ],
)
def test_a_command_can_be_typed_in_the_shell_that_reads_it(
    on_path: bool, typed: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if on_path:
        (tmp_path / "evenbench").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [typed])
    assert next_command("report", results=tmp_path / "results") == f"{shown} report"
