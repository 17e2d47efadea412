"""The answer of a report: who is faster and by how much, in one paragraph and one table, said from the verdicts alone.

The paragraph's sentences are those of `reports/page/answer_sentences.py`.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.language import _, noop
from reports.content import verdicts
from reports.page.answer_sentences import Found, named, sentences
from reports.statistics.rows import CELL, Group, Row
from reports.words import text
from reports.words.table import Cell, number, words

MOST_REASONS = 2


class Line(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    kind: str
    """fastest, tied, slower or apart (not comparable)."""
    cells: tuple[Cell, ...]
    """Under `Answer.headers`; the first one names the row."""


class Comparison(Struct, frozen=True, kw_only=True):
    """Rows that computed the very same thing, fastest first."""

    title: str
    quality: str
    """Name of the metric, empty where there is none."""
    lines: tuple[Line, ...]


class Answer(Struct, frozen=True, kw_only=True):
    """What a reader came for."""

    sentences: tuple[str, ...]
    headers: tuple[str, ...]
    numbers: tuple[int, ...]
    """Places of the columns that hold numbers."""
    comparisons: tuple[Comparison, ...]


class _Columns(Struct, frozen=True, kw_only=True):
    """Which columns the table has besides those that it always has."""

    device: bool
    reasons: bool


def answer(studies: Sequence[tuple[str, Sequence[Group]]]) -> Answer:
    """Return the answer of some studies, each with its name and its groups as `summarize` returns them."""
    found = named(studies)
    rows = [row for item in found for row in item.group.rows]
    columns = _Columns(
        device=any(row.device_peak_bytes is not None for row in rows), reasons=any(any(_reasons(row)) for row in rows)
    )
    return Answer(
        sentences=tuple(sentences(found)),
        headers=_headers(columns),
        numbers=tuple(range(2, 8 if columns.device else 7)),
        comparisons=tuple(_comparison(item, columns) for item in found),
    )


def _headers(columns: _Columns) -> tuple[str, ...]:
    return (
        _("Backend"),
        _("Verdict"),
        _("× slower"),
        _("95 % interval"),
        _("Examples/s"),
        _("Quality (95 % interval)"),
        _("Memory MB"),
        *((_("Device MB"),) if columns.device else ()),
        *((_("What to know"),) if columns.reasons else ()),
    )


def _comparison(item: Found, columns: _Columns) -> Comparison:
    group = item.group
    metrics = dict.fromkeys(row.metric for row in group.rows if row.metric)
    facts = [f"{name.replace('_', ' ')} {getattr(group, name)}" for name in group.split_by]
    names = [str(getattr(group, name)) for name in CELL]
    return Comparison(
        title=" · ".join((*filter(None, [item.study]), *names, *facts)),
        quality=_(" or ").join(_(metric.replace("_", " ")) for metric in metrics),
        lines=tuple(_line(label, row, columns) for label, row in zip(item.labels, group.rows, strict=True)),
    )


def _line(label: str, row: Row, columns: _Columns) -> Line:
    found, speed = row.to_fastest, row.throughput_examples_per_s
    interval = "" if not found or found.low is None else f"{text.number(found.low)}–{text.number(found.high)}"
    return Line(
        kind="apart"
        if row.rank is None
        else "slower"
        if row.rank > 1
        else "tied"
        if row.shares_place or row.alone
        else "fastest",
        cells=(
            words(label),
            words(_(verdicts.verdict(row))),
            number(row.times_slower, text.ratio(row.times_slower)),
            words(interval or text.NOTHING),
            _rate(speed.median if speed else None),
            number(row.quality_mean, _quality(row)),
            number(row.host_peak_bytes, text.megabytes(row.host_peak_bytes)),
            *((number(row.device_peak_bytes, text.megabytes(row.device_peak_bytes)),) if columns.device else ()),
            *((words(text.clauses(_reasons(row))),) if columns.reasons else ()),
        ),
    )


def _rate(value: float | None) -> Cell:
    return number(value, text.rate(value))


def _quality(row: Row) -> str:
    mean = text.quality(row.quality_mean, row.metric)
    if row.accuracy_low is None:
        return mean
    return f"{mean} ({text.quality(row.accuracy_low, row.metric)}–{text.quality(row.accuracy_high, row.metric)})"


def _reasons(row: Row) -> Iterable[str]:
    """Return why a row is not comparable, and how its runs ended if not all ended well."""
    if row.ok_runs < row.runs:
        yield text.counted(row.status)
    if not row.comparable:
        yield from text.first(
            tuple(map(text.quoted, row.why_not_comparable)), MOST_REASONS, noop("and {count} other reasons")
        )
    elif row.ok_runs < row.runs:
        yield from text.first(tuple(map(text.quoted, row.reasons)), MOST_REASONS, noop("and {count} other reasons"))
