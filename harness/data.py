"""Prepare a run's bytes once, in the parent: data arrays, batch order and initial weights, as files for every backend.

What is computed anew every time (order and weights, milliseconds) lies in a folder named after its content; what is
costly (the arrays) in one named after the data set's fingerprint. So a folder that exists is right and is used again.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness import datasets
from harness.errors import DataError, UsageError
from harness.home import cache_folder, write_once
from harness.model import Weights, initial_weights
from harness.spec import Preset, Task

ARRAYS = ("train_x", "train_y", "test_x", "test_y")


class Prepared(Struct, frozen=True, kw_only=True):
    """The files that a run starts from, all under absolute paths."""

    arrays: dict[str, str]
    """`train_x`, `train_y`, `test_x`, `test_y`: .npy files, which can be memory-mapped."""
    order: str
    """The .npy file of example indices, (steps, B) int32: one row per optimizer step, all epochs."""
    weights: str
    """The .npz file of initial weights."""
    fingerprint: str
    """Changes when the bytes of the arrays change."""
    examples: dict[str, int]
    """How many examples each split holds."""


def prepare(task: Task, preset: Preset, *, dataset: str, seed: int, data_dir: Path | None) -> Prepared:
    """Write what a run needs into the cache, unless it is there, and return where it is.

    Args:
        task: the task, whose layers say which weights to draw.
        preset: the number of epochs and the size of a mini-batch.
        dataset: one of the task's data sets.
        seed: of the batch order and of the initial weights.
        data_dir: the user's folder of data files; without it EVENBENCH_DATA, without that a download.

    Raises:
        UsageError: the task does not take the data set, or the cache cannot be written.
        DataError: the data cannot be had, are damaged, or are too few for one mini-batch.
    """
    if dataset not in task.datasets:
        known = ", ".join(task.datasets)
        raise UsageError(f"the task {task.name} does not take the data set {dataset!r}: it takes {known}")
    chosen = datasets.named(dataset)
    folder = _prepare_arrays(chosen, data_dir)
    arrays = {name: folder / f"{name}.npy" for name in ARRAYS}
    examples = _examples(arrays)
    if examples["train"] < preset.batch_size:
        raise DataError(
            f"the data set {dataset} has {examples['train']} training examples, fewer than one mini-batch of "
            f"{preset.batch_size}: choose a smaller batch_size or another data set"
        )
    order = batch_order(examples["train"], batch_size=preset.batch_size, epochs=preset.epochs, seed=seed)
    plan = _write_plan(order, initial_weights(task, seed))
    return Prepared(
        arrays={name: str(path) for name, path in arrays.items()},
        order=str(plan / "order.npy"),
        weights=str(plan / "weights.npz"),
        fingerprint=datasets.fingerprint(chosen),
        examples=examples,
    )


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Return the optimizer steps of one epoch; the examples left over for a smaller mini-batch are left out."""
    return examples // batch_size


def batch_order(examples: int, *, batch_size: int, epochs: int, seed: int) -> NDArray[np.int32]:
    """Return the example indices of every step, (epochs * steps, B): a fresh permutation for each epoch."""
    random = np.random.default_rng([seed, 0])
    steps = steps_per_epoch(examples, batch_size)
    order = np.empty((epochs, steps * batch_size), np.int32)
    for epoch in order:
        epoch[:] = random.permutation(examples)[: steps * batch_size]
    return order.reshape(epochs * steps, batch_size)


def _prepare_arrays(dataset: datasets.Dataset, data_dir: Path | None) -> Path:
    if isinstance(dataset, datasets.IdxImages):
        datasets.local_files(dataset, data_dir)  # a wrong folder is refused even if the cache could do without it

    def fill(folder: Path) -> None:
        arrays = datasets.load(dataset, data_dir=data_dir)
        for name in ARRAYS:
            _save(folder / f"{name}.npy", arrays[name])

    return write_once(cache_folder() / "data" / f"{dataset.name}-{datasets.fingerprint(dataset)}", fill)


def _write_plan(order: NDArray[np.int32], weights: Weights) -> Path:
    def fill(folder: Path) -> None:
        _save(folder / "order.npy", order)
        np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type, unused-ignore]

    return write_once(cache_folder() / "plans" / _content_key({"order": order} | weights), fill)


def _save(path: Path, array: NDArray[Any]) -> None:
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)


def _content_key(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]


def _examples(arrays: Mapping[str, Path]) -> dict[str, int]:
    """Count the examples of each split by the files' headers, which also shows that the files are whole."""
    counts = {}
    for name, path in arrays.items():
        try:
            counts[name] = len(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise DataError(f"the cached file {path} is damaged ({error}): delete its folder and try again") from error
    return {"train": counts["train_y"], "test": counts["test_y"]}
