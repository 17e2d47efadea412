"""What follows from a tuple of layers: names, shapes, initial weights and the count of operations.

A parameter is called `<kind><n>.<part>`, for example `conv2.weight`: the n-th layer of its kind, counted from 1. Inside
a composition names follow the nesting, and each path counts anew: `residual1.layers.conv2.weight`,
`residual1.shortcut.conv1.weight`, `branches1.branch3.conv1.weight`.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.layers import (
    GRU,
    LSTM,
    AvgPool2d,
    BatchNorm,
    Branches,
    Conv2d,
    Dense,
    Embedding,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    Maxout,
    MaxPool2d,
    Positions,
    PReLU,
    Recurrent,
    Residual,
    SelfAttention,
    SimpleRNN,
    Upsample2d,
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
    paths: "tuple[tuple[str, tuple[NamedLayer, ...]], ...]" = ()
    """Of a composition the layers of each of its paths, which all begin at the same input, with the path's name."""


RANKS: dict[type, tuple[int, ...]] = {
    Dense: (1, 2),
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
    GlobalAvgPool2d: (3,),
    Upsample2d: (3,),
    LocalResponseNorm: (3,),
    LayerNorm: (1, 2),
    Positions: (2,),
    SelfAttention: (2,),
}
"""How many axes a layer's input may have; the others take any. Of a sequence `(T, F)` frameworks disagree on which axis
is that of the channels, so that the layers with one parameter per channel take none."""

ATTENTION = ("query", "key", "value", "output")
"""The four dense layers of self-attention, in the order of their parameters."""

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
    return _named(task.name, task.layers, task.input_shape, "")


def _named(task: str, layers: tuple[Layer, ...], shape: Shape, within: str) -> tuple[NamedLayer, ...]:
    counts: Counter[str] = Counter()
    named = []
    for layer in layers:
        kind = type(layer).__name__.lower().removesuffix("2d")
        counts[kind] += 1
        name = f"{within}{kind}{counts[kind]}"
        paths = tuple((path, _named(task, of, shape, f"{name}.{path}.")) for path, of in _paths(layer))
        if paths:
            output = _joined(task, name, layer, [of[-1].output_shape if of else shape for _path, of in paths])
        else:
            output = _output_shape(task, name, layer, shape)
        named.append(NamedLayer(name=name, layer=layer, input_shape=shape, output_shape=output, paths=paths))
        shape = output
    return tuple(named)


def _paths(layer: Layer) -> tuple[tuple[str, tuple[Layer, ...]], ...]:
    match layer:
        case Residual(layers=layers, shortcut=shortcut):
            return ("layers", layers), ("shortcut", shortcut)
        case Branches(branches=branches):
            return tuple((f"branch{number}", branch) for number, branch in enumerate(branches, start=1))
        case _:
            return ()


def channel_axis(shape: Shape) -> int:
    """Return the axis of the channels or features of a shape without the batch axis: the last one but for images."""
    return 0 if len(shape) == 3 else len(shape) - 1


class Cut(Struct, frozen=True, kw_only=True):
    """A straight model that ends behind one layer, to see what that layer gives."""

    name: str
    """The layer's."""
    layers: tuple[Layer, ...]
    sources: dict[str, str]
    """The whole model's name of every parameter of this one."""


def cuts(task: Task) -> tuple[Cut, ...]:
    """Return the models that end behind each layer, in their order; those inside a composition come before it."""
    found: list[Cut] = []
    _cut(task, named_layers(task), (), found)
    return tuple(found)


def _cut(task: Task, layers: tuple[NamedLayer, ...], before: tuple[NamedLayer, ...], found: list[Cut]) -> None:
    for named in layers:
        for _path, of in named.paths:
            _cut(task, of, before, found)
        before = (*before, named)
        straight = tuple(one.layer for one in before)
        own = [name for one in _named(task.name, straight, task.input_shape, "") for name in layer_parameters(one)]
        whole = [name for one in before for name in layer_parameters(one)]
        found.append(Cut(name=named.name, layers=straight, sources=dict(zip(own, whole, strict=True))))


def label_shape(output: Shape) -> Shape:
    """Return the shape of an example's class numbers, given that of its outputs: one for every place."""
    axis = channel_axis(output)
    return output[:axis] + output[axis + 1 :]


def _joined(task: str, name: str, layer: Layer, shapes: list[Shape]) -> Shape:
    """Return what comes out of a composition whose paths give these shapes."""
    first, axis = shapes[0], channel_axis(shapes[0])
    if isinstance(layer, Residual):
        fit = len(set(shapes)) == 1
    else:
        fit = len({(len(one), one[:axis], one[axis + 1 :]) for one in shapes}) == 1
    if not fit:
        raise UsageError(
            "task {task}: the paths of layer {name} do not fit each other: they give {shapes}",
            task=task,
            name=name,
            shapes=", ".join(map(str, shapes)),
        )
    if isinstance(layer, Residual):
        return first
    return (*first[:axis], sum(one[axis] for one in shapes), *first[axis + 1 :])


