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
    GlobalAvgPool2d,
    LayerNorm,
    LocalResponseNorm,
    Maxout,
    MaxPool2d,
    Positions,
    PReLU,
    Residual,
    SelfAttention,
    SimpleRNN,
    Upsample2d,
)
from harness.model import NamedLayer, channel_axis, leaves
from harness.spec import Loss

Tensors = dict[str, Any]


def net(layers: tuple[NamedLayer, ...], w: Tensors, x: Any, key: Any = None) -> tuple[Any, Tensors]:
    """Return the outputs for a mini-batch x `(B, ...)`, and the running statistics as it leaves them.

    With `key`, which feeds the dropout, in training mode; else as `predict` has it.
    """
    moved: Tensors = {}
    for position, named in enumerate(layers):
        # every layer draws from a key of its own
        own_key = None if key is None else jax.random.fold_in(key, position)
        if named.paths:
            outputs = []
            for number, (_name, path) in enumerate(named.paths):
                y, of_path = net(path, w, x, None if own_key is None else jax.random.fold_in(own_key, number))
                outputs.append(y)
                moved |= of_path
            x = joined(named, outputs)
            continue
        p = {name.rpartition(".")[2]: value for name, value in w.items() if name.startswith(f"{named.name}.")}
        if isinstance(named.layer, BatchNorm):
            x, statistics = batch_norm(named.layer, x, p, training=key is not None)
            moved |= {f"{named.name}.{part}": value for part, value in statistics.items()}
        else:
            x = layer(named, x, p, own_key)
    return x, moved


def joined(named: NamedLayer, outputs: list[Any]) -> Any:
    """Return the outputs of a composition, given those of its paths."""
    if isinstance(named.layer, Residual):
        return outputs[0] + outputs[1]
    return jnp.concatenate(outputs, axis=channel_axis(named.output_shape) + 1)


def layer(named: NamedLayer, x: Any, p: Tensors, key: Any) -> Any:
    """Return the output of one layer with the parameters p, by the last parts of their names."""
    match named.layer:
        case Dense() as dense:
            return affine(x, p) if dense.bias else product(x, p["weight"])
        case Conv2d() as conv:
            return convolution(conv, x, p)
        case MaxPool2d(size=size, stride=stride, padding=padding):
            return pool(x, size, -jnp.inf, lax.max, stride=stride, padding=padding)
        case AvgPool2d(size=size):
            return pool(x, size, 0.0, lax.add) / size**2
        case GlobalAvgPool2d():
            return x.mean(axis=(2, 3))
        case Upsample2d(size=size):
            return x.repeat(size, axis=2).repeat(size, axis=3)
        case LayerNorm() as norm:
            return layer_norm(norm, x, p)
        case LocalResponseNorm() as response:
            return local_response_norm(response, x)
        case Positions():
            return x + p["weight"]
        case SelfAttention() as attention:
            return self_attention(attention, x, p)
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
    strides = (conv.stride, conv.stride)
    y = lax.conv_general_dilated(x, p["weight"], strides, padding, feature_group_count=conv.groups)
    return y + along(p["bias"], y) if conv.bias else y


def pool(x: Any, size: int, start: float, reduce: Any, *, stride: int = 0, padding: int = 0) -> Any:
    """Reduce windows; the gradient of a maximum goes to the first place that holds it."""
    apart = stride or size
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return lax.reduce_window(x, start, reduce, (1, 1, size, size), (1, 1, apart, apart), around)


def layer_norm(norm: LayerNorm, x: Any, p: Tensors) -> Any:
    """Normalise over the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred * lax.rsqrt(x.var(axis=-1, keepdims=True) + norm.epsilon) * p["weight"] + p["bias"]


def local_response_norm(norm: LocalResponseNorm, x: Any) -> Any:
    """Divide each value by a power of the squares of its neighbours in the channels."""
    reach = norm.size // 2
    around = ((0, 0), (reach, reach), (0, 0), (0, 0))
    squares = lax.reduce_window(jnp.square(x), 0.0, lax.add, (1, norm.size, 1, 1), (1, 1, 1, 1), around)
    return x * (norm.k + norm.alpha * squares) ** -norm.beta


def self_attention(attention: SelfAttention, x: Any, p: Tensors) -> Any:
    """Let every place of `(B, T, E)` look at all others."""

    def affine_of(name: str, values: Any) -> Any:
        return product(values, p[f"{name}_weight"]) + p[f"{name}_bias"]

    q, k, v = (affine_of(name, x).reshape(*x.shape[:2], attention.heads, -1) for name in ("query", "key", "value"))
    y = jax.nn.dot_product_attention(q, k, v, is_causal=attention.causal)
    return affine_of("output", y.reshape(x.shape))


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
        case "gelu":
            return jax.nn.gelu(x, approximate=False)


def loss(kind: Loss, outputs: Any, y: Any) -> Any:
    """Return the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            axis = channel_axis(outputs.shape[1:]) + 1
            places = jnp.expand_dims(y, axis)
            return -jnp.take_along_axis(jax.nn.log_softmax(outputs, axis=axis), places, axis=axis).mean()
        case "sigmoid_cross_entropy":
            return (jax.nn.softplus(outputs) - outputs * y).mean()
        case "mean_squared_error":
            return jnp.square(outputs - y).mean()


def has_convolution(layers: tuple[NamedLayer, ...]) -> bool:
    """Return whether one of the layers is a convolution."""
    return any(isinstance(named.layer, Conv2d) for named in leaves(layers))
