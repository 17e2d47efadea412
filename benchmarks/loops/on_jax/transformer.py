"""JAX by hand: a Transformer's encoder over words as a pure function, under Adam."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.loops.case import Case, Encoder
from benchmarks.loops.on_jax.xor import both


def dense(w: Any, name: str, x: Any) -> Any:
    return x @ w[f"{name}weight"].T + w[f"{name}bias"]


def norm(w: Any, name: str, x: Any) -> Any:
    """Normalise over the features."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def attention(w: Any, name: str, x: Any, heads: int) -> Any:
    """Let every place look at all others."""
    q, k, v = (dense(w, f"{name}.{of}_", x).reshape(*x.shape[:2], heads, -1) for of in ("query", "key", "value"))
    return dense(w, f"{name}.output_", jax.nn.dot_product_attention(q, k, v).reshape(x.shape))


def loss_of(sizes: Encoder, w: Any, x: Any, y: Any, _t: Any) -> Any:
    """Return the mean cross-entropy of a mini-batch of texts."""
    x = w["embedding1.weight"][x] + w["positions1.weight"]
    for block in range(sizes.blocks):
        first, second = (f"residual{2 * block + number}.layers" for number in (1, 2))
        x = x + attention(w, f"{first}.selfattention1", norm(w, f"{first}.layernorm1", x), sizes.heads)
        z = dense(w, f"{second}.dense1.", norm(w, f"{second}.layernorm1", x))
        x = x + dense(w, f"{second}.dense2.", jax.nn.gelu(z, approximate=False))
    logits = dense(w, "dense1.", norm(w, "layernorm1", x).reshape(len(x), -1))
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()


def candidates(case: Case) -> dict[str, Any]:
    return both(case, partial(loss_of, case.encoder()))
