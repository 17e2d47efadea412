"""The A/A benchmark: twins of one distribution, planted slow-downs, and the same verdict as the report's."""

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from records_factory import Processes, measured, record, write_study

from benchmarks import aa
from reports.statistics.verdicts import compare

DRAWS = 200


def found(spread: float) -> dict[tuple[int, float], aa.Share]:
    logs = np.random.default_rng(1).normal(math.log(0.001), spread, 40)
    return {(one.per_side, one.slower_by): one for one in aa.shares("row", logs, draws=DRAWS, seed=0)}


def test_twins_are_seldom_called_different_and_planted_slow_downs_are_found_the_more_the_larger() -> None:
    for spread in (0.01, 0.1):
        shares = found(spread)
        assert set(shares) == {(n, by) for n in aa.SIZES for by in aa.SLOWER}
        for n in aa.SIZES:
            assert not shares[n, 0.0].is_too_often()
            assert shares[n, 0.0].share < 0.1
            rising = [shares[n, by].share for by in aa.SLOWER]
            assert rising == sorted(rising)
    assert found(0.01)[5, 0.2].share == 1
    assert found(0.01)[5, 0.2].called_wrong == 0
    assert found(0.1)[3, 0.02].share < 0.2


def test_twins_that_are_called_different_too_often_are_named() -> None:
    assert replace(found(0.01)[3, 0.0], called_different=DRAWS // 5).is_too_often()


@pytest.mark.parametrize("factor", [1.0, 1.05, 1.5])
def test_the_verdict_is_the_reports(factor: float) -> None:
    a, b = [0.010 * factor, 0.011 * factor, 0.0105 * factor], [0.010, 0.0108, 0.0107]
    ((comparison,),) = compare([[Processes(tuple(a)), Processes(tuple(b))]])
    assert aa.is_called([math.log(x) for x in a], [math.log(x) for x in b]) == comparison.verdict


def test_a_study_is_read_and_a_table_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        record(backend, repeat=repeat, found=measured(step_s=0.01 * (1 + repeat / 100)))
        for backend, repeats in (("torch", 14), ("tensorflow", 2))
        for repeat in range(repeats)
    ]
    folder = write_study(tmp_path / "study", records)
    table = tmp_path / "aa.csv"
    monkeypatch.setattr(sys, "argv", ["aa.py", "--study", str(folder), "--draws", "300", "--csv", str(table)])
    assert aa.main() == 0
    said = capsys.readouterr()
    assert "torch eager" in said.out
    assert "tensorflow eager stock: left out, 2 processes" in said.err
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["slower_by"]) for row in rows] == 2 * list(aa.SLOWER)
    assert {row["per_side"] for row in rows} == {"3", "5"}
