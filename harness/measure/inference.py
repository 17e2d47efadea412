"""Forward passes of a trained model, measured like its training: warm, synchronised, in blocks, under the noise guard.

At batch size 1 a call ends when its outputs are on the host, which is what whoever asked for them waits for; at the
task's batch size calls are queued as in an evaluation and waited for together. Every call has other examples than the
one before.
"""

from collections.abc import Callable
from itertools import cycle

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.measure.clock import LEAD_IN_S, TARGET_BLOCK_S, Stopwatch, clean_s, steps_for, time_work
from harness.measure.noise import Guard
from harness.measure.quality import Predicting
from harness.record import Block, BlockKind, Inference

GROUP_S = 0.025
"""Seconds after which a group of single calls ends, so that the guard sees what disturbed which calls."""
MOST_CALLS = 1000
FEWEST_CALLS = 10
COMPARED = 64
"""Examples whose outputs at batch size 1 are compared with those of the evaluation."""


class Single:
    """Calls with one example of the test split each, timed in groups."""

    def __init__(self, program: Predicting, outputs: NDArray[np.float32], *, guard: Guard) -> None:
        """Make the first call, and those that are compared.

        Args:
            program: idle; its parameters are those that gave `outputs`.
            outputs: of the first examples of the test split, (N, K).
            guard: looks at what others do on the worker's processors.
        """
        self.program, self.guard = program, guard
        examples = [np.array([i], np.int32) for i in range(len(outputs))]  # made beforehand: it is no part of a call
        watch = Stopwatch()
        program.host(program.predict("test", examples[0]))
        self.first_call_s = watch.seconds()
        found = [program.host(program.predict("test", example)) for example in examples[:COMPARED]]
        self.largest = largest_difference(np.concatenate(found), outputs[:COMPARED])
        self.rotation = cycle(examples)
        self.blocks: list[Block] = []
        self.latencies: list[float] = []

    def group(self) -> None:
        """Make calls for `GROUP_S` seconds."""
        whole = Stopwatch()
        while whole.seconds() < GROUP_S:
            example = next(self.rotation)
            call = Stopwatch()
            self.program.host(self.program.predict("test", example))
            self.latencies.append(call.seconds())

    def block(self, turn: int | None = None) -> Block:
        """Time a group of calls; in a turn after one call outside the clock."""
        if turn is not None:
            lead_in(lambda: self.program.host(self.program.predict("test", next(self.rotation))))
        before = len(self.latencies)
        # How many calls it holds is known only afterwards.
        timed = time_work(self.program, self.group, "steady", steps=1, guard=self.guard)
        self.blocks.append(replace(timed, steps=len(self.latencies) - before, turn=turn))
        return self.blocks[-1]

    def measure(self, *, seconds: float, budget_s: float) -> Inference:
        """Collect undisturbed calls for some seconds, or `MOST_CALLS` of them; disturbed ones cost the budget."""
        while len(self.latencies) < MOST_CALLS and not enough(
            self.blocks, self.guard, seconds=seconds, budget_s=budget_s
        ):
            self.block()
        return self.found()

    def found(self) -> Inference:
        """Return what was measured so far."""
        return Inference(
            batch_size=1,
            first_call_s=self.first_call_s,
            blocks=tuple(self.blocks),
            latencies=tuple(self.latencies),
            largest_difference=self.largest,
        )


class Batched:
    """Calls with a whole mini-batch of the test split each, queued as in an evaluation and waited for together."""

    def __init__(self, program: Predicting, outputs: NDArray[np.float32], batch_size: int, *, guard: Guard) -> None:
        """Make the first call; the other arguments are those of `Single`."""
        self.program, self.guard = program, guard
        self.size = size = min(batch_size, len(outputs))
        starts = range(0, len(outputs) - size + 1, size)  # no smaller last one: it would be compiled anew
        batches = [np.arange(start, start + size, dtype=np.int32) for start in starts]
        watch = Stopwatch()
        first = program.host(program.predict("test", batches[0]))
        self.first_call_s = watch.seconds()
        self.largest = largest_difference(first, outputs[:size])
        self.rotation = cycle(batches)
        self.blocks: list[Block] = []
        self.steps, self.calibrated = 1, False

    def calls(self) -> None:
        """Make the calls of one block."""
        for _ in range(self.steps):
            self.program.predict("test", next(self.rotation))

    def block(self, turn: int | None = None) -> Block:
        """Time a block of calls, longer each time until it can be read; in a turn after some outside the clock."""
        if turn is not None:
            lead_in(lambda: self.program.host(self.program.predict("test", next(self.rotation))))
        kind: BlockKind = "steady" if self.calibrated else "calibration"
        timed = time_work(self.program, self.calls, kind, steps=self.steps, guard=self.guard)
        self.blocks.append(replace(timed, turn=turn))
        if not self.calibrated:
            self.calibrated = timed.seconds >= TARGET_BLOCK_S
            self.steps = self.steps if self.calibrated else max(self.steps, steps_for(TARGET_BLOCK_S, timed))
        return self.blocks[-1]

    def calibrate(self) -> None:
        """Go on until blocks are long enough to be read."""
        while not self.calibrated:
            self.block()

    def measure(self, *, seconds: float, budget_s: float) -> Inference:
        """Collect undisturbed calls for some seconds; disturbed ones cost the budget."""
        while not enough(self.blocks, self.guard, seconds=seconds, budget_s=budget_s):
            self.block()
        return self.found()

    def found(self) -> Inference:
        """Return what was measured so far."""
        return Inference(
            batch_size=self.size,
            first_call_s=self.first_call_s,
            blocks=tuple(self.blocks),
            largest_difference=self.largest,
        )


def lead_in(call: Callable[[], object]) -> None:
    """Make calls outside the clock for as long as who was stopped needs to wake up: at least one."""
    watch = Stopwatch()
    while True:
        call()
        if watch.seconds() >= LEAD_IN_S:
            return


def enough(blocks: list[Block], guard: Guard, *, seconds: float, budget_s: float) -> bool:
    """Return whether there are enough undisturbed calls, or no more may be made."""
    steady = [block for block in blocks if block.kind == "steady"]
    calls, took = sum(block.steps for block in steady), sum(block.seconds for block in steady)
    if calls < FEWEST_CALLS and took < seconds + budget_s:
        return False
    return clean_s(steady, len(guard.cores)) >= seconds or took >= seconds + budget_s


def largest_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the largest absolute difference of two arrays over the largest magnitude of the second."""
    scale = float(np.abs(expected).max())
    difference = float(np.abs(found.astype(np.float64) - expected).max())
    return difference / scale if scale else difference
