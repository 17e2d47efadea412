"""JAX by hand: the shortest honest loop for LeNet, one jitted step a call; JAX has no high-level trainer of its own."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, random

from benchmarks.loops.case import Case

SHAPES = {"c1": (6, 1, 5, 5), "c2": (16, 6, 5, 5), "d1": (400, 120), "d2": (120, 84), "d3": (84, 10)}
RATE, MOMENTUM = 0.01, 0.9


def weights() -> Any:
    """Return a weight and a bias per layer."""
    keys = random.split(random.key(0), len(SHAPES))
    return {
        name: (0.1 * random.normal(key, shape), jnp.zeros(shape[0] if len(shape) == 4 else shape[1]))
        for key, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    }


def loss_of(w: Any, x: Any, y: Any) -> Any:
    """Return the mean cross-entropy of LeNet-5."""
    for name in ("c1", "c2"):
        x = jax.nn.relu(lax.conv(x, w[name][0], (1, 1), "VALID") + w[name][1][:, None, None])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = x.reshape(len(x), -1)
    for name in ("d1", "d2"):
        x = jax.nn.relu(x @ w[name][0] + w[name][1])
    logits = x @ w["d3"][0] + w["d3"][1]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def step(w: Any, velocity: Any, x: Any, y: Any, indices: Any) -> Any:
    """Return weights and velocities after one step of SGD with momentum, and the loss."""
    loss, gradients = jax.value_and_grad(loss_of)(w, x[indices], y[indices])
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradients)
    return jax.tree.map(lambda p, v: p - RATE * v, w, velocity), velocity, loss


class HandWritten:
    """A plain training loop over arrays that are on the device already."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = jnp.array(case.x), jnp.array(case.y)
        self.w = weights()
        self.velocity = jax.tree.map(jnp.zeros_like, self.w)
        self.step = jax.jit(step, donate_argnums=(0, 1)) if case.mode == "graph" else step

    def train(self, order: Any) -> None:
        for indices in order:
            self.w, self.velocity, _ = self.step(self.w, self.velocity, self.x, self.y, indices)

    def synchronize(self) -> None:
        jax.block_until_ready(self.w)


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
