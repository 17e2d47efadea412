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
