"""Places by verdicts: the fastest row, who shares its place, and every row beside it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from harness.language import noop
from harness.spec import PLANT, TWIN
from reports.statistics import methods, verdicts
from reports.statistics.rows import Control, Group, Row
from reports.statistics.verdicts import Comparison

TOO_NOISY = noop("this machine was too noisy for such a statement: its controls did not come out as they are known to")


def ranked(groups: Sequence[Group]) -> list[Group]:
    """Return the groups of a study with their verdicts, judged together, and their rows by their places."""
    pairs = [(original, row) for group in groups for row, original in _with_originals(group)]
    compared = verdicts.compare([*(group.rows for group in groups), *pairs])
    known = iter(
        [Control(row=row, found=found) for (_, row), (found,) in zip(pairs, compared[len(groups) :], strict=True)]
    )
    checked = [msgspec.structs.replace(g, controls=tuple(islice(known, len(_with_originals(g))))) for g in groups]
    return [
        _ranked(group, tuple(checked_by(group.controls, item) for item in found))
        for group, found in zip(checked, compared, strict=False)
    ]


def _with_originals(group: Group) -> list[tuple[Row, Row]]:
    """Return the controls of a group, each with the row that it is a control of."""
    names = ("backend", "mode", "framework_version", "device_name")
    return [
        (control, row)
        for control in group.beside
        for row in group.rows
        if row.profile == "stock" and all(getattr(row, name) == getattr(control, name) for name in names)
    ]


def checked_by(controls: Sequence[Control], item: Comparison) -> Comparison:
    """Return a comparison with its verdict taken back where its study's controls show that this could not be seen.

    Where the twin is not found equal or the plant not slower, nothing is called equal, and only differences that lie
    beyond the plant as a whole are called so; where the twin itself is called different, none is.
    """
    wrong = [control for control in controls if not control.holds]
    if not wrong or item.verdict in ("no difference shown", "not comparable") or item.low is None or item.high is None:
        return item
    is_large = item.low > 1 + PLANT or item.high < 1 / (1 + PLANT)
    twin_differs = any(one.row.profile == TWIN and one.found.verdict in ("faster", "slower") for one in wrong)
    if is_large and not twin_differs:
        return item
    return msgspec.structs.replace(item, verdict="no difference shown", why=TOO_NOISY)


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
