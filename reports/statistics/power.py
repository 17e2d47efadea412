"""How many repeats would show a difference: from the spread that the rows of a study have."""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reports.statistics import looks, methods
from reports.statistics.methods import FEWEST
from reports.statistics.rows import Group, Row
from reports.statistics.verdicts import Comparison


class Need(Struct, frozen=True, kw_only=True):
    """What one pair of rows needs."""

    table: str
    """Task, preset, data set and device."""
    a: str
    b: str
    processes_a: int
    processes_b: int
    sd_log: float
    """Standard deviation that the test goes by: of a round's difference of logarithms where rows took turns, else of
    a process's logarithm of seconds per example, pooled."""
    turn_sd: float | None = None
    """Of single turns inside their rounds; null where the rows took none."""
    round_sd: float | None = None
    """Of rounds beyond what their turns explain: new processes, and what the machine does to one row alone."""
    minutes: float | None = None
    """That so many rounds take, by the last one's time."""
    repeats: int | None
    """Processes per row that would show the difference, null where more than `MOST_REPEATS` would be needed, of rounds
    more than `looks.MOST_ROUNDS_NEEDED`."""
    smallest_ratio: float
    """Ratio that the processes that there are would have shown."""


class Repeats(Struct, frozen=True, kw_only=True):
    """What all pairs of a study need."""

    ratio: float
    """Of the two rows' seconds: the difference that is to be shown."""
    power: float
    alpha: float
    """Level at which each pair is judged: Holm's strictest, 5 % over the number of pairs."""
    pairs: tuple[Need, ...]
    left_out: tuple[str, ...]
    """Comparable rows of a single process, whose spread is not known."""

    def repeats(self) -> int | None:
        """Return how many processes per row would do for every pair, null where a pair needs too many."""
        found = [need.repeats for need in self.pairs if need.repeats is not None]
        return max(found) if found and len(found) == len(self.pairs) else None


def needs(groups: Iterable[Group], *, ratio: float, power: float) -> Repeats:
    """Return what the pairs of comparable rows need so that a true ratio of their seconds is shown.

    Args:
        groups: as `summarize` returns them.
        ratio: of the seconds, 1.05 for 5 %.
        power: share of the studies that would show it, between 0 and 1.
    """
    groups = list(groups)
    tables = [(group.heading, group.rows) for group in groups]
    in_turns = {
        (group.heading, group.rows[item.a].label, group.rows[item.b].label): item
        for group in groups
        for item in group.comparisons
        if item.round_spread is not None
    }
    grid = [
        (table, first, second)
        for table, rows in tables
        for number, first in enumerate(rows)
        for second in rows[number + 1 :]
        if _spreads(first) and _spreads(second)
    ]
    alpha = methods.strictest(len(grid))
    singles = [
        f"{row.label} ({table})" for table, rows in tables for row in rows if row.comparable and not _spreads(row)
    ]
    pairs = []
    for table, first, second in grid:
        need = _need(table, first, second, ratio=ratio, power=power, alpha=alpha)
        found = in_turns.get((table, first.label, second.label))
        pairs.append(
            need if found is None else _of_rounds(need, found, (first, second), alpha=alpha, power=power, ratio=ratio)
        )
    return Repeats(ratio=ratio, power=power, alpha=alpha, pairs=tuple(pairs), left_out=tuple(singles))


def _of_rounds(
    need: Need, found: Comparison, rows: tuple[Row, Row], *, alpha: float, power: float, ratio: float
) -> Need:
    """Return what a pair needs that took turns: rounds instead of processes."""
    spread, turn = found.round_spread or 0.0, found.turn_spread
    sizes = [len(blocks) for blocks in rows[0].turns.get("train", {}).values()]
    explained = 0.0 if turn is None or not sizes else turn**2 / (sum(sizes) / len(sizes))
    repeats = looks.rounds_needed(spread, ratio, alpha, power)
    took = max(row.round_s or 0.0 for row in rows)
    return replace(
        need,
        sd_log=spread,
        turn_sd=turn,
        round_sd=math.sqrt(max(0.0, spread**2 - explained)),
        repeats=repeats,
        minutes=repeats * took / 60 if repeats and took else None,
        smallest_ratio=found.smallest_ratio or need.smallest_ratio,
    )


def _spreads(row: Row) -> bool:
    return row.comparable and len(row.seconds_per_example) >= FEWEST


def _need(table: str, first: Row, second: Row, *, ratio: float, power: float, alpha: float) -> Need:
    sides = [methods.logarithms(row.seconds_per_example) for row in (first, second)]
    sd = methods.pooled_sd(sides[0], sides[1])
    found = methods.welch(sides[0], sides[1])
    return Need(
        table=table,
        a=first.label,
        b=second.label,
        processes_a=len(sides[0]),
        processes_b=len(sides[1]),
        sd_log=sd,
        repeats=methods.repeats_needed(sd, ratio, alpha, power),
        smallest_ratio=methods.ratio_of(methods.smallest_shown(found, alpha, power)),
    )


class Reachable(Struct, frozen=True, kw_only=True):
    """What more repeats of a study could show of the pairs that it left open."""

    ratio: float
    """Of the seconds: the smallest of `RATIOS` that at most `MOST_SUGGESTED` repeats show."""
    repeats: int


RATIOS = (1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
MOST_SUGGESTED = 20
"""Processes of a row that a person would wait for."""


def reachable(groups: Sequence[Group], power: float = methods.POWER) -> Reachable | None:
    """Return the finest ratio that some more repeats would show of every open pair.

    Returns:
        None where no pair is open, or where even the coarsest ratio needs too many repeats, or no more than there are.
    """
    alpha = methods.strictest(sum(item.p is not None for group in groups for item in group.comparisons))
    open_pairs = [
        (item, group.rows[item.a], group.rows[item.b])
        for group in groups
        for item in group.comparisons
        if item.p is not None and item.verdict == "no difference shown"
    ]
    has = max((item.rounds or min(item.processes_a, item.processes_b) for item, *_rows in open_pairs), default=0)
    for ratio in RATIOS if open_pairs else ():
        found = [_repeats(*pair, ratio=ratio, alpha=alpha, power=power) for pair in open_pairs]
        known = [count for count in found if count is not None]
        if len(known) == len(found) and max(known) <= MOST_SUGGESTED:
            return Reachable(ratio=ratio, repeats=max(known)) if max(known) > has else None
    return None


def _repeats(item: Comparison, first: Row, second: Row, *, ratio: float, alpha: float, power: float) -> int | None:
    """Return how many repeats, rounds where the rows took turns, would show a true ratio of a pair."""
    if item.round_spread is not None:
        return looks.rounds_needed(item.round_spread, ratio, alpha, power)
    sides = [methods.logarithms(row.seconds_per_example) for row in (first, second)]
    return methods.repeats_needed(methods.pooled_sd(sides[0], sides[1]), ratio, alpha, power)
