"""Prepare a run's bytes once, in the parent: data arrays, batch order and initial weights, as files for every backend.

What is computed anew every time (order and weights, milliseconds) lies in a folder named after its content; what is
costly (the arrays) in one named after the data set's fingerprint. So a folder that exists is right and is used again.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from harness import stage_sequence
from harness.data import datasets, forms, texts
from harness.data.datasets import Dataset
from harness.data.forms import Form
from harness.data.texts import Corpus
from harness.environments.home import cache_folder, write_once
from harness.errors import DataError, UsageError, why
from harness.model import Weights, channel_axis, initial_weights, takes_tokens
from harness.spec import Preset, Task
from harness.whole_files import UNREADABLE_ARRAYS

ARRAYS = ("train_x", "train_y", "test_x", "test_y")
WORDS = "words.json"
"""Beside the arrays of texts: the words by number."""
CLASSES = "classes.json"
"""Beside the arrays of texts: the names of the classes by number."""
ALPHABET = "alphabet.json"
"""Beside the arrays of characters: the characters by number."""


class Prepared(Struct, frozen=True, kw_only=True):
    """The files that a run starts from, all under absolute paths."""

    arrays: dict[str, str]
    """`train_x`, `train_y`, `test_x`, `test_y`: .npy files, which can be memory-mapped; an autoencoder's y is x's."""
    order: str
    """The .npy file of example indices, (steps, B) int32: one row per optimizer step, all epochs."""
    weights: str
    """The .npz file of initial weights."""
    fingerprint: str
    """Changes when the bytes of the arrays change."""
    examples: dict[str, int]
    """How many examples each split holds; `train` counts those held out for validation too."""
    validation: str | None = None
    """The .npy file of the indices, int32, of the training examples held out for early stopping."""


def prepare(task: Task, preset: Preset, *, dataset: str | Dataset, seed: int, data_dir: Path | None) -> Prepared:
    """Write what a run needs into the cache, unless it is there, and return where it is.

    Args:
        task: the task, whose layers say which weights to draw and in which form the data are needed.
        preset: the number of epochs, the size of a mini-batch, and the share held out for early stopping.
        dataset: the name of one of the task's data sets, or any data set.
        seed: of the batch order, of the initial weights and of what is held out.
        data_dir: the user's folder of data files; without it EVENBENCH_DATA, without that a download.

    Raises:
        UsageError: the task does not take the data set, or the cache cannot be written.
        DataError: the data cannot be had, are damaged, have other classes than the task, or are too few.
    """
    if isinstance(dataset, str):
        if dataset not in task.datasets:
            known = ", ".join(task.datasets)
            raise UsageError(
                "the task {name} does not take the data set {dataset!r}: it takes {known}",
                name=task.name,
                dataset=dataset,
                known=known,
            )
        dataset = datasets.named(dataset)
    name, form = dataset.name, forms.form_of(task)
    folder = _prepare_arrays(dataset, form, data_dir)
    arrays = {array: folder / f"{array}.npy" for array in ARRAYS}
    examples = _examples(arrays)
    _check_classes(task, name, arrays)
    if isinstance(form, forms.Pixels) and form.reconstructed:
        arrays |= {"train_y": arrays["train_x"], "test_y": arrays["test_x"]}
    held_out = validation_split(examples["train"], share=_share(preset), seed=seed)
    if preset.early_stopping and not len(held_out):
        raise DataError(
            "the data set {name} has {examples} training examples, of which a share of {share} for "
            "validation is none: raise the share or choose another data set",
            name=name,
            examples=examples["train"],
            share=preset.early_stopping.share,
        )
    trained = np.setdiff1d(np.arange(examples["train"], dtype=np.int32), held_out)
    if len(trained) < preset.batch_size:
        less = f" without the {len(held_out)} held out for validation" if len(held_out) else ""
        raise DataError(
            "the data set {name} has {trained} training examples{less}, fewer than one mini-batch of "
            "{batch_size}: choose a smaller batch_size or another data set",
            name=name,
            trained=len(trained),
            less=less,
            batch_size=preset.batch_size,
        )
    order = trained[batch_order(len(trained), batch_size=preset.batch_size, epochs=preset.order_epochs, seed=seed)]
    plan = {"order": order} | ({"validation": held_out} if preset.early_stopping else {})
    written = _write_plan(plan, initial_weights(task, seed) | stage_sequence.drawn_states(preset, seed))
    return Prepared(
        arrays={name: str(path) for name, path in arrays.items()},
        order=str(written / "order.npy"),
        weights=str(written / "weights.npz"),
        fingerprint=fingerprint(dataset, form),
        examples=examples,
        validation=str(written / "validation.npy") if preset.early_stopping else None,
    )


def fingerprint(dataset: Dataset, form: Form) -> str:
    """Return 12 hexadecimal digits that change when the arrays change in the form in which the task gets them."""
    content = datasets.fingerprint(dataset)
    if form == forms.Plain():
        return content
    return hashlib.sha256(f"{content} {form}".encode()).hexdigest()[:12]


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


def validation_split(examples: int, *, share: float, seed: int) -> NDArray[np.int32]:
    """Return the indices, in rising order, of the training examples that are held out for early stopping."""
    random = np.random.default_rng([seed, 4])
    return np.sort(random.permutation(examples)[: round(share * examples)]).astype(np.int32)


def words(prepared: Prepared) -> list[str] | None:
    """Return the words by number of a data set of texts, None for another one."""
    path = Path(prepared.arrays["train_x"]).with_name(WORDS)
    return [str(word) for word in json.loads(path.read_text("utf-8"))] if path.is_file() else None


def _share(preset: Preset) -> float:
    if preset.early_stopping is None:
        return 0.0
    share = preset.early_stopping.share
    if not 0 < share < 1:
        raise UsageError(
            "early stopping holds out a share of the training examples between 0 and 1, not {share}", share=share
        )
    return share


def _prepare_arrays(dataset: Dataset, form: Form, data_dir: Path | None) -> Path:
    datasets.check_folder(dataset, data_dir)  # a wrong folder is refused even if the cache could do without it

    def fill(folder: Path) -> None:
        material = datasets.material(dataset, data_dir=data_dir)
        if isinstance(material, Corpus) and isinstance(form, forms.Tokens):
            arrays, words = texts.arrays(material, vocabulary=form.vocabulary, length=form.length)
            for file, content in ((WORDS, words), (CLASSES, list(material.classes))):
                (folder / file).write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        else:
            arrays = forms.arrays(material, form, dataset=dataset.name)
        if isinstance(material, Corpus) and isinstance(form, forms.Characters):
            alphabet = texts.alphabet(material, vocabulary=form.vocabulary)
            (folder / ALPHABET).write_text(json.dumps(alphabet, ensure_ascii=False), "utf-8")
        for name in ARRAYS:
            _save(folder / f"{name}.npy", arrays[name])
        if datasets.fingerprint(dataset) != found:
            raise DataError(
                "the data set {name} changed while it was read: wait until nothing writes into its file any more",
                name=dataset.name,
            )

    found = datasets.fingerprint(dataset)
    name = f"{dataset.name}-{found}{forms.suffix(form)}"
    return write_once(cache_folder() / "data" / name, fill)


def _check_classes(task: Task, dataset: str, arrays: Mapping[str, Path]) -> None:
    """Refuse labels that a classifier's last layer has no output for, and of texts also outputs without a label."""
    if task.loss != "softmax_cross_entropy" or not task.layers:
        return
    shape = forms.outputs(task)
    outputs = shape[channel_axis(shape)]
    labels = np.load(arrays["train_y"], mmap_mode="r", allow_pickle=False)
    if labels.ndim != len(shape) or not np.issubdtype(labels.dtype, np.integer):
        return
    classes = int(labels.max(initial=-1)) + 1
    if classes > outputs or (takes_tokens(task) and labels.ndim == 1 and classes != outputs):
        raise DataError(
            "the data set {dataset} has {classes} classes, but the last layer of the task {name} gives "
            "{outputs} outputs: choose a data set of {outputs} classes",
            dataset=dataset,
            classes=classes,
            name=task.name,
            outputs=outputs,
        )


def _write_plan(indices: Mapping[str, NDArray[np.int32]], weights: Weights) -> Path:
    def fill(folder: Path) -> None:
        for name, values in indices.items():
            _save(folder / f"{name}.npy", values)
        np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type, unused-ignore]

    folder = write_once(cache_folder() / "plans" / _content_key({**indices, **weights}), fill)
    for path in (*(folder / f"{name}.npy" for name in indices), folder / "weights.npz"):
        _check(path)
    return folder


def _check(path: Path) -> int:
    """Return the length of a cached array; an archive of arrays is read as a whole.

    Raises:
        DataError: the file is damaged.
    """
    try:
        if path.suffix == ".npy":
            return len(open_memmap(path, mode="r"))  # `np.load` leaves a damaged file open (seen with 2.4)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return sum(arrays[name].size for name in arrays.files)
    except UNREADABLE_ARRAYS as error:
        raise DataError(
            "the cached file {path} is damaged ({error}): delete its folder and try again", path=path, error=why(error)
        ) from error


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
    counts = {name: _check(path) for name, path in arrays.items()}
    return {"train": counts["train_y"], "test": counts["test_y"]}
