"""MLX on the CPU: plain functions of `mlx.core` and `mlx.nn`, evaluated once per step as MLX's own examples do."""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from harness.contract import Backend, Device, DeviceMemory
from harness.language import Sentence, noop
from harness.layers import Activation, AvgPool2d, Conv2d, Dense, Dropout, Flatten, MaxPool2d
from harness.model import is_penalised, named_layers
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, RMSprop

LAYERS = (Activation, AvgPool2d, Conv2d, Dense, Dropout, Flatten, MaxPool2d)
FUNCTIONS: dict[str, Any] = {"sigmoid": mx.sigmoid, "tanh": mx.tanh, "relu": nn.relu, "selu": nn.selu}
LOSSES: dict[str, Any] = {
    "softmax_cross_entropy": lambda out, y: nn.losses.cross_entropy(out, y, reduction="mean"),
    "sigmoid_cross_entropy": lambda out, y: nn.losses.binary_cross_entropy(out, y, with_logits=True, reduction="mean"),
    "mean_squared_error": lambda out, y: nn.losses.mse_loss(out, y, reduction="mean"),
}


def forward(task: Any, w: Any, x: Any, training: bool) -> Any:
    """Return the outputs; images are `(B, H, W, C)` inside."""
    for named in named_layers(task):
        match named.layer:
            case Dense(bias=bias):
                x = x @ w[f"{named.name}.weight"].T + (w[f"{named.name}.bias"] if bias else 0)
            case Conv2d(stride=stride, padding=padding, bias=bias):
                kernel = w[f"{named.name}.weight"].transpose(0, 2, 3, 1)
                x = mx.conv2d(x, kernel, stride, padding) + (w[f"{named.name}.bias"] if bias else 0)
            case MaxPool2d(size=size):
                x = nn.MaxPool2d(size)(x)
            case AvgPool2d(size=size):
                x = nn.AvgPool2d(size)(x)
            case Flatten():
                x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
            case Dropout(rate=rate) if training:
                x = x * mx.random.bernoulli(1 - rate, x.shape) / (1 - rate)
            case Activation(kind="leaky_relu", slope=slope):
                x = nn.leaky_relu(x, slope)
            case Activation(kind=kind):
                x = FUNCTIONS[kind](x)
    return x


def moved(rule: Any, w: Any, g: Any, slots: Any, rate: float, t: int) -> Any:
    """Return a parameter and its accumulators after step t, counted from 1, by the task's definition."""
    first, second = slots
    match rule:
        case Momentum(momentum=m):
            first = m * first + g
            return w - rate * first, (first, second)
        case Nesterov(momentum=m):
            first = m * first + g
            return w - rate * (g + m * first), (first, second)
        case AdaGrad(epsilon=epsilon):
            first = first + g * g
            return w - rate * g / (mx.sqrt(first) + epsilon), (first, second)
        case RMSprop(rho=rho, epsilon=epsilon):
            first = rho * first + (1 - rho) * g * g
            return w - rate * g / (mx.sqrt(first) + epsilon), (first, second)
        case Adam(beta1=b1, beta2=b2, epsilon=epsilon):
            first, second = b1 * first + (1 - b1) * g, b2 * second + (1 - b2) * g * g
            step = first / (1 - b1**t) / (mx.sqrt(second / (1 - b2**t)) + epsilon)
            return w - rate * step, (first, second)
    return w - rate * g, slots


