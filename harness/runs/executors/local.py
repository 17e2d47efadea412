"""Rounds done on this machine, one after the other, in this very process: as a study is done without a cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.record import Record
from harness.runs.executors.bench import Bench
from harness.spec import RunSpec


class Here:
    """The machine of the command line."""

    places = 1

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.specs: tuple[RunSpec, ...] = ()
        self.next: tuple[RunSpec, ...] = ()

    @contextmanager
    def work(self, specs: Sequence[RunSpec]) -> Iterator[None]:
        """Prove parity and measure the machine's limits; hold the probe as long as the block lasts."""
        self.specs = tuple(specs)
        self.bench.prove(specs)
        if self.bench.plan.with_ceilings:
            self.bench.measure_ceilings(specs)
        with self.bench.probing(specs):
            yield

    def begin(self, specs: tuple[RunSpec, ...], *, mistakes: bool) -> None:
        """Take on a round."""
        if mistakes:
            self.bench.make_mistakes(self.specs)
        self.next = specs

    def ended(self) -> Iterator[Record]:
        """Do the round and yield its records, each as it comes."""
        return self.bench.round(self.next)
