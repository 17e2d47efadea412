"""The data sets that tasks name: where their bytes come from, and how they become the arrays that every backend gets.

Images become `x (N, 1, 32, 32)` float32 and `y (N,)` int32 in one way, whatever set they are from: 28x28 unsigned
bytes, padded with two zeros on each side, then `(x / 255 - mean) / deviation`, so that the border is as dark as the
background. The mean and deviation are those of the 28x28 training images: 0.1307 and 0.3081 for MNIST, 0.2860 and
0.3530 for Fashion-MNIST. The embedded digits stand in for MNIST and use its two numbers, not their own.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness import downloads, idx
from harness.errors import DataError, unknown_name
from harness.home import cache_folder

VARIABLE = "EVENBENCH_DATA"
PIPELINE_VERSION = 1
"""Raised when the same raw bytes become other arrays."""
PADDING = 2
DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of scikit-learn's 1,797 images and then their labels, as unsigned bytes."""
DIGITS_TEST = 360

Arrays = dict[str, NDArray[Any]]


class IdxFile(Struct, frozen=True, kw_only=True):
    """One IDX file: its name without `.gz`, its shape, and the SHA-256 of its bytes plain and compressed."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    gz_sha256: str


class Embedded(Struct, frozen=True, kw_only=True):
    """A data set that needs no files: `arrays` makes it, and `content` names what it is made from."""

    name: str
    summary: str
    content: str
    arrays: Callable[[], Arrays]


class IdxImages(Struct, frozen=True, kw_only=True):
    """Images and labels in four IDX files, under the names of the arrays that they become."""

    name: str
    summary: str
    mean: float
    deviation: float
    files: dict[str, IdxFile]
    mirrors: tuple[str, ...]


Dataset = Embedded | IdxImages


def names() -> tuple[str, ...]:
    """Return the names of all data sets in the order of their table."""
    return tuple(TABLE)


def named(name: str) -> Dataset:
    """Return the data set of that name.

    Raises:
        UsageError: no table holds the name.
    """
    if name not in TABLE:
        raise unknown_name("data set", name, names())
    return TABLE[name]


def fingerprint(dataset: Dataset) -> str:
    """Return 12 hexadecimal digits that change when the arrays change; known before anything is read."""
    if isinstance(dataset, Embedded):
        content: list[object] = [dataset.content]
    else:
        content = [dataset.mean, dataset.deviation, *((n, f.shape, f.sha256) for n, f in dataset.files.items())]
    return hashlib.sha256(msgspec.json.encode([PIPELINE_VERSION, dataset.name, *content])).hexdigest()[:12]


def load(dataset: Dataset, *, data_dir: Path | None = None, mirrors: Sequence[str] | None = None) -> Arrays:
    """Return `train_x`, `train_y`, `test_x` and `test_y`, checked byte for byte.

    Args:
        dataset: the data set.
        data_dir: the user's folder of files; without it EVENBENCH_DATA, without that a download.
        mirrors: addresses to download from, in place of the data set's own.

    Raises:
        DataError: a file is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    if isinstance(dataset, Embedded):
        return dataset.arrays()
    paths = local_files(dataset, data_dir) or _downloaded(dataset, dataset.mirrors if mirrors is None else mirrors)
    arrays: Arrays = {}
    for array, file in dataset.files.items():
        remedy = f"replace it with {file.name} of {dataset.name}"
        values = idx.read(paths[array], shape=file.shape, sha256=file.sha256, remedy=remedy)
        if array.endswith("_x"):
            arrays[array] = normalised(values, mean=dataset.mean, deviation=dataset.deviation)
        else:
            arrays[array] = values.astype(np.int32)
    return arrays


