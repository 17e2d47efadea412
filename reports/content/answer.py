"""The answer of a study: tasks by rows, one mark for every verdict, and the two or three sentences that follow.

It is made from the groups of a study alone, so that a study that still runs has one too; whoever shows it lays it out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from harness.language import _, ngettext, noop
from harness.record import Record
from harness.records.studies import Loaded
from reports.content import answer_words
from reports.content.places import Found, named
from reports.statistics.methods import EQUAL
from reports.statistics.rows import Group, Row
from reports.words import text

Mark = Literal["fastest", "open", "equal", "slower", "alone", "disturbed", "apart"]
MARKS: Mapping[Mark, tuple[str, str]] = {
    "fastest": ("●", noop("fastest")),
    "open": ("~", noop("no difference shown")),
    "equal": ("=", noop("equal within 5 %")),
    "slower": ("▼", noop("slower")),
    "alone": ("○", noop("no other row")),
    "disturbed": ("?", noop("disturbed")),
    "apart": ("✗", noop("not comparable")),
}
"""The sign of every verdict, and what it says."""
PARITY_FAILED, NO_PARITY, UNLIKE = noop("parity failed"), noop("parity not checked"), noop("not comparable")


class AnswerCell(Struct, frozen=True, kw_only=True):
    """What is shown of one row in one task."""

    mark: Mark
    words: str
    """The ratio; of the fastest row its examples per second, of one that is not comparable why."""
    interval: str = ""
    """Of the ratio, 95 %."""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    examples_per_s: float | None = None


class AnswerLine(Struct, frozen=True, kw_only=True):
    """One task: a group of rows that computed the very same thing."""

    place: str
    """The shortest name that tells it from the other lines."""
    cells: tuple[AnswerCell | None, ...]
    """Under `Answer.columns`; None: there is no such row here."""


class Answer(Struct, frozen=True, kw_only=True):
    """What a reader came for."""

    facts: tuple[str, ...]
    """Preset, device and processes, each as far as all lines share it."""
    columns: tuple[str, ...]
    """The rows of the study by their labels, the fastest first."""
    lines: tuple[AnswerLine, ...]
    sentences: tuple[str, ...]

    def marks(self) -> tuple[Mark, ...]:
        """Return the marks that there are, in the order of `MARKS`."""
        used = {cell.mark for line in self.lines for cell in line.cells if cell}
        return tuple(mark for mark in MARKS if mark in used)


def answer(groups: Sequence[Group], loaded: Loaded | None = None) -> Answer:
    """Return the answer of a study, or of several that were summed up together.

    Args:
        groups: as `summarize` returns them.
        loaded: the study, if what it lacks is to be said.
    """
    found = named([("", groups)])
    columns = _columns(groups)
    return Answer(
        facts=tuple(_facts(groups)),
        columns=columns,
        lines=tuple(_line(item, columns) for item in found),
        sentences=(*answer_words.sentences(found), *(answer_words.lacking(loaded) if loaded else ())),
    )


def answer_of(records: Iterable[Record]) -> Answer:
    """Return the answer of some records, of a study that still runs for example; none of them twice."""
    from reports.frame.frame import frame  # pandas
    from reports.statistics.summary import summarize

    return answer(summarize(frame(list(records))))


def _columns(groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the labels of all rows: the more often one is ahead of others, the further in front."""
    places: dict[str, list[float]] = {}
    for group in groups:
        for place, row in enumerate(group.rows):
            share = place / len(group.rows) if row.comparable else 1.0
            places.setdefault(row.label, []).append(share)
    return tuple(sorted(places, key=lambda label: sum(places[label]) / len(places[label])))


def _facts(groups: Sequence[Group]) -> Iterable[str]:
    for name in ("preset", "device"):
        values = {str(getattr(group, name)) for group in groups}
        if len(values) == 1:
            yield values.pop()
    rows = [row for group in groups for row in group.rows if row.seconds_per_example]
    rounds = {item.rounds for group in groups for item in group.comparisons if item.rounds}
    counts = {len(row.seconds_per_example) for row in rows}
    if rounds:
        count = max(rounds)
        yield ngettext("{count} round in turns", "{count} rounds in turns", count).format(count=count)
    elif len(counts) == 1:
        count = counts.pop()
        yield ngettext("{count} process each", "{count} processes each", count).format(count=count)
    elif counts:
        yield _("{low} to {high} processes each").format(low=min(counts), high=max(counts))


def _line(item: Found, columns: Sequence[str]) -> AnswerLine:
    cells = {row.label: _cell(row, item.ties()) for row in item.group.rows}
    return AnswerLine(place=item.place, cells=tuple(cells.get(label) for label in columns))


def _cell(row: Row, ties: Sequence[Row]) -> AnswerCell:
    speed = row.throughput_examples_per_s
    rate = speed.median if speed else None
    if not row.comparable:
        return AnswerCell(mark=_kept_apart(row), words=why_apart(row), examples_per_s=rate)
    if row.to_fastest is None:
        shown = _("{rate}/s").format(rate=text.rate(rate))
        return AnswerCell(mark=_mark_of_fastest(row, ties), words=shown, ratio=1.0, examples_per_s=rate)
    found = row.to_fastest
    known = found.low is not None and found.high is not None
    mark: Mark = "slower" if row.rank and row.rank > 1 else "equal" if found.verdict == EQUAL else "open"
    return AnswerCell(
        mark=mark,
        words=text.number(row.times_slower),
        interval=f"{text.number(found.low)}–{text.number(found.high)}" if known else "",
        ratio=row.times_slower,
        low=found.low,
        high=found.high,
        examples_per_s=rate,
    )


def _mark_of_fastest(row: Row, ties: Sequence[Row]) -> Mark:
    if row.alone:
        return "alone"
    verdicts = {tie.to_fastest.verdict for tie in ties if tie.to_fastest}
    return "fastest" if not verdicts else "equal" if verdicts == {EQUAL} else "open"


def _kept_apart(row: Row) -> Mark:
    return "disturbed" if row.is_disturbed else "apart"


def why_apart(row: Row) -> str:
    """Return in a word or two why a row is not comparable."""
    if row.is_disturbed:
        return _(MARKS["disturbed"][1])
    ended = [status for status in row.status if status not in ("ok", "missed_target")]
    if not row.seconds_per_example and ended:
        return text.names(map(_, ended))
    if "fail" in row.parity:
        return _(PARITY_FAILED)
    return _(NO_PARITY) if "not checked" in row.parity else _(UNLIKE)
