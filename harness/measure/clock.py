"""The timed loop. The only file that reads the clock.

A run trains in blocks of optimizer steps between two synchronisations. Blocks grow until one is so long that the
clock's resolution and the cost of synchronising are below `MOST_OVERHEAD` of it, and what a call of `train` costs
whatever its steps are is no large part of it; those before are `calibration`.
Evaluation, copies of the losses, the noise guard's looks and everything else that is not training happen between the
blocks, outside the clock.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.contract import Program
from harness.language import Sentence, Words, noop
from harness.measure.noise import Guard, disturbances
from harness.record import Block, BlockKind

TARGET_BLOCK_S = 0.05
"""Seconds that a block takes at least, once it is calibrated."""
MOST_OVERHEAD = 0.005
"""Largest share of a block that the clock's resolution and one synchronisation may have."""
MUCH_FOR_A_CALL = 0.3
"""Share of a block that its call seems to cost beside its steps, above which blocks grow for its sake: two short blocks
of a framework whose calls cost nothing can look like 0.2 on a busy machine."""
MOST_FOR_A_CALL = 0.1
"""They grow until it is so little, as far as `LONGEST_BLOCK_S` allows."""
LONGEST_BLOCK_S = 1.0
"""Seconds that no block is made longer than for the sake of its call."""
BLOCKS_OF_ONE_LENGTH = 5000
"""After so many steady blocks they get twice as long, so that a training of hours leaves a record that can be read."""
LEAD_IN_S = 0.01
LEAD_IN_PARTS = 4
"""A turn's lead-in makes so many times fewer steps than a block at once, until `LEAD_IN_S` seconds have passed."""
AWAKE_S = 0.001
"""Seconds before its end for which a wait is spent awake."""
SHORTEST_BLOCK_S = 0.02
"""A block that took less is not read: it may be the rest of an epoch or a lucky calibration."""


LOSS = noop("the training loss")


class Diverged(Exception):
    """A training loss, or what else is named, was not finite."""

    def __init__(self, step: int, value: float, *, what: Words = LOSS) -> None:
        self.said = Sentence("{what} became {value} at step {step}", what=what, value=value, step=step)
        super().__init__(str(self.said))


class Waitable(Protocol):
    """What `time_work` needs of a program."""

    def synchronize(self) -> None:
        """Return only when all queued work is done."""


class Trainable(Waitable, Protocol):
    """What the `Trainer` needs of a program."""

    def train(self, order: NDArray[np.int32]) -> None:
        """Make N steps on the training examples `order` of shape (N, B); may return early."""

    def losses(self) -> NDArray[np.float32]:
        """Return a host copy of the losses of the last `train` call: (N,)."""


class Stopwatch:
    """Wall seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds since construction."""
        return time.perf_counter() - self._start

    def wait_until(self, seconds: float) -> None:
        """Return when the watch shows `seconds`: asleep until shortly before, then awake, for sleep comes back late."""
        while (left := seconds - self.seconds()) > 0:
            if left > AWAKE_S:
                time.sleep(left - AWAKE_S)


