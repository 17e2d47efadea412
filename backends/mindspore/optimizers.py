"""The optimizers of `harness/optimizers.py` on MindSpore's fused update operators, compiled like `nn.Optimizer` itself.

`mindspore.nn` has none that could be used as it is: with 2.10.0 `nn.Momentum(use_nesterov=True)` ignores Nesterov on
the CPU, `nn.Adam` adds its epsilon before the bias correction, `nn.RMSProp` adds it under the root, and none has an L1
penalty. All of them can go into one compiled step, because the numbers that change from step to step come in from
outside.
"""

import math
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from harness.model import is_penalised
from harness.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop


def step_numbers(optimizer: Optimizer, step: int) -> tuple[float, float]:
    """Return the learning rate and the epsilon of optimizer step `step`, counted from 0.

    Adam's bias corrections are folded into both, which leaves algorithm 1 of Kingma & Ba 2015 unchanged:
    `w -= rate * m / (sqrt(v) + epsilon)`, as in their section 2 but with the epsilon scaled too. The corrections belong
    to the betas that the operator computes with, rounded to float32, or `1 - beta2` would be wrong by 1e-5.
    """
    rate = optimizer.rate_at(step)
    match optimizer:
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            root = math.sqrt(1 - float(np.float32(beta2)) ** (step + 1))
            return rate * root / (1 - float(np.float32(beta1)) ** (step + 1)), epsilon * root
        case AdaGrad(epsilon=epsilon) | RMSprop(epsilon=epsilon):
            return rate, epsilon
        case _:
            return rate, 0.0


class SGDRule(nn.Cell):  # type: ignore[misc]
    """`w -= rate * g`."""

    accumulators = ()

    def construct(self, w: Any, g: Any, first: Any, second: Any, rate: Any, epsilon: Any) -> Any:
        return ops.assign_sub(w, rate * g)


class MomentumRule(nn.Cell):  # type: ignore[misc]
    """`v = momentum * v + g; w -= rate * v`."""

    accumulators = ("first",)

    def __init__(self, definition: Momentum) -> None:
        super().__init__()
        self.momentum = definition.momentum
        self.apply_momentum = ops.ApplyMomentum()

    def construct(self, w: Any, g: Any, first: Any, second: Any, rate: Any, epsilon: Any) -> Any:
        return self.apply_momentum(w, first, rate, g, self.momentum)


class NesterovRule(nn.Cell):  # type: ignore[misc]
    """`v = momentum * v + g; w -= rate * (g + momentum * v)`."""

    accumulators = ("first",)

    def __init__(self, definition: Nesterov) -> None:
        super().__init__()
        self.momentum = definition.momentum

    def construct(self, w: Any, g: Any, first: Any, second: Any, rate: Any, epsilon: Any) -> Any:
        velocity = self.momentum * first + g
        ops.assign(first, velocity)
        return ops.assign_sub(w, rate * (g + self.momentum * velocity))


class AdaGradRule(nn.Cell):  # type: ignore[misc]
    """`s += g*g; w -= rate * g / (sqrt(s) + epsilon)`."""

    accumulators = ("second",)

    def __init__(self, definition: AdaGrad) -> None:
        super().__init__()
        self.apply_adagrad = ops.ApplyAdagradV2(definition.epsilon)

    def construct(self, w: Any, g: Any, first: Any, second: Any, rate: Any, epsilon: Any) -> Any:
        return self.apply_adagrad(w, second, rate, g)


class RMSpropRule(nn.Cell):  # type: ignore[misc]
    """`s = rho * s + (1 - rho) * g*g; w -= rate * g / (sqrt(s) + epsilon)`."""

    accumulators = ("second",)

    def __init__(self, definition: RMSprop) -> None:
        super().__init__()
        self.rho = definition.rho

    def construct(self, w: Any, g: Any, first: Any, second: Any, rate: Any, epsilon: Any) -> Any:
        mean_square = self.rho * second + (1 - self.rho) * g * g
        ops.assign(second, mean_square)
        return ops.assign_sub(w, rate * g / (ops.sqrt(mean_square) + epsilon))


class AdamRule(nn.Cell):  # type: ignore[misc]
    """`m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*g*g; w -= rate * m / (sqrt(v) + epsilon)`."""

    accumulators = ("first", "second")

    def __init__(self, definition: Adam) -> None:
        super().__init__()
        self.beta1 = definition.beta1
        self.beta2 = definition.beta2
        self.adam = ops.Adam()

    def construct(self, w: Any, g: Any, first: Any, second: Any, rate: Any, epsilon: Any) -> Any:
        # The powers of the betas are 0: the bias corrections are in `rate` and `epsilon` already.
        return self.adam(w, first, second, 0.0, 0.0, rate, self.beta1, self.beta2, epsilon, g)


def rule_for(optimizer: Optimizer) -> Any:
    """Return the cell that moves one parameter."""
    match optimizer:
        case Momentum():
            return MomentumRule(optimizer)
        case Nesterov():
            return NesterovRule(optimizer)
        case AdaGrad():
            return AdaGradRule(optimizer)
        case RMSprop():
            return RMSpropRule(optimizer)
        case Adam():
            return AdamRule(optimizer)
        case SGD():
            return SGDRule()


class Updater(nn.Cell):  # type: ignore[misc]
    """One optimizer with its accumulators.

    The gradients come one by one: a tuple of them counts as a constant, and every step would be compiled anew (seen
    with 2.10.0 in PyNative mode: 110 ms instead of 1 ms for LeNet).
    """

    def __init__(self, optimizer: Optimizer, weights: list[Any]) -> None:
        super().__init__()
        self.rule = rule_for(optimizer)
        self.weights = ms.ParameterTuple(weights)
        self.first = self.accumulators("first")
        self.second = self.accumulators("second")
        self.penalised = tuple(is_penalised(w.shape) for w in weights)
        self.l1 = optimizer.l1
        self.l2 = optimizer.l2
        self.clip_norm = optimizer.clip_norm

    def accumulators(self, name: str) -> Any:
        """Return one zero for each number of the weights, or the weights themselves if the rule needs none."""
        if name not in self.rule.accumulators:
            return self.weights
        return self.weights.clone(prefix=name, init="zeros")

    @ms.jit
    def construct(self, rate: Any, epsilon: Any, *gradients: Any) -> None:
        scale = self.clipping_scale(gradients)
        for i, w in enumerate(self.weights):
            g = gradients[i]
            if self.clip_norm is not None:
                g = scale * g
            if self.penalised[i] and self.l2 > 0:
                g = g + self.l2 * w
            if self.penalised[i] and self.l1 > 0:
                g = g + self.l1 * ops.sign(w)
            self.rule(w, g, self.first[i], self.second[i], rate, epsilon)

    def clipping_scale(self, gradients: tuple[Any, ...]) -> Any:
        """Return the factor that brings the norm of all gradients together down to `clip_norm`."""
        if self.clip_norm is None:
            return 1.0
        squares = 0.0
        for g in gradients:
            # ops.L2Loss is faster but adds up badly: 8e-4 off for 1.3 million numbers with 2.10.0 on the CPU.
            squares = squares + ops.square(g).sum()
        # A norm of zero makes the quotient infinite, and the factor 1.
        return ops.minimum(self.clip_norm / ops.sqrt(squares), 1.0)
