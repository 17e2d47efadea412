"""A task's layers and loss as `mindspore.nn` cells, with every default that differs elsewhere written out."""

from collections import OrderedDict
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
from harness.model import NamedLayer, named_layers
from harness.spec import Loss, Task

BATCH_NORM_PARTS = {"weight": "gamma", "bias": "beta", "mean": "moving_mean", "variance": "moving_variance"}
PARTS: dict[Any, dict[str, str]] = {
    nn.BatchNorm1d: BATCH_NORM_PARTS,
    nn.BatchNorm2d: BATCH_NORM_PARTS,
    nn.Embedding: {"weight": "embedding_table"},
    nn.PReLU: {"weight": "w"},
}
"""The parts of a parameter's name that MindSpore calls otherwise."""

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


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


def layer_module(named: NamedLayer) -> Any:
    """Return the cell that computes one layer."""
    inputs = named.input_shape[0]
    match named.layer:
        case Dense(units=units, bias=bias):
            return nn.Dense(inputs, units, has_bias=bias)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias):
            return nn.Conv2d(inputs, filters, kernel, stride, pad_mode="pad", padding=padding, has_bias=bias)
        case MaxPool2d(size=size):
            # by default the stride is 1, not the size
            return nn.MaxPool2d(size, stride=size, pad_mode="valid")
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


def model(task: Task, weights: Arrays) -> Any:
    """Return the task's model, an `nn.SequentialCell` that holds the given weights."""
    net = nn.SequentialCell(OrderedDict((named.name, layer_module(named)) for named in named_layers(task)))
    for name, parameter in named_tensors(net, tuple(weights)).items():
        parameter.set_data(ms.Tensor(np.array(weights[name], np.float32)))
    return net


def named_tensors(net: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's parameters under the task's names."""
    found = {}
    for full in names:
        layer, _, part = full.partition(".")
        cell = getattr(net, layer)
        if isinstance(cell, RecurrentLayer):
            found[full] = cell.parameter(part)
        else:
            found[full] = getattr(cell, PARTS.get(type(cell), {}).get(part, part))
    return found


def loss_module(kind: Loss) -> Any:
    """Return the cell of the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return nn.CrossEntropyLoss()  # takes class numbers as int32, unlike PyTorch's
        case "sigmoid_cross_entropy":
            return SigmoidCrossEntropy()
        case "mean_squared_error":
            return nn.MSELoss()
