"""Sentences of errors: what is said in them is said once, the path of a file that cannot be read too."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data import files
from harness.errors import EvenbenchError
from harness.records import studies
from harness.records.store import Store
from reports.choose import needs


def refuse(path: Path) -> object:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def look_for_data(folder: Path) -> object:
    return files.find("mnist", {}, folder, subfolders=(), expected="two files")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a plan": ("read_bytes", lambda folder: Store(folder).study()),
    "needs": ("open", lambda folder: needs.read(str(folder / "n.toml"))),
    "data": ("iterdir", look_for_data),
}


@pytest.mark.parametrize("name", READERS)
def test_the_path_of_what_cannot_be_read_is_said_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, read = READERS[name]
    monkeypatch.setattr(Path, function, lambda path, *_rest: refuse(path))
    with pytest.raises(EvenbenchError, match="Permission denied") as raised:
        read(tmp_path)
    assert str(raised.value).count(str(tmp_path)) == 1


def test_the_file_of_a_damaged_plan_is_said_beside_the_reason_alone(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{")
    (damaged,) = studies.load(tmp_path).damaged
    assert damaged.path == str(tmp_path / "study.json")
    assert str(tmp_path) not in damaged.reason
