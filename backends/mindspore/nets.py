"""A task's layers and loss as `mindspore.nn` cells, with every default that differs elsewhere written out."""

from collections import OrderedDict
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn

from harness.contract import Arrays
from harness.layers import (
    Activation,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Maxout,
    MaxPool2d,
    PReLU,
)
from harness.model import NamedLayer, named_layers
from harness.spec import Loss, Task

BATCH_NORM_PARTS = {"weight": "gamma", "bias": "beta", "mean": "moving_mean", "variance": "moving_variance"}
"""What MindSpore calls the parts of a batch normalisation; all other layers use the task's own names."""


class MaxoutLayer(nn.Dense):  # type: ignore[misc]
    """The largest of `pieces` affine maps per unit; MindSpore has no such layer of its own."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.units = units
        self.pieces = pieces

    def construct(self, x: Any) -> Any:
        return super().construct(x).reshape(-1, self.units, self.pieces).max(axis=2)


def layer_cell(named: NamedLayer) -> Any:
    """Return the cell that computes one layer."""
    inputs = named.input_shape[0]
    match named.layer:
        case Dense(units=units, bias=bias):
            return nn.Dense(inputs, units, has_bias=bias)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias):
            return nn.Conv2d(inputs, filters, kernel, stride, pad_mode="pad", padding=padding, has_bias=bias)
        case MaxPool2d(size=size):
            return nn.MaxPool2d(size, stride=size, pad_mode="valid")
        case AvgPool2d(size=size):
            return nn.AvgPool2d(size, stride=size, pad_mode="valid")
        case Flatten():
            return nn.Flatten()
        case Dropout(rate=rate):
            return nn.Dropout(p=rate)
        case BatchNorm(momentum=momentum, epsilon=epsilon):
            kind = nn.BatchNorm2d if len(named.input_shape) == 3 else nn.BatchNorm1d
            return kind(inputs, eps=epsilon, momentum=momentum)
        case PReLU():
            return nn.PReLU(inputs)
        case Maxout(units=units, pieces=pieces):
            return MaxoutLayer(inputs, units, pieces)
        case Activation() as layer:
            return activation_cell(layer)


def activation_cell(layer: Activation) -> Any:
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
            return nn.SeLU()


def model(task: Task, weights: Arrays) -> Any:
    """Return the task's model, an `nn.SequentialCell` that holds the given weights."""
    net = nn.SequentialCell(OrderedDict((named.name, layer_cell(named)) for named in named_layers(task)))
    for name, parameter in named_parameters(net, tuple(weights)).items():
        parameter.set_data(ms.Tensor(np.array(weights[name], np.float32)))
    return net


def named_parameters(net: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's parameters under the task's names."""
    found = {}
    for full in names:
        layer, _, part = full.partition(".")
        cell = getattr(net, layer)
        found[full] = getattr(cell, BATCH_NORM_PARTS[part] if isinstance(cell, nn.BatchNorm1d | nn.BatchNorm2d) else part)
    return found


def loss_cell(kind: Loss) -> Any:
    """Return the cell of the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return nn.CrossEntropyLoss()
        case "sigmoid_cross_entropy":
            return nn.BCEWithLogitsLoss()
        case "mean_squared_error":
            return nn.MSELoss()
