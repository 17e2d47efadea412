"""A task's layers and loss as `paddle.nn` layers, with what Paddle defines otherwise written out."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn
from paddle.nn import functional

from backends.paddle.recurrent import RecurrentLayer
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

PARTS = {"mean": "_mean", "prelu.weight": "_weight"}
"""The parts of a parameter's name that Paddle calls otherwise."""

LARGEST_EPSILON = 1e-3
"""Beyond it Paddle's layer normalisation raises (seen in 3.3.1)."""

COMPILED: list[Any] = []
"""All that `to_static` has made in this process: asked how many graphs Paddle has of it."""


class LeakyReLULayer(nn.Layer):  # type: ignore[misc]
    """Leaky ReLU whose slope at exactly zero is the left-hand one; that of `nn.LeakyReLU` is 1 (seen in 3.3.1)."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.register_buffer("slope", paddle.full([1], slope, "float32"))

    def forward(self, x: Any) -> Any:
        return functional.prelu(x, self.slope)


class PReLULayer(nn.PReLU):  # type: ignore[misc]
    """Paddle's layer, which ends the process where its input wants no gradient, as a net's own does (seen in 3.3.1)."""

    def forward(self, x: Any) -> Any:
        if x.stop_gradient:
            x = x.detach()
            x.stop_gradient = False
        return super().forward(x)


class MaxoutLayer(nn.Linear):  # type: ignore[misc]
    """The largest of `pieces` affine maps per unit; `functional.maxout` takes pictures alone."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Any) -> Any:
        # not `max`, which shares the gradient out among equal pieces: here the first of them gets it
        return functional.maxout(super().forward(x).unsqueeze([2, 3]), self.pieces).flatten(1)


class BatchNormLayer(nn.BatchNorm2D):  # type: ignore[misc]
    """Paddle's layer with a running variance that is the unbiased one, beside Paddle's own, which is not (3.3.1).

    What the kernel adds to its own one is a share of the mini-batch's biased variance, from which the other follows.
    """

    def __init__(self, inputs: int, **options: Any) -> None:
        super().__init__(inputs, **options)
        self.register_buffer("variance", paddle.ones([inputs]))

    def forward(self, x: Any) -> Any:
        statistics = (self._mean, self._variance if self.training else self.variance)
        kept = self._momentum * self._variance
        options = {"training": self.training, "momentum": self._momentum, "epsilon": self._epsilon}
        y = functional.batch_norm(x, *statistics, self.weight, self.bias, **options)
        if self.training:
            count = math.prod(x.shape) // x.shape[1]
            with paddle.no_grad():
                added = (self._variance - kept) * (count / (count - 1))
                paddle.assign(self._momentum * self.variance + added, self.variance)
        return y


class GlobalAvgPoolLayer(nn.Layer):  # type: ignore[misc]
    """The mean of each channel."""

    def forward(self, x: Any) -> Any:
        return x.mean([2, 3])


class LayerNormLayer(nn.LayerNorm):  # type: ignore[misc]
    """Written out, for an epsilon that Paddle's kernel refuses."""

    def forward(self, x: Any) -> Any:
        centred = x - x.mean(-1, keepdim=True)
        return centred * paddle.rsqrt(centred.square().mean(-1, keepdim=True) + self._epsilon) * self.weight + self.bias


