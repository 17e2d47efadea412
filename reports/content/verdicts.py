"""The verdicts in words and cells: the ratio to the fastest row, what could have been shown, and the accuracies."""

from collections.abc import Iterator, Sequence

from harness.language import _, noop
from reports.statistics.methods import ALPHA, MARGIN, POWER
from reports.statistics.rows import Group, Row
from reports.statistics.verdicts import Comparison
from reports.words import text
from reports.words.table import Table

FASTEST, NOT_COMPARABLE, ALONE = noop("fastest"), noop("not comparable"), noop("no other row")
PAIRS = noop("Every pair")
HEADERS = (
    noop("row"), noop("against"), noop("× slower"), noop("verdict"), noop("p (Holm)"), noop("shown in 80 %"),
    noop("accuracy difference"), noop("accuracy verdict"),
)  # fmt: skip


def times_slower(row: Row) -> str:
    """Return the ratio of a row's seconds to those of the fastest row, with its interval."""
    found = row.to_fastest
    return text.ratio(row.times_slower, found.low if found else None, found.high if found else None)


def verdict(row: Row) -> str:
    """Return what is shown of a row's speed, in English; whoever shows it looks it up."""
    if row.to_fastest:
        return row.to_fastest.verdict
    if row.rank is None:
        return NOT_COMPARABLE
    if row.alone:
        return ALONE
    return "no difference shown" if row.shares_place else FASTEST


def lines(group: Group, labels: Sequence[str], comparisons: int) -> Iterator[str]:
    """Yield what is to be said below the table of a group.

    Args:
        group: as `summarize` returns it.
        labels: the names of its rows.
        comparisons: pairs of the whole study, for which Holm's method adjusts.
    """
    yield from _steady(group, labels)
    yield from _smallest(group, labels, comparisons)
    yield from _accuracies(group, labels)


def pairs(group: Group, labels: Sequence[str]) -> Table | None:
    """Return the table of all pairs of comparable rows, None where there is none."""
    found = [item for item in group.comparisons if item.verdict != NOT_COMPARABLE]
    if not found:
        return None
    rows = tuple(_cells(item, labels) for item in found)
    return Table(title=_(PAIRS), headers=tuple(map(_, HEADERS)), rows=rows)


def _cells(item: Comparison, labels: Sequence[str]) -> tuple[str, ...]:
    accuracy = text.NOTHING
    if item.accuracy_difference is not None:
        accuracy = _("{difference} ({low} to {high}), {test}").format(
            difference=_signed(item.accuracy_difference),
            low=_signed(item.accuracy_low),
            high=_signed(item.accuracy_high),
            test=_(item.accuracy_test),
        )
    said = _(item.verdict)
    return (
        labels[item.a],
        labels[item.b],
        text.ratio(item.ratio, item.low, item.high),
        _("{what}: {reason}").format(what=said, reason=text.quoted(item.why)) if item.why else said,
        text.number(item.p_holm, 2),
        text.ratio(item.smallest_ratio),
        accuracy,
        _(item.accuracy_verdict),
    )


def _signed(value: float | None) -> str:
    return text.NOTHING if value is None else f"{round(value, 4) + 0.0:+.4f}"  # no minus before a zero


def _steady(group: Group, labels: Sequence[str]) -> Iterator[str]:
    """Yield a line on runs that did not settle, and one on blocks that are not read."""
    rows = [(row, label) for row, label in zip(group.rows, labels, strict=True) if row.steady_state]
    odd = [(row, label) for row, label in rows if row.steady_state != f"{len(row.seconds_per_example)} settled"]
    words = {row.steady_state.lstrip("0123456789 ") for row, _ in odd}
    if len(words) == 1 and len(odd) == len(rows):
        yield _("Steady state: {outcome}, in all runs.").format(outcome=text.counted(words.pop()))
    elif odd:
        said = (_("{what}: {reason}").format(what=label, reason=text.counted(row.steady_state)) for row, label in odd)
        yield _("Steady state: {outcomes}.").format(outcomes=text.clauses(said))
    counts = [
        _("{label} {front} in front and {disturbed} disturbed of {recorded}").format(
            label=label, front=row.discarded_blocks, disturbed=row.disturbed_blocks, recorded=row.recorded_blocks
        )
        for row, label in rows
        if row.discarded_blocks or row.disturbed_blocks
    ]
    if counts:
        yield _("Steady blocks left out: {counts}.").format(counts=text.clauses(counts))


def _smallest(group: Group, labels: Sequence[str], comparisons: int) -> Iterator[str]:
    """Yield a line on the smallest ratio that studies like this one mostly show; a larger one may have been missed."""
    shown = sorted(
        (item.smallest_ratio, _("{a} and {b}").format(a=labels[item.a], b=labels[item.b]))
        for item in group.comparisons
        if item.smallest_ratio is not None
    )
    if shown:
        (low, closest), (high, widest) = shown[0], shown[-1]
        sentence = (
            _(
                "Smallest true ratio that {power} of such studies would show (at the level {alpha}/{pairs}): "
                "{low} ({closest}), for others up to {high} ({widest})."
            )
            if len(shown) > 1
            else _(
                "Smallest true ratio that {power} of such studies would show (at the level {alpha}/{pairs}): "
                "{low} ({closest})."
            )
        )
        yield sentence.format(
            power=text.percent(POWER, 0),
            alpha=f"{ALPHA:g}",
            pairs=comparisons,
            low=text.ratio(low),
            closest=closest,
            high=text.ratio(high),
            widest=widest,
        )
    elif sum(row.comparable for row in group.rows) > 1:
        yield _("No difference could have been shown: no two rows have two processes each.")


def _accuracies(group: Group, labels: Sequence[str]) -> Iterator[str]:
    """Yield a line of mean accuracies with their intervals, and one of how they compare with the fastest row's."""
    means = [
        f"{label} {text.quality(row.quality_mean, row.metric)} "
        f"({text.quality(row.accuracy_low, row.metric)}–{text.quality(row.accuracy_high, row.metric)})"
        for row, label in zip(group.rows, labels, strict=True)
        if row.accuracy_low is not None
    ]
    if means:
        yield _("Accuracy, mean over the seeds with its 95 % interval: {means}.").format(means=text.clauses(means))
    against: dict[str, list[str]] = {}
    for row, label in zip(group.rows, labels, strict=True):
        found = row.to_fastest
        if found and found.accuracy_difference is not None:
            shown = f"{label} ({_signed(found.accuracy_difference)})"
            against.setdefault(found.accuracy_verdict, []).append(shown)
    if against:
        fastest = next(label for row, label in zip(group.rows, labels, strict=True) if row.rank and not row.to_fastest)
        said = text.clauses(
            _("{what}: {reason}").format(what=_(name), reason=text.names(found)) for name, found in against.items()
        )
        yield _("Accuracy against {fastest}, within {margin}: {verdicts}.").format(
            fastest=fastest, margin=f"{MARGIN:g}", verdicts=said
        )
