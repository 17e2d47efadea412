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


class PositionsLayer(nn.Module):
    """A trained row is added at each place of a sequence."""

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, features))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight


class SelfAttentionLayer(nn.Module):
    """Multi-head self-attention on torch's own kernel; `nn.MultiheadAttention` keeps three of its maps in one array."""

    def __init__(self, features: int, layer: SelfAttention) -> None:
        super().__init__()
        self.heads, self.causal = layer.heads, layer.causal
        self.query, self.key, self.value, self.output = (nn.Linear(features, features) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (of(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for of in (self.query, self.key, self.value))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.output(y.transpose(1, 2).flatten(2))


class ResidualModule(nn.Module):
    """The sum of two paths."""

    def __init__(self, named: NamedLayer) -> None:
        super().__init__()
        self.layers, self.shortcut = (sequence(of) for _name, of in named.paths)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + self.shortcut(x)


class BranchesModule(nn.Module):
    """The outputs of several paths, joined along the channels."""

    def __init__(self, named: NamedLayer) -> None:
        super().__init__()
        self.axis = channel_axis(named.output_shape) + 1
        self.paths = [name for name, _of in named.paths]
        for name, of in named.paths:
            self.add_module(name, sequence(of))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(name)(x) for name in self.paths], dim=self.axis)


def sequence(layers: tuple[NamedLayer, ...]) -> nn.Sequential:
    """Return the module of layers one after the other, under the last parts of their names."""
    net = nn.Sequential()
    for named in layers:
        net.add_module(named.name.rpartition(".")[2], layer_module(named))
    return net


def layer_module(named: NamedLayer) -> nn.Module:
    """Return the module that computes one layer."""
    inputs, features = named.input_shape[0], named.input_shape[-1]
    match named.layer:
        case Residual():
            return ResidualModule(named)
        case Branches():
            return BranchesModule(named)
        case Dense(units=units, bias=bias):
            return nn.Linear(features, units, bias=bias)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias, groups=groups):
            return nn.Conv2d(inputs, filters, kernel, stride=stride, padding=padding, bias=bias, groups=groups)
        case MaxPool2d(size=size, stride=stride, padding=padding):
            return nn.MaxPool2d(size, stride or size, padding)
        case GlobalAvgPool2d():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case Upsample2d(size=size):
            return nn.Upsample(scale_factor=size, mode="nearest")
        case LayerNorm(epsilon=epsilon):
            return nn.LayerNorm(features, eps=epsilon)
        case LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
            # torch divides alpha by the number of channels it looks at
            return nn.LocalResponseNorm(size, alpha=alpha * size, beta=beta, k=k)
        case Positions():
            return PositionsLayer(*named.input_shape)
        case SelfAttention() as attention:
            return SelfAttentionLayer(features, attention)
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
        case "gelu":
            return nn.GELU()


def model(task: Task, weights: Arrays) -> nn.Sequential:
    """Return the task's model, holding the given weights."""
    net = sequence(named_layers(task))
    with torch.no_grad():
        for name, tensor in named_tensors(net, weights).items():
            tensor.copy_(torch.from_numpy(weights[name]))
    return net


def named_tensors(net: nn.Sequential, names: Arrays | tuple[str, ...]) -> dict[str, Tensor]:
    """Return the model's tensors under the task's parameter names."""
    found = {}
    for full in names:
        layer, _, part = full.rpartition(".")
        module = net.get_submodule(layer)
        if isinstance(module, RecurrentLayer):
            found[full] = module.parameter(part)
        elif isinstance(module, SelfAttentionLayer):
            found[full] = module.get_parameter(part.replace("_", "."))
        else:
            found[full] = getattr(module, PARTS.get(part, part))
    return found


def loss(kind: Loss, outputs: Tensor, y: Tensor) -> Tensor:
    """Return the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            # torch has the classes on the second axis of a sequence too
            return functional.cross_entropy(outputs.transpose(1, 2) if outputs.ndim == 3 else outputs, y)
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
