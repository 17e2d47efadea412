"""The optimizers of `harness/optimizers.py` on JAX's arrays: JAX itself has none, and so few lines need no Optax."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from harness.model import is_penalised
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop

Tensors = dict[str, Any]
Slots = dict[str, tuple[Any, ...]]


class Updater:
    """One optimizer; what it accumulates is handed in and out, as all state of a JAX program."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.definition = optimizer
        self.count = {AdaGrad: 1, Momentum: 1, Nesterov: 1, RMSprop: 1, Adam: 2}.get(type(optimizer), 0)

    def slots(self, parameters: Tensors) -> Slots:
        """Return the accumulators of the first step, one tuple per parameter."""
        return {name: tuple(jnp.zeros_like(w) for _ in range(self.count)) for name, w in parameters.items()}

    def numbers(self, steps: range) -> NDArray[np.float32]:
        """Return learning rate and Adam's two bias corrections of each step, (N, 3), computed in float64."""
        rates = np.array([self.definition.rate_at(step) for step in steps])
        corrections = np.ones((2, len(rates)))
        if isinstance(self.definition, Adam):
            t = np.arange(steps.start, steps.stop) + 1
            betas = self.definition.beta1, self.definition.beta2
            corrections = np.stack([1 - float(np.float32(beta)) ** t for beta in betas])  # as the kernels have them
        return np.stack([rates, *corrections], axis=1).astype(np.float32)

    def update(self, parameters: Tensors, slots: Slots, gradients: Tensors, numbers: Any) -> tuple[Tensors, Slots]:
        """Return parameters and accumulators after one step, given what `numbers` has for it."""
        gradients = self.clipped(gradients)
        rate = numbers[0]
        moved, kept = {}, {}
        for name, w in parameters.items():
            g = gradients[name]
            if is_penalised(w.shape) and self.definition.l2:
                g = g + self.definition.l2 * w
            if is_penalised(w.shape) and self.definition.l1:
                g = g + self.definition.l1 * jnp.sign(w)
            direction, kept[name] = direction_of(self.definition, slots[name], g, numbers[1:])
            moved[name] = w - rate * direction
        return moved, kept

    def clipped(self, gradients: Tensors) -> Tensors:
        """Return the gradients with a global norm of at most `clip_norm`."""
        if self.definition.clip_norm is None:
            return gradients
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in gradients.values()))
        scale = jnp.where(norm > self.definition.clip_norm, self.definition.clip_norm / norm, 1.0)
        return {name: scale * g for name, g in gradients.items()}


def direction_of(optimizer: Optimizer, slots: tuple[Any, ...], g: Any, corrections: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return what is multiplied by the rate, and the new accumulators of one parameter."""
    match optimizer:
        case Momentum(momentum=momentum):
            v = momentum * slots[0] + g
            return v, (v,)
        case Nesterov(momentum=momentum):
            v = momentum * slots[0] + g
            return g + momentum * v, (v,)
        case AdaGrad(epsilon=epsilon):
            s = slots[0] + jnp.square(g)
            return g / (jnp.sqrt(s) + epsilon), (s,)
        case RMSprop(rho=rho, epsilon=epsilon):
            s = rho * slots[0] + (1 - rho) * jnp.square(g)
            return g / (jnp.sqrt(s) + epsilon), (s,)
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            m = beta1 * slots[0] + (1 - beta1) * g
            v = beta2 * slots[1] + (1 - beta2) * jnp.square(g)
            return m / corrections[0] / (jnp.sqrt(v / corrections[1]) + epsilon), (m, v)
        case _:
            return g, ()
