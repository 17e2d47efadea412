"""JAX by hand: a residual net for small pictures, one jitted step a call; running statistics are a state beside it."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.loops.case import Case
from harness.model import is_trained
from harness.optimizers import Momentum

KEPT, EPSILON = 0.9, 1e-5


def conv(w: Any, name: str, x: Any, stride: int = 1) -> Any:
    """Return a convolution that keeps its pictures' size but for the stride."""
    around = w[name].shape[-1] // 2
    return lax.conv_general_dilated(x, w[name], (stride, stride), [(around, around)] * 2)


def norm(w: Any, running: Any, name: str, x: Any) -> tuple[Any, Any]:
    """Normalise each channel by the mini-batch, and return the running statistics too."""
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    scale = w[f"{name}.weight"] * lax.rsqrt(variance + EPSILON)
    y = (x - mean[:, None, None]) * scale[:, None, None] + w[f"{name}.bias"][:, None, None]
    moved = {f"{name}.mean": mean, f"{name}.variance": variance}
    return y, {key: KEPT * running[key] + (1 - KEPT) * value for key, value in moved.items()}


def loss_of(strides: tuple[int, ...], w: Any, running: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return the mean cross-entropy of a mini-batch, and the running statistics that it leaves."""
    x, moved = norm(w, running, "batchnorm1", conv(w, "conv1.weight", x))
    x = jax.nn.relu(x)
    for number, stride in enumerate(strides, start=1):
        path, beside = f"residual{number}.layers", f"residual{number}.shortcut"
        z, one = norm(w, running, f"{path}.batchnorm1", conv(w, f"{path}.conv1.weight", x, stride))
        z, two = norm(w, running, f"{path}.batchnorm2", conv(w, f"{path}.conv2.weight", jax.nn.relu(z)))
        moved |= one | two
        if f"{beside}.conv1.weight" in w:
            x, three = norm(w, running, f"{beside}.batchnorm1", conv(w, f"{beside}.conv1.weight", x, stride))
            moved |= three
        x = jax.nn.relu(z + x)
    logits = x.mean((2, 3)) @ w["dense1.weight"].T + w["dense1.bias"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean(), moved


class HandWritten:
    """A plain training loop over arrays that are on the device already."""

    def __init__(self, case: Case) -> None:
        if not isinstance(case.optimizer, Momentum):
            raise TypeError(f"this loop has SGD with momentum alone, but got {case.optimizer}")
        rate, momentum = case.optimizer.learning_rate, case.optimizer.momentum
        strides = tuple(stride for _filters, stride in case.blocks())
        self.x, self.y = jnp.array(case.x), jnp.array(case.y)
        w = {name: jnp.array(value) for name, value in case.weights.items() if is_trained(name)}
        running = {name: jnp.array(value) for name, value in case.weights.items() if not is_trained(name)}
        self.state: Any = (w, jax.tree.map(jnp.zeros_like, w), running)
        self.loss: Any = None

        def step(state: Any, x: Any, y: Any, indices: Any) -> Any:
            w, velocity, running = state
            of_batch = jax.value_and_grad(lambda w: loss_of(strides, w, running, x[indices], y[indices]), has_aux=True)
            (loss, running), gradients = of_batch(w)
            velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradients)
            return (jax.tree.map(lambda p, v: p - rate * v, w, velocity), velocity, running), loss

        self.step: Any = jax.jit(step, donate_argnums=0) if case.mode == "graph" else step

    def train(self, order: Any) -> None:
        for indices in order:
            self.state, self.loss = self.step(self.state, self.x, self.y, indices)

    def synchronize(self) -> None:
        jax.block_until_ready(self.state)

    def last_loss(self) -> float:
        """Return the loss of the last step."""
        return float(self.loss)


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
