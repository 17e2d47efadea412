"""The two smallest data sets, points whose function is known: the exclusive or, and a noisy cosine."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

COSINE_END = 5.0
COSINE_NOISE = 0.1
COSINE_TRAIN, COSINE_TEST = 50, 200


def xor_points() -> dict[str, NDArray[Any]]:
    """Return the four points, for training and for testing: x (4, 2) float32, y (4, 1) float32."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    return {"train_x": x, "train_y": y, "test_x": x.copy(), "test_y": y.copy()}


def cosine_points() -> dict[str, NDArray[Any]]:
    """Return 50 points of a noisy cosine to train and 200 of the true one to test: x (N, 1), y (N, 1), both float32.

    Training points lie uniformly in [0, 5) and have noise of deviation 0.1; test points lie on a grid from 0 on.
    """
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    random = np.random.RandomState(0)
    train_x = random.uniform(0, COSINE_END, (COSINE_TRAIN, 1))
    train_y = np.cos(train_x) + COSINE_NOISE * random.standard_normal((COSINE_TRAIN, 1))
    test_x = np.arange(COSINE_TEST)[:, np.newaxis] * COSINE_END / COSINE_TEST
    arrays = {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": np.cos(test_x)}
    return {name: values.astype(np.float32) for name, values in arrays.items()}
