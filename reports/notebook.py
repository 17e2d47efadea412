"""The frames that a notebook gets, made from what the reports are made from, so that they say the same."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.records import studies
from reports.content.cells import verdict
from reports.content.places import named
from reports.formats import export
from reports.frame.columns import FRAME, VERDICTS
from reports.page.exhibits.all import Figures, exhibits
from reports.page.lines import places
from reports.statistics.rows import CELL, SPLITS, Group, Row
from reports.statistics.study import StudyRead

STUDY = "study"
CATEGORIES = (
    "study", "source", "task", "backend", "device", "device_name", "mode", "preset", "profile", "dataset", "status",
    "parity", "steady_state", "label", "verdict", "metric", "accuracy_verdict", "accuracy_test", "latency_verdict",
    "inference_verdict", "other_backend", "other_device_name", "other_mode", "other_profile",
)  # fmt: skip
"""Columns of few values, of which each is a name."""
TIMES = ("started_at",)
"""Columns of times in UTC."""
SHORT_RUNS = (
    STUDY, "task", "label", "seed", "repeat", "status", "comparable", "throughput_examples_per_s", "accuracy",
    "time_to_first_step_s",
)  # fmt: skip
SHORT_ROWS = (
    STUDY, "task", "label", "rank", "verdict", "times_slower", "low", "high", "examples_per_s", "quality", "comparable",
)  # fmt: skip
SHORT_PAIRS = (
    STUDY, "task", "backend", "mode", "other_backend", "other_mode", "verdict", "ratio", "ratio_low", "ratio_high",
    "accuracy_verdict",
)  # fmt: skip
ROW: dict[str, str] = {
    **dict.fromkeys((*CELL, "source", "label", "backend", "mode", "profile", "device_name"), "str"),
    "framework_version": "str",
    "rank": "Int64", "verdict": "str", "times_slower": "float64", "low": "float64", "high": "float64",
    "p_holm": "float64", "smallest_ratio": "float64", "examples_per_s": "float64", "examples_per_s_min": "float64",
    "examples_per_s_max": "float64", "metric": "str", "quality": "float64", "quality_low": "float64",
    "quality_high": "float64", "accuracy_verdict": "str", "time_to_first_step_s": "float64", "epoch_s": "float64",
    "host_peak_bytes": "float64", "device_peak_bytes": "float64", "processes": "Int64", "runs": "Int64",
    "ok_runs": "Int64", "comparable": "bool", "why_not_comparable": "str", "task_version": "Int64",
    "task_fingerprint": "str", "dataset_fingerprint": "str", "machine": "str",
}  # fmt: skip
"""The columns of the summary and their types."""


def listed(study: str | Path | Iterable[str | Path], *more: str | Path) -> list[StudyRead]:
    """Return the studies that are meant, each read once; what is damaged is left out with a warning.

    Raises:
        UsageError: there is no such study.
    """
    first = [study] if isinstance(study, str | Path) else list(study)
    found = [StudyRead.of(studies.find(one, Path("results")), for_pictures=False) for one in (*first, *more)]
    for read in found:
        for damaged in read.loaded.damaged:
            warnings.warn(f"{damaged.path} was left out: {damaged.reason}", stacklevel=3)
    return found


def runs(found: Sequence[StudyRead], *, short: bool = False) -> pd.DataFrame:
    """Return the runs of some studies, one below the other."""
    frames = []
    for read in found:
        frame, of_run = read.runs.copy(), {run_id: row for _group, row in _rows(read) for run_id in row.run_ids}
        labels = [of_run[run_id].label for run_id in frame["run_id"]]
        frame.insert(0, "label", pd.Series(labels, index=frame.index, dtype="str"))
        frame["run_comparable"] = frame["comparable"]
        frame["comparable"] = [of_run[run_id].comparable for run_id in frame["run_id"]]
        frames.append(frame.astype({"comparable": "bool"}))
    return _together(found, frames, SHORT_RUNS if short else ("label", *FRAME, "run_comparable"))


def rows(found: Sequence[StudyRead], *, short: bool = False) -> pd.DataFrame:
    """Return the rows of the reports' tables, one report below the other."""
    frames = [pd.DataFrame([_line(group, row) for group, row in _rows(read)], columns=list(ROW)) for read in found]
    return _together(found, [frame.astype(ROW) for frame in frames], SHORT_ROWS if short else tuple(ROW))


def pairs(found: Sequence[StudyRead], *, short: bool = False) -> pd.DataFrame:
    """Return the verdicts of some studies, one study below the other."""
    return _together(found, [export.verdicts(read.groups) for read in found], SHORT_PAIRS if short else tuple(VERDICTS))


def pictures(study: str | Path) -> Figures:
    """Return the figures of a study's page by kind and task.

    Raises:
        UsageError: there is no such study.
    """
    read = StudyRead.of(studies.find(study, Path("results")))
    tasks = {place.anchor: item.place for place, item in zip(places(read), named([("", read.groups)]), strict=False)}
    return {_name(one.name, tasks): one.figure for one in exhibits(read) if one.figure is not None}


def _name(anchor: str, tasks: dict[str, str]) -> str:
    """Return the name of an exhibit with the task in place of a group's number."""
    kind, _dash, number = anchor.rpartition("-")
    return f"{kind} {tasks[number]}" if number in tasks else anchor


def _rows(read: StudyRead) -> list[tuple[Group, Row]]:
    return [(group, row) for group in read.groups for row in group.rows]


def _line(group: Group, row: Row) -> dict[str, Any]:
    speed, found = row.throughput_examples_per_s, row.to_fastest
    facts = {name: getattr(group, name) for name in (*CELL, *SPLITS)}
    return facts | {name: getattr(row, name) for name in ROW if hasattr(row, name) and name != "quality"} | {
        "verdict": verdict(row),
        "low": found.low if found else None,
        "high": found.high if found else None,
        "p_holm": found.p_holm if found else None,
        "smallest_ratio": found.smallest_ratio if found else None,
        "accuracy_verdict": found.accuracy_verdict if found else "",
        "examples_per_s": speed.median if speed else None,
        "examples_per_s_min": speed.low if speed else None,
        "examples_per_s_max": speed.high if speed else None,
        "quality": row.quality_mean,
        "quality_low": row.accuracy_low,
        "quality_high": row.accuracy_high,
        "processes": len(row.seconds_per_example),
        "why_not_comparable": "; ".join(row.why_not_comparable),
    }  # fmt: skip


def _together(found: Sequence[StudyRead], frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Return frames below each other, those of several studies under their names, with categories and times."""
    if len(found) > 1:
        frames = [frame.assign(**{STUDY: read.loaded.name}) for read, frame in zip(found, frames, strict=True)]
        columns = (STUDY, *(name for name in columns if name != STUDY))
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
    whole = whole[[name for name in columns if name in whole.columns]]
    types = {name: _category(whole[name]) for name in CATEGORIES if name in whole.columns}
    whole = whole.astype(types)
    for name in TIMES:
        if name in whole.columns:
            whole[name] = pd.to_datetime(whole[name], utc=True, format="ISO8601", errors="coerce")
    whole.attrs["damaged"] = [{"path": one.path, "reason": one.reason} for read in found for one in read.loaded.damaged]
    return whole


def _category(values: "pd.Series[Any]") -> pd.CategoricalDtype:
    """Return a category of the values in the order in which they come, so that tables and pictures keep it."""
    return pd.CategoricalDtype(list(dict.fromkeys(values)))
