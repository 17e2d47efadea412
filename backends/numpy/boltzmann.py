"""Boltzmann machines by hand, float64: the updates of `harness/boltzmann.py`, written to be read beside it.

Random numbers come from a generator of its own or, for parity, from a tape that is handed to the other backend too.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.numpy.layers import Array, sigmoid
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, draw_shapes, statistics_names
from harness.contract import Arrays, DeviceMemory, Split
from harness.language import noop

CLEAR = 1e-5
"""A number on the tape that is closer to its probability is moved away: in float32 it might draw the other state."""

Draw = Callable[[str, Array], Array]
"""From the name of a draw and the probabilities of its units to their states, 0 or 1."""


def rbm_gradients(
    stage: Rbm, w: dict[str, Array], x: Array, draw: Draw, steps: int
) -> tuple[dict[str, Array], list[float]]:
    """Return the uphill gradients of one mini-batch x `(B, V)` and the reconstruction error; moves a kept chain."""
    up = 2 if stage.doubled == "visible" else 1
    down = 2 if stage.doubled == "hidden" else 1
    v0 = draw("picture", x)
    if stage.recognise:
        v0 = draw("below", sigmoid(stage.recognise_copies * (v0 @ w["below.weight"] + w["below.bias"])))
    p0 = sigmoid(up * (v0 @ w["weight"] + w["hidden_bias"]))
    h = w["chain"] if stage.persistent else draw("hidden0", p0)
    for k in range(1, steps + 1):
        v = draw(f"visible{k}", sigmoid(down * (h @ w["weight"].T + w["visible_bias"])))
        p = sigmoid(up * (v @ w["weight"] + w["hidden_bias"]))
        if k < steps or stage.persistent:
            h = draw(f"hidden{k}", p)
    if stage.persistent:
        w["chain"] = h
    gradients = {
        "weight": (v0.T @ p0 - v.T @ p) / len(x),
        "visible_bias": (v0 - v).mean(axis=0),
        "hidden_bias": (p0 - p).mean(axis=0),
    }
    return gradients, [float(((v0 - v) ** 2).sum() / len(x))]


def mean_field(w: Mapping[str, Array], v: Array, steps: int) -> tuple[Array, Array, float]:
    """Return m1 `(B, H1)`, m2 `(B, H2)` and the mean absolute change of m1 in the last step."""
    m1 = sigmoid(2 * v @ w["weight1"] + w["hidden1_bias"])
    m2 = sigmoid(m1 @ w["weight2"] + w["hidden2_bias"])
    change = np.inf
    for _ in range(steps):
        before = m1
        m1 = sigmoid(v @ w["weight1"] + m2 @ w["weight2"].T + w["hidden1_bias"])
        m2 = sigmoid(m1 @ w["weight2"] + w["hidden2_bias"])
        change = float(np.abs(m1 - before).mean())
    return m1, m2, change


def gibbs(w: Mapping[str, Array], q1: Array, draw: Draw, steps: int) -> tuple[Array, Array, Array]:
    """Move the chains, kept as q1 `(C, H1)`; return the drawn pictures `(C, V)`, q1 and q2 `(C, H2)`."""
    for k in range(1, steps + 1):
        h1 = draw(f"hidden1.{k}", q1)
        h2 = draw(f"hidden2.{k}", sigmoid(h1 @ w["weight2"] + w["hidden2_bias"]))
        v = draw(f"visible{k}", sigmoid(h1 @ w["weight1"].T + w["visible_bias"]))
        q1 = sigmoid(v @ w["weight1"] + h2 @ w["weight2"].T + w["hidden1_bias"])
    return v, q1, sigmoid(q1 @ w["weight2"] + w["hidden2_bias"])


def joint_gradients(
    stage: Joint, w: dict[str, Array], x: Array, draw: Draw, steps: int
) -> tuple[dict[str, Array], list[float]]:
    """Return the uphill gradients of one mini-batch x `(B, V)` and the statistics; moves chains and running means."""
    v = draw("picture", x)
    m1, m2, change = mean_field(w, v, stage.mean_field_steps)
    fantasy, q1, q2 = gibbs(w, w["chain"], draw, steps)
    w["chain"] = q1
    e = []
    for name, mean, target in zip(("mean1", "mean2"), (m1, m2), stage.sparsity_targets, strict=True):
        w[name] = stage.sparsity_damping * w[name] + (1 - stage.sparsity_damping) * mean.mean(axis=0)
        e.append(stage.sparsity_cost * (w[name] - target))
    b, c = len(x), len(q1)
    means = v.mean(axis=0), m1.mean(axis=0), m2.mean(axis=0)
    gradients = {
        "weight1": v.T @ m1 / b - fantasy.T @ q1 / c - np.outer(means[0], e[0]),
        "weight2": m1.T @ m2 / b - q1.T @ q2 / c - np.outer(means[1], e[1]) - np.outer(e[0], means[2]),
        "visible_bias": means[0] - fantasy.mean(axis=0),
        "hidden1_bias": means[1] - q1.mean(axis=0) - e[0],
        "hidden2_bias": means[2] - q2.mean(axis=0) - e[1],
    }
    reconstruction = sigmoid(m1 @ w["weight1"].T + w["visible_bias"])
    error = float(((v - reconstruction) ** 2).sum() / b)
    return gradients, [error, change, float(fantasy.mean()), float(q1.mean()), float(q2.mean())]


def wake_sleep_gradients(
    _stage: WakeSleep, w: dict[str, Array], x: Array, draw: Draw, steps: int
) -> tuple[dict[str, Array], list[float]]:
    """Return the uphill gradients of one mini-batch x `(B, V)` and the reconstruction error."""
    v = draw("picture", x)
    h = draw("hidden1.0", sigmoid(v @ w["recognition"] + w["recognition_bias"]))
    p0 = sigmoid(h @ w["weight2"] + w["hidden2_bias"])
    g = draw("hidden2.0", p0)
    for k in range(1, steps + 1):
        n = draw(f"hidden1.{k}", sigmoid(g @ w["weight2"].T + w["hidden1_bias"]))
        p = sigmoid(n @ w["weight2"] + w["hidden2_bias"])
        if k < steps:
            g = draw(f"hidden2.{k}", p)
    dream = draw("dream", sigmoid(n @ w["generation"].T + w["visible_bias"]))
    missed = v - sigmoid(h @ w["generation"].T + w["visible_bias"])
    unseen = n - sigmoid(dream @ w["recognition"] + w["recognition_bias"])
    b = len(x)
    gradients = {
        "weight2": (h.T @ p0 - n.T @ p) / b,
        "hidden1_bias": (h - n).mean(axis=0),
        "hidden2_bias": (p0 - p).mean(axis=0),
        "generation": missed.T @ h / b,
        "visible_bias": missed.mean(axis=0),
        "recognition": dream.T @ unseen / b,
        "recognition_bias": unseen.mean(axis=0),
    }
    return gradients, [float((missed**2).sum() / b)]


GRADIENTS: dict[type, Any] = {Rbm: rbm_gradients, Joint: joint_gradients, WakeSleep: wake_sleep_gradients}


class NumpyBoltzmann:
    """One stage in float64; every call has finished when it returns."""

    def __init__(self, stage: Stage, state: Arrays, seed: int) -> None:
        self.stage = stage
        self.w = {name: np.array(value, np.float64) for name, value in state.items()}
        self.random = np.random.default_rng([seed, 6])
        self.data: dict[str, NDArray[Any]] = {}
        self.rows: list[list[float]] = []

    def load(self, arrays: Arrays) -> None:
        self.data = dict(arrays)

    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        self.rows = []
        gradients_of = GRADIENTS[type(self.stage)]
        for n, (indices, (rate, momentum)) in enumerate(zip(order, rates.astype(np.float64), strict=True)):
            x = self.data["train_x"][indices].astype(np.float64)
            draw = self._draw(gibbs_steps, len(indices), None if tape is None else {k: v[n] for k, v in tape.items()})
            gradients, row = gradients_of(self.stage, self.w, x, draw, gibbs_steps)
            for name, gradient in gradients.items():
                decay = self.stage.weight_decay if gradient.ndim == 2 else 0.0
                velocity = momentum * self.w[f"velocity.{name}"] + rate * (gradient - decay * self.w[name])
                self.w[f"velocity.{name}"] = velocity
                self.w[name] = self.w[name] + velocity
            self.rows.append(row)

    def _draw(self, gibbs_steps: int, batch: int, tape: Arrays | None) -> Draw:
        shapes = draw_shapes(self.stage, batch, gibbs_steps)

        def draw(name: str, p: Array) -> Array:
            if tape is None:
                return (self.random.random(shapes[name]) < p).astype(np.float64)
            tie = np.abs(tape[name] - p) < CLEAR
            tape[name][tie] = (p + 2 * CLEAR)[tie]  # in place: the other backend must get the same tape after this
            return (tape[name] < p).astype(np.float64)

        return draw

    def synchronize(self) -> None:
        """Do nothing: NumPy computes before it returns."""

    def statistics(self) -> dict[str, NDArray[Any]]:
        return dict(zip(statistics_names(self.stage), np.array(self.rows).T, strict=True))

    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Array:
        x = self.data[f"{split}_x"][indices].astype(np.float64)
        if isinstance(self.stage, Joint):
            return np.concatenate(mean_field(self.w, x, steps)[:2], axis=1)
        if isinstance(self.stage, WakeSleep):
            x = sigmoid(x @ self.w["recognition"] + self.w["recognition_bias"])
            return sigmoid(x @ self.w["weight2"] + self.w["hidden2_bias"])
        if self.stage.recognise:
            x = sigmoid(self.stage.recognise_copies * (x @ self.w["below.weight"] + self.w["below.bias"]))
        up = 2 if self.stage.doubled == "visible" else 1
        return sigmoid(up * (x @ self.w["weight"] + self.w["hidden_bias"]))

    def host(self, outputs: Array) -> NDArray[Any]:
        return outputs

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: value.copy() for name, value in self.w.items()}

    def device_memory(self) -> DeviceMemory:
        return DeviceMemory(reason=noop("NumPy has no allocator of its own; see host_peak_bytes"))
