"""What a notebook gets: several studies at once, the figures by name, and an example whose cells run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from records_factory import measured, record, write_study

import reports
from harness.errors import UsageError
from harness.record import Record
from reports.frame.frame import frame

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def four_tasks() -> list[Record]:
    """Return runs in four groups, as the notebook's study has them."""
    return [
        record(backend, repeat=repeat, preset=preset, found=measured(0.01 * (place + 1) * (1 + repeat / 100)))
        for place, backend in enumerate(("torch", "tensorflow"))
        for preset in ("smoke", "quick", "full", "paper")
        for repeat in range(2)
    ]


def test_the_cells_of_the_notebook_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path / "results" / "quick", four_tasks())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells("code"):
        exec("".join(cell["source"]), names)
    assert len(names["frame"]) == 16
    assert set(names["pairs"]["verdict"]) == {"faster"}


def test_the_notebook_was_executed_and_holds_no_trace_of_where() -> None:
    text = NOTEBOOK.read_text("utf-8")
    assert NOTEBOOK.stat().st_size < 1_000_000
    for number, cell in enumerate(cells("code"), start=1):
        assert cell["execution_count"] == number
        assert cell["outputs"]
        assert not cell["metadata"]
        assert not [one for one in cell["outputs"] if one["output_type"] == "error"]
    shown = [mime for cell in cells("code") for one in cell["outputs"] for mime in one.get("data", {})]
    assert shown.count("application/vnd.plotly.v1+json") == 2
    assert not any(place in text for place in ("/tmp", "/home", "/root", "/work"))


def test_several_studies_stand_below_each_other(tmp_path: Path) -> None:
    one = write_study(tmp_path / "one", [record()])
    other = write_study(tmp_path / "other", [record("tensorflow"), record("mindspore")])
    both = reports.load(one, other)
    assert list(both["study"]) == ["one", "other", "other"]
    assert list(both.columns) == ["study", *reports.load(one).columns]
    assert dict(both.dtypes[1:]) == dict(frame([record()]).dtypes)
    pd.testing.assert_frame_equal(both.drop(columns="study").iloc[[0]], reports.load(one), check_like=False)


def test_the_figures_of_a_study_come_by_name(tmp_path: Path) -> None:
    figures = reports.figures(write_study(tmp_path / "s", four_tasks()))
    assert {"throughput", "loss-1", "quality-4", "phases", "memory", "noise"} <= set(figures)
    assert figures["throughput"].data[0].type == "bar"
    assert msgspec.json.decode(figures["throughput"].to_json())["layout"]["showlegend"] is False
    with pytest.raises(UsageError, match="there is no study"):
        reports.figures(tmp_path / "other")


def test_importing_evenbench_imports_neither_pandas_nor_plotly() -> None:
    code = "import sys, harness; print([name for name in ('pandas', 'plotly', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
