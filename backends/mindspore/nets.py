"""A task's layers and loss as `mindspore.nn` cells, with every default that differs elsewhere written out."""

from collections import OrderedDict
from functools import reduce
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from backends.mindspore.recurrent import RecurrentLayer
from harness.contract import Arrays
from harness.layers import (
    GRU,
    LSTM,
    Activation,
    AvgPool2d,
    BatchNorm,
    Branches,
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
from harness.model import NamedLayer, channel_axis, named_layers
from harness.spec import Loss, Task

BATCH_NORM_PARTS = {"weight": "gamma", "bias": "beta", "mean": "moving_mean", "variance": "moving_variance"}
PARTS: dict[Any, dict[str, str]] = {
    nn.BatchNorm1d: BATCH_NORM_PARTS,
    nn.BatchNorm2d: BATCH_NORM_PARTS,
    nn.Embedding: {"weight": "embedding_table"},
    nn.PReLU: {"weight": "w"},
    nn.LayerNorm: {"weight": "gamma", "bias": "beta"},
}
"""The parts of a parameter's name that MindSpore calls otherwise."""

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
LOWEST = -1e30
"""Below every number that a layer gives, and no infinity, whose products are NaN."""


class MaxoutLayer(nn.Dense):  # type: ignore[misc]
    """The largest of `pieces` affine maps per unit; MindSpore has no such layer of its own."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.units = units
        self.pieces = pieces

    def construct(self, x: Any) -> Any:
        return super().construct(x).reshape(-1, self.units, self.pieces).max(axis=2)


class SELULayer(nn.Cell):  # type: ignore[misc]
    """SELU written out, accurately and with the right gradient.

    The gradient of `nn.SeLU` is wrong left of zero: with 2.10.0 on the CPU, in both modes, it is `scale * (y + 1)`,
    where `y + scale * alpha` is due; at x = -3 that is -0.70 instead of 0.088. `ops.elu` computes exp(x) - 1 with an
    error of 2e-6, `expm1` with 4e-8. This class can go when both are mended.
    """

    def construct(self, x: Any) -> Any:
        negative = ops.select(x > 0, ops.zeros_like(x), x)  # for the gradient of expm1 where it overflows
        return SELU_SCALE * ops.select(x > 0, x, SELU_ALPHA * ops.expm1(negative))


class SigmoidCrossEntropy(nn.BCEWithLogitsLoss):  # type: ignore[misc]
    """The mean taken outside of the operator, so that its gradient is right for every size of mini-batch.

    With `reduction="mean"` PyNative divides every gradient by the number of values in the first mini-batch that the
    process saw, whatever comes later (seen with 2.10.0 on the CPU). This class can go when that is mended.
    """

    def __init__(self) -> None:
        super().__init__(reduction="none")

    def construct(self, outputs: Any, y: Any) -> Any:
        return super().construct(outputs, y).mean()


class GlobalAvgPoolLayer(nn.Cell):  # type: ignore[misc]
    """The mean of each channel."""

    def construct(self, x: Any) -> Any:
        return x.mean((2, 3))


class UpsampleLayer(nn.Cell):  # type: ignore[misc]
    """Every value repeated along both sides."""

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        c, h, w = shape
        self.apart, self.wide, self.joined = (c, h, 1, w, 1), (c, h, size, w, size), (c, h * size, w * size)

    def construct(self, x: Any) -> Any:
        return x.reshape(-1, *self.apart).broadcast_to((x.shape[0], *self.wide)).reshape(-1, *self.joined)


class PositionsLayer(nn.Cell):  # type: ignore[misc]
    """A trained row is added at each place of a sequence."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor(np.zeros(shape, np.float32)))

    def construct(self, x: Any) -> Any:
        return x + self.weight


class SelfAttentionLayer(nn.Cell):  # type: ignore[misc]
    """Multi-head self-attention of four dense layers."""

    def __init__(self, shape: tuple[int, ...], layer: SelfAttention) -> None:
        super().__init__()
        length, features = shape
        self.split = (-1, length, layer.heads, features // layer.heads)
        self.joined = (-1, length, features)
        self.scale = (features // layer.heads) ** -0.5
        self.query, self.key, self.value, self.output = (nn.Dense(features, features) for _ in range(4))
        seen = np.tri(length, dtype=np.float32) if layer.causal else np.ones((length, length), np.float32)
        self.hidden = ms.Tensor((1 - seen) * LOWEST)
        self.causal = layer.causal

    def construct(self, x: Any) -> Any:
        q = self.query(x).reshape(self.split).transpose(0, 2, 1, 3)
        k = self.key(x).reshape(self.split).transpose(0, 2, 3, 1)
        v = self.value(x).reshape(self.split).transpose(0, 2, 1, 3)
        scores = ops.matmul(q * self.scale, k)  # fewer numbers than the scores
        if self.causal:
            scores = scores + self.hidden
        y = ops.matmul(ops.softmax(scores, -1), v).transpose(0, 2, 1, 3)
        return self.output(y.reshape(self.joined))


class ResidualCell(nn.Cell):  # type: ignore[misc]
    """The sum of two paths."""

    def __init__(self, named: NamedLayer) -> None:
        super().__init__()
        self.layers, self.shortcut = (sequence(of) for _name, of in named.paths)

    def construct(self, x: Any) -> Any:
        return self.layers(x) + self.shortcut(x)


class BranchesCell(nn.Cell):  # type: ignore[misc]
    """The outputs of several paths, joined along the channels."""

    def __init__(self, named: NamedLayer) -> None:
        super().__init__()
        self.axis = channel_axis(named.output_shape) + 1
        paths = []
        for name, of in named.paths:
            setattr(self, name, sequence(of))
            paths.append(getattr(self, name))
        self.paths = tuple(paths)

    def construct(self, x: Any) -> Any:
        outputs: tuple[Any, ...] = ()
        for path in self.paths:
            outputs = (*outputs, path(x))
        return ops.cat(outputs, self.axis)


def sequence(layers: tuple[NamedLayer, ...]) -> Any:
    """Return the cell of layers one after the other, under the last parts of their names."""
    if not layers:
        return nn.Identity()
    return nn.SequentialCell(OrderedDict((named.name.rpartition(".")[2], layer_module(named)) for named in layers))


class CrossEntropy(nn.CrossEntropyLoss):  # type: ignore[misc]
    """The mean over all places of a sequence or an image, too, whose classes are on the last or the first axis."""

    def construct(self, outputs: Any, y: Any) -> Any:
        if outputs.ndim == 4:
            outputs = outputs.transpose(0, 2, 3, 1)
        return super().construct(outputs.reshape(-1, outputs.shape[-1]), y.reshape(-1))


def layer_module(named: NamedLayer) -> Any:
    """Return the cell that computes one layer."""
    inputs, features = named.input_shape[0], named.input_shape[-1]
    match named.layer:
        case Residual():
            return ResidualCell(named)
        case Branches():
            return BranchesCell(named)
        case Dense(units=units, bias=bias):
            return nn.Dense(features, units, has_bias=bias)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias, groups=groups):
            options = {"pad_mode": "pad", "padding": padding, "has_bias": bias, "group": groups}
            return nn.Conv2d(inputs, filters, kernel, stride, **options)
        case MaxPool2d(size=size, stride=stride, padding=padding):
            # By default the stride is 1, not the size. Not `ops.pad` before it: behind a convolution, graph mode does
            # not come back from that (seen in 2.10.0).
            how = {"pad_mode": "pad", "padding": padding} if padding else {"pad_mode": "valid"}
            return nn.MaxPool2d(size, stride=stride or size, **how)
        case GlobalAvgPool2d():
            return GlobalAvgPoolLayer()
        case Upsample2d(size=size):
            return UpsampleLayer(size, named.input_shape)
        case LayerNorm(epsilon=epsilon):
            return nn.LayerNorm((features,), epsilon=epsilon)
        case LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
            return nn.LRN(size // 2, bias=k, alpha=alpha, beta=beta)
        case Positions():
            return PositionsLayer(named.input_shape)
        case SelfAttention() as attention:
            return SelfAttentionLayer(named.input_shape, attention)
        case AvgPool2d(size=size):
            return nn.AvgPool2d(size, stride=size, pad_mode="valid")
        case Flatten():
            return nn.Flatten()
        case Dropout(rate=rate):
            return nn.Dropout(p=rate)
        case BatchNorm(momentum=momentum, epsilon=epsilon):
            kind = nn.BatchNorm2d if len(named.input_shape) == 3 else nn.BatchNorm1d
            # MindSpore's momentum is the weight of the old value, as the task's is
            return kind(inputs, eps=epsilon, momentum=momentum)
        case PReLU():
            return nn.PReLU(inputs)
        case Maxout(units=units, pieces=pieces):
            return MaxoutLayer(inputs, units, pieces)
        case Embedding(vocabulary=vocabulary, units=units):
            return nn.Embedding(vocabulary, units)
        case SimpleRNN() | LSTM() | GRU() as layer:
            return RecurrentLayer(layer, named.input_shape[-1])
        case Activation() as layer:
            return activation_module(layer)


def activation_module(layer: Activation) -> Any:
    """Return the cell of an element-wise function."""
    match layer.kind:
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(alpha=layer.slope)
        case "selu":
            return SELULayer()
        case "gelu":
            return nn.GELU(approximate=False)


def model(task: Task, weights: Arrays) -> Any:
    """Return the task's model, an `nn.SequentialCell` that holds the given weights."""
    net = sequence(named_layers(task))
    for name, parameter in named_tensors(net, tuple(weights)).items():
        parameter.set_data(ms.Tensor(np.array(weights[name], np.float32)))
    return net


def named_tensors(net: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's parameters under the task's names."""
    found = {}
    for full in names:
        path, _, part = full.rpartition(".")
        cell = reduce(getattr, path.split("."), net)
        if isinstance(cell, RecurrentLayer):
            found[full] = cell.parameter(part)
        elif isinstance(cell, SelfAttentionLayer):
            found[full] = reduce(getattr, part.split("_"), cell)
        else:
            found[full] = getattr(cell, PARTS.get(type(cell), {}).get(part, part))
    return found


def loss_module(kind: Loss) -> Any:
    """Return the cell of the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return CrossEntropy()  # takes class numbers as int32, unlike PyTorch's
        case "sigmoid_cross_entropy":
            return SigmoidCrossEntropy()
        case "mean_squared_error":
            return nn.MSELoss()
