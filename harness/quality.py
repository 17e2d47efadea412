"""How good a trained model is: computed here, from the outputs, once for all backends."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.contract import Program, Split
from harness.spec import Loss

CHUNK = 500
"""Examples per `predict` call. The last chunk is filled up, so that compiled modes see one shape only."""


def outputs(program: Program, split: Split, examples: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the model's outputs for some examples of a split, `(examples, K)`, on the host."""
    parts = [program.host(program.predict(split, chunk))[:used] for chunk, used in chunks(examples)]
    return np.concatenate(parts)


def chunks(examples: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int32], int]]:
    """Cut indices into pieces of one size, the last filled up; each comes with the number of those that count."""
    size = min(CHUNK, len(examples))
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        yield np.resize(part, size).astype(np.int32), len(part)


def quality(loss: Loss, predicted: NDArray[np.float32], y: NDArray[np.float32]) -> dict[str, float | None]:
    """Return the metrics of a split.

    Classification gives `accuracy`, the share of examples whose largest logit is that of their class (for a single
    logit: whose sign says the class); NaN outputs count as wrong. Regression gives `mean_squared_error`.
    """
    match loss:
        case "softmax_cross_entropy":
            right = (predicted.argmax(axis=1) == y) & np.isfinite(predicted).all(axis=1)
            return {"accuracy": float(np.mean(right))}
        case "sigmoid_cross_entropy":
            right = ((predicted > 0) == (y > 0.5)) & np.isfinite(predicted)
            return {"accuracy": float(np.mean(right))}
        case "mean_squared_error":
            error = float(np.mean((predicted.astype(np.float64) - y) ** 2))
            return {"mean_squared_error": error if math.isfinite(error) else None}
