"""JAX by hand on texts: embedding, an LSTM by `lax.scan`, dropout and a dense layer on the last state, under Adam."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, random

from benchmarks.loops.case import Case
from benchmarks.loops.on_jax.xor import both


def dropped(x: Any, rate: float, key: Any) -> Any:
    """Drop each value with probability `rate`."""
    return jnp.where(random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0.0) if rate else x


@jax.jit
def lstm(x: Any, w: Any) -> Any:
    """Return the last state for x `(B, T, E)`; jitted, for a scan op by op is compiled anew at every call."""
    zx = x @ w["lstm1.input_weight"].T + w["lstm1.bias"]
    zero = jnp.zeros((len(x), w["lstm1.state_weight"].shape[1]))

    def cell(state: Any, z: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(z + h @ w["lstm1.state_weight"].T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    return lax.scan(cell, (zero, zero), zx.swapaxes(0, 1))[0][0]


def loss_of(rate: float, w: Any, x: Any, y: Any, t: Any) -> Any:
    """Return the mean cross-entropy of a mini-batch of texts."""
    keys = random.split(random.fold_in(random.key(0), t))
    states = lstm(dropped(w["embedding1.weight"][x], rate, keys[0]), w)
    logits = dropped(states, rate, keys[1]) @ w["dense1.weight"].T + w["dense1.bias"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def candidates(case: Case) -> dict[str, Any]:
    return both(case, partial(loss_of, case.sizes()[3]))
