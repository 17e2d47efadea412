"""What can be said exactly of a small Boltzmann machine: log Z, log p(v), and the gradient of the mean log p(v).

The yardstick for all that trains or estimates: float64, and every state of a layer in turn, so that each further unit
of that layer doubles the time (2 seconds for 784-16).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Model = Mapping[str, Floats]
"""A machine's parameters by the names of `harness/boltzmann.py`; whatever else a state holds is passed over."""

CHUNK = 2**14
"""States at a time."""


class Sides(Struct, frozen=True):
    """A Boltzmann machine as two sides: the middle layer h1, and the outer layers (v, h2) as one.

    Given one side, the units of the other are independent of each other. An RBM has no h2.
    """

    weight: Floats
    """`(V + H2, H1)`"""
    outer_bias: Floats
    middle_bias: Floats


def deep(model: Model) -> Model:
    """Return an RBM as the deep machine that it is: one whose second hidden layer has no units."""
    if "weight1" in model:
        return model
    bias = model["hidden_bias"]
    weights = {"weight1": model["weight"], "weight2": np.zeros((len(bias), 0), bias.dtype)}
    return weights | {"visible_bias": model["visible_bias"], "hidden1_bias": bias, "hidden2_bias": bias[:0]}


def sides(model: Model, precision: type[np.floating[Any]] = np.float64) -> Sides:
    """Return the two sides of an RBM or a deep machine, as numbers of the given precision."""
    model = deep(model)
    return Sides(
        np.concatenate([model["weight1"], model["weight2"].T]).astype(precision),
        np.concatenate([model["visible_bias"], model["hidden2_bias"]]).astype(precision),
        model["hidden1_bias"].astype(precision),
    )


def log_z(model: Model) -> float:
    """Return the logarithm of the partition function: the smaller side state by state, the other summed out."""
    two = sides(model)
    if len(two.outer_bias) < len(two.middle_bias):
        two = Sides(two.weight.T, two.middle_bias, two.outer_bias)
    parts = [
        log_sum_exp(states @ two.middle_bias + softplus(states @ two.weight.T + two.outer_bias).sum(axis=1))
        for states in _states(len(two.middle_bias))
    ]
    return float(log_sum_exp(parts))


def log_probability(model: Model, v: Floats) -> Doubles:
    """Return log p of every row of v `(B, V)`, which holds zeros and ones: h1 state by state, h2 summed out."""
    if "weight" in model:
        return -free_energy(model, v) - log_z(model)
    parts = [log_sum_exp(_log_weights(model, v, h1), axis=1) for h1 in _states(len(model["hidden1_bias"]))]
    shares: Doubles = v.astype(np.float64) @ model["visible_bias"]
    return shares + log_sum_exp(parts) - log_z(model)


def free_energy(model: Model, v: Floats) -> Doubles:
    """Return F of an RBM for every row of v `(B, V)`: p(v) is exp(-F(v)) / Z."""
    two = sides(model)
    v = v.astype(np.float64)
    shares: Doubles = v @ two.outer_bias + softplus(v @ two.weight + two.middle_bias).sum(axis=1)
    return -shares


def gradient(model: Model, v: Floats) -> dict[str, Doubles]:
    """Return the gradient of the mean log p over the rows of v `(B, V)`, by the names of the deep machine.

    It is what the statistics of each parameter are expected to be given the data, less what the model expects; both
    are sums over all states of h1, given which v and h2 are independent.
    """
    model, two, v = deep(model), sides(model), v.astype(np.float64)
    pixels = v.shape[1]
    h1 = np.concatenate(list(_states(len(two.middle_bias))))
    inputs = h1 @ two.weight.T + two.outer_bias
    given_v = softmax(_log_weights(model, v, h1))
    free = softmax(h1 @ two.middle_bias + softplus(inputs).sum(axis=1))
    excess = given_v.mean(axis=0) - free
    visible, h2 = np.split(sigmoid(inputs), [pixels], axis=1)
    return {
        "weight1": v.T @ given_v @ h1 / len(v) - visible.T @ (free[:, None] * h1),
        "weight2": h1.T @ (excess[:, None] * h2),
        "visible_bias": v.mean(axis=0) - free @ visible,
        "hidden1_bias": excess @ h1,
        "hidden2_bias": excess @ h2,
    }


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), by way of a function that cannot overflow."""
    share: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return share


def softplus(x: Floats) -> Floats:
    """Return log(1 + exp(x)), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x: Doubles) -> Doubles:
    """Return exp(x), scaled so that the last axis sums to one."""
    return np.exp(x - log_sum_exp(x, axis=-1)[..., None])


def log_sum_exp(x: ArrayLike, axis: int = 0) -> Doubles:
    """Return log(sum(exp(x))) along an axis, without overflow."""
    x = np.asarray(x, np.float64)
    largest = x.max(axis=axis, keepdims=True)
    logarithm: Doubles = np.log(np.exp(x - largest).sum(axis=axis)) + largest.squeeze(axis)
    return logarithm


def _states(units: int) -> Iterator[Doubles]:
    """Yield all states of so many binary units, some at a time, (states, units)."""
    for start in range(0, 2**units, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, 2**units))
        yield (numbers[:, None] >> np.arange(units) & 1).astype(np.float64)


def _log_weights(model: Model, v: Floats, h1: Doubles) -> Doubles:
    """Return log p(v, h1), but for log Z and the share of the visible biases, (B, states)."""
    inputs = v.astype(np.float64) @ model["weight1"] + model["hidden1_bias"]
    shares: Doubles = inputs @ h1.T + softplus(h1 @ model["weight2"] + model["hidden2_bias"]).sum(axis=1)
    return shares
