"""The answer of a report: who is faster and by how much, in one paragraph and one table, said from the verdicts alone.

Never more than the verdicts show: a tie is called one, and where nothing could be shown the paragraph says so. With
many comparisons it counts them instead of naming each.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.language import _, ngettext, noop
from reports import said_verdicts, text
from reports.content import row_labels
from reports.exhibit import Cell, number, words
from reports.rows import CELL, Group, Row

MOST_NAMED = 6
"""With more comparisons than these, they are counted."""
MOST_ROWS_NAMED = 4
"""Rows of one comparison that a sentence names."""
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


class _Found(Struct, frozen=True, kw_only=True):
    """A group with its names."""

    study: str
    """Empty where there is only one."""
    place: str
    """The shortest name that no other group has."""
    group: Group
    labels: tuple[str, ...]

    def comparable(self) -> list[tuple[str, Row]]:
        return [pair for pair in zip(self.labels, self.group.rows, strict=True) if pair[1].comparable]

    def ties(self) -> list[tuple[str, Row]]:
        """Return the rows beside the fastest one that share its place."""
        return [(label, row) for label, row in self.comparable() if row.rank == 1 and row.to_fastest]

    def slower(self) -> list[tuple[str, Row]]:
        return [(label, row) for label, row in self.comparable() if row.rank is not None and row.rank > 1]

    def fastest(self) -> str:
        return next(label for label, row in self.comparable() if not row.to_fastest)

    def can_show(self) -> bool:
        """Return whether any two rows have the processes that a verdict needs."""
        return any(item.p is not None for item in self.group.comparisons)


class _Columns(Struct, frozen=True, kw_only=True):
    """Which columns the table has besides those that it always has."""

    device: bool
    reasons: bool


def answer(studies: Sequence[tuple[str, Sequence[Group]]]) -> Answer:
    """Return the answer of some studies, each with its name and its groups as `summarize` returns them."""
    found = _found(studies)
    rows = [row for item in found for row in item.group.rows]
    columns = _Columns(
        device=any(row.device_peak_bytes is not None for row in rows), reasons=any(any(_reasons(row)) for row in rows)
    )
    return Answer(
        sentences=tuple(_sentences(found)),
        headers=_headers(columns),
        numbers=(1, 2, *range(4, 8 if columns.device else 7)),
        comparisons=tuple(_comparison(item, columns) for item in found),
    )


def _found(studies: Sequence[tuple[str, Sequence[Group]]]) -> list[_Found]:
    every = [(name if len(studies) > 1 else "", group) for name, groups in studies for group in groups]
    return [
        _Found(study=name, place=_place(name, group, every), group=group, labels=tuple(row_labels(group.rows)))
        for name, group in every
    ]


def _place(study: str, group: Group, every: Sequence[tuple[str, Group]]) -> str:
    """Return the task, and in brackets whatever tells this group from others of the same task."""
    twins = [(name, other) for name, other in every if other.task == group.task]
    facts = [
        str(getattr(group, name)) for name in CELL[1:] if len({getattr(other, name) for _study, other in twins}) > 1
    ]
    facts += [str(getattr(group, name)) for name in group.split_by]
    facts += [study] if len({name for name, _group in twins}) > 1 else []
    return f"{group.task} ({', '.join(facts)})" if facts else group.task


def _sentences(found: Sequence[_Found]) -> Iterable[str]:
    if not found:
        return
    telling = [item for item in found if len(item.comparable()) > 1 and item.can_show()]
    if len(found) <= MOST_NAMED:
        yield from map(_of_one, found)
    elif len(telling) <= MOST_NAMED:
        yield from map(_of_one, telling)
        yield from _mute(len(found) - len(telling))
    else:
        yield from _counted(telling, len(found))
        yield from _mute(len(found) - len(telling))
    yield from _accuracies(found)
    rows = [row for item in found for row in item.group.rows]
    apart = sum(not row.comparable for row in rows)
    if apart:
        yield ngettext(
            "{count} of {all} rows is not comparable; the table says why.",
            "{count} of {all} rows are not comparable; the table says why.",
            apart,
        ).format(count=apart, all=len(rows))
    machines = len({item.group.machine for item in found})
    if machines > 1:
        yield _(
            "The rows come from {count} machines or choices of processors, and only rows of the same one are compared."
        ).format(count=machines)


def _of_one(item: _Found) -> str:
    """Return the sentence on one comparison."""
    rows, ties, slower = item.comparable(), item.ties(), item.slower()
    fields = {
        "place": item.place,
        "fastest": item.fastest() if rows else "",
        "ties": _listed([label for label, _row in ties]),
        "slower": _listed([_by_how_much(label, row) for label, row in slower]),
    }
    if not rows:
        message = _("{place}: no row is comparable.")
    elif len(rows) == 1:
        message = _("{place}: only {fastest} is comparable, so that there is nothing to compare it with.")
    elif not item.can_show():
        message = _("{place}: nothing can be shown, for no two rows have two processes each.")
    elif not ties and len(slower) == 1:
        message = _("{place}: {fastest} is the fastest; slower is {slower}.")
    elif not ties:
        message = _("{place}: {fastest} is the fastest; slower are {slower}.")
    elif not slower:
        message = _("{place}: no difference in speed from {fastest} is shown for {ties}.")
    else:
        message = _("{place}: no difference in speed from {fastest} is shown for {ties}; slower: {slower}.")
    return message.format(**fields)


def _by_how_much(label: str, row: Row) -> str:
    found = row.to_fastest
    if found is None or found.low is None or found.high is None:
        return label
    return _("{row} {ratio}").format(row=label, ratio=text.ratio(found.ratio, found.low, found.high))


def _counted(telling: Sequence[_Found], every: int) -> Iterable[str]:
    """Yield how often which row is the fastest, and how often that is open."""
    winners: dict[str, int] = {}
    for item in telling:
        if not item.ties():
            winners[item.fastest()] = winners.get(item.fastest(), 0) + 1
    if winners:
        order = sorted(winners.items(), key=lambda pair: -pair[1])
        shown = [
            ngettext("{row} in {count} of them", "{row} in {count} of them", count).format(row=row, count=count)
            for row, count in order
        ]
        yield ngettext(
            "Of {all} comparisons, {count} has a row that is faster than every other comparable one: {rows}.",
            "Of {all} comparisons, {count} have a row that is faster than every other comparable one: {rows}.",
            sum(winners.values()),
        ).format(all=every, count=sum(winners.values()), rows=_listed(shown))
    else:
        yield _("In none of {all} comparisons is a row shown to be faster than every other comparable one.").format(
            all=every
        )
    if open_ := len(telling) - sum(winners.values()):
        yield ngettext(
            "In {count} comparison no difference from the fastest row is shown for at least one other.",
            "In {count} comparisons no difference from the fastest row is shown for at least one other.",
            open_,
        ).format(count=open_)


def _mute(count: int) -> Iterable[str]:
    """Yield in how many comparisons nothing can be said."""
    if count:
        yield ngettext(
            "In {count} comparison nothing can be shown, for want of comparable rows or of processes.",
            "In {count} comparisons nothing can be shown, for want of comparable rows or of processes.",
            count,
        ).format(count=count)


def _accuracies(found: Sequence[_Found]) -> Iterable[str]:
    """Yield a sentence on the verdicts on accuracy against the fastest rows."""
    judged = [
        (item, label, row.to_fastest.accuracy_verdict)
        for item in found
        for label, row in item.comparable()
        if row.to_fastest and row.to_fastest.accuracy_difference is not None
    ]
    different = [
        _("{row} in {place}").format(row=label, place=item.place) for item, label, said in judged if said == "different"
    ]
    if different:
        yield _("Accuracy is shown to differ from that of the fastest row for {rows}.").format(rows=_listed(different))
    elif judged and all(said == "equivalent" for *_names, said in judged):
        yield _("Accuracy is equivalent to that of the fastest row wherever it could be judged.")
    elif judged:
        yield _("No row's accuracy is shown to be different from that of the fastest row.")


def _listed(names: Sequence[str]) -> str:
    """Return names in a row, the first few of many."""
    shown = _(", ").join(names[:MOST_ROWS_NAMED])
    more = len(names) - MOST_ROWS_NAMED
    if more <= 0:
        return shown
    return ngettext("{names} and {count} other", "{names} and {count} others", more).format(names=shown, count=more)


def _headers(columns: _Columns) -> tuple[str, ...]:
    return (
        _("Backend"),
        _("× slower"),
        _("95 % interval"),
        _("Verdict"),
        _("Examples/s"),
        _("Quality (95 % interval)"),
        _("Memory MB"),
        *((_("Device MB"),) if columns.device else ()),
        *((_("What to know"),) if columns.reasons else ()),
    )


def _comparison(item: _Found, columns: _Columns) -> Comparison:
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
            number(row.times_slower, text.ratio(row.times_slower)),
            words(interval or text.NOTHING),
            words(_(said_verdicts.verdict(row))),
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
