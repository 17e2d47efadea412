"""A study read in one process, in several, whole or without its curves: the same frame, records and reports."""

import io
import threading
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from msgspec.structs import replace
from pages import hostile, records
from records_factory import record

from harness.record import Record
from harness.records import studies
from harness.records.store import Store, Study
from reports.formats.report import FORMATS, render
from reports.frame import reader
from reports.frame.frame import frame
from reports.frame.reader import read_study


def store(folder: Path, items: list[Record]) -> Path:
    """Write a study whose plan has another order than its files, with an unfinished attempt and two damaged files."""
    unique = {item.spec.run_id: item for item in items}
    specs = tuple(item.spec for item in reversed(unique.values()))
    made = Store(folder)
    made.create(Study(name=folder.name, created_at="2026-11-21", command=("run",), specs=specs))
    (folder / "broken.json").write_text("{")
    (folder / "older.json").write_text('{"schema": 1}')
    first = next(iter(unique.values()))
    made.add(replace(first, outcome=replace(first.outcome, status="interrupted", reason="Ctrl-C")))
    for number, item in enumerate(unique.values()):
        (folder / f"{number}.json").write_bytes(msgspec.json.encode(item))  # a name may hold what no file's may
    return folder


@pytest.fixture(params=["ordinary", "hostile"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return store(tmp_path / "study", records() if request.param == "ordinary" else hostile())


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let studies be read in two processes, three files at once; hold how many files each reading had."""
    read: list[int] = []
    in_processes = reader._in_processes

    def noted(files: Any, read_files: Any) -> Any:
        read.append(len(files))
        return in_processes(files, read_files)

    monkeypatch.setattr(reader, "_can_fork", lambda: True)
    monkeypatch.setattr(reader, "_processors", lambda: 2)
    monkeypatch.setattr(reader, "AT_ONCE", 3)
    monkeypatch.setattr(reader, "_in_processes", noted)
    return read


def without_latencies(item: Record) -> Record:
    inference = tuple(replace(one, latencies=()) for one in item.measured.inference)
    return replace(item, measured=replace(item.measured, inference=inference))


@pytest.mark.parametrize("many", [1, reader.MANY])
def test_a_study_is_what_its_records_say(study: Path, forked: list[int], many: int) -> None:
    expected = studies.load(study)
    loaded, runs = read_study(study, many=many)
    assert forked == ([len(Store(study).record_files())] if many == 1 else [])
    pd.testing.assert_frame_equal(runs, frame(expected.records))
    assert [item.spec.run_id for item in loaded.records] == runs["run_id"].tolist()
    assert loaded.records == [without_latencies(item) for item in expected.records]
    assert (loaded.plan, loaded.damaged) == (expected.plan, expected.damaged)
    assert len(loaded.damaged) >= 2


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "html"])
def test_reports_need_no_curves_but_for_pictures(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def written() -> tuple[object, ...]:
        stdout = io.StringIO()
        files = render(study, (name,), None if name == "terminal" else tmp_path / "out", stdout=stdout)
        return stdout.getvalue(), *(path.read_bytes() for path in files)

    bare = written()
    assert any(bare)
    monkeypatch.setattr(reader, "_without_curves", lambda item: item)
    assert written() == bare


def test_equal_tasks_are_one_object_in_what_several_processes_read(tmp_path: Path, forked: list[int]) -> None:
    loaded, _runs = read_study(store(tmp_path / "s", [record(repeat=repeat) for repeat in range(20)]), many=1)
    found = loaded.records
    assert len(found) == 20
    assert len({id(item.task) for item in found}) == len({id(item.machine) for item in found}) == 1
    assert forked


def test_a_process_that_dies_does_not_lose_the_study(
    study: Path, forked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(reader, "_received", killed)
    pd.testing.assert_frame_equal(read_study(study, many=1)[1], frame(studies.load(study).records))
    assert forked


def test_a_process_with_threads_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(reader, "_processors", lambda: 2)
    assert reader._can_fork()
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert not reader._can_fork()
