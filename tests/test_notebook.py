"""What a notebook gets: several studies at once, the figures by name, and an example whose cells run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from records_factory import FAIL, PASS, died, measured, record, write_study

import evenbench
import reports
from harness.errors import UsageError
from harness.record import Record
from reports.formats import export
from reports.formats.report import render
from reports.frame.columns import VERDICTS
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
    assert {"throughput", "loss-1", "phases", "memory", "noise"} <= set(figures)
    assert figures["throughput"].data[0].type == "bar"
    assert msgspec.json.decode(figures["throughput"].to_json())["layout"]["showlegend"] is False
    with pytest.raises(UsageError, match="there is no study"):
        reports.figures(tmp_path / "other")


def two_studies(folder: Path) -> list[Path]:
    """Return a study with a row of which one run is not comparable, and another study."""
    odd = [record("mindspore", repeat=i, parity=FAIL if i else PASS, found=measured(0.5 + i / 10)) for i in range(2)]
    died_ = [died("torch", mode="graph", status="timeout", reason="too long")]
    return [write_study(folder / "one", [*four_tasks(), *odd, *died_]), write_study(folder / "other", four_tasks())]


def test_the_api_says_what_the_report_says_row_for_row(tmp_path: Path) -> None:
    study, _other = two_studies(tmp_path)
    render(study, ("csv",))
    render(study, ("json",), tmp_path / "report.json")
    csv = export.from_csv((study / "report.csv").read_text("utf-8"))
    runs = evenbench.load(study)
    assert list(runs["run_id"]) == list(csv["run_id"])
    same = [name for name in csv.columns if name not in ("comparable", "started_at")]
    texts = {name: "str" for name in same if isinstance(runs[name].dtype, pd.CategoricalDtype)}
    pd.testing.assert_frame_equal(runs[same].astype(texts), csv[same])
    assert list(runs["run_comparable"]) == list(csv["comparable"])
    verdicts = export.from_csv((study / "report.verdicts.csv").read_text("utf-8"), VERDICTS)
    pairs = evenbench.verdicts(study)
    texts = {name: "str" for name in pairs.columns if isinstance(pairs[name].dtype, pd.CategoricalDtype)}
    pd.testing.assert_frame_equal(pairs.astype(texts), verdicts)
    told = [
        (group, row) for group in json.loads((tmp_path / "report.json").read_text("utf-8"))["summary"]
        for row in group["rows"]
    ]  # fmt: skip
    rows = evenbench.summary(study).to_dict("records")
    assert len(rows) == len(told)
    for row, (group, expected) in zip(rows, told, strict=True):
        assert (row["task"], row["preset"], row["label"]) == (group["task"], group["preset"], expected["label"])
        assert row["comparable"] == expected["comparable"]
        for name in ("times_slower", "epoch_s", "host_peak_bytes", "time_to_first_step_s"):
            assert (None if pd.isna(row[name]) else row[name]) == expected[name]
        found = expected["to_fastest"] or {}
        assert (None if pd.isna(row["low"]) else row["low"]) == found.get("low")
        speed = expected["throughput_examples_per_s"] or {}
        assert (None if pd.isna(row["examples_per_s"]) else row["examples_per_s"]) == speed.get("median")
        assert (None if pd.isna(row["rank"]) else row["rank"]) == expected["rank"]


def test_comparable_is_said_of_the_row_and_not_of_the_run(tmp_path: Path) -> None:
    runs = evenbench.load(two_studies(tmp_path)[0])
    odd = runs[runs["backend"] == "mindspore"]
    assert list(odd["run_comparable"]) == [True, False]
    assert list(odd["comparable"]) == [False, False]
    assert set(runs.groupby("label", observed=True)["comparable"].nunique()) == {1}


def test_names_are_categories_and_times_are_times(tmp_path: Path) -> None:
    runs = evenbench.load(two_studies(tmp_path)[0])
    assert str(runs["started_at"].dtype).startswith("datetime64[")
    assert "UTC" in str(runs["started_at"].dtype)
    for name in ("task", "backend", "mode", "preset", "status", "parity"):
        assert isinstance(runs[name].dtype, pd.CategoricalDtype)
    assert list(runs["preset"].cat.categories) == ["smoke", "quick", "full", "paper"]


def test_several_studies_may_be_a_list_and_each_is_judged_for_itself(tmp_path: Path) -> None:
    one, other = two_studies(tmp_path)
    for api in (evenbench.load, evenbench.summary, evenbench.verdicts):
        both = api([one, other])
        pd.testing.assert_frame_equal(both, api(one, other))
        assert list(both["study"].cat.categories) == ["one", "other"]
        assert both.columns[0] == "study"
        assert len(both) == len(api(one)) + len(api(other))
        assert "study" not in api(one).columns
    pd.testing.assert_frame_equal(
        reports.load([one, other]),
        reports.load(one, other),  # what was there before takes a list too
    )


@pytest.mark.parametrize("api", [evenbench.load, evenbench.summary, evenbench.verdicts])
def test_the_short_view_fits_on_a_screen(api: Any, tmp_path: Path) -> None:
    study, other = two_studies(tmp_path)
    short = api(study, short=True)
    assert 8 <= len(short.columns) <= 11
    pd.testing.assert_frame_equal(short, api(study)[list(short.columns)])
    assert api([study, other], short=True).columns[0] == "study"
    with pytest.raises(UsageError, match="there is no study"):
        api("nosuch")


def test_the_figures_are_called_by_kind_and_task(tmp_path: Path) -> None:
    figures = evenbench.figures(two_studies(tmp_path)[1])
    assert "loss lenet-mnist (smoke)" in figures
    assert not [name for name in figures if name[-1].isdigit()]
    assert set(map(id, figures.values()))
    assert len(figures) == len(reports.figures(tmp_path / "other"))


def test_the_module_is_the_command_too() -> None:
    done = subprocess.run([sys.executable, "-m", "evenbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(evenbench.__version__)


def test_importing_evenbench_imports_neither_pandas_nor_plotly() -> None:
    code = (
        "import sys, evenbench, harness; print([name for name in ('pandas', 'plotly', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
