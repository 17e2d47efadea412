"""The answer of a report: who is faster and by how much, in one paragraph and one table, said from the verdicts alone.

Its sentences are those of `reports/page/answer_sentences.py`, the finding that of `reports/page/headline.py`.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.language import _
from reports.content.cells import cells, first
from reports.content.places import Found, named
from reports.page.answer_sentences import others, speeds
from reports.page.headline import headline
from reports.statistics.rows import SEPARATOR, Group, Row
from reports.words import text
from reports.words.table import Cell, number

MOST_REASONS = 2


class AnswerRow(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    kind: str
    """fastest, tied, slower or apart (not comparable)."""
    cells: tuple[Cell, ...]
    """Under `Answer.headers`; the first one names the row."""
    why: str = ""
    """Why it is not comparable, and how its runs ended if not all ended well."""


class AnswerGroup(Struct, frozen=True, kw_only=True):
    """Rows that computed the very same thing, fastest first."""

    title: str
    quality: str
    """Name of the metric, empty where there is none."""
    rows: tuple[AnswerRow, ...]


class Answer(Struct, frozen=True, kw_only=True):
    """What a reader came for."""

    finding: str
    """In one sentence, without a full stop."""
    speeds: tuple[str, ...]
    others: tuple[str, ...]
    """Sentences on speeds, and on what else is to be known."""
    headers: tuple[str, ...]
    """Of the table's columns."""
    numbers: tuple[int, ...]
    """Places of the columns that hold numbers."""
    groups: tuple[AnswerGroup, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it in words."""
        return (*self.speeds, *self.others)


COLUMNS = ("row", "slower", "verdict", "rate", "quality", "memory", "device")
"""All columns that the table can have; the last one only where a row has something for it."""
NUMBERS = ("slower", "rate", "quality", "memory", "device")


def answer(studies: Sequence[tuple[str, Sequence[Group]]]) -> Answer:
    """Return the answer of some studies, each with its name and its groups as `summarize` returns them."""
    found = named(studies)
    rows = [row for item in found for row in item.group.rows]
    has = {
        "device": any(row.device_peak_bytes is not None for row in rows),
    }
    keys = [key for key in COLUMNS if has.get(key, True)]
    headers = _headers()
    return Answer(
        finding=headline(found),
        speeds=tuple(speeds(found)),
        others=tuple(others(found)),
        headers=tuple(headers[key] for key in keys),
        numbers=tuple(place for place, key in enumerate(keys) if key in NUMBERS),
        groups=tuple(_group(item, keys) for item in found),
    )


def _headers() -> dict[str, str]:
    return {
        "row": _("Backend"),
        "slower": _("× slower (95 % interval)"),
        "verdict": _("Verdict"),
        "rate": _("Examples/s"),
        "quality": _("Quality (95 % interval)"),
        "memory": _("Memory MB"),
        "device": _("Device MB"),
    }


def _group(item: Found, keys: Sequence[str]) -> AnswerGroup:
    group = item.group
    metrics = dict.fromkeys(row.metric for row in group.rows if row.metric)
    return AnswerGroup(
        title=SEPARATOR.join(filter(None, (item.study, group.title))),
        quality=_(" or ").join(_(metric.replace("_", " ")) for metric in metrics),
        rows=tuple(
            AnswerRow(kind=_kind(row), cells=_cells(row, keys), why=text.clauses(_reasons(row))) for row in group.rows
        ),
    )


def _kind(row: Row) -> str:
    if row.rank is None:
        return "apart"
    if row.rank > 1:
        return "slower"
    return "tied" if row.shares_place or row.alone else "fastest"


def _cells(row: Row, keys: Sequence[str]) -> tuple[Cell, ...]:
    shown = cells(row)
    if row.accuracy_low is not None:
        ends = (text.quality(end, row.metric) for end in (row.accuracy_low, row.accuracy_high))
        shown["quality"] = number(row.quality_mean, f"{shown['quality'].shown} ({'–'.join(ends)})")
    return tuple(shown[key] for key in keys)


def _reasons(row: Row) -> Iterable[str]:
    """Return why a row is not comparable, and how its runs ended if not all ended well."""
    if row.ok_runs < row.runs:
        yield text.counted(row.status)
    if not row.comparable:
        yield from first(row.why_not_comparable, MOST_REASONS)
    elif row.ok_runs < row.runs:
        yield from first(row.reasons, MOST_REASONS)
