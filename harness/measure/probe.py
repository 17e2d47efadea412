"""An active look at the machine, right before a turn: how long does a fixed piece of work take now?

What others do to caches, memory, clock and cores that are two threads of one is not in any counter. So the parent has a
small process of its own on the worker's cores, which multiplies two matrices with all of them and then loops on one,
some milliseconds in all. The answer is a gate (a turn before which it came out slow is made again) and is kept beside
the turn; nothing is ever divided by it, for what a framework feels of the machine's state is not what the probe feels.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from harness.measure.clock import Stopwatch

CODE = Path(__file__).resolve().parents[2]
SIDE = 384
"""Of the square matrices of float32: 0.1 GFLOP a product."""
LOOPS = 20_000
SLOW = 1.1
"""A probe that took so many times the quiet one's time was slow."""
QUIET = 0.2
"""Share of the probes of a study that took at most what the quiet one took."""
FEWEST = 20
"""Before so many it is not known what quiet is."""


class Probe:
    """A process that probes the machine whenever it is asked, and is stopped in between; remembers all answers."""

    def __init__(self, cores: Iterable[int]) -> None:
        self.cores = tuple(cores)
        self.seen: list[float] = []
        """Seconds."""

    def __enter__(self) -> Self:
        threads = str(len(self.cores))
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.measure.probe", *map(str, self.cores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | dict.fromkeys(names, threads),
            cwd=CODE,
            start_new_session=True,
            text=True,
        )
        self._hear()  # it is ready
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def _hear(self) -> str:
        line = self.process.stdout.readline() if self.process.stdout else ""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGSTOP)
        return line

    def __call__(self) -> float | None:
        """Probe the machine and return the seconds that it took; None where the process has died."""
        with suppress(ProcessLookupError, BrokenPipeError):
            os.killpg(self.process.pid, signal.SIGCONT)
            if self.process.stdin is not None:
                self.process.stdin.write("\n")
                self.process.stdin.flush()
            if line := self._hear():
                self.seen.append(float(line))
                return self.seen[-1]
        return None

    def is_slow(self, seconds: float | None) -> bool:
        """Return whether a probe took longer than on this machine while it is quiet, as far as that is known."""
        if seconds is None or len(self.seen) < FEWEST:
            return False
        return seconds > SLOW * float(np.quantile(self.seen, QUIET))


def work(side: int = SIDE, loops: int = LOOPS) -> float:
    """Do the fixed piece of work once outside the clock and once inside, and return its seconds."""
    matrix = np.full((side, side), 0.5, np.float32)
    for _ in range(2):
        watch = Stopwatch()
        matrix @ matrix
        sum(range(loops))
    return watch.seconds()


def main(cores: Iterable[str]) -> None:
    """Answer every line on standard input with the seconds of a probe."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, map(int, cores))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(f"{work()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
