"""What a study is done with, who is told how it goes on, and who does its rounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from harness.data.datasets import Dataset
from harness.environments.interpreters import Interpreter
from harness.record import Record
from harness.records.store import Study
from harness.spec import DeviceKind, RunSpec


class Listener(Protocol):
    """Who is told how a study goes on."""

    def preparing(self, what: str) -> None:
        """Say that something that every run of a kind needs is being made."""

    def started(self, spec: RunSpec) -> None:
        """Say that a run has begun."""

    def finished(self, record: Record) -> None:
        """Say that a run has ended and its record is stored."""

    def ranked(self, records: Sequence[Record], ended: RunSpec) -> None:
        """Say how the rows of a task stand after another round of it, given all records and a run of that round."""


class Nobody:
    """A listener that tells nobody."""

    def preparing(self, what: str) -> None:
        """Say nothing."""

    def started(self, spec: RunSpec) -> None:
        """Say nothing."""

    def finished(self, record: Record) -> None:
        """Say nothing."""

    def ranked(self, records: Sequence[Record], ended: RunSpec) -> None:
        """Say nothing."""


class Plan(Struct, frozen=True, kw_only=True):
    """A study, and with what its runs are to be done."""

    study: Study
    interpreters: Mapping[tuple[str, DeviceKind], Interpreter]
    """Empty where the nodes of a cluster find their own."""
    data_dir: Path | None
    with_parity: bool = True
    with_ceilings: bool = True
    """Measure first what each library reaches on this machine."""
    with_mistakes: bool = False
    """Ask what every backend says of students' mistakes, once a first verdict is there."""
    open_rows: Callable[[Sequence[Record]], Callable[[RunSpec], bool]] | None = None
    """Of a study that ends when its pairs are decided: given its records, says whether the row of a run is open."""
    files: Mapping[str, Dataset] = {}
    """The data sets that no table names, by their names."""


class Executor(Protocol):
    """Does the rounds of a study, one at a time on each machine that it has, and writes nothing into the store."""

    @property
    def places(self) -> int:
        """How many rounds may be under way at once."""

    def work(self, specs: Sequence[RunSpec]) -> AbstractContextManager[None]:
        """Make what the runs share, before the block; hold what rounds need as long as it lasts."""

    def begin(self, specs: tuple[RunSpec, ...], *, mistakes: bool) -> None:
        """Take on a round; with `mistakes`, students' mistakes are made before it, if they were not made yet."""

    def ended(self) -> Iterator[Record]:
        """Yield the records of the round that ends next.

        After an interruption those of all rounds under way, at least one of them interrupted.

        Raises:
            Stopped: the user stopped what followed a run; its record was yielded.
            EvenbenchError: no further round can be done.
        """
