"""Recurrent layers by `lax.scan`, which is how JAX has them: it has no layers of its own."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from harness.layers import GRU, LSTM, Recurrent, SimpleRNN

Tensors = dict[str, Any]


# Jitted in eager mode too, as `jax.nn` has its functions: a scan is compiled in any case, and called op by op anew at
# every call, 1.1 s each for 24 steps (seen with 0.10.2), for its body is another function every time.
@partial(jax.jit, static_argnums=0)
def recurrent(layer: Recurrent, x: Any, p: Tensors) -> Any:
    """Run a layer one way or both; x `(B, T, I)`, to the last state `(B, H)` or all of them `(B, T, H)`."""
    runs = [one_way(layer, x, p, reverse=False)]
    if layer.bidirectional:
        back = {part.removeprefix("reverse_"): w for part, w in p.items() if part.startswith("reverse_")}
        runs.append(one_way(layer, x, back, reverse=True))
    return jnp.concatenate(runs, axis=-1)


def one_way(layer: Recurrent, x: Any, p: Tensors, *, reverse: bool) -> Any:
    """Return what one direction gives; the products with the inputs of all steps are done at once."""
    inputs = product(x, p["input_weight"])
    if layer.bias:
        inputs = inputs + p["bias"]
    start = (jnp.zeros((len(x), layer.units), x.dtype),) * (2 if isinstance(layer, LSTM) else 1)

    def step(state: Any, zx: Any) -> tuple[Any, Any]:
        new = cell(layer, zx, product(state[0], p["state_weight"]), state)
        return new, new[0] if layer.sequence else None

    last, states = lax.scan(step, start, inputs.swapaxes(0, 1), reverse=reverse)
    return states.swapaxes(0, 1) if layer.sequence else last[0]


def product(x: Any, weight: Any) -> Any:
    """Return `x W'` over the last axis of x, without a turned copy of `W` even op by op."""
    return lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())))


def cell(layer: Recurrent, zx: Any, zh: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the state after one time step, from `W x + b` and `U h`, each `(B, G*H)`."""
    match layer:
        case SimpleRNN(kind=kind):
            return (jnp.tanh(zx + zh) if kind == "tanh" else jax.nn.relu(zx + zh),)
        case LSTM():
            i, f, g, o = jnp.split(zx + zh, 4, axis=-1)
            c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            return jax.nn.sigmoid(o) * jnp.tanh(c), c
        case GRU():
            (xr, xz, xn), (hr, hz, hn) = jnp.split(zx, 3, axis=-1), jnp.split(zh, 3, axis=-1)
            r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
            return ((1 - z) * jnp.tanh(xn + r * hn) + z * state[0],)
