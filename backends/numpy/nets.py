"""A whole net by hand: forward through the layers, back through them, and the losses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.numpy.layers import PLAIN, Array, Backward, Parameters, batch_norm, dropout, sigmoid
from backends.numpy.recurrent import recurrent
from harness.layers import GRU, LSTM, BatchNorm, Branches, Dropout, Residual, SimpleRNN
from harness.model import NamedLayer, channel_axis, is_trained, layer_parameters, named_layers
from harness.spec import Loss, Task

Target = NDArray[Any]


class Net:
    """The layers of a task with their parameters, in float64 unless something else is asked for."""

    def __init__(self, task: Task, weights: Parameters, seed: int, dtype: type = np.float64) -> None:
        self.layers = named_layers(task)
        self.loss: Loss = task.loss
        self.parameters: Parameters = {name: np.array(value, dtype=dtype) for name, value in weights.items()}
        self.random = np.random.default_rng([seed, 2])

    def forward(self, x: Array, *, training: bool) -> tuple[Array, Backward]:
        """Return the outputs `(B, ...)` and the backward function, whose gradients have the parameters' full names."""
        return self._path(self.layers, x, training=training)

    def _path(self, layers: tuple[NamedLayer, ...], x: Array, *, training: bool) -> tuple[Array, Backward]:
        backwards = []
        for named in layers:
            x, backward = (self._composition if named.paths else self._layer)(named, x, training=training)
            backwards.append(backward)

        def back(dy: Array) -> tuple[Array, Parameters]:
            gradients: Parameters = {}
            for backward in reversed(backwards):
                dy, own = backward(dy)
                gradients |= own
            return dy, gradients

        return x, back

    def _composition(self, named: NamedLayer, x: Array, *, training: bool) -> tuple[Array, Backward]:
        """Compute the sum or the joint outputs of several paths."""
        found = [self._path(layers, x, training=training) for _name, layers in named.paths]
        outputs = [y for y, _backward in found]
        axis = channel_axis(named.output_shape) + 1
        ends = np.cumsum([y.shape[axis] for y in outputs])[:-1]

        def back(dy: Array) -> tuple[Array, Parameters]:
            slopes = [dy] * len(found) if isinstance(named.layer, Residual) else np.split(dy, ends, axis=axis)
            gradients: Parameters = {}
            dx = np.zeros(x.shape, dy.dtype)
            for (_y, backward), slope in zip(found, slopes, strict=True):
                d_input, own = backward(slope)
                dx, gradients = dx + d_input, gradients | own
            return dx, gradients

        match named.layer:
            case Residual():
                return outputs[0] + outputs[1], back
            case Branches():
                return np.concatenate(outputs, axis=axis), back
            case _:
                raise TypeError(named.name)

    def _layer(self, named: NamedLayer, x: Array, *, training: bool) -> tuple[Array, Backward]:
        names = {full.rpartition(".")[2]: full for full in layer_parameters(named)}
        own = {part: self.parameters[full] for part, full in names.items()}
        match named.layer:
            case BatchNorm() as layer:
                y, backward = batch_norm(layer, x, own, training=training)
                # `batch_norm` puts new running statistics into `own`; what is trained comes back as it was
                self.parameters.update({full: own[part] for part, full in names.items()})
            case Dropout() as layer:
                y, backward = dropout(layer, x, self.random if training else None)
            case SimpleRNN() | LSTM() | GRU() as layer:
                y, backward = recurrent(layer, x, own)
            case layer:
                y, backward = PLAIN[type(layer)](layer, x, own)

        def back(dy: Array) -> tuple[Array, Parameters]:
            dx, gradients = backward(dy)
            return dx, {names[part]: value for part, value in gradients.items()}

        return y, back

    def loss_and_gradients(self, x: Array, y: Target) -> tuple[float, Parameters]:
        """Return the mean loss of a mini-batch and its gradient for every trained parameter."""
        outputs, backward = self.forward(x, training=True)
        loss, dy = loss_and_slope(self.loss, outputs, y)
        gradients = backward(dy)[1]
        return loss, {name: gradients[name] for name in self.parameters if is_trained(name)}


def loss_and_slope(kind: Loss, outputs: Array, y: Target) -> tuple[float, Array]:
    """Return the mean loss over the mini-batch and its gradient with respect to the outputs.

    `softmax_cross_entropy` takes class numbers `y` `(B,)` for outputs `(B, K)`, `(B, T)` for `(B, T, K)` and
    `(B, H, W)` for `(B, K, H, W)`, the mean over all places; the other two take `y` of the outputs' shape.
    """
    match kind:
        case "softmax_cross_entropy":
            logits = np.moveaxis(outputs, channel_axis(outputs.shape[1:]) + 1, -1)
            shifted = logits - logits.max(axis=-1, keepdims=True)  # so that no exponential overflows
            log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
            one_hot = np.eye(logits.shape[-1], dtype=logits.dtype)[y]
            slope = (np.exp(log_p) - one_hot) / y.size
            loss = float(-(one_hot * log_p).sum() / y.size)
            return loss, np.moveaxis(slope, -1, channel_axis(outputs.shape[1:]) + 1)
        case "sigmoid_cross_entropy":
            # -y log s(z) - (1 - y) log(1 - s(z)), written so that no exponential overflows
            losses = np.maximum(outputs, 0) - outputs * y + np.log1p(np.exp(-np.abs(outputs)))
            return float(losses.mean()), (sigmoid(outputs) - y) / outputs.size
        case "mean_squared_error":
            return float(np.mean((outputs - y) ** 2)), 2 * (outputs - y) / outputs.size
