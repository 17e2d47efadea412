"""A task's layers, loss and optimizer as `torch.nn` and `torch.optim` objects."""

import os

import torch
from torch import Tensor, nn
from torch.nn import functional

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
    Recurrent,
    SimpleRNN,
)
from harness.model import NamedLayer, is_penalised, named_layers
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop
from harness.spec import Loss, Task

FUSED_VARIABLE = "EVENBENCH_FUSED_OPTIMIZER"
"""Set to 1, an optimizer updates all parameters in one kernel (`fused=True`); RMSprop has none (seen with 2.13.0)."""

PARTS = {"mean": "running_mean", "variance": "running_var"}
RECURRENT_PARTS = {
    "input_weight": "weight_ih_l0",
    "state_weight": "weight_hh_l0",
    "bias": "bias_ih_l0",
    "reverse_input_weight": "weight_ih_l0_reverse",
    "reverse_state_weight": "weight_hh_l0_reverse",
    "reverse_bias": "bias_ih_l0_reverse",
}
"""The parts of a parameter's name that torch calls otherwise, in recurrent layers and in all others."""


class MaxoutLayer(nn.Linear):
    """The largest of `pieces` affine maps per unit; torch has no such layer of its own."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unflatten(1, (-1, self.pieces)).max(dim=2).values


class RecurrentLayer(nn.Module):
    """One of torch's recurrent layers that gives its last state, or all of them.

    Torch has two biases, which are added up: training both would double their learning rate, so the second one is
    held at zero.
    """

    def __init__(self, layer: Recurrent, inputs: int) -> None:
        super().__init__()
        self.sequence = layer.sequence
        self.units = layer.units
        options = {"bias": layer.bias, "batch_first": True, "bidirectional": layer.bidirectional}
        match layer:
            case LSTM():
                self.rnn: nn.RNNBase = nn.LSTM(inputs, layer.units, **options)
            case GRU():
                self.rnn = nn.GRU(inputs, layer.units, **options)
            case SimpleRNN(kind=kind):
                self.rnn = nn.RNN(inputs, layer.units, nonlinearity=kind, **options)
        for name, bias in self.rnn.named_parameters():
            if name.startswith("bias_hh"):
                bias.requires_grad_(False).zero_()

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.rnn(x)[0]
        if self.sequence:
            return states
        if not self.rnn.bidirectional:
            return states[:, -1]
        return torch.cat([states[:, -1, : self.units], states[:, 0, self.units :]], dim=1)


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
            found[full] = getattr(module.rnn, RECURRENT_PARTS[part])
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


def optimizer_for(optimizer: Optimizer, net: nn.Module) -> torch.optim.Optimizer:
    """Return the `torch.optim` optimizer whose arithmetic is the definition of `harness/optimizers.py`."""
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if is_penalised(p.shape)], "weight_decay": optimizer.l2},
        {"params": [p for p in trained if not is_penalised(p.shape)], "weight_decay": 0.0},
    ]
    rate = optimizer.learning_rate
    fused = {"fused": True} if os.environ.get(FUSED_VARIABLE) == "1" else {}
    match optimizer:
        case Momentum(momentum=momentum):
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, **fused)
        case Nesterov(momentum=momentum):
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=True, **fused)
        case AdaGrad(epsilon=epsilon):
            return torch.optim.Adagrad(groups, lr=rate, eps=epsilon, **fused)
        case RMSprop(rho=rho, epsilon=epsilon):
            return torch.optim.RMSprop(groups, lr=rate, alpha=rho, eps=epsilon)
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            return torch.optim.Adam(groups, lr=rate, betas=(beta1, beta2), eps=epsilon, **fused)
        case _:
            return torch.optim.SGD(groups, lr=rate, **fused)
