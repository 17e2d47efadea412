"""The frame for other programs: CSV and JSON, both exact, so that reading gives the very frame that was written."""

import csv
import io
from collections.abc import Iterable
from typing import Any

import msgspec
import pandas as pd

from harness.store import Damaged
from reports.columns import COLUMNS, FRAME, Kind
from reports.frame import table
from reports.summary import Group


def to_csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV: text is quoted, missing numbers are empty and not quoted, floats are exact."""
    return frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def from_csv(text: str) -> pd.DataFrame:
    """Return the frame that `to_csv` wrote."""
    found = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    return _typed(found.to_dict("records"))


def to_json(frame: pd.DataFrame, *, study: str, groups: Iterable[Group] = (), damaged: Iterable[Damaged] = ()) -> str:
    """Return the frame as JSON: what the columns mean, one object per run, the summary, and what could not be read.

    What is missing is null.
    """
    runs = [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    found = {
        "study": study,
        "columns": COLUMNS,
        "runs": runs,
        "summary": list(groups),
        "damaged": [{"path": item.path, "reason": item.reason} for item in damaged],
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def from_json(text: str) -> pd.DataFrame:
    """Return the frame that `to_json` wrote."""
    return _typed(msgspec.json.decode(text)["runs"])


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value


def _typed(rows: Iterable[dict[Any, Any]]) -> pd.DataFrame:
    """Return rows of strings, or of JSON's values, in the frame's own types."""
    return table(FRAME, [{name: _read(row[name], column.kind) for name, column in FRAME.items()} for row in rows])


def _read(value: Any, kind: Kind) -> Any:
    if kind == "text":
        return value
    if value is None or value == "":
        return None
    if kind == "flag":
        return str(value) == "True"
    return int(value) if kind == "whole" else float(value)