class Program:
    """One task, trained by plain functions."""

    def __init__(self, task: Any, rule: Any, weights: Any) -> None:
        self.task, self.rule, self.t, self.last = task, rule, 0, mx.zeros(0)
        self.w = {name: mx.array(value) for name, value in weights.items()}
        self.slots = {name: (mx.zeros_like(value), mx.zeros_like(value)) for name, value in self.w.items()}
        self.step = mx.value_and_grad(lambda w, x, y: LOSSES[task.loss](forward(task, w, x, True), y))

    def load(self, arrays: Any) -> None:
        self.data = {n: mx.array(a.transpose(0, 2, 3, 1) if a.ndim == 4 else a) for n, a in arrays.items()}

    def train(self, order: Any) -> None:
        losses = []
        for indices in map(mx.array, order):
            loss, g = self.step(self.w, self.data["train_x"][indices], self.data["train_y"][indices])
            rate, self.t = self.rule.rate_at(self.t), self.t + 1
            if self.rule.clip_norm:
                norm = mx.sqrt(sum(mx.sum(mx.square(one)) for one in g.values()))
                g = {name: one * mx.minimum(1, self.rule.clip_norm / norm) for name, one in g.items()}
            for name, w in self.w.items():
                penalty = self.rule.l2 * w + self.rule.l1 * mx.sign(w) if is_penalised(w.shape) else 0
                self.w[name], self.slots[name] = moved(self.rule, w, g[name] + penalty, self.slots[name], rate, self.t)
            mx.eval(loss, self.w, self.slots)
            losses.append(loss)
        self.last = mx.stack(losses)

    def synchronize(self) -> None:
        mx.eval(self.w, self.slots, self.last)

    def losses(self) -> Any:
        return np.array(self.last)

    def gradients(self, indices: Any) -> Any:
        batch = mx.array(indices)
        found = self.step(self.w, self.data["train_x"][batch], self.data["train_y"][batch])[1]
        return {name: np.array(value) for name, value in found.items()}

    def predict(self, split: str, indices: Any) -> Any:
        return forward(self.task, self.w, self.data[f"{split}_x"][mx.array(indices)], False)

    def host(self, outputs: Any) -> Any:
        return np.array(outputs.transpose(0, 3, 1, 2) if outputs.ndim == 4 else outputs)

    def parameters(self) -> Any:
        return {name: np.array(value) for name, value in self.w.items()}

    def device_memory(self) -> DeviceMemory:
        return DeviceMemory(peak_bytes=mx.get_peak_memory())


class Mlx:
    """MLX on the CPU."""

    name: str = "mlx"
    default_mode: Any = "eager"

    def versions(self) -> Any:
        return {"mlx": mx.__version__, "numpy": np.__version__}

    def settings(self) -> Any:
        return {"steps_per_call": "1"}

    def devices(self) -> Any:
        return (Device(kind="cpu", name="cpu"),)

    def modes(self) -> Any:
        return ("eager",)

    def why_not(self, task: Any, device: Any, mode: Any) -> Any:
        if device != "cpu" or mode != "eager":
            return noop("this plug-in runs MLX on the CPU in eager mode only")
        if any(preset.boltzmann for preset in task.presets.values()):
            return noop("this plug-in of MLX does not train Boltzmann machines")
        if missing := [named.name for named in named_layers(task) if not isinstance(named.layer, LAYERS)]:
            return Sentence("this plug-in of MLX has no layer for {names}", names=", ".join(missing))
        return None

    def traps(self) -> Any:
        return ()

    def compiled(self) -> Any:
        return {}

    def build(self, task: Any, optimizer: Any, *, device: Any, mode: Any, weights: Any, seed: int) -> Any:
        mx.set_default_device(mx.cpu)
        mx.random.seed(seed)
        return Program(task, optimizer, weights)

    def build_boltzmann(self, stage: Any, *, device: Any, mode: Any, state: Any, seed: int) -> Any:
        raise NotImplementedError("refused by why_not")

    def product_probe(self, device: Any, side: int) -> Any:
        a, b = mx.ones((side, side)), mx.ones((side, side))
        return lambda: mx.eval(a @ b)

    def copy_probe(self, device: Any, numbers: int) -> Any:
        source = mx.ones(numbers)
        return lambda: mx.eval(source + 0)


def backend() -> Backend:
    """Return the backend."""
    return Mlx()
