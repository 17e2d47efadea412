"""Computes vectors on a backend, in that backend's environment: `vector_worker.py ADAPTER MODE FOLDER`."""

import importlib
import sys
from pathlib import Path

import msgspec
import numpy as np

from harness.optimizers import SGD
from harness.spec import Task


def main(adapter: str, mode: str, folder: str) -> None:
    module, _, function = adapter.partition(":")
    backend = getattr(importlib.import_module(module), function)()
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as file:
            given = dict(file)
        task = msgspec.json.decode(given.pop("task").tobytes(), type=Task)
        x = given.pop("x")
        program = backend.build(task, SGD(learning_rate=0.1), device="cpu", mode=mode, weights=given, seed=0)
        y = np.zeros((len(x), 1), np.float32)
        program.load({"train_x": x, "train_y": y, "test_x": x, "test_y": y})
        np.save(path.with_suffix(".npy"), program.host(program.predict("test", np.arange(len(x), dtype=np.int32))))


if __name__ == "__main__":
    main(*sys.argv[1:])
