"""Runs inside a backend's interpreter: `python overhead_worker.py BACKEND MODE PAIRS`. See `overhead.py`."""

import json
import random
import sys
from importlib import import_module
from typing import Any

import numpy as np

from harness.contract import Backend
from harness.measure import TARGET_BLOCK_S, time_block
from harness.model import initial_weights
from harness.optimizers import Momentum
from harness.registry import entry, resolve, task

BATCH = 64
RATE, MOMENTUM = 0.01, 0.9
EXAMPLES = 2048


def main(name: str, mode: Any, pairs: int) -> None:
    """Time the candidates in shuffled turns and print the ratios."""
    lenet = task("lenet-mnist")
    draw = np.random.default_rng(0)
    x = draw.standard_normal((EXAMPLES, *lenet.input_shape)).astype(np.float32)
    y = draw.integers(0, 10, EXAMPLES).astype(np.int32)
    weights = initial_weights(lenet, 0)
    backend: Backend = resolve(entry(name).adapter)()
    program = backend.build(
        lenet, Momentum(learning_rate=RATE, momentum=MOMENTUM), device="cpu", mode=mode, weights=weights, seed=0
    )
    program.load({"train_x": x, "train_y": y, "test_x": x[:1], "test_y": y[:1]})
    loops = import_module(f"overhead_{name}")
    candidates: dict[str, Any] = {"harness": program} | loops.candidates(x, y, weights, mode)
    order = draw.integers(0, EXAMPLES, (4096, BATCH)).astype(np.int32)
    for candidate in candidates.values():
        for steps in (1, 2, 64):
            candidate.train(order[:steps])
            candidate.synchronize()
    steps = 2
    while (block := time_block(program, order[:steps], "calibration")).seconds < 4 * TARGET_BLOCK_S and steps < 4096:
        steps *= 2
    seconds: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    shuffle = random.Random(0)
    for _ in range(pairs):
        for candidate in shuffle.sample(list(candidates), len(candidates)):
            block = time_block(candidates[candidate], order[:steps], "steady")
            seconds[candidate].append(block.seconds)
    ours = np.array(seconds.pop("harness"))
    print()
    print(
        json.dumps(
            {
                "backend": name,
                "mode": mode,
                "versions": backend.versions(),
                "steps": steps,
                "examples_per_s": BATCH * steps / float(np.median(ours)),
                "ratios": {
                    candidate: {"quartiles": np.quantile(np.array(theirs) / ours, (0.25, 0.5, 0.75)).tolist()}
                    for candidate, theirs in seconds.items()
                },
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