def normalised(images: NDArray[np.uint8], *, mean: float, deviation: float) -> NDArray[np.float32]:
    """Pad images (N, 28, 28) with zeros to (N, 1, 32, 32), then scale them to `(x / 255 - mean) / deviation`.

    Every byte has one value, computed in float64 and rounded once.
    """
    values = ((np.arange(256) / 255 - mean) / deviation).astype(np.float32)
    padded = np.pad(images, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    return values[padded][:, np.newaxis]


def local_files(dataset: IdxImages, data_dir: Path | None) -> dict[str, Path] | None:
    """Return the paths of a data set's files in the user's folder, or None if the user names no folder.

    They are `<folder>/<data set>/<file>` or `<folder>/<file>`, with `.gz` or without; `train-images.idx3-ubyte` is
    taken for `train-images-idx3-ubyte`, as some archives spell it.

    Raises:
        DataError: the folder or a file is missing; nothing is downloaded in its place.
    """
    folder = data_dir or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if folder is None:
        return None
    expected = ", ".join(f"{file.name}[.gz]" for file in dataset.files.values())
    wanted = f"expected are {expected}, there or in its folder {dataset.name}"
    try:
        folder = folder.expanduser().absolute()
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise DataError(f"the data folder {folder} {what}: {wanted}")
        if not any(folder.iterdir()):
            raise DataError(f"the data folder {folder} is empty: {wanted}")
        found = {array: _find(folder, dataset.name, file.name) for array, file in dataset.files.items()}
    except (OSError, RuntimeError) as error:
        raise DataError(f"the data folder {folder} cannot be read ({error}): {wanted}") from error
    missing = ", ".join(dataset.files[array].name for array, path in found.items() if path is None)
    if missing:
        raise DataError(f"the data folder {folder} has no {missing} of {dataset.name}: {wanted}")
    return {array: path for array, path in found.items() if path is not None}


def _find(folder: Path, dataset: str, file: str) -> Path | None:
    spellings = (file, f"{file}.gz", file.replace("-idx", ".idx"), f"{file.replace('-idx', '.idx')}.gz")
    candidates = (place / spelling for place in (folder / dataset, folder) for spelling in spellings)
    return next((path for path in candidates if path.is_file()), None)


def _downloaded(dataset: IdxImages, mirrors: Sequence[str]) -> dict[str, Path]:
    folder = cache_folder() / "downloads" / dataset.name
    remedy = f"put the four files of {dataset.name} into a folder and name it with --data-dir or {VARIABLE}"
    return {
        array: downloads.fetch(f"{file.name}.gz", sha256=file.gz_sha256, mirrors=mirrors, folder=folder, remedy=remedy)
        for array, file in dataset.files.items()
    }


def xor_points() -> Arrays:
    """Return the four points, for training and for testing: x (4, 2) float32, y (4, 1) float32."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    return {"train_x": x, "train_y": y, "test_x": x.copy(), "test_y": y.copy()}


def digits() -> Arrays:
    """Return scikit-learn's 1,797 real handwritten digits, 8x8 made 28x28, as 1,437 examples to train and 360 to test.

    The split is fixed: the examples are shuffled with seed 0, sorted by class (stably), and 360 of them, evenly
    spaced, are the test split, so that each class has its share of it to within one example. Both splits keep the
    shuffled order.

    Raises:
        DataError: scikit-learn's data are not the known ones.
    """
    from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]

    bunch = load_digits()
    small, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    digest = hashlib.sha256(small.tobytes() + labels.tobytes()).hexdigest()
    if digest != DIGITS_SHA256:
        raise DataError(
            f"scikit-learn's digits are not the known ones, their SHA-256 is {digest} instead of {DIGITS_SHA256}: "
            "install another version of scikit-learn"
        )
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    shuffled = np.random.RandomState(0).permutation(len(labels))
    by_class = np.argsort(labels[shuffled], kind="stable")
    is_test = np.zeros(len(labels), bool)
    is_test[by_class[np.arange(DIGITS_TEST) * len(labels) // DIGITS_TEST]] = True
    images = normalised(enlarged(small), mean=0.1307, deviation=0.3081)
    chosen = {"train": shuffled[~is_test], "test": shuffled[is_test]}
    return {f"{s}_x": images[i] for s, i in chosen.items()} | {
        f"{s}_y": labels[i].astype(np.int32) for s, i in chosen.items()
    }


def enlarged(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarge images (N, 8, 8) of values 0 to 16 bilinearly to (N, 28, 28) of values 0 to 255.

    The same as `scipy.ndimage.zoom(order=1, mode="nearest", grid_mode=True)`, rounded half up, but in whole numbers,
    so that it is the same on every machine: pixel i of 28 lies at (4 i - 5) / 14 of the 8, its weights are 14ths.
    """
    rows = np.arange(28)
    position = (4 * rows - 5).clip(0, 14 * 7)
    left = np.minimum(position // 14, 6)
    weights = np.zeros((28, 8), np.int64)
    weights[rows, left] = 14 * (left + 1) - position
    weights[rows, left + 1] = position - 14 * left
    whole = 14 * 14 * 16
    return ((255 * (weights @ images @ weights.T) + whole // 2) // whole).astype(np.uint8)


def _idx_files(*, plain: tuple[str, ...], compressed: tuple[str, ...]) -> dict[str, IdxFile]:
    forms: dict[str, tuple[str, tuple[int, ...]]] = {
        "train_x": ("train-images-idx3-ubyte", (60_000, 28, 28)),
        "train_y": ("train-labels-idx1-ubyte", (60_000,)),
        "test_x": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
        "test_y": ("t10k-labels-idx1-ubyte", (10_000,)),
    }
    return {
        array: IdxFile(name=name, shape=shape, sha256=sha256, gz_sha256=gz_sha256)
        for (array, (name, shape)), sha256, gz_sha256 in zip(forms.items(), plain, compressed, strict=True)
    }


TABLE: dict[str, Dataset] = {
    "xor": Embedded(name="xor", summary="the four points of the exclusive or", content="4 points", arrays=xor_points),
    "digits": Embedded(
        name="digits",
        summary="scikit-learn's 1,797 handwritten digits, 8x8 enlarged to 28x28 (Alpaydin and Kaynak 1998)",
        content=DIGITS_SHA256,
        arrays=digits,
    ),
    "mnist": IdxImages(
        name="mnist",
        summary="70,000 handwritten digits, 28x28 (LeCun, Bottou, Bengio and Haffner 1998; CC BY-SA 3.0)",
        mean=0.1307,
        deviation=0.3081,
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files=_idx_files(
            plain=(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            compressed=(
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "fashion-mnist": IdxImages(
        name="fashion-mnist",
        summary="70,000 pieces of clothing in the form of MNIST (Xiao, Rasul and Vollgraf 2017; MIT)",
        mean=0.2860,
        deviation=0.3530,
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files=_idx_files(
            plain=(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            compressed=(
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
}
"""Names to data sets; to add one, write its entry."""
