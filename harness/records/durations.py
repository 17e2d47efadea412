"""How long runs will take, from how long runs like them took: those of this study, and those of the newest others."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import StoreError
from harness.record import Record
from harness.records import studies
from harness.records.store import Store
from harness.spec import RunSpec

MOST_STUDIES = 5
"""How many of the newest studies are looked at; older ones say little of today's code and machine."""


class Expected(NamedTuple):
    """What is known of the runs that are left."""

    seconds: float
    """Of all those of which something is known, one after another."""
    unknown: int
    """Runs of which nothing is known."""


class Durations:
    """Seconds of the runs that were seen, by what they ran."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._seen: dict[tuple[str, ...], list[float]] = {}
        for record in records:
            self.add(record)

    @classmethod
    def of_earlier(cls, results: Path, cpu: str) -> "Durations":
        """Return those of the newest studies in a results folder, as far as they ran on a processor of this name."""
        folders = sorted(studies.everything(results), key=studies.created_at, reverse=True)
        found = cls()
        for folder in folders[:MOST_STUDIES]:
            try:
                records, _damaged = Store(folder).records()
            except StoreError:  # nothing is promised of other studies
                continue
            for record in records:
                if record.machine.cpu == cpu:
                    found.add(record)
        return found

    def add(self, record: Record) -> None:
        """Take in how long a run took; one that did not get to its end says nothing."""
        seconds = record.measured.phases.total_s
        if seconds is not None and seconds > 0:
            seconds /= max(1, len(record.live_with))  # in turns, the time of the others is in it
            for key in _keys(record.spec):
                self._seen.setdefault(key, []).append(seconds)

    def of(self, spec: RunSpec) -> float | None:
        """Return the median seconds of runs like this one, of the nearest likeness that there is; None of none."""
        found = next((self._seen[key] for key in _keys(spec) if key in self._seen), None)
        return statistics.median(found) if found else None

    def expected(self, specs: Sequence[RunSpec]) -> Expected:
        """Return how long some runs will take, one after another."""
        each = [self.of(spec) for spec in specs]
        known = [seconds for seconds in each if seconds is not None]
        return Expected(seconds=sum(known), unknown=len(each) - len(known))


def _keys(spec: RunSpec) -> tuple[tuple[str, ...], ...]:
    """Return what a run is like, the nearest likeness first: the same row, and the same backend in another mode."""
    what = (spec.task, spec.preset, spec.dataset, spec.backend, spec.device)
    return ((*what, spec.mode, spec.profile), what)
