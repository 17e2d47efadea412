"""Scenes made of several digits among clutter and noise, with the digit at every pixel: what a segmentation learns.

A scene is 32 x 32 pixels. Two to four digits of the same split, at half their size, lie at random places, later ones in
front; beside them are strokes, pieces of other digits of 5 x 5 pixels that are turned by a quarter, and grey noise. The
class of a pixel is 0 on the ground and on clutter, and the digit plus one where a digit's own ink is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.images import Images

SIDE, SMALL, PIECE = 32, 14, 5
INK = 64
"""A pixel darker than this, of 255, is a digit's own."""
MOST = {"train": 4000, "test": 500}
"""Scenes of a split, at most two for three of its digits."""
NOISE, PIECES = 12.0, 6


def arrays(images: Images, *, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return `x (N, 1, 32, 32)` float32, normalised as the images are, and `y (N, 32, 32)` int32 of both splits."""
    found = {}
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    random = np.random.RandomState(seed)
    for split, most in MOST.items():
        digits, labels = halved(images.arrays[f"{split}_x"]), images.arrays[f"{split}_y"]
        count = min(most, 2 * len(digits) // 3)
        scenes = [scene(digits, labels, random) for _ in range(count)]
        pictures = np.stack([picture for picture, _classes in scenes])
        found[f"{split}_x"] = ((pictures / 255 - images.mean) / images.deviation).astype(np.float32)[:, np.newaxis]
        found[f"{split}_y"] = np.stack([classes for _picture, classes in scenes])
    return found


def halved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, 28, 28) at half their size, each pixel the mean of four, rounded down."""
    n = len(images)
    sums: NDArray[np.int64] = images.reshape(n, SMALL, 2, SMALL, 2).astype(np.int64).sum(axis=(2, 4))
    return (sums // 4).astype(np.uint8)


def scene(
    digits: NDArray[np.uint8], labels: NDArray[np.uint8], random: np.random.RandomState
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return one picture (32, 32) and its classes."""
    picture, classes = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.int32)
    for _ in range(PIECES):
        top, left = random.randint(0, SMALL - PIECE + 1, 2)
        piece = np.rot90(digits[random.randint(len(digits))][top : top + PIECE, left : left + PIECE])
        y, x = random.randint(0, SIDE - PIECE + 1, 2)
        within = picture[y : y + PIECE, x : x + PIECE]
        np.maximum(within, piece, out=within)
    for _ in range(random.randint(2, 5)):
        number = random.randint(len(digits))
        y, x = random.randint(0, SIDE - SMALL + 1, 2)
        own = digits[number] > INK
        place = slice(y, y + SMALL), slice(x, x + SMALL)
        picture[place] = np.where(own, digits[number], picture[place])
        classes[place] = np.where(own, int(labels[number]) + 1, classes[place])
    noise = random.standard_normal((SIDE, SIDE)) * NOISE
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8), classes
