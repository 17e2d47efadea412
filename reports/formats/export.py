"""The frames for other programs: CSV and JSON, both exact, so that reading gives the very frame, and Parquet.

pandas keeps a frame's `attrs` in a Parquet file and gives them back; other readers find them as JSON under
`PANDAS_ATTRS`.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pandas as pd

from harness import __version__
from reports.frame.columns import COLUMNS, FRAME, STAGES, VERDICTS, Column, Kind
from reports.frame.frame import table
from reports.statistics.methods import MARGIN
from reports.statistics.rows import CELL, SPLITS, Group
from reports.statistics.study import StudyRead

SIDE = ("backend", "mode", "profile", "device_name", "framework_version")
"""What names a row in the table of the pairs."""
INFERENCE = ("ratio", "low", "high", "p_holm", "verdict")
"""What stands in `VERDICTS` of each measure of inference."""


def to_csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV: text is quoted, missing numbers are empty and not quoted, floats are exact."""
    return frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def from_csv(text: str, columns: Mapping[str, Column] = FRAME) -> pd.DataFrame:
    """Return the frame of these columns that `to_csv` wrote."""
    found = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    return _typed(found.to_dict("records"), columns)


def verdicts(groups: Iterable[Group]) -> pd.DataFrame:
    """Return one row per pair of rows of the same group, with the columns of `VERDICTS`."""
    rows = []
    for group in groups:
        of_group = {name: getattr(group, name) for name in (*CELL, *SPLITS)}
        for item in group.comparisons:
            sides = (("", group.rows[item.a]), ("other_", group.rows[item.b]))
            names = {f"{prefix}{name}": getattr(row, name) for prefix, row in sides for name in SIDE}
            numbers = {name: getattr(item, name) for name in item.__struct_fields__ if name in VERDICTS}
            for measure in ("latency", "inference"):
                shown = item.inference.get(measure)
                numbers |= {f"{measure}_{name}": getattr(shown, name, None) for name in INFERENCE}
            rows.append(
                of_group | names | numbers
                | {"processes": item.processes_a, "other_processes": item.processes_b}
                | {"ratio_low": item.low, "ratio_high": item.high, "accuracy_margin": MARGIN}
            )  # fmt: skip
    return table(VERDICTS, rows)


def to_json(study: StudyRead) -> str:
    """Return both frames as JSON: columns, one object per row, the summary, the verdicts, and what could not be read.

    What is missing is null.
    """
    found = {
        "study": study.loaded.name,
        "columns": COLUMNS,
        "runs": _rows(study.runs),
        "stage_columns": {name: column.meaning for name, column in STAGES.items()},
        "stages": _rows(study.stages),
        "summary": study.groups,
        "verdict_columns": {name: column.meaning for name, column in VERDICTS.items()},
        "verdicts": _rows(verdicts(study.groups)),
        "damaged": [{"path": item.path, "reason": item.reason} for item in study.loaded.damaged],
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def from_json(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frame of the runs and that of their stages that `to_json` wrote."""
    found = msgspec.json.decode(text)
    return _typed(found["runs"], FRAME), _typed(found["stages"], STAGES)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value


def _typed(rows: Iterable[dict[Any, Any]], columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return rows of strings, or of JSON's values, in the columns' own types."""
    return table(columns, [{name: _read(row[name], column.kind) for name, column in columns.items()} for row in rows])


def _read(value: Any, kind: Kind) -> Any:
    if kind == "text":
        return value
    if value is None or value == "":
        return None
    if kind == "flag":
        return str(value) == "True"
    return int(value) if kind == "whole" else float(value)


def to_parquet(frame: pd.DataFrame, columns: Mapping[str, Column], *, study: str) -> bytes:
    """Return a frame as a Parquet file.

    Args:
        frame: with these columns.
        columns: their meanings go into the file.
        study: the study's name, which goes into the file too.
    """
    found = frame.copy(deep=False)
    meanings = {name: column.meaning for name, column in columns.items()}
    found.attrs = {"study": study, "evenbench": __version__, "columns": meanings}
    file = io.BytesIO()
    found.to_parquet(file, index=False)
    return file.getvalue()
