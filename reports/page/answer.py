"""The answer of a report: who is faster and by how much, in one paragraph and one table, said from the verdicts alone.

The paragraph's sentences are those of `reports/page/answer_sentences.py`.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.language import _
from reports.content.cells import cells, first
from reports.content.places import Found, named
from reports.page.answer_sentences import sentences
from reports.statistics.rows import SEPARATOR, Group, Row
from reports.words import text
from reports.words.table import Cell, number, words

MOST_REASONS = 2


class AnswerRow(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    kind: str
    """fastest, tied, slower or apart (not comparable)."""
    cells: tuple[Cell, ...]
    """Under `Answer.headers`; the first one names the row."""


class AnswerGroup(Struct, frozen=True, kw_only=True):
    """Rows that computed the very same thing, fastest first."""

    title: str
    quality: str
    """Name of the metric, empty where there is none."""
    rows: tuple[AnswerRow, ...]


class Answer(Struct, frozen=True, kw_only=True):
    """What a reader came for."""

    sentences: tuple[str, ...]
    headers: tuple[str, ...]
    numbers: tuple[int, ...]
    """Places of the columns that hold numbers."""
    groups: tuple[AnswerGroup, ...]


COLUMNS = ("row", "verdict", "ratio", "interval", "rate", "quality", "memory", "device", "what")
"""All columns that the table can have; the last two only where a row has something for them."""
NUMBERS = ("ratio", "interval", "rate", "quality", "memory", "device")


def answer(studies: Sequence[tuple[str, Sequence[Group]]]) -> Answer:
    """Return the answer of some studies, each with its name and its groups as `summarize` returns them."""
    found = named(studies)
    rows = [row for item in found for row in item.group.rows]
    has = {
        "device": any(row.device_peak_bytes is not None for row in rows),
        "what": any(any(_reasons(row)) for row in rows),
    }
    keys = [key for key in COLUMNS if has.get(key, True)]
    headers = _headers()
    return Answer(
        sentences=tuple(sentences(found)),
        headers=tuple(headers[key] for key in keys),
        numbers=tuple(place for place, key in enumerate(keys) if key in NUMBERS),
        groups=tuple(_group(item, keys) for item in found),
    )


def _headers() -> dict[str, str]:
    return {
        "row": _("Backend"),
        "verdict": _("Verdict"),
        "ratio": _("× slower"),
        "interval": _("95 % interval"),
        "rate": _("Examples/s"),
        "quality": _("Quality (95 % interval)"),
        "memory": _("Memory MB"),
        "device": _("Device MB"),
        "what": _("What to know"),
    }


def _group(item: Found, keys: Sequence[str]) -> AnswerGroup:
    group = item.group
    metrics = dict.fromkeys(row.metric for row in group.rows if row.metric)
    return AnswerGroup(
        title=SEPARATOR.join(filter(None, (item.study, group.title))),
        quality=_(" or ").join(_(metric.replace("_", " ")) for metric in metrics),
        rows=tuple(AnswerRow(kind=_kind(row), cells=_cells(row, keys)) for row in group.rows),
    )


def _kind(row: Row) -> str:
    if row.rank is None:
        return "apart"
    if row.rank > 1:
        return "slower"
    return "tied" if row.shares_place or row.alone else "fastest"


def _cells(row: Row, keys: Sequence[str]) -> tuple[Cell, ...]:
    shown, found = cells(row), row.to_fastest
    interval = (
        f"{text.number(found.low)}–{text.number(found.high)}" if found and found.low is not None else text.NOTHING
    )
    shown |= {"interval": words(interval), "what": words(text.clauses(_reasons(row)))}
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
