"""A task's layers and loss as `torch.nn` modules."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.torch.recurrent import RecurrentLayer
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

PARTS = {"mean": "running_mean", "variance": "running_var"}
"""The parts of a parameter's name that torch calls otherwise."""


class MaxoutLayer(nn.Linear):
    """The largest of `pieces` affine maps per unit; torch has no such layer of its own."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        # not `amax`, which shares the gradient out among equal pieces: here the first of them gets it
        return super().forward(x).unflatten(1, (-1, self.pieces)).max(dim=2).values


def layer_module(named: NamedLayer) -> nn.Module:
    """Return the module that computes one layer."""
    inputs = named.input_shape[0]
    match named.layer:
        case Dense(units=units, bias=bias):
            return nn.Linear(inputs, units, bias=bias)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias):
            return nn.Conv2d(inputs, filters, kernel, stride=stride, padding=padding, bias=bias)
        case MaxPool2d(size=size):
            return nn.MaxPool2d(size)
        case AvgPool2d(size=size):
            return nn.AvgPool2d(size)
        case Flatten():
            return nn.Flatten()
        case Dropout(rate=rate):
            return nn.Dropout(rate)
        case BatchNorm(momentum=momentum, epsilon=epsilon):
            kind = nn.BatchNorm2d if len(named.input_shape) == 3 else nn.BatchNorm1d
            # torch's momentum is the weight of the new value, the task's that of the old one
            return kind(inputs, eps=epsilon, momentum=1 - momentum)
        case PReLU():
            return nn.PReLU(inputs)
        case Maxout(units=units, pieces=pieces):
            return MaxoutLayer(inputs, units, pieces)
        case Embedding(vocabulary=vocabulary, units=units):
            return nn.Embedding(vocabulary, units)
        case SimpleRNN() | LSTM() | GRU() as recurrent:
            return RecurrentLayer(recurrent, named.input_shape[-1])
        case Activation() as layer:
            return activation_module(layer)


def activation_module(layer: Activation) -> nn.Module:
    """Return the module of an element-wise function."""
    match layer.kind:
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(layer.slope)
        case "selu":
            return nn.SELU()


def model(task: Task, weights: Arrays) -> nn.Sequential:
    """Return the task's model, holding the given weights."""
    net = nn.Sequential()
    for named in named_layers(task):
        net.add_module(named.name, layer_module(named))
    with torch.no_grad():
        for name, tensor in named_tensors(net, weights).items():
            tensor.copy_(torch.from_numpy(weights[name]))
    return net


def named_tensors(net: nn.Sequential, names: Arrays | tuple[str, ...]) -> dict[str, Tensor]:
    """Return the model's tensors under the task's parameter names."""
    found = {}
    for full in names:
        layer, _, part = full.partition(".")
        module = net.get_submodule(layer)
        if isinstance(module, RecurrentLayer):
            found[full] = module.parameter(part)
        else:
            found[full] = getattr(module, PARTS.get(part, part))
    return found


def loss(kind: Loss, outputs: Tensor, y: Tensor) -> Tensor:
    """Return the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return functional.cross_entropy(outputs, y)
        case "sigmoid_cross_entropy":
            return functional.binary_cross_entropy_with_logits(outputs, y)
        case "mean_squared_error":
            return functional.mse_loss(outputs, y)


def compile_or_raise() -> None:
    """Make torch.compile raise where it would go on op by op without a word.

    After 8 tasks in one process it does so by its default (`recompile_limit`), and after any failure of the compiler
    with TORCHDYNAMO_SUPPRESS_ERRORS=1. Seen in 2.13.0.
    """
    config = torch._dynamo.config
    config.suppress_errors = False
    config.fail_on_recompile_limit_hit = True
    config.recompile_limit = config.accumulated_recompile_limit = 10_000