def timestamp() -> str:
    """Return now in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def clock_resolution_s() -> float:
    """Return the smallest step of the clock that 1,000 pairs of readings show, in seconds."""
    readings = [(time.perf_counter(), time.perf_counter()) for _ in range(1000)]
    # The unit of the clock itself: all readings were equal.
    return min((second - first for first, second in readings if second > first), default=1e-9)


def synchronize_s(program: Waitable) -> float:
    """Return the seconds of a `synchronize` with nothing to wait for: the median of nine, after one that may wait."""
    program.synchronize()
    took = []
    for _ in range(9):
        start = time.perf_counter()
        program.synchronize()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def time_work(
    program: Waitable, work: Callable[[], None], kind: BlockKind, *, steps: int, guard: Guard | None = None
) -> Block:
    """Do `work`, which is `steps` steps, wait for the device, and return what it took. The program must be idle."""
    # Both looks stand outside the clock, for each takes about 0.1 ms.
    before = guard.look(time.process_time()) if guard else None
    cpu = time.process_time()
    start = time.perf_counter()
    work()
    program.synchronize()
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu
    noise = guard.between(before, guard.look(time.process_time())) if guard and before else None
    return Block(kind=kind, steps=steps, seconds=seconds, cpu_seconds=cpu, noise=noise)


def time_block(program: Trainable, order: NDArray[np.int32], kind: BlockKind, guard: Guard | None = None) -> Block:
    """Train on `order` (N, B), wait for the device, and return what it took. The program must be idle before."""
    return time_work(program, lambda: program.train(order), kind, steps=len(order), guard=guard)


def steps_for(target_s: float, block: Block) -> int:
    """Return how many steps the next block of a calibration should have, given the one before: at most eight times."""
    # A clock too coarse for the block shows zero seconds.
    return min(math.ceil(block.steps * target_s / max(block.seconds, 1e-6)), 8 * block.steps)


def call_share(fewer: Block, more: Block) -> float:
    """Return which share of a block with `more` steps its call costs beside them, by one that had fewer."""
    a_step_s = (more.seconds - fewer.seconds) / (more.steps - fewer.steps)
    return 1 - a_step_s * more.steps / max(more.seconds, 1e-6)


def clean_s(blocks: list[Block], cores: int) -> float:
    """Return the seconds of the steady blocks that nobody disturbed."""
    return sum(b.seconds for b in blocks if b.kind == "steady" and not disturbances(b, cores))


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


def unfinished_share(program: Program, order: NDArray[np.int32], look: Callable[[], object] | None = None) -> float:
    """Return how much of a block's work was still to be done when `synchronize` came back, from 0 to 1.

    After an honest `synchronize` whoever looks at the results has nothing to wait for. What the look takes by itself is
    measured right after and taken off; without `look` it is a copy of the losses and parameters to the host.
    """

    def copy() -> None:
        program.losses()
        program.parameters()

    look = look or copy
    start = time.perf_counter()
    program.train(order)
    program.synchronize()
    block = time.perf_counter()
    look()
    waited = time.perf_counter()
    look()
    end = time.perf_counter()
    late = max(0.0, (waited - block) - (end - waited))
    return late / (block - start + late)


class Trainer:
    """Trains a program block by block and keeps what every block took and what its losses were."""

    def __init__(self, program: Trainable, order: NDArray[np.int32], guard: Guard | None = None) -> None:
        self.program = program
        self.order = order
        self.guard = guard
        self.step = 0
        self.blocks: list[Block] = []
        self.losses: list[float] = []
        """One per optimizer step of the training proper."""
        self.train_seconds = 0.0
        """Seconds of the training proper, the first step included."""
        self.clock_resolution_s = clock_resolution_s()
        self.synchronize_s: float | None = None
        """Known after the first step, when the device is awake."""
        self._replaying = False
        self._steps_per_block = 1
        self._blocks_of_this_length = 0
        self._calibrated = False
        self._shortest: Block | None = None
        """The block of the calibration with the fewest steps: what a call costs shows best beside it."""
        self._longer: Block | None = None
        """The last one with more steps, the quicker of two alike."""
        self._for_its_call = False
        """Whether blocks grow because a call costs much beside its steps."""

    def first_step(self) -> float:
        """Make the very first step and return its seconds."""
        seconds = self._block(1, "first").seconds
        self.synchronize_s = synchronize_s(self.program)
        return seconds

    @property
    def target_s(self) -> float:
        """The seconds that a block should take."""
        return max(TARGET_BLOCK_S, (self.clock_resolution_s + (self.synchronize_s or 0.0)) / MOST_OVERHEAD)

    def train_until(self, end: int, after_block: Callable[[], None]) -> None:
        """Train up to optimizer step `end`; `after_block` is called between blocks.

        Raises:
            Diverged: a loss was not finite.
        """
        while self.step < end:
            self._next_block(min(self._steps_per_block, end - self.step))
            after_block()

    def keep_measuring(self, steady_s: float, after_block: Callable[[], None], noise_budget_s: float = 0.0) -> float:
        """Go on through the same order from its start until `steady_s` seconds of undisturbed steady blocks are there.

        For tasks that are learnt before their speed can be read, and for blocks that others disturbed: these are
        measured again, for at most `noise_budget_s` seconds; what was used of them is returned. The quality has been
        taken by then, and neither the losses nor the seconds of these steps count as training.
        """
        self._replaying = True
        cores = len(self.guard.cores) if self.guard else 1
        # A long training has more than it needs: that is no part of the budget.
        planned_s = max(steady_s, self._steady_s())
        while clean_s(self.blocks, cores) < steady_s and self._steady_s() < planned_s + noise_budget_s:
            self.step %= len(self.order)
            self._next_block(min(self._steps_per_block, len(self.order) - self.step))
            after_block()
        return max(0.0, self._steady_s() - planned_s)

    def calibrate(self, plant: float = 0.0) -> None:
        """Go on through the order from its start until blocks are long enough to be read; for `plant` see `turn`."""
        self._replaying = True
        while not self._calibrated:
            self._go_round()
            self._next_block(min(self._steps_per_block, len(self.order) - self.step))
        if plant:  # so that nothing is compiled for this number of steps in a turn
            self._planted(0, plant)
            self.blocks.pop()

    def turn(self, number: int, plant: float = 0.0) -> Block:
        """Time one block of the calibrated length, after a lead-in outside the clock; return it.

        Who was stopped finds cold caches and threads asleep: the lead-in is at least one step and `LEAD_IN_S` seconds.

        Args:
            number: of the turn.
            plant: the share of steps that are made beside those that the block tells of: for a control, whose ratio to
                the same row without them is known to be 1 + `plant`.
        """
        self._replaying = True
        told = self._told_in_turn()
        if len(self.order) - self.step < told:
            self.step = 0
        watch = Stopwatch()
        steps = max(1, self._steps_per_block // LEAD_IN_PARTS)
        while True:
            self.program.train(self.order[:steps])
            self.program.synchronize()
            if watch.seconds() >= LEAD_IN_S:
                break
        if plant:
            return self._planted(number, plant)
        return self._block(min(told, len(self.order) - self.step), "steady", turn=number)

    def _told_in_turn(self) -> int:
        """Return the steps of a block in a turn: as calibrated, but a multiple of ten where steps are short.

        Then a planted twin's blocks tell of as many, and what a block costs beside its steps is the same share of both.
        """
        return self._tens() if self._steps_per_block >= 5 else self._steps_per_block

    def _tens(self) -> int:
        return 10 * max(1, round(self._steps_per_block / 10))

    def _planted(self, number: int, plant: float) -> Block:
        """Time more steps than the block tells of, which are a multiple of ten, so that the share comes out even."""
        told = self._tens()
        steps = np.arange(self.step, self.step + told + round(told * plant))
        work = self.order.take(steps, axis=0, mode="wrap")
        block = time_work(self.program, lambda: self.program.train(work), "steady", steps=told, guard=self.guard)
        self.blocks.append(replace(block, turn=number))
        self.step += told
        return self.blocks[-1]

    def _go_round(self) -> None:
        """Begin the order again where less of it is left than a block; a short rest would be another kind of block."""
        self.step %= len(self.order)
        if len(self.order) - self.step < self._steps_per_block:
            self.step = 0

    def _steady_s(self) -> float:
        return sum(block.seconds for block in self.blocks if block.kind == "steady")

    def _next_block(self, steps: int) -> None:
        whole = steps == self._steps_per_block  # the rest before an evaluation is too short to calibrate by
        block = self._block(steps, "steady" if self._calibrated else "calibration")
        if self._calibrated:
            self._blocks_of_this_length += 1
            if self._blocks_of_this_length == BLOCKS_OF_ONE_LENGTH:
                self._steps_per_block, self._blocks_of_this_length = 2 * self._steps_per_block, 0
        elif whole:
            self._calibrate_by(block)

    def _calibrate_by(self, block: Block) -> None:
        """Settle how many steps a block has, or what the next one of the calibration has, by what one took."""
        shortest = self._shortest
        if shortest is None or (block.steps == shortest.steps and block.seconds < shortest.seconds):
            self._shortest = block
        longest = block.steps == len(self.order) or block.seconds >= LONGEST_BLOCK_S
        if block.seconds < self.target_s and not longest:
            self._steps_per_block = min(steps_for(self.target_s, block), len(self.order))
        elif longest:
            self._calibrated = True
        elif shortest is None:
            pass  # once more: what else was slow in the first would pass for the cost of its call
        elif block.steps == shortest.steps:
            self._steps_per_block = min(2 * block.steps, len(self.order))
        else:
            before = self._longer if self._longer and self._longer.steps == block.steps else None
            self._longer = min(before or block, block, key=lambda one: one.seconds)
            share = call_share(shortest, self._longer)
            self._for_its_call = self._for_its_call or share > MUCH_FOR_A_CALL
            if self._for_its_call and share > MOST_FOR_A_CALL:
                self._steps_per_block = min(2 * block.steps, len(self.order))
            elif before:  # else once more: in a block that others held up a call seems to cost nothing
                self._calibrated = True
                if shortest.seconds >= self.target_s and not self._for_its_call:
                    self._steps_per_block = shortest.steps  # more were made to look at the call alone

    def _block(self, steps: int, kind: BlockKind, turn: int | None = None) -> Block:
        part = self.order[self.step : self.step + steps]
        # What disturbed a calibration is of no interest: it is never read.
        block = time_block(self.program, part, kind, self.guard if kind == "steady" else None)
        if turn is None and kind == "steady" and block.seconds < SHORTEST_BLOCK_S and steps < self._steps_per_block:
            block = replace(block, kind="short")
        block = replace(block, turn=turn)
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
