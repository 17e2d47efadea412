"""How many of 100 seeds solve XOR on each framework? One process per framework; the task's own preset.

.venv/bin/python benchmarks/xor_seeds.py [--seeds 100] [--backend NAME] [--mode MODE]
"""

import argparse
import subprocess
import sys

from harness import registry
from harness.cli.names import words
from harness.environments.interpreters import find
from harness.environments.machine import available_cores
from harness.runs.launch import worker_environment, workplace

WORKER = """
import sys
import numpy as np
from harness.model import initial_weights
from harness.measure.quality import outputs, quality
from harness.registry import entry, resolve, task

name, mode, seeds = sys.argv[1], sys.argv[2], int(sys.argv[3])
xor = task("xor")
x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
y = np.array([[0], [1], [1], [0]], np.float32)
arrays = {"train_x": x, "train_y": y, "test_x": x, "test_y": y}
preset = xor.preset("quick")
backend = resolve(entry(name).adapter)()
solved = []
for seed in range(seeds):
    program = backend.build(
        xor, preset.optimizer, device="cpu", mode=mode, weights=initial_weights(xor, seed), seed=seed
    )
    program.load(arrays)
    order = np.stack([np.random.default_rng([seed, e]).permutation(4) for e in range(preset.epochs)]).astype(np.int32)
    program.train(order)
    found = quality(xor.loss, outputs(program, "test", 4), arrays["test_y"])
    solved.append(found["accuracy"] == 1)
print()
missed = [seed for seed, ok in enumerate(solved) if not ok]
print(f"{name} {mode}: {sum(solved)} of {seeds} seeds solved; not solved: {missed}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--mode", help="default: the backend's own default mode")
    asked = parser.parse_args()
    for backend in words(asked.backend) or registry.framework_names():
        command = [find(backend, {}).python, "-c", WORKER, backend, asked.mode or registry.entry(backend).default_mode]
        with workplace() as place:
            environment = worker_environment(place, available_cores(), None)
            done = subprocess.run(
                [*command, str(asked.seeds)], cwd=place / "empty", env=environment, capture_output=True, text=True
            )
        if done.returncode:
            sys.exit(f"{backend}: {done.stderr[-2000:]}")
        print(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
