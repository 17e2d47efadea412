"""Forward passes of a trained model, measured like its training: warm, synchronised, in blocks, under the noise guard.

At batch size 1 a call ends when its outputs are on the host, which is what whoever asked for them waits for; at the
task's batch size calls are queued as in an evaluation and waited for together. Every call has other examples than the
one before.
"""

from itertools import cycle
from typing import Any, Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.contract import Split
from harness.measure.clock import TARGET_BLOCK_S, Stopwatch, clean_s, steps_for, time_work
from harness.measure.noise import Guard
from harness.record import Block, Inference

GROUP_S = 0.025
"""Seconds after which a group of single calls ends, so that the guard sees what disturbed which calls."""
MOST_CALLS = 1000
FEWEST_CALLS = 10
COMPARED = 64
"""Examples whose outputs at batch size 1 are compared with those of the evaluation."""


class Predicting(Protocol):
    """What can be asked for its outputs: a `Program`, or a Boltzmann machine's features."""

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        """Run forward only on examples (B,); may return early."""

    def host(self, outputs: Any) -> NDArray[np.float32]:
        """Copy what `predict` returned to the host."""

    def synchronize(self) -> None:
        """Return only when all queued work is done."""


def single(
    program: Predicting, outputs: NDArray[np.float32], *, guard: Guard, seconds: float, budget_s: float
) -> Inference:
    """Measure calls with one example of the test split each.

    Args:
        program: idle; its parameters are those that gave `outputs`.
        outputs: of the first examples of the test split, (N, K).
        guard: looks at what others do on the worker's processors.
        seconds: how long undisturbed calls are collected, unless `MOST_CALLS` come first.
        budget_s: how much longer it may take because of disturbed ones.
    """
    examples = [np.array([i], np.int32) for i in range(len(outputs))]  # made beforehand: what is timed is the program
    watch = Stopwatch()
    program.host(program.predict("test", examples[0]))
    first_call_s = watch.seconds()
    found = [program.host(program.predict("test", example)) for example in examples[:COMPARED]]
    largest = largest_difference(np.concatenate(found), outputs[:COMPARED])
    rotation = cycle(examples)
    blocks: list[Block] = []
    latencies: list[float] = []

    def group() -> None:
        whole = Stopwatch()
        while whole.seconds() < GROUP_S:
            example = next(rotation)
            call = Stopwatch()
            program.host(program.predict("test", example))
            latencies.append(call.seconds())

    while len(latencies) < MOST_CALLS and not enough(blocks, guard, seconds=seconds, budget_s=budget_s):
        before = len(latencies)
        # How many calls it holds is known only afterwards.
        timed = time_work(program, group, "steady", steps=1, guard=guard)
        blocks.append(replace(timed, steps=len(latencies) - before))
    return Inference(
        batch_size=1,
        first_call_s=first_call_s,
        blocks=tuple(blocks),
        latencies=tuple(latencies),
        largest_difference=largest,
    )


def batched(
    program: Predicting,
    outputs: NDArray[np.float32],
    batch_size: int,
    *,
    guard: Guard,
    seconds: float,
    budget_s: float,
) -> Inference:
    """Measure calls with a whole mini-batch of the test split each; the arguments are those of `single`."""
    size = min(batch_size, len(outputs))
    starts = range(0, len(outputs) - size + 1, size)  # no smaller last one: it would be compiled anew
    batches = [np.arange(start, start + size, dtype=np.int32) for start in starts]
    watch = Stopwatch()
    first = program.host(program.predict("test", batches[0]))
    first_call_s = watch.seconds()
    rotation = cycle(batches)
    blocks: list[Block] = []
    steps, calibrated = 1, False

    def some() -> None:
        for _ in range(steps):
            program.predict("test", next(rotation))

    while not enough(blocks, guard, seconds=seconds, budget_s=budget_s):
        timed = time_work(program, some, "steady" if calibrated else "calibration", steps=steps, guard=guard)
        blocks.append(timed)
        if not calibrated:
            calibrated = timed.seconds >= TARGET_BLOCK_S
            steps = steps if calibrated else max(steps, steps_for(TARGET_BLOCK_S, timed))
    return Inference(
        batch_size=size,
        first_call_s=first_call_s,
        blocks=tuple(blocks),
        largest_difference=largest_difference(first, outputs[:size]),
    )


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
