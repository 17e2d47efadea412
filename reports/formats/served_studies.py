"""All studies of a results folder as the served page lists them, and the guard that no path leads out of it.

A study is known by its name in that list alone: no part of an address is ever joined to a path.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from msgspec import Struct

from harness.records import studies
from reports.compare.changes import hardware

T = TypeVar("T")
Stamp = tuple[tuple[str, int, int], ...]
"""Every file below a study with the time of its last change and its size."""


class Entry(Struct, frozen=True, kw_only=True):
    """One study in the list."""

    name: str
    created_at: str
    runs: int
    planned: int | None
    statuses: dict[str, int]
    tasks: tuple[str, ...]
    backends: tuple[str, ...]
    machines: tuple[str, ...]
    damaged: int

    @property
    def is_unfinished(self) -> bool:
        """Whether planned runs have no record yet."""
        return self.planned is not None and self.runs + self.damaged < self.planned

    def holds(self, words: str, *, task: str = "", backend: str = "", status: str = "") -> bool:
        """Return whether every word is in what the list shows of the study, and whether it has what is asked for."""
        shown = " ".join((self.name, self.created_at, *self.tasks, *self.backends, *self.machines, *self.statuses))
        return (
            all(word in shown.casefold() for word in words.casefold().split())
            and (not task or task in self.tasks)
            and (not backend or backend in self.backends)
            and (not status or status in self.statuses)
        )


class Remembered(Generic[T]):
    """What was made of studies, until one of their files changes; the oldest is forgotten first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._found: dict[tuple[str, ...], tuple[tuple[Stamp, ...], T]] = {}
        self._lock = Lock()

    def get(self, key: tuple[str, ...], stamps: tuple[Stamp, ...], make: Callable[[], T]) -> T:
        """Return what was made under this key of these very files, or make it; one at a time."""
        with self._lock:
            known = self._found.pop(key, None)
            found = known[1] if known and known[0] == stamps else make()
            self._found[key] = (stamps, found)
            while len(self._found) > self.most:
                del self._found[next(iter(self._found))]
            return found


class Catalogue:
    """The studies of one results folder."""

    def __init__(self, results: Path) -> None:
        self.results = results.resolve()
        self._entries: Remembered[Entry] = Remembered(most=10_000)

    def folders(self) -> dict[str, Path]:
        """Return the folders of the studies by name, without those that lead out of the results folder."""
        return {folder.name: folder for folder in studies.everything(self.results) if self._is_inside(folder)}

    def entries(self) -> list[Entry]:
        """Return all studies, the newest first."""
        found = [
            self._entries.get((name,), (stamp(folder),), partial(_entry, folder))
            for name, folder in self.folders().items()
        ]
        return sorted(found, key=lambda entry: (entry.created_at, entry.name), reverse=True)

    def _is_inside(self, folder: Path) -> bool:
        """Return whether a study and all that lies in it is really below the results folder."""
        try:
            links = [folder, *(path for path in _files(folder) if path.is_symlink())]
            return not folder.name.startswith(".") and all(
                link.resolve().is_relative_to(self.results) for link in links
            )
        except (OSError, RuntimeError):  # a link to itself
            return False


def stamp(folder: Path) -> Stamp:
    """Return what changes when a file of a study does."""
    found = []
    for path in _files(folder):
        try:
            facts = path.stat()
        except OSError:  # gone by now
            continue
        found.append((str(path), facts.st_mtime_ns, facts.st_size))
    return tuple(sorted(found))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, and the links without following them."""
    for here, folders, files in os.walk(folder):
        yield from (Path(here, name) for name in files)
        yield from (Path(here, name) for name in folders if Path(here, name).is_symlink())


def _entry(folder: Path) -> Entry:
    loaded = studies.load(folder)
    specs = loaded.plan.specs if loaded.plan else tuple(record.spec for record in loaded.records)
    return Entry(
        name=folder.name,
        created_at=loaded.plan.created_at if loaded.plan else "",
        runs=len(loaded.records),
        planned=max(len(loaded.plan.sure()), len(loaded.records)) if loaded.plan else None,
        statuses=dict(Counter(record.outcome.status for record in loaded.records)),
        tasks=tuple(dict.fromkeys(spec.task for spec in specs)),
        backends=tuple(dict.fromkeys(spec.backend for spec in specs)),
        machines=hardware(loaded.records),
        damaged=len(loaded.damaged),
    )
