"""Layers by hand: `forward` returns the output and what `backward` needs, `backward` applies the chain rule.

The lecture in code. Every `backward` gets `dy`, the gradient of the loss with respect to the output, and returns the
gradient with respect to the input and those of the parameters. `B` is the mini-batch.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from harness.layers import (
    Activation,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2d,
    LayerNorm,
    LocalResponseNorm,
    Maxout,
    MaxPool2d,
    Positions,
    PReLU,
    SelfAttention,
    Upsample2d,
)

Array = NDArray[Any]
"""Float64, or float32 where its rounding is asked for: no layer changes the type."""
Parameters = dict[str, Array]
Backward = Callable[[Array], tuple[Array, Parameters]]

ERF = np.frompyfunc(math.erf, 1, 1)
"""NumPy has none, and SciPy is not in every environment in which the reference computes."""
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def dense(layer: Dense, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Compute `y = x W' + b`; x `(B, I)` or `(B, T, I)`, W `(O, I)`, y `(B, O)` or `(B, T, O)`."""

    def backward(dy: Array) -> tuple[Array, Parameters]:
        rows, columns = dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1])
        gradients = {"weight": rows.T @ columns}
        if layer.bias:
            gradients["bias"] = rows.sum(axis=0)
        return dy @ p["weight"], gradients

    y = x @ p["weight"].T
    return (y + p["bias"] if layer.bias else y), backward


