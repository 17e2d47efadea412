"""The timed loop. The only file that reads the clock.

A run trains in blocks of optimizer steps between two synchronisations. Blocks grow until one takes `TARGET_BLOCK_S`,
so that the clock's resolution and the cost of synchronising vanish in it; those before are `calibration`. Evaluation,
copies of the losses and everything else that is not training happen between the blocks, outside the clock.
"""

import math
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.contract import Program
from harness.noise import Guard
from harness.record import Block, BlockKind

TARGET_BLOCK_S = 0.05
SHORTEST_BLOCK_S = 0.02
"""A block that took less is not read: it may be the rest of an epoch or a lucky calibration."""


class Diverged(Exception):
    """A training loss, or what else is named, was not finite."""

    def __init__(self, step: int, value: float, *, what: str = "the training loss") -> None:
        super().__init__(f"{what} became {value} at step {step}")


class Trainable(Protocol):
    """What the `Trainer` needs of a program."""

    def train(self, order: NDArray[np.int32]) -> None:
        """Make N steps on the training examples `order` of shape (N, B); may return early."""

    def synchronize(self) -> None:
        """Return only when all queued work is done."""

    def losses(self) -> NDArray[np.float32]:
        """Return a host copy of the losses of the last `train` call: (N,)."""


class Stopwatch:
    """Wall seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds since construction."""
        return time.perf_counter() - self._start


def timestamp() -> str:
    """Return now in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def time_block(program: Trainable, order: NDArray[np.int32], kind: BlockKind) -> Block:
    """Train on `order` (N, B), wait for the device, and return what it took. The program must be idle before."""
    cpu = time.process_time()
    start = time.perf_counter()
    program.train(order)
    program.synchronize()
    seconds = time.perf_counter() - start
    return Block(kind=kind, steps=len(order), seconds=seconds, cpu_seconds=time.process_time() - cpu)


def fewest_seconds(call: Callable[[], None], *, budget_s: float, at_least: int = 3) -> float:
    """Return the seconds of the fastest of several calls, warm: as many as the budget holds, but at least so many."""
    call()
    fewest = math.inf
    begin = time.perf_counter()
    calls = 0
    while calls < at_least or time.perf_counter() - begin < budget_s:
        start = time.perf_counter()
        call()
        fewest = min(fewest, time.perf_counter() - start)
        calls += 1
    return fewest


def watched(work: Callable[[], None], cores: Iterable[int]) -> Block:
    """Do something that is no training, as one block, and return what else the machine did meanwhile."""
    guard = Guard(cores)
    cpu = time.process_time()
    before = guard.look(cpu)
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    after = guard.look(time.process_time())
    return Block(
        kind="steady", steps=1, seconds=seconds, cpu_seconds=after.own_s - cpu, noise=guard.between(before, after)
    )


def unfinished_share(program: Program, order: NDArray[np.int32]) -> float:
    """Return how much of a block's work was still to be done when `synchronize` came back, from 0 to 1.

    After an honest `synchronize` a copy of the losses and parameters to the host has nothing to wait for. What such a
    copy takes by itself is measured right after and taken off.
    """
    start = time.perf_counter()
    program.train(order)
    program.synchronize()
    block = time.perf_counter()
    program.losses()
    program.parameters()
    waited = time.perf_counter()
    program.losses()
    program.parameters()
    end = time.perf_counter()
    late = max(0.0, (waited - block) - (end - waited))
    return late / (block - start + late)


class Trainer:
    """Trains a program block by block and keeps what every block took and what its losses were."""

    def __init__(self, program: Trainable, order: NDArray[np.int32]) -> None:
        self.program = program
        self.order = order
        self.step = 0
        self.blocks: list[Block] = []
        self.losses: list[float] = []
        """One per optimizer step of the training proper."""
        self.train_seconds = 0.0
        """Seconds of the training proper, the first step included."""
        self._replaying = False
        self._steps_per_block = 1
        self._calibrated = False

    def first_step(self) -> float:
        """Make the very first step and return its seconds."""
        return self._block(1, "first").seconds

    def train_until(self, end: int, after_block: Callable[[], None]) -> None:
        """Train up to optimizer step `end`; `after_block` is called between blocks.

        Raises:
            Diverged: a loss was not finite.
        """
        while self.step < end:
            self._next_block(min(self._steps_per_block, end - self.step))
            after_block()

    def keep_measuring(self, steady_s: float, after_block: Callable[[], None]) -> None:
        """Go on through the same order from its start until `steady_s` seconds of steady blocks are there.

        For tasks that are learnt before their speed can be read. The quality has been taken by then, and neither the
        losses nor the seconds of these steps count as training.
        """
        self._replaying = True
        while sum(b.seconds for b in self.blocks if b.kind == "steady") < steady_s:
            self.step %= len(self.order)
            self._next_block(min(self._steps_per_block, len(self.order) - self.step))
            after_block()

    def _next_block(self, steps: int) -> None:
        whole = steps == self._steps_per_block
        block = self._block(steps, "steady" if self._calibrated else "calibration")
        if not self._calibrated and whole:
            if block.seconds >= TARGET_BLOCK_S:
                self._calibrated = True
            else:
                wanted = math.ceil(steps * TARGET_BLOCK_S / max(block.seconds, 1e-6))
                self._steps_per_block = min(wanted, 8 * steps, len(self.order))
                self._calibrated = self._steps_per_block == len(self.order) == steps

    def _block(self, steps: int, kind: BlockKind) -> Block:
        block = time_block(self.program, self.order[self.step : self.step + steps], kind)
        if kind == "steady" and block.seconds < SHORTEST_BLOCK_S and steps < self._steps_per_block:
            block = Block(kind="short", steps=steps, seconds=block.seconds, cpu_seconds=block.cpu_seconds)
        self.blocks.append(block)
        losses = [float(loss) for loss in self.program.losses()]
        for i, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise Diverged(self.step + i + 1, loss)
        self.step += steps
        if not self._replaying:
            self.losses += losses
            self.train_seconds += block.seconds
        return block


def loss_curve(losses: list[float], points: int = 1000) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Thin losses, one per step, to the means of at most `points` chunks; return the chunks' last steps and means."""
    chunk = max(1, math.ceil(len(losses) / points))
    starts = range(0, len(losses), chunk)
    steps = tuple(min(start + chunk, len(losses)) for start in starts)
    return steps, tuple(float(np.mean(losses[start : start + chunk])) for start in starts)
