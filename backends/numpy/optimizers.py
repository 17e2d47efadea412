"""The optimizers of `harness/optimizers.py` by hand."""

import numpy as np

from backends.numpy.layers import Array, Parameters
from harness.model import is_penalised
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop


def clipping(gradients: Parameters, clip_norm: float | None) -> float:
    """Return the factor that brings the global norm of the gradients down to `clip_norm`, or 1."""
    norm = np.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
    return 1.0 if clip_norm is None or norm <= clip_norm else float(clip_norm / norm)


class Updater:
    """One optimizer with its accumulators; the formulas are those of `harness/optimizers.py`."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.step = 0
        self.first: Parameters = {}
        self.second: Parameters = {}

    def update(self, parameters: Parameters, gradients: Parameters) -> None:
        """Move the parameters in place by one step."""
        rate = self.optimizer.rate_at(self.step)
        self.step += 1
        scale = clipping(gradients, self.optimizer.clip_norm)
        for name, gradient in gradients.items():
            w = parameters[name]
            g = gradient * scale
            if is_penalised(w.shape):
                g = g + self.optimizer.l2 * w + self.optimizer.l1 * np.sign(w)
            w -= rate * self._direction(name, g)  # in place: the net's own array

    def _direction(self, name: str, g: Array) -> Array:
        first, second = self.first.get(name, np.zeros_like(g)), self.second.get(name, np.zeros_like(g))
        match self.optimizer:
            case Momentum(momentum=m):
                direction = first = m * first + g
            case Nesterov(momentum=m):
                first = m * first + g
                direction = g + m * first
            case AdaGrad(epsilon=epsilon):
                second = second + g * g
                direction = g / (np.sqrt(second) + epsilon)
            case RMSprop(rho=rho, epsilon=epsilon):
                second = rho * second + (1 - rho) * g * g
                direction = g / (np.sqrt(second) + epsilon)
            case Adam(beta1=b1, beta2=b2, epsilon=epsilon):
                first, second = b1 * first + (1 - b1) * g, b2 * second + (1 - b2) * g * g
                corrected = np.sqrt(second / (1 - b2**self.step))
                direction = first / (1 - b1**self.step) / (corrected + epsilon)
            case _:
                direction = g
        self.first[name], self.second[name] = first, second
        return direction
