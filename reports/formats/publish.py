"""The documents that follow from the code, written anew: the tables of columns and the schemas, all under `docs/`.

A test says so where one is not current; `make docs` writes them.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from reports.formats.markdown import escape
from reports.formats.schema import Schema, record_schema, report_schema
from reports.frame.columns import EVALUATIONS, FRAME, LOSSES, SAMPLES, STAGES, VERDICTS, Column, Kind

DOCS = Path(__file__).parents[2] / "docs"
FRAME_PAGE = "frame.md"
SCHEMAS = {"schema/report.schema.json": report_schema, "schema/record.schema.json": record_schema}
TABLES: dict[str, Mapping[str, Column]] = {
    "runs": FRAME,
    "stages": STAGES,
    "verdicts": VERDICTS,
    "samples": SAMPLES,
    "losses": LOSSES,
    "evaluations": EVALUATIONS,
}
"""Name of a marked place in the page, and the columns that are listed there."""
KINDS: dict[Kind, str] = {"text": "text", "whole": "whole number", "real": "number", "flag": "true or false"}


def publish(docs: Path = DOCS) -> None:
    """Write all documents that are not current."""
    for name, content in contents(docs).items():
        path = docs / name
        if not path.exists() or path.read_text("utf-8") != content:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, "utf-8")


def contents(docs: Path = DOCS) -> dict[str, str]:
    """Return what the documents should hold, by their paths in the folder."""
    page = (docs / FRAME_PAGE).read_text("utf-8")
    for name, columns in TABLES.items():
        page = filled(page, name, _table(columns))
    return {FRAME_PAGE: page} | {name: _text(schema()) for name, schema in SCHEMAS.items()}


def filled(page: str, name: str, table: str) -> str:
    """Return a page with a table between the two marks of a name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- columns: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = page.partition(begin)
    _old, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no place for the columns {name!r}: expected {begin.strip()} and {end}")
    return f"{before}{begin}{table}{end}{after}"


def _table(columns: Mapping[str, Column]) -> str:
    lines = ["| column | kind | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {KINDS[column.kind]} | {escape(column.meaning)} |" for name, column in columns.items()]
    return "\n".join(lines) + "\n"


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
