"""Runs inside a backend's interpreter: `python worker.py JOB`. See `benchmarks/overhead.py`."""

import json
import random
import sys
from importlib import import_module
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from benchmarks.loops.case import Case
from harness.contract import Backend, Program
from harness.measure.clock import TARGET_BLOCK_S, time_block
from harness.model import initial_weights
from harness.optimizers import Momentum
from harness.registry import entry, resolve, task
from harness.spec import Mode

RATE, MOMENTUM = 0.01, 0.9
EXAMPLES = 2048
MODULES = {
    "lenet-mnist": "lenet",
    "lstm-text": "lstm",
    "resnet": "resnet",
    "transformer-text": "transformer",
    "xor": "xor",
}
WARM_UP = {
    "lenet-mnist": (1, 2, 64),
    "lstm-text": (1, 2, 8),
    "resnet": (1, 2, 8),
    "transformer-text": (1, 2, 8),
    "xor": (1, 2, 64),
}
ALIKE = ("resnet", "transformer-text")
"""Tasks whose loops by hand start from the task's weights, so that their losses are the adapter's."""
FIRST_DIFFERENCE, NEXT_DIFFERENCE = 1e-5, 1e-3
"""Of the losses of the first steps, as a share: before any update, and after updates of optimizers whose epsilons stand
in other places."""


class OverheadJob(Struct, frozen=True, kw_only=True):
    """What one worker is to compare."""

    backend: str
    mode: Mode
    pairs: int
    task: str
    preset: str
    x: str | None = None
    """The .npy file of the training examples; without it they are drawn."""
    y: str | None = None


def case_of(job: OverheadJob) -> Case:
    """Return the task with its data: LeNet on drawn ones, the others on their own, since padding and words matter."""
    found = task(job.task).at(job.preset)
    x: NDArray[Any]
    y: NDArray[Any]
    if job.x is not None and job.y is not None:
        x, y = (np.load(path, allow_pickle=False) for path in (job.x, job.y))
        optimizer = found.preset(job.preset).optimizer
    else:
        draw = np.random.default_rng(0)
        x = draw.standard_normal((EXAMPLES, *found.input_shape)).astype(np.float32)
        y = draw.integers(0, 10, EXAMPLES).astype(np.int32)
        optimizer = Momentum(learning_rate=RATE, momentum=MOMENTUM)
    return Case(
        task=found,
        optimizer=optimizer,
        mode=job.mode,
        weights=initial_weights(found, 0),
        x=x,
        y=y,
        batch_size=found.preset(job.preset).batch_size,
    )


def check_alike(program: Program, candidates: dict[str, Any], order: NDArray[np.int32]) -> None:
    """Take three steps with everybody and end where one's loss is not the adapter's."""
    for step in range(3):
        row = order[len(order) - 1 - step :][:1]
        program.train(row)
        ours = float(program.losses()[-1])
        for name, candidate in candidates.items():
            candidate.train(row)
            theirs = candidate.last_loss()
            if not abs(theirs - ours) <= (NEXT_DIFFERENCE if step else FIRST_DIFFERENCE) * abs(ours):
                sys.exit(f"{name} computes another loss at step {step}: {theirs}, the adapter {ours}")


def main(argument: str) -> None:
    """Time the candidates in shuffled turns and print the ratios."""
    job = msgspec.json.decode(argument, type=OverheadJob)
    case = case_of(job)
    backend: Backend = resolve(entry(job.backend).adapter)()
    program = backend.build(case.task, case.optimizer, device="cpu", mode=job.mode, weights=case.weights, seed=0)
    program.load({"train_x": case.x, "train_y": case.y, "test_x": case.x[:1], "test_y": case.y[:1]})
    loops = import_module(f"benchmarks.loops.on_{job.backend}.{MODULES[job.task]}")
    candidates: dict[str, Any] = {"harness": program} | loops.candidates(case)
    order = np.random.default_rng(1).integers(0, len(case.x), (4096, case.batch_size)).astype(np.int32)
    if job.task in ALIKE:
        check_alike(program, {name: one for name, one in candidates.items() if hasattr(one, "last_loss")}, order)
    for candidate in candidates.values():
        for steps in WARM_UP[job.task]:
            candidate.train(order[:steps])
            candidate.synchronize()
    steps = 2
    while (block := time_block(program, order[:steps], "calibration")).seconds < 4 * TARGET_BLOCK_S and steps < 4096:
        steps *= 2
    seconds: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    shuffle = random.Random(0)
    for _ in range(job.pairs):
        for candidate in shuffle.sample(list(candidates), len(candidates)):
            block = time_block(candidates[candidate], order[:steps], "steady")
            seconds[candidate].append(block.seconds)
    ours = np.array(seconds.pop("harness"))
    print()
    print(
        json.dumps(
            {
                "backend": job.backend,
                "mode": job.mode,
                "task": job.task,
                "preset": job.preset,
                "versions": backend.versions(),
                "settings": backend.settings(),
                "steps": steps,
                "examples_per_s": case.batch_size * steps / float(np.median(ours)),
                "ratios": {
                    candidate: {"quartiles": np.quantile(np.array(theirs) / ours, (0.25, 0.5, 0.75)).tolist()}
                    for candidate, theirs in seconds.items()
                },
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
