"""JAX by hand: contrastive divergence of a restricted Boltzmann machine, all updates of a block in one call."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from harness.boltzmann import Rbm, State


class HandWritten:
    """CD-1 with doubled visibles, momentum and weight decay, as in the stage `bottom` of `dbm-mnist`."""

    def __init__(self, stage: Rbm, pixels: NDArray[np.float32], state: State) -> None:
        rate, momentum, decay = stage.learning_rate, stage.momentum[0], stage.weight_decay
        self.pixels = jnp.asarray(pixels)
        self.state = (
            [jnp.asarray(state[name]) for name in ("weight", "visible_bias", "hidden_bias")],
            [jnp.zeros_like(state[name]) for name in ("weight", "visible_bias", "hidden_bias")],
            jax.random.key(0),
        )
        self.errors: Any = jnp.zeros(0)

        def draw(key: Any, p: Any) -> Any:
            return (jax.random.uniform(key, p.shape) < p).astype(p.dtype)

        def update(now: Any, indices: Any) -> Any:
            (weight, visible_bias, hidden_bias), velocity, key = now
            key, first, second, third = jax.random.split(key, 4)
            v0 = draw(first, pictures[indices])
            p0 = jax.nn.sigmoid(2 * (v0 @ weight + hidden_bias))
            v = draw(second, jax.nn.sigmoid(draw(third, p0) @ weight.T + visible_bias))
            p = jax.nn.sigmoid(2 * (v @ weight + hidden_bias))
            pulls = [(v0.T @ p0 - v.T @ p) / len(v) - decay * weight, (v0 - v).mean(0), (p0 - p).mean(0)]
            velocity = [momentum * old + rate * pull for old, pull in zip(velocity, pulls, strict=True)]
            moved = [old + step for old, step in zip(now[0], velocity, strict=True)]
            return (moved, velocity, key), jnp.square(v0 - v).sum() / len(v)

        pictures = self.pixels
        self.block = jax.jit(lambda now, order: lax.scan(update, now, order), donate_argnums=0)

    def train(self, order: NDArray[np.int32]) -> None:
        self.state, self.errors = self.block(self.state, order)

    def synchronize(self) -> None:
        jax.block_until_ready((self.state[0], self.errors))

    def losses(self) -> NDArray[np.float32]:
        return np.asarray(self.errors)
