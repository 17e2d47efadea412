"""What follows from a tuple of layers: names, shapes, initial weights and the count of operations.

A parameter is called `<kind><n>.<part>`, for example `conv2.weight`: the n-th layer of its kind, counted from 1.
"""

import math
from collections import Counter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    Maxout,
    MaxPool2d,
    PReLU,
)
from harness.spec import Task

Weights = dict[str, NDArray[np.float32]]
Shape = tuple[int, ...]


class NamedLayer(Struct, frozen=True, kw_only=True):
    """A layer with its name and its shapes, the batch axis left out."""

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape


def named_layers(task: Task) -> tuple[NamedLayer, ...]:
    """Return the layers of a task with their names and shapes.

    Raises:
        UsageError: a layer does not fit the shape that reaches it.
    """
    counts: Counter[str] = Counter()
    shape = task.input_shape
    named = []
    for layer in task.layers:
        kind = type(layer).__name__.lower().removesuffix("2d")
        counts[kind] += 1
        name = f"{kind}{counts[kind]}"
        output = _output_shape(task.name, name, layer, shape)
        named.append(NamedLayer(name=name, layer=layer, input_shape=shape, output_shape=output))
        shape = output
    return tuple(named)


def _output_shape(task: str, name: str, layer: Layer, shape: Shape) -> Shape:
    rank = {Dense: 1, Maxout: 1, Conv2d: 3, MaxPool2d: 3, AvgPool2d: 3}.get(type(layer))
    if rank is not None and len(shape) != rank:
        raise UsageError(f"task {task}: layer {name} expects an input of {rank} axes, but gets shape {shape}")
    match layer:
        case Dense(units=units) | Maxout(units=units):
            return (units,)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding):
            sides = tuple((side + 2 * padding - kernel) // stride + 1 for side in shape[1:])
            output: Shape = (filters, *sides)
        case MaxPool2d(size=size) | AvgPool2d(size=size):
            output = (shape[0], *(side // size for side in shape[1:]))
        case Flatten():
            return (math.prod(shape),)
        case _:
            return shape
    if min(output) < 1:
        raise UsageError(f"task {task}: layer {name} is larger than its input of shape {shape}")
    return output


def layer_parameters(named: NamedLayer) -> dict[str, Shape]:
    """Return the shapes of one layer's parameters under their full names, trained ones first.

    Batch normalisation's running `mean` and `variance` are listed too: they are part of what a model computes.
    """
    channels = (named.input_shape[0],)
    parts: dict[str, Shape]
    match named.layer:
        case Dense(units=units, bias=bias):
            parts = {"weight": (units, *named.input_shape)} | ({"bias": (units,)} if bias else {})
        case Maxout(units=units, pieces=pieces):
            parts = {"weight": (units * pieces, *named.input_shape), "bias": (units * pieces,)}
        case Conv2d(filters=filters, kernel=kernel, bias=bias):
            parts = {"weight": (filters, *channels, kernel, kernel)} | ({"bias": (filters,)} if bias else {})
        case BatchNorm():
            parts = {"weight": channels, "bias": channels, "mean": channels, "variance": channels}
        case PReLU():
            parts = {"weight": channels}
        case _:
            parts = {}
    return {f"{named.name}.{part}": shape for part, shape in parts.items()}


def parameter_shapes(task: Task) -> dict[str, Shape]:
    """Return the shape of every parameter of a task by name, in the order of the layers."""
    return {name: shape for named in named_layers(task) for name, shape in layer_parameters(named).items()}


def is_trained(parameter: str) -> bool:
    """Return whether a parameter is moved by the optimizer (running statistics are not)."""
    return parameter.rpartition(".")[2] not in ("mean", "variance")


def is_penalised(shape: Shape) -> bool:
    """Return whether the L1 and L2 penalties touch a parameter of this shape: weights of two or more axes."""
    return len(shape) >= 2


def initial_weights(task: Task, seed: int) -> Weights:
    """Draw the initial weights of a task, float32, the same bytes for every backend.

    `glorot_uniform` draws weights from U(-a, a) with `a = sqrt(6 / (fan_in + fan_out))` (Glorot & Bengio 2010) and
    sets biases to zero; `fan_in_uniform` draws both from U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    """
    random = np.random.default_rng([seed, 1])
    return {
        name: value
        for named in named_layers(task)
        for name, value in _draw_layer(named, task.initializer, random).items()
    }


def _draw_layer(named: NamedLayer, initializer: str, random: np.random.Generator) -> Weights:
    shapes = layer_parameters(named)
    match named.layer:
        case BatchNorm():
            ones = ("weight", "variance")
            return {n: np.full(s, float(n.rpartition(".")[2] in ones), np.float32) for n, s in shapes.items()}
        case PReLU(slope=slope):
            return {n: np.full(s, slope, np.float32) for n, s in shapes.items()}
    weights: Weights = {}
    for name, shape in shapes.items():
        kernel = next(iter(shapes.values()))
        fan_in, fan_out = math.prod(kernel[1:]), kernel[0] * math.prod(kernel[2:])
        if initializer == "fan_in_uniform":
            bound = 1.0 / math.sqrt(fan_in)
        else:
            bound = math.sqrt(6.0 / (fan_in + fan_out)) if len(shape) > 1 else 0.0
        weights[name] = random.uniform(-bound, bound, shape).astype(np.float32)
    return weights


def parameter_count(task: Task) -> int:
    """Return how many numbers the optimizer trains."""
    return sum(math.prod(shape) for name, shape in parameter_shapes(task).items() if is_trained(name))