class PositionsLayer(nn.Layer):  # type: ignore[misc]
    """A trained row is added at each place of a sequence."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = self.create_parameter(list(shape))

    def forward(self, x: Any) -> Any:
        return x + self.weight


class SelfAttentionLayer(nn.Layer):  # type: ignore[misc]
    """Multi-head self-attention of four dense layers."""

    def __init__(self, shape: tuple[int, ...], layer: SelfAttention) -> None:
        super().__init__()
        length, features = shape
        self.split = [-1, length, layer.heads, features // layer.heads]
        self.joined = [-1, length, features]
        self.scale = (features // layer.heads) ** -0.5
        self.query, self.key, self.value, self.output = (nn.Linear(features, features) for _ in range(4))
        self.causal = layer.causal
        hidden = np.triu(np.full((length, length), -1e30, np.float32), 1)
        self.register_buffer("hidden", paddle.to_tensor(hidden))

    def forward(self, x: Any) -> Any:
        q, k, v = (of(x).reshape(self.split).transpose([0, 2, 1, 3]) for of in (self.query, self.key, self.value))
        scores = paddle.matmul(q * self.scale, k, transpose_y=True)  # fewer numbers than the scores
        if self.causal:
            scores = scores + self.hidden
        y = paddle.matmul(functional.softmax(scores), v).transpose([0, 2, 1, 3])
        return self.output(y.reshape(self.joined))


class ResidualLayer(nn.Layer):  # type: ignore[misc]
    """The sum of two paths."""

    def __init__(self, named: NamedLayer) -> None:
        super().__init__()
        self.layers, self.shortcut = (sequence(of) for _name, of in named.paths)

    def forward(self, x: Any) -> Any:
        return self.layers(x) + self.shortcut(x)


class BranchesLayer(nn.Layer):  # type: ignore[misc]
    """The outputs of several paths, joined along the channels."""

    def __init__(self, named: NamedLayer) -> None:
        super().__init__()
        self.axis = channel_axis(named.output_shape) + 1
        for name, of in named.paths:
            self.add_sublayer(name, sequence(of))

    def forward(self, x: Any) -> Any:
        return paddle.concat([path(x) for path in self.children()], axis=self.axis)


def sequence(layers: tuple[NamedLayer, ...]) -> Any:
    """Return the layers one after the other, under the last parts of their names."""
    if not layers:
        return nn.Identity()
    net = nn.Sequential()
    for named in layers:
        net.add_sublayer(named.name.rpartition(".")[2], layer_module(named))
    return net


def layer_module(named: NamedLayer) -> Any:
    """Return the layer that computes one layer."""
    inputs, features = named.input_shape[0], named.input_shape[-1]
    match named.layer:
        case Residual():
            return ResidualLayer(named)
        case Branches():
            return BranchesLayer(named)
        case Dense(units=units, bias=bias):
            return nn.Linear(features, units, bias_attr=None if bias else False)
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias, groups=groups):
            options = {"groups": groups, "bias_attr": None if bias else False}
            return nn.Conv2D(inputs, filters, kernel, stride, padding, **options)
        case MaxPool2d(size=size, stride=stride, padding=padding):
            return nn.MaxPool2D(size, stride or size, padding)
        case GlobalAvgPool2d():
            return GlobalAvgPoolLayer()
        case Upsample2d(size=size):
            return nn.Upsample(scale_factor=size, mode="nearest")
        case LayerNorm(epsilon=epsilon):
            kind = nn.LayerNorm if epsilon <= LARGEST_EPSILON else LayerNormLayer
            return kind(features, epsilon=epsilon)
        case LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
            # Paddle divides alpha by the number of channels it looks at
            return nn.LocalResponseNorm(size, alpha=alpha * size, beta=beta, k=k)
        case Positions():
            return PositionsLayer(named.input_shape)
        case SelfAttention() as attention:
            return SelfAttentionLayer(named.input_shape, attention)
        case AvgPool2d(size=size):
            return nn.AvgPool2D(size)
        case Flatten():
            return nn.Flatten()
        case Dropout(rate=rate):
            return nn.Dropout(rate)
        case BatchNorm(momentum=momentum, epsilon=epsilon):
            # Paddle's momentum is the weight of the old value, as the task's is
            return BatchNormLayer(inputs, momentum=momentum, epsilon=epsilon)
        case PReLU():
            return PReLULayer(inputs)
        case Maxout(units=units, pieces=pieces):
            return MaxoutLayer(inputs, units, pieces)
        case Embedding(vocabulary=vocabulary, units=units):
            return nn.Embedding(vocabulary, units)
        case SimpleRNN() | LSTM() | GRU() as recurrent:
            return RecurrentLayer(recurrent, named.input_shape[-1])
        case Activation() as layer:
            return activation_module(layer)


def activation_module(layer: Activation) -> Any:
    """Return the layer of an element-wise function."""
    match layer.kind:
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return LeakyReLULayer(layer.slope)
        case "selu":
            return nn.SELU()
        case "gelu":
            return nn.GELU()


def model(task: Task, weights: Arrays) -> Any:
    """Return the task's model, holding the given weights."""
    net = sequence(named_layers(task))
    for name, tensor in named_tensors(net, tuple(weights)).items():
        tensor.set_value(crossing(net, name, np.asarray(weights[name], np.float32)))
    return net


def named_tensors(net: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's tensors under the task's parameter names."""
    found = {}
    for full in names:
        path, _, part = full.rpartition(".")
        module = reduce(getattr, path.split("."), net)
        if isinstance(module, RecurrentLayer):
            found[full] = module.parameter(part)
        elif isinstance(module, SelfAttentionLayer):
            found[full] = reduce(getattr, part.split("_"), module)
        else:
            kind = path.rpartition(".")[2].rstrip("0123456789")
            found[full] = getattr(module, PARTS.get(f"{kind}.{part}", PARTS.get(part, part)))
    return found


def crossing(net: Any, name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a parameter, or its gradient, as it is on the other side: Paddle keeps matrices of layers `(in, out)`."""
    layer = reduce(getattr, name.rpartition(".")[0].split("."), net)
    turned = isinstance(layer, nn.Linear | SelfAttentionLayer) and array.ndim == 2
    return np.ascontiguousarray(array.T) if turned else array


def loss(kind: Loss, outputs: Any, y: Any) -> Any:
    """Return the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return functional.cross_entropy(outputs, y, axis=channel_axis(outputs.shape[1:]) + 1)
        case "sigmoid_cross_entropy":
            return functional.binary_cross_entropy_with_logits(outputs, y)
        case "mean_squared_error":
            return functional.mse_loss(outputs, y)


def objective(net: Any, kind: Loss) -> Callable[[Any, Any, Any], Any]:
    """Return the function from data and indices to the mean loss of these examples."""

    def run(x: Any, y: Any, indices: Any) -> Any:
        return loss(kind, net(paddle.gather(x, indices)), paddle.gather(y, indices))

    return run


def forward(net: Any) -> Callable[[Any, Any], Any]:
    """Return the function from data and indices to the outputs for these examples."""

    def run(x: Any, indices: Any) -> Any:
        return net(paddle.gather(x, indices))

    return run


def compiled(function: Any) -> Any:
    """Return a function (not a method) that Paddle turns into graphs: one for each shape of what it is given.

    `full_graph`, since Paddle else goes on op by op, without a word, where it can make no graph. `not_to_static`, since
    nothing in it branches on a tensor: Paddle then traces what it is, and has not to write it anew into files below
    `~/.cache` (which ends at `case` of a class, seen in 3.3.1).
    """
    made = paddle.jit.to_static(paddle.jit.not_to_static(function), full_graph=True)
    COMPILED.append(made)
    return made
