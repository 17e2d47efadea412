"""The optimizers of `harness/optimizers.py` as those of `paddle.optimizer`, and RMSprop by a rule of its own."""

from typing import Any

import paddle
from paddle.regularizer import L2Decay, WeightDecayRegularizer

from harness.model import is_penalised
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop


class Penalty(WeightDecayRegularizer):  # type: ignore[misc]
    """Both penalties of the task; Paddle takes one of its own for each parameter."""

    def __init__(self, l1: float, l2: float) -> None:
        super().__init__()
        self.l1 = l1
        self.l2 = l2

    def __call__(self, w: Any, g: Any, block: Any) -> Any:
        return self.l2 * w + self.l1 * paddle.sign(w)


class RMSpropRule(paddle.optimizer.Optimizer):  # type: ignore[misc]
    """`s = rho * s + (1 - rho) * g*g; w -= lr * g / (sqrt(s) + epsilon)`.

    `paddle.optimizer.RMSProp` adds its epsilon under the root (seen in 3.3.1).
    """

    def __init__(self, *, rho: float, epsilon: float, **common: Any) -> None:
        super().__init__(**common)
        self.rho = rho
        self.epsilon = epsilon

    def _create_accumulators(self, block: Any, parameters: list[Any]) -> None:
        for parameter in parameters:
            self._add_accumulator("mean_square", parameter)

    def _append_optimize_op(self, block: Any, param_and_grad: tuple[Any, Any]) -> None:
        w, g = param_and_grad
        s = self._get_accumulator("mean_square", w)
        s.scale_(self.rho).add_((1 - self.rho) * g * g)
        w.subtract_(self._create_param_lr(param_and_grad) * g / (s.sqrt() + self.epsilon))


class Updater:
    """One optimizer of `paddle.optimizer` for the parameters `trained`, and the schedule, which it leaves to us."""

    def __init__(self, optimizer: Optimizer, trained: list[Any]) -> None:
        self.definition = optimizer
        for parameter in trained:
            if is_penalised(tuple(parameter.shape)):
                parameter.regularizer = penalty(optimizer)
        self.native = optimizer_for(optimizer, trained)
        self.step = 0

    def update(self) -> None:
        """Move the parameters by one step: clipped first, then penalised, both by Paddle itself."""
        if self.definition.schedule is not None:
            # Paddle's own schedulers multiply the rate step by step; the definition raises the factor to a power
            self.native.set_lr(self.definition.rate_at(self.step))
        self.native.step()
        self.step += 1


def penalty(optimizer: Optimizer) -> Any:
    """Return what Paddle adds to the gradient of a weight, None if nothing."""
    if optimizer.l1:
        return Penalty(optimizer.l1, optimizer.l2)
    return L2Decay(optimizer.l2) if optimizer.l2 else None


def optimizer_for(optimizer: Optimizer, trained: list[Any]) -> Any:
    """Return the optimizer whose arithmetic is the definition of `harness/optimizers.py`."""
    clip = None if optimizer.clip_norm is None else paddle.nn.ClipGradByGlobalNorm(optimizer.clip_norm)
    common = {"learning_rate": optimizer.learning_rate, "parameters": trained, "grad_clip": clip}
    own = paddle.optimizer
    match optimizer:
        case Momentum(momentum=momentum):
            return own.Momentum(momentum=momentum, **common)
        case Nesterov(momentum=momentum):
            return own.Momentum(momentum=momentum, use_nesterov=True, **common)
        case AdaGrad(epsilon=epsilon):
            return own.Adagrad(epsilon=epsilon, **common)
        case RMSprop(rho=rho, epsilon=epsilon):
            return RMSpropRule(rho=rho, epsilon=epsilon, **common)
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            return own.Adam(beta1=beta1, beta2=beta2, epsilon=epsilon, **common)
        case _:
            return own.SGD(**common)
