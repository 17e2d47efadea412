"""The paragraph of the answer: who is faster and by how much, in sentences that never say more than the verdicts.

A tie is called one, and where nothing could be shown that is said. With many comparisons they are counted instead of
named.
"""

from collections.abc import Iterable, Sequence

from harness.language import _, ngettext
from reports.content.places import Found
from reports.statistics.rows import Row
from reports.words import text

MOST_NAMED = 6
"""With more comparisons than these, they are counted."""
MOST_ROWS_NAMED = 4
"""Rows of one comparison that a sentence names."""


def sentences(found: Sequence[Found]) -> Iterable[str]:
    """Yield the paragraph, sentence by sentence."""
    yield from speeds(found)
    yield from others(found)


def speeds(found: Sequence[Found]) -> Iterable[str]:
    """Yield what is shown of speeds, comparison by comparison, or counted."""
    telling = [item for item in found if len(item.comparable()) > 1 and item.can_show()]
    if len(found) <= MOST_NAMED:
        yield from map(_of_one, found)
    elif len(telling) <= MOST_NAMED:
        yield from map(_of_one, telling)
        yield from _mute(len(found) - len(telling))
    else:
        yield from _counted(telling, len(found))
        yield from _mute(len(found) - len(telling))


def others(found: Sequence[Found]) -> Iterable[str]:
    """Yield what else is to be known: of accuracies, of rows that are not comparable, and of machines."""
    yield from accuracies(found)
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


def _of_one(item: Found) -> str:
    """Return the sentence on one comparison."""
    rows, ties, slower = item.comparable(), item.ties(), item.slower()
    fields = {
        "place": item.place,
        "fastest": item.fastest() if rows else "",
        "ties": _listed([row.label for row in ties]),
        "slower": _listed(list(map(_by_how_much, slower))),
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


def _by_how_much(row: Row) -> str:
    found = row.to_fastest
    if found is None or found.low is None or found.high is None:
        return row.label
    return _("{row} {ratio}").format(row=row.label, ratio=text.ratio(found.ratio, found.low, found.high))


def _counted(telling: Sequence[Found], every: int) -> Iterable[str]:
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


def accuracies(found: Sequence[Found]) -> Iterable[str]:
    """Yield a sentence on the verdicts on accuracy against the fastest rows."""
    judged = [
        (item, row.label, row.to_fastest.accuracy_verdict)
        for item in found
        for row in item.comparable()
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