def conv2d(layer: Conv2d, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Slide the kernels over the image; x `(B, C, H, W)`, W `(F, C / groups, K, K)`, y `(B, F, H', W')`."""
    pad, stride, kernel, groups = layer.padding, layer.stride, layer.kernel, layer.groups
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    # An axis for the group: its filters see its own channels alone.
    seen = windows.reshape(len(x), groups, -1, *windows.shape[2:])
    weight = p["weight"].reshape(groups, -1, *p["weight"].shape[1:])
    y = np.einsum("bgchwij,gfcij->bgfhw", seen, weight, optimize=True).reshape(len(x), -1, *windows.shape[2:4])

    def backward(dy: Array) -> tuple[Array, Parameters]:
        parts = dy.reshape(len(dy), groups, -1, *dy.shape[2:])
        found = np.einsum("bgfhw,bgchwij->gfcij", parts, seen, optimize=True)
        gradients = {"weight": found.reshape(p["weight"].shape)}
        if layer.bias:
            gradients["bias"] = dy.sum(axis=(0, 2, 3))
        d_padded = np.zeros_like(padded)
        height, width = dy.shape[2] * stride, dy.shape[3] * stride
        # One place of the kernel at a time: windows overlap, and `+=` on overlapping views would lose sums.
        for i in range(kernel):
            for j in range(kernel):
                spread = np.einsum("bgfhw,gfc->bgchw", parts, weight[:, :, :, i, j], optimize=True)
                d_padded[:, :, i : i + height : stride, j : j + width : stride] += spread.reshape(
                    len(x), -1, *dy.shape[2:]
                )
        return d_padded[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], gradients

    return (y + p["bias"][:, None, None] if layer.bias else y), backward


def _windows(x: Array, size: int) -> Array:
    """Cut `(B, C, H, W)` into `(B, C, H/size, W/size, size*size)`, the remainder at the far edges dropped."""
    b, c, h, w = x.shape[0], x.shape[1], x.shape[2] // size, x.shape[3] // size
    blocks = x[:, :, : h * size, : w * size].reshape(b, c, h, size, w, size)
    return blocks.transpose(0, 1, 2, 4, 3, 5).reshape(b, c, h, w, size * size)


def _unwindows(blocks: Array, shape: tuple[int, ...], size: int) -> Array:
    """Undo `_windows`, with zeros where the remainder was dropped."""
    b, c, h, w = blocks.shape[:4]
    x = np.zeros(shape, blocks.dtype)
    tiles = blocks.reshape(b, c, h, w, size, size).transpose(0, 1, 2, 4, 3, 5)
    x[:, :, : h * size, : w * size] = tiles.reshape(b, c, h * size, w * size)
    return x


def max_pool(layer: MaxPool2d, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Take the maximum of each window; the gradient goes to the first place that held it."""
    pad, stride, size = layer.padding, layer.stride or layer.size, layer.size
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
    windows = sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    blocks = windows.reshape(*windows.shape[:4], size * size)
    winner = blocks.argmax(axis=-1)
    b, c, h, w = np.indices(winner.shape, sparse=True)
    places = b, c, h * stride + winner // size, w * stride + winner % size

    def backward(dy: Array) -> tuple[Array, Parameters]:
        d_padded = np.zeros_like(padded)
        np.add.at(d_padded, places, dy)  # a place can be the maximum of several windows
        return d_padded[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], {}

    return padded[places], backward


def avg_pool(layer: AvgPool2d, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Take the mean of each window; the gradient is shared out evenly."""
    area = layer.size**2

    def backward(dy: Array) -> tuple[Array, Parameters]:
        return _unwindows(np.repeat(dy[..., None] / area, area, axis=-1), x.shape, layer.size), {}

    return _windows(x, layer.size).mean(axis=-1), backward


def global_avg_pool(_layer: GlobalAvgPool2d, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Take the mean of each channel, `(B, C, H, W)` to `(B, C)`."""
    area = x.shape[2] * x.shape[3]
    return x.mean(axis=(2, 3)), lambda dy: (np.broadcast_to(dy[:, :, None, None] / area, x.shape), {})


def upsample(layer: Upsample2d, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Repeat every value along both sides; its gradients are summed."""
    size = layer.size

    def backward(dy: Array) -> tuple[Array, Parameters]:
        return dy.reshape(*x.shape[:3], size, x.shape[3], size).sum(axis=(3, 5)), {}

    return x.repeat(size, axis=2).repeat(size, axis=3), backward


def flatten(_layer: Flatten, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Lay `(B, C, H, W)` out as `(B, C*H*W)`."""
    return x.reshape(len(x), -1), lambda dy: (dy.reshape(x.shape), {})


def activation(layer: Activation, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Apply an element-wise function; `slope` below is its derivative at x."""
    match layer.kind:
        case "sigmoid":
            y = sigmoid(x)
            slope = y * (1 - y)
        case "tanh":
            y = np.tanh(x)
            slope = 1 - y**2
        case "relu":
            y, slope = np.maximum(x, 0), (x > 0).astype(x.dtype)
        case "leaky_relu":
            slope = np.where(x > 0, 1.0, layer.slope).astype(x.dtype)
            y = slope * x
        case "selu":
            below = SELU_ALPHA * np.exp(np.minimum(x, 0))  # else exp overflows where its value is not used
            y = SELU_SCALE * np.where(x > 0, x, below - SELU_ALPHA)
            slope = SELU_SCALE * np.where(x > 0, 1.0, below)
        case "gelu":
            below = 0.5 * (1 + np.asarray(ERF(x / math.sqrt(2)), x.dtype))  # the share of the normal distribution
            y = x * below
            slope = below + x * np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return y, lambda dy: (dy * slope, {})


def prelu(_layer: PReLU, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Scale what is negative by a trained slope per channel (axis 1)."""
    along = (1, -1) + (1,) * (x.ndim - 2)
    slope = p["weight"].reshape(along)

    def backward(dy: Array) -> tuple[Array, Parameters]:
        others = tuple(axis for axis in range(x.ndim) if axis != 1)
        return dy * np.where(x > 0, 1.0, slope), {"weight": (dy * np.minimum(x, 0)).sum(axis=others)}

    return np.where(x > 0, x, slope * x), backward


def maxout(layer: Maxout, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Take, per unit, the largest of its affine pieces; x `(B, I)`, y `(B, U)`."""
    z = (x @ p["weight"].T + p["bias"]).reshape(len(x), layer.units, layer.pieces)
    winner = z.argmax(axis=-1)[..., None]

    def backward(dy: Array) -> tuple[Array, Parameters]:
        dz = np.zeros_like(z)
        np.put_along_axis(dz, winner, dy[..., None], axis=-1)
        flat = dz.reshape(len(x), -1)
        return flat @ p["weight"], {"weight": flat.T @ x, "bias": flat.sum(axis=0)}

    return np.take_along_axis(z, winner, axis=-1)[..., 0], backward


def batch_norm(layer: BatchNorm, x: Array, p: Parameters, *, training: bool) -> tuple[Array, Backward]:
    """Normalise each channel (axis 1) over all others (Ioffe & Szegedy 2015); training moves `mean` and `variance`."""
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    along = (1, -1) + (1,) * (x.ndim - 2)
    n = x.size // x.shape[1]
    if training:
        mean, variance = x.mean(axis=others), x.var(axis=others)
        p["mean"] = layer.momentum * p["mean"] + (1 - layer.momentum) * mean
        # Normalised by the biased variance, remembered by the unbiased one, as PyTorch and MindSpore do it.
        p["variance"] = layer.momentum * p["variance"] + (1 - layer.momentum) * variance * n / (n - 1)
    else:
        mean, variance = p["mean"], p["variance"]
    deviation = np.sqrt(variance + layer.epsilon).reshape(along)
    normal = (x - mean.reshape(along)) / deviation
    gamma = p["weight"].reshape(along)

    def backward(dy: Array) -> tuple[Array, Parameters]:
        d_bias = dy.sum(axis=others)
        d_weight = (dy * normal).sum(axis=others)
        centred = dy - (d_bias.reshape(along) + normal * d_weight.reshape(along)) / n
        return gamma * centred / deviation, {"weight": d_weight, "bias": d_bias}

    return gamma * normal + p["bias"].reshape(along), backward


def layer_norm(layer: LayerNorm, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Normalise over the last axis; x `(B, F)` or `(B, T, F)`."""
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + layer.epsilon)
    normal = (x - x.mean(axis=-1, keepdims=True)) / deviation

    def backward(dy: Array) -> tuple[Array, Parameters]:
        scaled = dy * p["weight"]
        along = scaled.mean(axis=-1, keepdims=True) + normal * (scaled * normal).mean(axis=-1, keepdims=True)
        others = tuple(range(x.ndim - 1))
        return (scaled - along) / deviation, {"weight": (dy * normal).sum(axis=others), "bias": dy.sum(axis=others)}

    return p["weight"] * normal + p["bias"], backward


def local_response_norm(layer: LocalResponseNorm, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Divide each value by a power of the squares of its neighbours in the channels."""

    def around(values: Array) -> Array:
        reach = layer.size // 2
        padded = np.pad(values, ((0, 0), (reach, reach), (0, 0), (0, 0)))
        return sliding_window_view(padded, layer.size, axis=1).sum(axis=-1)

    base = layer.k + layer.alpha * around(x**2)
    power = base**-layer.beta

    def backward(dy: Array) -> tuple[Array, Parameters]:
        # x_j stands in the sums of the same channels in which it is a neighbour
        return dy * power - 2 * layer.alpha * layer.beta * x * around(dy * x * power / base), {}

    return x * power, backward


def positions(_layer: Positions, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Add a row to each place; x `(B, T, F)`, W `(T, F)`."""
    return x + p["weight"], lambda dy: (dy, {"weight": dy.sum(axis=0)})


def self_attention(layer: SelfAttention, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Let every place look at all others; x and y `(B, T, E)`."""
    b, t, e = x.shape
    scale = 1 / math.sqrt(e / layer.heads)

    def split(values: Array) -> Array:
        return values.reshape(b, t, layer.heads, -1).transpose(0, 2, 1, 3)

    def join(values: Array) -> Array:
        return values.transpose(0, 2, 1, 3).reshape(b, t, e)

    maps = {name: dense(Dense(units=e), x, _of(p, name)) for name in ("query", "key", "value")}
    q, k, v = (split(y) for y, _backward in maps.values())
    scores = q @ k.transpose(0, 1, 3, 2) * scale
    if layer.causal:
        scores = np.where(np.tri(t, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    y, of_output = dense(Dense(units=e), join(weights @ v), _of(p, "output"))

    def backward(dy: Array) -> tuple[Array, Parameters]:
        d_joined, found = of_output(dy)
        gradients = {f"output_{part}": value for part, value in found.items()}
        d_heads = split(d_joined)
        d_weights = d_heads @ v.transpose(0, 1, 3, 2)
        d_scores = weights * (d_weights - (d_weights * weights).sum(axis=-1, keepdims=True)) * scale
        slopes = {"query": d_scores @ k, "key": d_scores.transpose(0, 1, 3, 2) @ q}
        slopes["value"] = weights.transpose(0, 1, 3, 2) @ d_heads
        dx = np.zeros_like(x)
        for name, d_map in slopes.items():
            d_input, found = maps[name][1](join(d_map))
            dx += d_input
            gradients |= {f"{name}_{part}": value for part, value in found.items()}
        return dx, gradients

    return y, backward


def _of(p: Parameters, name: str) -> Parameters:
    return {part: p[f"{name}_{part}"] for part in ("weight", "bias")}


def dropout(layer: Dropout, x: Array, random: np.random.Generator | None) -> tuple[Array, Backward]:
    """Drop each value with probability `rate` and scale up the rest; without `random` the identity."""
    keep = np.ones_like(x)
    if random is not None:
        keep *= (random.random(x.shape) >= layer.rate) / (1 - layer.rate)
    return x * keep, lambda dy: (dy * keep, {})


def embedding(_layer: Embedding, x: NDArray[Any], p: Parameters) -> tuple[Array, Backward]:
    """Look words up: x `(B, T)` whole numbers, W `(V, E)`, y `(B, T, E)`; each use of a row adds to its gradient."""

    def backward(dy: Array) -> tuple[Array, Parameters]:
        gradient = np.zeros_like(p["weight"])
        np.add.at(gradient, x, dy)  # `gradient[x] += dy` would count a repeated word once
        return np.zeros(x.shape), {"weight": gradient}

    return p["weight"][x], backward


def sigmoid(x: Array) -> Array:
    """Return `1 / (1 + exp(-x))` without overflow at either end."""
    return 0.5 * (1 + np.tanh(0.5 * x))


PLAIN: dict[type, Callable[[Any, Array, Parameters], tuple[Array, Backward]]] = {
    Dense: dense,
    Conv2d: conv2d,
    MaxPool2d: max_pool,
    AvgPool2d: avg_pool,
    Flatten: flatten,
    Activation: activation,
    PReLU: prelu,
    Maxout: maxout,
    Embedding: embedding,
    GlobalAvgPool2d: global_avg_pool,
    Upsample2d: upsample,
    LayerNorm: layer_norm,
    LocalResponseNorm: local_response_norm,
    Positions: positions,
    SelfAttention: self_attention,
}
"""The layers that compute the same in training and outside of it."""
