"""Parity level by level: what a verdict found reaches the record, the heat map and its table."""

import re
from pathlib import Path

import msgspec
import pytest
from records_factory import UNCHECKED, record, write_study

from harness.parity.levels import LEVELS, Level, Parity
from harness.record import ParityLevel, ParityVerdict, Record
from harness.records import studies
from harness.runs.parity import record_verdict
from reports.page.exhibit import Exhibit
from reports.page.exhibits import parity
from reports.statistics.study import StudyRead


def verdict(forward: float | None, losses: float = 1e-6) -> ParityVerdict:
    levels = {
        "parameters": Level(error=0.0, tolerance=1e-6, passed=True),
        "forward": Level(error=forward, tolerance=1e-5, passed=forward is not None and forward <= 1e-5, where="dense1"),
        "losses": Level(error=losses, tolerance=1e-4, passed=losses <= 1e-4),
    }
    passed = all(level.passed for level in levels.values())
    found = Parity(task="t", backend="b", device="cpu", mode="eager", passed=passed, levels=levels)  # type: ignore[arg-type]
    return record_verdict(found)


def shown(folder: Path, *items: Record) -> tuple[Exhibit, ...]:
    loaded = studies.load(write_study(folder, items))
    return parity.exhibits(StudyRead.of_loaded(loaded))


def texts(exhibit: Exhibit) -> list[list[str]]:
    assert exhibit.figure is not None
    return [list(row) for row in exhibit.figure.data[0].text]


def row(exhibit: Exhibit, backend: str) -> dict[str, str]:
    assert exhibit.grid is not None
    rows = [dict(zip(exhibit.grid.headers, (c.shown for c in cells), strict=True)) for cells in exhibit.grid.rows]
    (found,) = [cells for cells in rows if cells["backend"].startswith(backend)]
    return found


def test_a_verdict_carries_every_level_into_the_record_and_back() -> None:
    found = verdict(5e-6)
    assert found.levels["forward"] == ParityLevel(error=5e-6, tolerance=1e-5, passed=True)
    assert list(found.levels) == ["parameters", "forward", "losses"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=ParityVerdict) == found
    assert found.largest_error == pytest.approx(0.5)


def test_the_levels_of_the_page_are_those_of_the_comparison() -> None:
    assert parity.LEVELS == LEVELS == tuple(name for name in parity.NAMES if name != "largest")


def test_every_field_is_a_multiple_of_what_is_allowed_and_stands_in_the_table(tmp_path: Path) -> None:
    (found,) = shown(tmp_path / "s", record("torch", parity=verdict(5e-6)))
    assert texts(found) == [["0", "0.50", "0.010", "0.50"]]
    cells = row(found, "torch")
    assert (cells["forward"], cells["losses"]) == ("5.0e-06 of 1e-05", "1.0e-06 of 1e-04")
    assert (cells["verdict"], cells["largest of all"]) == ("pass", "0.50")
    assert found.figure is not None
    z = found.figure.data[0].z[0]
    assert z[1] == pytest.approx(-0.30103)
    assert z[0] == parity.DEEPEST


def test_what_failed_is_said_in_words_and_coloured_as_failed(tmp_path: Path) -> None:
    items = (
        record("torch", parity=verdict(3e-5)),
        record("tensorflow", parity=verdict(None)),
        record("mindspore", parity=verdict(1e-5)),
    )
    (found,) = shown(tmp_path / "s", *items)
    by_name = dict(zip(_names(found), texts(found), strict=True))
    assert by_name["torch"][1] == "FAIL 3.0"
    assert by_name["tensorflow"][1] == "FAIL —"
    assert by_name["mindspore"][1] == "1.0"
    assert row(found, "torch")["verdict"] == "fail"
    assert row(found, "tensorflow")["forward"] == "FAIL — of 1e-05"
    assert found.figure is not None
    colours = dict(zip(_names(found), found.figure.data[0].z, strict=True))
    assert colours["torch"][1] == colours["tensorflow"][1] == parity.HIGHEST
    assert colours["mindspore"][1] < 0, "what passed is never coloured as failed"
    assert "2 of 3 rows failed" in found.alt


def _names(exhibit: Exhibit) -> list[str]:
    assert exhibit.figure is not None
    return [re.search(r"· (\w+)", name)[1] for name in exhibit.figure.layout.yaxis.ticktext]  # type: ignore[index]


def test_of_several_runs_the_largest_error_of_each_level_counts(tmp_path: Path) -> None:
    items = (record(repeat=0, parity=verdict(1e-6, 5e-5)), record(repeat=1, parity=verdict(4e-6, 1e-6)))
    (found,) = shown(tmp_path / "s", *items)
    assert texts(found) == [["0", "0.40", "0.50", "0.50"]]


def test_older_records_have_their_largest_error_only_and_the_page_says_so(tmp_path: Path) -> None:
    (found,) = shown(tmp_path / "s", record("torch"), record("tensorflow", parity=verdict(1e-6)))
    assert "1 row comes from records before schema 4" in found.note
    assert row(found, "torch")["forward"] == "—"
    assert row(found, "torch")["largest of all"] == "0.25"


def test_a_study_without_parity_has_no_heat_map(tmp_path: Path) -> None:
    assert shown(tmp_path / "s", record(parity=UNCHECKED)) == ()


def test_strange_numbers_do_not_break_the_heat_map(tmp_path: Path) -> None:
    strange = ParityVerdict(
        passed=False,
        largest_error=1e308,
        levels={
            "forward": ParityLevel(error=1e308, tolerance=5e-324, passed=False),
            "loss": ParityLevel(error=1.0, tolerance=0.0, passed=True),
        },
    )
    (found,) = shown(tmp_path / "s", record(parity=strange))
    assert texts(found)[0][0] == "FAIL —"
    assert found.figure is not None
    assert "NaN" not in found.figure.to_json()


def test_more_rows_than_fit_are_counted(tmp_path: Path) -> None:
    items = [record(f"torch@2.{minor}.0", parity=verdict(1e-6)) for minor in range(45)]
    (found,) = shown(tmp_path / "s", *items)
    assert "first 40 of 45 rows" in found.note
    assert found.grid is not None
    assert (len(texts(found)), len(found.grid.rows)) == (40, 45)
