"""Places by verdicts: the fastest row, who shares its place, and every row beside it."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from reports.statistics import methods, verdicts
from reports.statistics.rows import Group, Row
from reports.statistics.verdicts import Comparison


def ranked(groups: Sequence[Group]) -> list[Group]:
    """Return the groups of a study with their verdicts, judged together, and their rows by their places."""
    compared = verdicts.compare([group.rows for group in groups])
    return [_ranked(group, found) for group, found in zip(groups, compared, strict=True)]


def ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the comparable rows, fastest first, then the others.

    The fastest is sought among the rows of at least two processes, where there are any: against one process nothing
    could be shown of any row.
    """
    others = sorted((row for row in rows if not row.comparable), key=lambda row: (row.backend, row.mode, row.profile))
    return (*sorted((row for row in rows if row.comparable), key=_by_speed), *others)


def _by_speed(row: Row) -> tuple[bool, float]:
    logs = methods.logarithms(row.seconds_per_example)
    return len(logs) < methods.FEWEST, sum(logs) / len(logs)


def _ranked(group: Group, comparisons: tuple[Comparison, ...]) -> Group:
    """Return the group with its verdicts, its rows by their places."""
    found = {(item.a, item.b): item for item in comparisons}
    found |= {(item.b, item.a): item.reversed() for item in comparisons}
    ranks = {place: _rank(place, found) for place, row in enumerate(group.rows) if row.comparable}
    order = sorted(range(len(group.rows)), key=lambda place: ranks.get(place, len(group.rows)))
    place_of = {old: new for new, old in enumerate(order)}

    def moved(item: Comparison) -> Comparison:
        # Every pair stands once, under the row of the better place; turned round, its ratio is another one.
        a, b = place_of[item.a], place_of[item.b]
        return msgspec.structs.replace(item, a=a, b=b) if a < b else moved(item.reversed())

    rows = []
    for old in order:
        row, against = group.rows[old], found.get((old, 0))
        if old in ranks:
            row = msgspec.structs.replace(
                row,
                rank=ranks[old],
                shares_place=list(ranks.values()).count(ranks[old]) > 1,
                alone=len(ranks) == 1,
                times_slower=against.ratio if against else 1.0,
                to_fastest=against and msgspec.structs.replace(against, a=place_of[old], b=place_of[0]),
            )
        rows.append(row)
    pairs = sorted(map(moved, comparisons), key=lambda item: (item.a, item.b))
    return msgspec.structs.replace(group, rows=tuple(rows), comparisons=tuple(pairs))


def _rank(place: int, found: Mapping[tuple[int, int], Comparison]) -> int:
    """Return the rank of a comparable row, given each row against each; the fastest one is row 0."""
    if place == 0 or found[place, 0].verdict != "slower":
        return 1
    return 1 + sum(item.verdict == "slower" for (a, _), item in found.items() if a == place)
