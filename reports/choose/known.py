"""What is known of who can be chosen: numbers of processes, failures, and gaps, each told from the others."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

WHOLE = ""
"""The cell of a reading that is not one of tasks."""
Key = tuple[str, str, str]
"""Backend, mode and profile."""


class Reading(Struct, frozen=True, kw_only=True):
    """What is known of one candidate by one criterion, in one cell or on the whole."""

    values: tuple[float, ...] = ()
    """Of every process, or of every seed where that is what varies; in the unit of the records."""
    seeds: tuple[int, ...] = ()
    """Of the values, where there is one per seed."""
    reached: float = 1.0
    """Share of the runs that got as far as to have a value."""
    failed: bool = False
    """All runs failed: the worst value there is."""
    why: str = ""
    """Why there is no value."""


class Candidate(Struct, frozen=True, kw_only=True):
    """One backend in one mode and profile."""

    backend: str
    mode: str
    profile: str
    readings: dict[str, dict[str, Reading]]
    """By criterion, by cell; the cell is empty where the criterion is not one of tasks."""
    builds: tuple[str, ...] = ()
    """The releases of the framework that were measured, in full: `torch 2.13.0+cpu`."""

    @property
    def key(self) -> Key:
        """What the candidate is known by."""
        return self.backend, self.mode, self.profile

    @property
    def label(self) -> str:
        """The candidate's name."""
        return label(self.key)


def task_of(cell: str) -> str:
    """Return the task of a cell, whose name begins with it."""
    return cell.partition(" ")[0]


def shares(cells: Sequence[str], weight_of_task: Callable[[str], float]) -> list[float]:
    """Return how much each cell counts: every task by its weight, however many cells it has."""
    counted = Counter(map(task_of, cells))
    total = sum(map(weight_of_task, counted))
    return [weight_of_task(task_of(cell)) / total / counted[task_of(cell)] for cell in cells]


def label(key: Key) -> str:
    """Return the name of a candidate."""
    backend, mode, profile = key
    return f"{backend} {mode}" + ("" if profile == "stock" else f" ({profile})")