def leaves(layers: Iterable[NamedLayer]) -> Iterator[NamedLayer]:
    """Yield the layers themselves, those inside compositions in the place of the compositions."""
    for named in layers:
        if named.paths:
            for _path, of in named.paths:
                yield from leaves(of)
        else:
            yield named


def each(layers: Iterable[Layer], change: Callable[[Layer], Layer]) -> tuple[Layer, ...]:
    """Return layers with each of them changed, inside compositions too."""

    def changed(layer: Layer) -> Layer:
        match layer:
            case Residual():
                return replace(layer, layers=each(layer.layers, change), shortcut=each(layer.shortcut, change))
            case Branches():
                return replace(layer, branches=tuple(each(branch, change) for branch in layer.branches))
            case _:
                return change(layer)

    return tuple(map(changed, layers))


def _check(task: str, name: str, layer: Layer, shape: Shape) -> None:
    """Refuse a layer whose numbers do not go with its input."""
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
        case Branches():
            raise UsageError("task {task}: layer {name} has no branches: give it one at least", task=task, name=name)
        case Conv2d(groups=parts, filters=filters) if shape[0] % parts or filters % parts:
            raise UsageError(
                "task {task}: layer {name} has {parts} groups, which is to divide its {channels} channels and "
                "{filters} filters",
                task=task,
                name=name,
                parts=parts,
                channels=shape[0],
                filters=filters,
            )
        case SelfAttention(heads=heads) if shape[1] % heads:
            raise UsageError(
                "task {task}: layer {name} has {heads} heads, which is to divide its {features} features",
                task=task,
                name=name,
                heads=heads,
                features=shape[1],
            )
        case MaxPool2d(size=size, padding=padding) if 2 * padding > size:
            raise UsageError(
                "task {task}: layer {name} may have a padding of at most half its size {size}, not {padding}",
                task=task,
                name=name,
                size=size,
                padding=padding,
            )
        case LocalResponseNorm(size=size) if size % 2 == 0:
            raise UsageError(
                "task {task}: layer {name} looks at an odd number of channels, not at {size}",
                task=task,
                name=name,
                size=size,
            )


def _output_shape(task: str, name: str, layer: Layer, shape: Shape) -> Shape:
    _check(task, name, layer, shape)
    match layer:
        case Dense(units=units):
            return (*shape[:-1], units)
        case Maxout(units=units):
            return (units,)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding):
            sides = tuple((side + 2 * padding - kernel) // stride + 1 for side in shape[1:])
            output: Shape = (filters, *sides)
        case MaxPool2d(size=size, stride=stride, padding=padding):
            output = (shape[0], *((side + 2 * padding - size) // (stride or size) + 1 for side in shape[1:]))
        case AvgPool2d(size=size):
            output = (shape[0], *(side // size for side in shape[1:]))
        case GlobalAvgPool2d():
            return (shape[0],)
        case Upsample2d(size=size):
            return (shape[0], *(side * size for side in shape[1:]))
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
    if named.paths:
        return {name: shape for leaf in leaves((named,)) for name, shape in layer_parameters(leaf).items()}
    channels = (named.input_shape[0],)
    features = named.input_shape[-1:]
    parts: dict[str, Shape]
    match named.layer:
        case Dense(units=units, bias=bias):
            parts = {"weight": (units, *features)} | ({"bias": (units,)} if bias else {})
        case Maxout(units=units, pieces=pieces):
            parts = {"weight": (units * pieces, *named.input_shape), "bias": (units * pieces,)}
        case Conv2d(filters=filters, kernel=kernel, bias=bias, groups=groups):
            seen = channels[0] // groups
            parts = {"weight": (filters, seen, kernel, kernel)} | ({"bias": (filters,)} if bias else {})
        case BatchNorm():
            parts = {"weight": channels, "bias": channels, "mean": channels, "variance": channels}
        case PReLU():
            parts = {"weight": channels}
        case Embedding(vocabulary=vocabulary, units=units):
            parts = {"weight": (vocabulary, units)}
        case LayerNorm():
            parts = {"weight": features, "bias": features}
        case Positions():
            parts = {"weight": named.input_shape}
        case SelfAttention():
            dense: dict[str, Shape] = {"weight": features * 2, "bias": features}
            parts = {f"{of}_{part}": shape for of in ATTENTION for part, shape in dense.items()}
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
    embeddings and positions come from U(-0.05, 0.05), and recurrent layers have weights from U(-1/sqrt(H), 1/sqrt(H))
    and biases of zero, the LSTM's forget gate of one (Jozefowicz et al. 2015).
    """
    random = np.random.default_rng([seed, 1])
    return {
        name: value
        for named in leaves(named_layers(task))
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
        case LayerNorm():
            return {n: np.full(s, float(n.endswith("weight")), np.float32) for n, s in shapes.items()}
        case Embedding() | Positions():
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
