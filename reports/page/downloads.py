"""What can be taken from the page: its first table as CSV and as Markdown, inside the page itself."""

import base64
import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.language import _
from reports.content.cells import verdict
from reports.content.places import Found
from reports.words import text

COLUMNS = (
    "study", "task", "preset", "dataset", "device", "row", "verdict", "times_slower", "low", "high", "examples_per_s",
    "quality", "quality_low", "quality_high", "host_peak_bytes", "why_not_comparable",
)  # fmt: skip
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a text for a formula."""


class Download(NamedTuple):
    """A file inside the page."""

    title: str
    name: str
    source: Markup


def downloads(found: Sequence[Found], study: str) -> list[Download]:
    """Return the files of the first table."""
    if not found:
        return []
    rows = [_row(item, place) for item in found for place in range(len(item.group.rows))]
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in study)[:80] or "study"
    return [
        Download(_("Table as CSV"), f"{stem}.csv", _inside("text/csv", _csv(rows))),
        Download(_("as Markdown"), f"{stem}.md", _inside("text/markdown", _markdown(rows))),
    ]


def _row(item: Found, place: int) -> list[object]:
    group, row = item.group, item.group.rows[place]
    speed, against = row.throughput_examples_per_s, row.to_fastest
    facts = (item.study, group.task, group.preset, group.dataset, group.device, row.label, verdict(row))
    ends = (against.low, against.high) if against else (None, None)
    quality = (row.quality_mean, row.accuracy_low, row.accuracy_high)
    return [*map(_harmless, facts), row.times_slower, *ends, speed.median if speed else None, *quality,
            row.host_peak_bytes, _harmless("; ".join(row.why_not_comparable))]  # fmt: skip


def _harmless(value: str) -> str:
    shown = text.printable(value)
    return f"'{shown}" if shown.startswith(FORMULAS) else shown


def _csv(rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue()


def _markdown(rows: Sequence[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        shown = "" if value is None else text.number(value) if isinstance(value, (int, float)) else str(value)
        return shown.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")

    lines = [COLUMNS, ["---"] * len(COLUMNS), *([cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _inside(kind: str, content: str) -> Markup:
    return Markup(f"data:{kind};charset=utf-8;base64,{base64.b64encode(content.encode()).decode()}")
