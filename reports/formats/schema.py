"""The JSON Schemas of what Evenbench writes: of a record, from its Structs; of the JSON report, from the columns."""

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.record import Record
from reports.frame.columns import FRAME, STAGES, VERDICTS, Column, Kind
from reports.statistics.rows import Group

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TYPES: dict[Kind, str | list[str]] = {
    "text": "string",
    "flag": "boolean",
    "whole": ["integer", "null"],
    "real": ["number", "null"],
}

Schema = dict[str, Any]


def record_schema() -> Schema:
    """Return the schema of one record of `results/<study>/`."""
    (reference,), parts = msgspec.json.schema_components([Record], ref_template="#/$defs/{name}")
    return {"$schema": DRAFT, "title": "A record of Evenbench", **reference, "$defs": parts}


def report_schema() -> Schema:
    """Return the schema of what `evenbench report --format json` writes."""
    (group,), parts = msgspec.json.schema_components([Group], ref_template="#/$defs/{name}")
    meanings = {"type": "object", "additionalProperties": {"type": "string"}}
    damaged = {"type": "object", "properties": {name: {"type": "string"} for name in ("path", "reason")}}
    properties: Schema = {
        "study": {"description": "Name of the study.", "type": "string"},
        "columns": {"description": "Every column of `runs` and what it means.", **meanings},
        "runs": {"description": "One object per run.", "type": "array", "items": _row(FRAME)},
        "stage_columns": {"description": "Every column of `stages` and what it means.", **meanings},
        "stages": {"description": "One object per stage of a run.", "type": "array", "items": _row(STAGES)},
        "summary": {"description": "The tables of the report.", "type": "array", "items": group},
        "verdict_columns": {"description": "Every column of `verdicts` and what it means.", **meanings},
        "verdicts": {"description": "One object per pair of rows.", "type": "array", "items": _row(VERDICTS)},
        "damaged": {"description": "Files that could not be read.", "type": "array", "items": damaged},
    }
    return {"$schema": DRAFT, "title": "A report of Evenbench", **_object(properties), "$defs": parts}


def _row(columns: Mapping[str, Column]) -> Schema:
    return _object({name: {"description": c.meaning, "type": TYPES[c.kind]} for name, c in columns.items()})


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
