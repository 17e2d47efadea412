"""A task's layers and loss as pure functions of `jax.numpy` and `jax.lax`, in the task's own layouts."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from backends.jax.recurrent import product, recurrent
from harness.layers import (
    GRU,
    LSTM,
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
    SimpleRNN,
)
from harness.model import NamedLayer
from harness.spec import Loss

Tensors = dict[str, Any]


def net(layers: tuple[NamedLayer, ...], w: Tensors, x: Any, key: Any = None) -> tuple[Any, Tensors]:
    """Return the outputs for a mini-batch x `(B, ...)`, and the running statistics as it leaves them.

    With `key`, which feeds the dropout, in training mode; else as `predict` has it.
    """
    moved: Tensors = {}
    for position, named in enumerate(layers):
        p = {name.rpartition(".")[2]: value for name, value in w.items() if name.startswith(f"{named.name}.")}
        if isinstance(named.layer, BatchNorm):
            x, statistics = batch_norm(named.layer, x, p, training=key is not None)
            moved |= {f"{named.name}.{part}": value for part, value in statistics.items()}
        else:
            x = layer(named, x, p, None if key is None else jax.random.fold_in(key, position))
    return x, moved


def layer(named: NamedLayer, x: Any, p: Tensors, key: Any) -> Any:
    """Return the output of one layer with the parameters p, by the last parts of their names."""
    match named.layer:
        case Dense() as dense:
            return affine(x, p) if dense.bias else product(x, p["weight"])
        case Conv2d() as conv:
            return convolution(conv, x, p)
        case MaxPool2d(size=size):
            return pool(x, size, -jnp.inf, lax.max)
        case AvgPool2d(size=size):
            return pool(x, size, 0.0, lax.add) / size**2
        case Flatten():
            return x.reshape(len(x), -1)
        case Dropout(rate=rate):
            return x if key is None or rate == 0 else dropout(x, rate, key)
        case PReLU():
            return jnp.where(x > 0, x, along(p["weight"], x) * x)
        case Maxout(units=units, pieces=pieces):
            return first_largest(affine(x, p).reshape(len(x), units, pieces))
        case Embedding():
            return p["weight"][x]
        case SimpleRNN() | LSTM() | GRU() as own:
            return recurrent(own, x, p)
        case Activation() as own:
            return activation(own, x)
        case _:
            raise TypeError(named.name)


def affine(x: Any, p: Tensors) -> Any:
    """Return `x W' + b`."""
    return product(x, p["weight"]) + p["bias"]


def along(values: Any, x: Any) -> Any:
    """Return one value per channel or feature, (C,), in a shape that goes with x `(B, C, ...)`."""
    return values.reshape(-1, *(1,) * (x.ndim - 2))


def convolution(conv: Conv2d, x: Any, p: Tensors) -> Any:
    """Return the cross-correlation of pictures `(B, C, H, W)`; JAX's default layouts are NCHW and OIHW."""
    padding = [(conv.padding, conv.padding)] * 2
    y = lax.conv_general_dilated(x, p["weight"], (conv.stride, conv.stride), padding)
    return y + along(p["bias"], y) if conv.bias else y


def pool(x: Any, size: int, start: float, reduce: Any) -> Any:
    """Reduce windows that do not overlap; the gradient of a maximum goes to the first place that holds it."""
    window = (1, 1, size, size)
    return lax.reduce_window(x, start, reduce, window, window, "VALID")


def dropout(x: Any, rate: float, key: Any) -> Any:
    """Drop each value with probability `rate` and scale up the rest."""
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0.0)


def first_largest(pieces: Any) -> Any:
    """Return the largest of the pieces `(B, U, P)`: by its place, since `max` shares its gradient among equal ones."""
    places = jnp.argmax(pieces, axis=2, keepdims=True)
    return jnp.take_along_axis(pieces, places, axis=2)[..., 0]


def batch_norm(norm: BatchNorm, x: Any, p: Tensors, *, training: bool) -> tuple[Any, Tensors]:
    """Normalise each channel or feature (axis 1); return the running statistics that training leaves, too."""
    mean, variance = p["mean"], p["variance"]
    moved: Tensors = {}
    if training:
        others = tuple(axis for axis in range(x.ndim) if axis != 1)
        n = math.prod(x.shape) // x.shape[1]
        mean, variance = jnp.mean(x, axis=others), jnp.var(x, axis=others)
        unbiased = variance * (n / (n - 1))
        moved = {
            "mean": norm.momentum * p["mean"] + (1 - norm.momentum) * mean,
            "variance": norm.momentum * p["variance"] + (1 - norm.momentum) * unbiased,
        }
    scale = p["weight"] * lax.rsqrt(variance + norm.epsilon)
    return (x - along(mean, x)) * along(scale, x) + along(p["bias"], x), moved


def activation(own: Activation, x: Any) -> Any:
    """Return an element-wise function."""
    match own.kind:
        case "sigmoid":
            return jax.nn.sigmoid(x)
        case "tanh":
            return jnp.tanh(x)
        case "relu":
            return jax.nn.relu(x)
        case "leaky_relu":
            return jax.nn.leaky_relu(x, own.slope)
        case "selu":
            return jax.nn.selu(x)


def loss(kind: Loss, outputs: Any, y: Any) -> Any:
    """Return the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return -jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], axis=1).mean()
        case "sigmoid_cross_entropy":
            return (jax.nn.softplus(outputs) - outputs * y).mean()
        case "mean_squared_error":
            return jnp.square(outputs - y).mean()


def has_convolution(layers: tuple[NamedLayer, ...]) -> bool:
    """Return whether one of the layers is a convolution."""
    return any(isinstance(named.layer, Conv2d) for named in layers)
