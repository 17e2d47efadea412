"""The optimizers of `harness/optimizers.py` on TensorFlow's own training kernels."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.model import is_penalised
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop


def step_numbers(optimizer: Optimizer, steps: range) -> NDArray[np.float32]:
    """Return the learning rate and the epsilon of each step, `(N, 2)`.

    Adam's bias corrections are moved into both (Kingma & Ba 2015, end of section 2), in float64 and for the betas
    as float32 has them, since the kernel computes with `1 - beta`.
    """
    rates = np.array([optimizer.rate_at(step) for step in steps])
    epsilons = np.full(len(rates), getattr(optimizer, "epsilon", 0.0))
    if isinstance(optimizer, Adam):
        t = np.arange(steps.start, steps.stop) + 1
        first, second = (1 - float(np.float32(beta)) ** t for beta in (optimizer.beta1, optimizer.beta2))
        rates *= np.sqrt(second) / first
        epsilons *= np.sqrt(second)
    return np.stack([rates, epsilons], axis=1).astype(np.float32)


class Updater:
    """One optimizer with its accumulators.

    Not `keras.optimizers`, of which only plain SGD agrees: there the learning rate is inside the velocity, Adam and
    RMSprop have the epsilon elsewhere, Adagrad starts at 0.1 (seen in Keras 3.15.1). TensorFlow's own training
    kernels, one per variable and step, compute the definitions, RMSprop's excepted.
    """

    def __init__(self, optimizer: Optimizer, variables: list[Any]) -> None:
        self.definition = optimizer
        self.variables = variables
        count = {AdaGrad: 1, Momentum: 1, Nesterov: 1, RMSprop: 1, Adam: 2}.get(type(optimizer), 0)
        self.slots = [[tf.Variable(tf.zeros_like(w), trainable=False) for _ in range(count)] for w in variables]

    def update(self, gradients: list[Any], rate: Any, epsilon: Any) -> None:
        """Move the parameters by one step, given what `step_numbers` has for it."""
        optimizer = self.definition
        if optimizer.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, optimizer.clip_norm)
        for w, own, g in zip(self.variables, self.slots, gradients, strict=True):
            if is_penalised(w.shape) and optimizer.l2:
                g = g + optimizer.l2 * w
            if is_penalised(w.shape) and optimizer.l1:
                g = g + optimizer.l1 * tf.sign(w)
            apply(optimizer, w, own, g, rate, epsilon)


def apply(optimizer: Optimizer, w: Any, slots: list[Any], g: Any, rate: Any, epsilon: Any) -> None:
    """Move one variable and its accumulators by one step."""
    ops = tf.raw_ops
    first, second = ([slot.handle for slot in slots] + [None, None])[:2]
    common = {"var": w.handle, "grad": g, "lr": rate}
    match optimizer:
        case Momentum(momentum=m):
            ops.ResourceApplyMomentum(accum=first, momentum=m, **common)
        case Nesterov(momentum=m):
            ops.ResourceApplyMomentum(accum=first, momentum=m, use_nesterov=True, **common)
        case AdaGrad():
            ops.ResourceApplyAdagradV2(accum=first, epsilon=epsilon, **common)
        case RMSprop(rho=rho):
            # TensorFlow's kernel adds the epsilon under the root, by its documentation.
            s = slots[0].assign(rho * slots[0] + (1 - rho) * tf.square(g))
            w.assign_sub(rate * g / (tf.sqrt(s) + epsilon))
        case Adam(beta1=beta1, beta2=beta2):
            # The powers of the betas are 0: the bias corrections are in `rate` and `epsilon` already.
            corrected = {"beta1_power": 0.0, "beta2_power": 0.0, "epsilon": epsilon}
            ops.ResourceApplyAdam(m=first, v=second, beta1=beta1, beta2=beta2, **corrected, **common)
        case _:
            ops.ResourceApplyGradientDescent(var=w.handle, alpha=rate, delta=g)
