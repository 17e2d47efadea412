"""The optimizers, with one definition each that every backend computes, whatever its own library calls by the name.

`g` is the gradient of the mean loss of the mini-batch with respect to a parameter `w`, plus the penalties
`l2 * w + l1 * sign(w)` where `w` is a weight of two or more axes (biases, slopes and batch-norm scales go free). With
`clip_norm`, the gradients of all parameters together, before the penalties, are scaled by `min(1, clip_norm / norm)`,
`norm` being the root of the sum of all their squares (Pascanu et al. 2013). All accumulators start at zero. `lr` is the
learning rate of the current step; it stays outside the velocity.
"""

from msgspec import Struct


class StepSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multiply the learning rate by `factor` after every `every` optimizer steps."""

    every: int
    factor: float


class _Optimizer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="optimizer"):
    learning_rate: float
    l1: float = 0.0
    l2: float = 0.0
    schedule: StepSchedule | None = None
    clip_norm: float | None = None

    def rate_at(self, step: int) -> float:
        """Return the learning rate of optimizer step `step`, counted from 0."""
        if self.schedule is None:
            return self.learning_rate
        return float(self.learning_rate * self.schedule.factor ** (step // self.schedule.every))


class SGD(_Optimizer, frozen=True, kw_only=True):
    """`w -= lr * g`."""


class Momentum(_Optimizer, frozen=True, kw_only=True):
    """`v = momentum * v + g; w -= lr * v` (Polyak 1964)."""

    momentum: float = 0.9


class Nesterov(_Optimizer, frozen=True, kw_only=True):
    """`v = momentum * v + g; w -= lr * (g + momentum * v)` (Sutskever et al. 2013, in the form most libraries use)."""

    momentum: float = 0.9


class AdaGrad(_Optimizer, frozen=True, kw_only=True):
    """`s += g*g; w -= lr * g / (sqrt(s) + epsilon)` (Duchi et al. 2011)."""

    epsilon: float = 1e-10


class RMSprop(_Optimizer, frozen=True, kw_only=True):
    """`s = rho * s + (1 - rho) * g*g; w -= lr * g / (sqrt(s) + epsilon)` (Hinton 2012, lecture 6e)."""

    rho: float = 0.99
    epsilon: float = 1e-8


class Adam(_Optimizer, frozen=True, kw_only=True):
    """Kingma & Ba 2015, algorithm 1: the epsilon is added to the bias-corrected root.

    `m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*g*g; w -= lr * m_hat / (sqrt(v_hat) + epsilon)` with
    `m_hat = m / (1 - beta1**t)`, `v_hat = v / (1 - beta2**t)` and `t` counted from 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


Optimizer = SGD | Momentum | Nesterov | AdaGrad | RMSprop | Adam
