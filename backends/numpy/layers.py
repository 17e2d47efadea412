"""Layers by hand: `forward` returns the output and what `backward` needs, `backward` applies the chain rule.

The lecture in code. Every `backward` gets `dy`, the gradient of the loss with respect to the output, and returns the
gradient with respect to the input and those of the parameters. `B` is the mini-batch.
"""

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
    Maxout,
    MaxPool2d,
    PReLU,
)

Array = NDArray[np.float64]
Parameters = dict[str, Array]
Backward = Callable[[Array], tuple[Array, Parameters]]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def dense(layer: Dense, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Compute `y = x W' + b`; x `(B, I)`, W `(O, I)`, y `(B, O)`."""

    def backward(dy: Array) -> tuple[Array, Parameters]:
        gradients = {"weight": dy.T @ x}
        if layer.bias:
            gradients["bias"] = dy.sum(axis=0)
        return dy @ p["weight"], gradients

    y = x @ p["weight"].T
    return (y + p["bias"] if layer.bias else y), backward


def conv2d(layer: Conv2d, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Slide the kernels over the image; x `(B, C, H, W)`, W `(F, C, K, K)`, y `(B, F, H', W')`."""
    pad, stride, kernel = layer.padding, layer.stride, layer.kernel
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("bchwij,fcij->bfhw", windows, p["weight"], optimize=True)

    def backward(dy: Array) -> tuple[Array, Parameters]:
        gradients = {"weight": np.einsum("bfhw,bchwij->fcij", dy, windows, optimize=True)}
        if layer.bias:
            gradients["bias"] = dy.sum(axis=(0, 2, 3))
        d_padded = np.zeros_like(padded)
        height, width = dy.shape[2] * stride, dy.shape[3] * stride
        # One place of the kernel at a time: windows overlap, and `+=` on overlapping views would lose sums.
        for i in range(kernel):
            for j in range(kernel):
                spread = np.einsum("bfhw,fc->bchw", dy, p["weight"][:, :, i, j], optimize=True)
                d_padded[:, :, i : i + height : stride, j : j + width : stride] += spread
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
    x = np.zeros(shape)
    tiles = blocks.reshape(b, c, h, w, size, size).transpose(0, 1, 2, 4, 3, 5)
    x[:, :, : h * size, : w * size] = tiles.reshape(b, c, h * size, w * size)
    return x


def max_pool(layer: MaxPool2d, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Take the maximum of each window; the gradient goes to the first place that held it."""
    blocks = _windows(x, layer.size)
    winner = blocks.argmax(axis=-1)[..., None]

    def backward(dy: Array) -> tuple[Array, Parameters]:
        d_blocks = np.zeros_like(blocks)
        np.put_along_axis(d_blocks, winner, dy[..., None], axis=-1)
        return _unwindows(d_blocks, x.shape, layer.size), {}

    return np.take_along_axis(blocks, winner, axis=-1)[..., 0], backward


def avg_pool(layer: AvgPool2d, x: Array, _p: Parameters) -> tuple[Array, Backward]:
    """Take the mean of each window; the gradient is shared out evenly."""
    area = layer.size**2

    def backward(dy: Array) -> tuple[Array, Parameters]:
        return _unwindows(np.repeat(dy[..., None] / area, area, axis=-1), x.shape, layer.size), {}

    return _windows(x, layer.size).mean(axis=-1), backward


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
            y, slope = np.maximum(x, 0), (x > 0).astype(np.float64)
        case "leaky_relu":
            slope = np.where(x > 0, 1.0, layer.slope)
            y = slope * x
        case "selu":
            below = SELU_ALPHA * np.exp(np.minimum(x, 0))  # else exp overflows where its value is not used
            y = SELU_SCALE * np.where(x > 0, x, below - SELU_ALPHA)
            slope = SELU_SCALE * np.where(x > 0, 1.0, below)
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


def dropout(layer: Dropout, x: Array, random: np.random.Generator | None) -> tuple[Array, Backward]:
    """Drop each value with probability `rate` and scale up the rest; without `random` the identity."""
    keep = np.ones(x.shape) if random is None else (random.random(x.shape) >= layer.rate) / (1 - layer.rate)
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
}
"""The layers that compute the same in training and outside of it."""
