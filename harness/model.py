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
    GRU,
    LSTM,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Embedding,
    Flatten,
    Layer,
    Maxout,
    MaxPool2d,
    PReLU,
    Recurrent,
    SimpleRNN,
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


RANKS: dict[type, tuple[int, ...]] = {
    Dense: (1,),
    Maxout: (1,),
    Embedding: (1,),
    SimpleRNN: (2,),
    LSTM: (2,),
    GRU: (2,),
    Conv2d: (3,),
    MaxPool2d: (3,),
    AvgPool2d: (3,),
    BatchNorm: (1, 3),
    PReLU: (1, 3),
}
"""How many axes a layer's input may have; the others take any. Of a sequence `(T, F)` frameworks disagree on which axis
is that of the channels, so that the layers with one parameter per channel take none."""

GATES: dict[type, int] = {SimpleRNN: 1, LSTM: 4, GRU: 3}
"""How many blocks of rows a recurrent layer's parameters have."""


def takes_tokens(task: Task) -> bool:
    """Return whether a task's inputs are whole numbers, the places of words in a dictionary."""
    return bool(task.layers) and isinstance(task.layers[0], Embedding)


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
    ranks = RANKS.get(type(layer))
    if ranks is not None and len(shape) not in ranks:
        expected = " or ".join(map(str, ranks))
        raise UsageError(
            "task {task}: layer {name} expects an input of {expected} axes, but gets shape {shape}",
            task=task,
            name=name,
            expected=expected,
            shape=shape,
        )
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
        case Embedding(units=units):
            return (*shape, units)
        case SimpleRNN() | LSTM() | GRU():
            units = layer.units * (2 if layer.bidirectional else 1)
            return (shape[0], units) if layer.sequence else (units,)
        case _:
            return shape
    if min(output) < 1:
        raise UsageError(
            "task {task}: layer {name} is larger than its input of shape {shape}", task=task, name=name, shape=shape
        )
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
        case Embedding(vocabulary=vocabulary, units=units):
            parts = {"weight": (vocabulary, units)}
        case SimpleRNN() | LSTM() | GRU() as layer:
            parts = _recurrent_parts(layer, named.input_shape[-1])
        case _:
            parts = {}
    return {f"{named.name}.{part}": shape for part, shape in parts.items()}


def _recurrent_parts(layer: Recurrent, inputs: int) -> dict[str, Shape]:
    rows = GATES[type(layer)] * layer.units
    one: dict[str, Shape] = {"input_weight": (rows, inputs), "state_weight": (rows, layer.units)}
    if layer.bias:
        one["bias"] = (rows,)
    if layer.bidirectional:
        return one | {f"reverse_{part}": shape for part, shape in one.items()}
    return one


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
    sets biases to zero; `fan_in_uniform` draws both from U(-1/sqrt(fan_in), 1/sqrt(fan_in)). Whatever the task says,
    embeddings come from U(-0.05, 0.05), and recurrent layers have weights from U(-1/sqrt(H), 1/sqrt(H)) and biases of
    zero, the LSTM's forget gate of one (Jozefowicz et al. 2015).
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
        case Embedding():
            return {n: random.uniform(-0.05, 0.05, s).astype(np.float32) for n, s in shapes.items()}
        case SimpleRNN() | LSTM() | GRU() as layer:
            return {n: _draw_recurrent(layer, s, random) for n, s in shapes.items()}
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


def _draw_recurrent(layer: Recurrent, shape: Shape, random: np.random.Generator) -> NDArray[np.float32]:
    if len(shape) > 1:
        bound = 1.0 / math.sqrt(layer.units)
        return random.uniform(-bound, bound, shape).astype(np.float32)
    bias = np.zeros(shape, np.float32)
    if isinstance(layer, LSTM):
        bias[layer.units : 2 * layer.units] = 1.0
    return bias


def parameter_count(task: Task) -> int:
    """Return how many numbers the optimizer trains."""
    return sum(math.prod(shape) for name, shape in parameter_shapes(task).items() if is_trained(name))
