"""Rows of two studies find each other: the same task, preset, data set, device, backend, mode and profile.

Where a study has several such rows, of other machines or versions, those that agree in most are paired first. What
remains on both sides is not guessed at.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.versions import base
from reports.statistics.rows import CELL, Group, Row

WHO = ("backend", "mode", "profile")
KEY = (*CELL, *WHO)
"""What a row is called by."""

Identity = tuple[object, ...]


class StudyRow(NamedTuple):
    """A row and the group that it stands in."""

    group: Group
    row: Row

    def key(self) -> tuple[str, ...]:
        """Return the values of `KEY`."""
        return (*(getattr(self.group, name) for name in CELL), *(getattr(self.row, name) for name in WHO))


class Paired(NamedTuple):
    """What was found of two studies."""

    pairs: tuple[tuple[StudyRow, StudyRow], ...]
    """Of A and of B."""
    only_a: tuple[StudyRow, ...]
    only_b: tuple[StudyRow, ...]
    unclear: tuple[tuple[tuple[str, ...], int, int], ...]
    """Keys of which both studies have rows left, with how many."""


def pair(a: Iterable[Group], b: Iterable[Group]) -> Paired:
    """Return the rows of two studies in pairs, in the order of A, and those that have no partner."""
    left, right = _places(a), _places(b)
    order = {id(place): number for number, place in enumerate(left)}
    pairs: list[tuple[StudyRow, StudyRow]] = []
    for identity in _IDENTITIES:
        found = _matched(left, right, identity)
        pairs += found
        left = [place for place in left if all(place is not one for one, _other in found)]
        right = [place for place in right if all(place is not other for _one, other in found)]
    counts = [Counter(map(_loose, side)) for side in (left, right)]
    both = counts[0].keys() & counts[1].keys()
    return Paired(
        pairs=tuple(sorted(pairs, key=lambda item: order[id(item[0])])),
        only_a=tuple(place for place in left if _loose(place) not in both),
        only_b=tuple(place for place in right if _loose(place) not in both),
        unclear=tuple((key, counts[0][key], counts[1][key]) for key in counts[0] if key in both),
    )


def refusals(a: StudyRow, b: StudyRow) -> tuple[str, ...]:
    """Return in what the definitions or the data of two rows differ, as names of columns; nothing if they agree."""
    names = ("task_version", "task_fingerprint", "dataset_fingerprint")
    return tuple(name for name in names if _of(a, name) != _of(b, name))


def _places(groups: Iterable[Group]) -> list[StudyRow]:
    return [StudyRow(group, row) for group in groups for row in group.rows]


def _matched(
    left: Sequence[StudyRow], right: Sequence[StudyRow], identity: Callable[[StudyRow], Identity]
) -> list[tuple[StudyRow, StudyRow]]:
    """Return the pairs that agree in an identity that each study has once."""
    mine, theirs = Counter(map(identity, left)), Counter(map(identity, right))
    by_identity = {identity(place): place for place in right}
    return [
        (place, by_identity[identity(place)])
        for place in left
        if mine[identity(place)] == 1 and theirs[identity(place)] == 1
    ]


def _of(place: StudyRow, name: str) -> object:
    return getattr(place.group, name)


def _loose(place: StudyRow) -> tuple[str, ...]:
    """Return the key without the release that a backend's name may carry."""
    return tuple(base(part) if name == "backend" else part for name, part in zip(KEY, place.key(), strict=True))


def _computed(place: StudyRow) -> Identity:
    return _of(place, "task_fingerprint"), _of(place, "dataset_fingerprint")


def _source(place: StudyRow) -> Identity:
    return (*place.key(), *_computed(place), place.group.source)


def _machine(place: StudyRow) -> Identity:
    return (*_source(place), place.group.machine, place.row.device_name)


def _version(place: StudyRow) -> Identity:
    return (*_machine(place), place.row.framework_version)


_IDENTITIES: tuple[Callable[[StudyRow], Identity], ...] = (
    _version,
    _machine,
    _source,
    lambda place: (*place.key(), *_computed(place)),
    lambda place: place.key(),
    lambda place: (*_loose(place), *_computed(place)),
    _loose,
)
"""In what two rows agree, from all that can be known to the mere name."""
