"""Grey images of 28x28 bytes, and the two forms in which models get them.

For convolutions they are `x (N, 1, 32, 32)` float32 in one way, whatever set they are from: padded with two zeros on
each side, then `(x / 255 - mean) / deviation`, so that the border is as dark as the background. The mean and deviation
are those of the 28x28 training images: 0.1307 and 0.3081 for MNIST, 0.2860 and 0.3530 for Fashion-MNIST. The embedded
digits stand in for MNIST and use its two numbers, not their own.

For Boltzmann machines and autoencoders they are `x (N, 784)` float32 from 0 to 1, the share of white of each pixel.
"""

import hashlib
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.errors import DataError

PADDING = 2
DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of scikit-learn's 1,797 images and then their labels, as unsigned bytes."""
DIGITS_TEST = 360


class Images(Struct, frozen=True, kw_only=True):
    """Images and their labels in two splits: `train_x` and `test_x` (N, 28, 28), `train_y` and `test_y` (N,), uint8."""

    arrays: dict[str, NDArray[np.uint8]]
    mean: float
    deviation: float

    def normalised(self) -> dict[str, NDArray[Any]]:
        """Return `x (N, 1, 32, 32)` float32 and `y (N,)` int32 of both splits."""
        return {
            name: normalised(values, mean=self.mean, deviation=self.deviation)
            if name.endswith("_x")
            else values.astype(np.int32)
            for name, values in self.arrays.items()
        }

    def pixels(self) -> dict[str, NDArray[Any]]:
        """Return `x (N, 784)` float32 from 0 to 1 and `y (N,)` int32 of both splits."""
        return {
            name: pixels(values) if name.endswith("_x") else values.astype(np.int32)
            for name, values in self.arrays.items()
        }


def normalised(images: NDArray[np.uint8], *, mean: float, deviation: float) -> NDArray[np.float32]:
    """Pad images (N, 28, 28) with zeros to (N, 1, 32, 32), then scale them to `(x / 255 - mean) / deviation`.

    Every byte has one value, computed in float64 and rounded once.
    """
    values = ((np.arange(256) / 255 - mean) / deviation).astype(np.float32)
    padded = np.pad(images, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    return values[padded][:, np.newaxis]


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images (N, 28, 28) as rows (N, 784) of `x / 255`, computed in float64 and rounded once."""
    return (np.arange(256) / 255).astype(np.float32)[images].reshape(len(images), -1)


def digits() -> Images:
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
            "scikit-learn's digits are not the known ones, their SHA-256 is {digest} instead of "
            "{digits_sha256}: install another version of scikit-learn",
            digest=digest,
            digits_sha256=DIGITS_SHA256,
        )
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    shuffled = np.random.RandomState(0).permutation(len(labels))
    by_class = np.argsort(labels[shuffled], kind="stable")
    is_test = np.zeros(len(labels), bool)
    is_test[by_class[np.arange(DIGITS_TEST) * len(labels) // DIGITS_TEST]] = True
    images = enlarged(small)
    chosen = {"train": shuffled[~is_test], "test": shuffled[is_test]}
    arrays = {f"{s}_x": images[i] for s, i in chosen.items()} | {f"{s}_y": labels[i] for s, i in chosen.items()}
    return Images(arrays=arrays, mean=0.1307, deviation=0.3081)


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
