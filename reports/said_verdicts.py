"""The verdicts in words and cells: the ratio to the fastest row, what could have been shown, and the accuracies."""

from collections.abc import Iterator, Sequence

from reports import text
from reports.rows import Group, Row
from reports.stages import Table
from reports.statistics import ALPHA, MARGIN, POWER
from reports.verdicts import Comparison

FASTEST, NOT_COMPARABLE = "fastest", "not comparable"
PAIRS = "Every pair"
HEADERS = (
    "row", "against", "× slower", "verdict", "p (Holm)", "could have shown", "accuracy difference", "accuracy verdict",
)  # fmt: skip


def times_slower(row: Row) -> str:
    """Return the ratio of a row's seconds to those of the fastest row, with its interval."""
    found = row.to_fastest
    return text.ratio(row.times_slower, found.low if found else None, found.high if found else None)


def verdict(row: Row) -> str:
    """Return what is shown of a row's speed."""
    if row.to_fastest:
        return row.to_fastest.verdict
    if row.rank is None:
        return NOT_COMPARABLE
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
    return Table(title=PAIRS, headers=HEADERS, rows=tuple(_cells(item, labels) for item in found))


def _cells(item: Comparison, labels: Sequence[str]) -> tuple[str, ...]:
    accuracy = text.NOTHING
    if item.accuracy_difference is not None:
        interval = f"{_signed(item.accuracy_low)} to {_signed(item.accuracy_high)}"
        accuracy = f"{_signed(item.accuracy_difference)} ({interval}), {item.accuracy_test}"
    return (
        labels[item.a],
        labels[item.b],
        text.ratio(item.ratio, item.low, item.high),
        f"{item.verdict}{f': {item.why}' if item.why else ''}",
        text.number(item.p_holm, 2),
        text.ratio(item.smallest_ratio),
        accuracy,
        item.accuracy_verdict,
    )


def _signed(value: float | None) -> str:
    return text.NOTHING if value is None else f"{round(value, 4) + 0.0:+.4f}"  # no minus before a zero


def _steady(group: Group, labels: Sequence[str]) -> Iterator[str]:
    """Yield a line on runs that did not settle, and one on blocks that are not read."""
    rows = [(row, label) for row, label in zip(group.rows, labels, strict=True) if row.steady_state]
    odd = [(row, label) for row, label in rows if row.steady_state != f"{len(row.seconds_per_example)} settled"]
    words = {row.steady_state.lstrip("0123456789 ") for row, _ in odd}
    if len(words) == 1 and len(odd) == len(rows):
        yield f"Steady state: {words.pop()}, in all runs."
    elif odd:
        yield f"Steady state: {'; '.join(f'{label}: {row.steady_state}' for row, label in odd)}."
    counts = [
        f"{label} {row.discarded_blocks} in front and {row.disturbed_blocks} disturbed of {row.recorded_blocks}"
        for row, label in rows
        if row.discarded_blocks or row.disturbed_blocks
    ]
    if counts:
        yield f"Steady blocks left out: {'; '.join(counts)}."


def _smallest(group: Group, labels: Sequence[str], comparisons: int) -> Iterator[str]:
    """Yield a line on the smallest difference that this section could have shown."""
    shown = sorted(
        (item.smallest_ratio, f"{labels[item.a]} and {labels[item.b]}")
        for item in group.comparisons
        if item.smallest_ratio is not None
    )
    if shown:
        (low, closest), (high, widest) = shown[0], shown[-1]
        most = f", for others up to {text.ratio(high)} ({widest})" if len(shown) > 1 else ""
        yield (
            "Smallest difference that could have been shown "
            f"({text.percent(POWER, 0)} power, level {ALPHA:g}/{comparisons}): "
            f"{text.ratio(low)} ({closest}){most}."
        )
    elif sum(row.comparable for row in group.rows) > 1:
        yield "No difference could have been shown: no two rows have two processes each."


def _accuracies(group: Group, labels: Sequence[str]) -> Iterator[str]:
    """Yield a line of mean accuracies with their intervals, and one of how they compare with the fastest row's."""
    means = [
        f"{label} {text.quality(row.quality_mean, row.metric)} "
        f"({text.quality(row.accuracy_low, row.metric)}–{text.quality(row.accuracy_high, row.metric)})"
        for row, label in zip(group.rows, labels, strict=True)
        if row.accuracy_low is not None
    ]
    if means:
        yield f"Accuracy, mean over the seeds with its 95 % interval: {'; '.join(means)}."
    against: dict[str, list[str]] = {}
    for row, label in zip(group.rows, labels, strict=True):
        found = row.to_fastest
        if found and found.accuracy_difference is not None:
            shown = f"{label} ({_signed(found.accuracy_difference)})"
            against.setdefault(found.accuracy_verdict, []).append(shown)
    if against:
        fastest = next(label for row, label in zip(group.rows, labels, strict=True) if row.rank and not row.to_fastest)
        said = "; ".join(f"{name}: {', '.join(found)}" for name, found in against.items())
        yield f"Accuracy against {fastest}, within {MARGIN:g}: {said}."
