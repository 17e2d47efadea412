"""A whole net by hand: forward through the layers, back through them, and the losses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.numpy.layers import PLAIN, Array, Backward, Parameters, batch_norm, dropout, sigmoid
from backends.numpy.recurrent import recurrent
from harness.layers import GRU, LSTM, BatchNorm, Dropout, SimpleRNN
from harness.model import is_trained, layer_parameters, named_layers
from harness.spec import Loss, Task

Target = NDArray[Any]


class Net:
    """The layers of a task with their parameters, float64."""

    def __init__(self, task: Task, weights: Parameters, seed: int) -> None:
        self.layers = named_layers(task)
        self.loss: Loss = task.loss
        self.parameters = {name: np.array(value, dtype=np.float64) for name, value in weights.items()}
        self.random = np.random.default_rng([seed, 2])

    def forward(self, x: Array, *, training: bool) -> tuple[Array, list[Backward]]:
        """Return the outputs `(B, ...)` and the backward functions, one per layer."""
        backwards = []
        for named in self.layers:
            names = {full.rpartition(".")[2]: full for full in layer_parameters(named)}
            own = {part: self.parameters[full] for part, full in names.items()}
            match named.layer:
                case BatchNorm() as layer:
                    x, backward = batch_norm(layer, x, own, training=training)
                    # `batch_norm` puts new running statistics into `own`; what is trained comes back as it was
                    self.parameters.update({full: own[part] for part, full in names.items()})
                case Dropout() as layer:
                    x, backward = dropout(layer, x, self.random if training else None)
                case SimpleRNN() | LSTM() | GRU() as layer:
                    x, backward = recurrent(layer, x, own)
                case layer:
                    x, backward = PLAIN[type(layer)](layer, x, own)
            backwards.append(backward)
        return x, backwards

    def loss_and_gradients(self, x: Array, y: Target) -> tuple[float, Parameters]:
        """Return the mean loss of a mini-batch and its gradient for every trained parameter."""
        outputs, backwards = self.forward(x, training=True)
        loss, dy = loss_and_slope(self.loss, outputs, y)
        gradients: Parameters = {}
        for named, backward in zip(reversed(self.layers), reversed(backwards), strict=True):
            dy, own = backward(dy)
            gradients |= {f"{named.name}.{part}": value for part, value in own.items()}
        return loss, {name: gradients[name] for name in self.parameters if is_trained(name)}


def loss_and_slope(kind: Loss, outputs: Array, y: Target) -> tuple[float, Array]:
    """Return the mean loss over the mini-batch and its gradient with respect to the outputs `(B, K)`.

    `softmax_cross_entropy` takes class numbers `y` of shape (B,); the other two take `y` of the outputs' shape.
    """
    n = len(outputs)
    match kind:
        case "softmax_cross_entropy":
            shifted = outputs - outputs.max(axis=1, keepdims=True)  # so that no exponential overflows
            log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            one_hot = np.eye(outputs.shape[1])[y]
            return float(-(one_hot * log_p).sum() / n), (np.exp(log_p) - one_hot) / n
        case "sigmoid_cross_entropy":
            # -y log s(z) - (1 - y) log(1 - s(z)), written so that no exponential overflows
            losses = np.maximum(outputs, 0) - outputs * y + np.log1p(np.exp(-np.abs(outputs)))
            return float(losses.mean()), (sigmoid(outputs) - y) / outputs.size
        case "mean_squared_error":
            return float(np.mean((outputs - y) ** 2)), 2 * (outputs - y) / outputs.size
