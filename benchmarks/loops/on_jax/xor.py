"""JAX by hand on XOR: one jitted step a call, and a scan of all steps in one call. Adam is written out."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.loops.case import Case
from harness.optimizers import Adam


def adam_step(loss_of: Callable[..., Any], optimizer: Adam) -> Callable[[Any, Any, Any, Any], Any]:
    """Return one step of Adam, from state `(w, m, v, t)`, examples and indices to the next state and the loss."""
    b1, b2, epsilon, rate = optimizer.beta1, optimizer.beta2, optimizer.epsilon, optimizer.learning_rate
    most = optimizer.clip_norm

    def step(state: Any, x: Any, y: Any, indices: Any) -> Any:
        w, m, v, t = state
        loss, g = jax.value_and_grad(loss_of)(w, x[indices], y[indices], t)
        if most is not None:
            norm = jnp.sqrt(sum(jnp.square(one).sum() for one in jax.tree.leaves(g)))
            g = jax.tree.map(lambda one: one * jnp.minimum(1.0, most / norm), g)
        t = t + 1
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
        one, two = 1 - b1**t, 1 - b2**t
        w = jax.tree.map(lambda w, m, v: w - rate * (m / one) / (jnp.sqrt(v / two) + epsilon), w, m, v)
        return (w, m, v, t), loss

    return step


class HandWritten:
    """A plain training loop over arrays that are on the device already; `scanned` makes all steps in one call."""

    def __init__(self, case: Case, loss_of: Callable[..., Any], *, scanned: bool) -> None:
        self.x, self.y = jnp.array(case.x), jnp.array(case.y)
        w = {name: jnp.array(value) for name, value in case.weights.items()}
        zeros = [jax.tree.map(jnp.zeros_like, w) for _ in range(2)]
        self.state: Any = (w, *zeros, jnp.array(0))
        if not isinstance(case.optimizer, Adam):
            raise TypeError(f"these loops have Adam alone, but got {case.optimizer}")
        step = adam_step(loss_of, case.optimizer)
        self.scanned = scanned
        self.loss: Any = None

        def scan(state: Any, x: Any, y: Any, order: Any) -> Any:
            return lax.scan(lambda state, indices: step(state, x, y, indices), state, order)

        run = scan if scanned else step
        self.run: Any = jax.jit(run, donate_argnums=0) if case.mode == "graph" else run

    def train(self, order: Any) -> None:
        if self.scanned:
            self.state, self.loss = self.run(self.state, self.x, self.y, order)
            return
        for indices in order:
            self.state, self.loss = self.run(self.state, self.x, self.y, indices)

    def last_loss(self) -> float:
        """Return the loss of the last step."""
        return float(self.loss.ravel()[-1])

    def synchronize(self) -> None:
        jax.block_until_ready(self.state)


def both(case: Case, loss_of: Callable[..., Any]) -> dict[str, Any]:
    """Return one step a call, and in graph mode a scan as well: op by op it would be compiled all the same."""
    found = {"by hand": HandWritten(case, loss_of, scanned=False)}
    if case.mode == "graph":
        found["by hand, scan"] = HandWritten(case, loss_of, scanned=True)
    return found


def loss_of(w: Any, x: Any, y: Any, _t: Any) -> Any:
    """Return the mean cross-entropy of a net of 8 hidden units."""
    hidden = jnp.tanh(x @ w["dense1.weight"].T + w["dense1.bias"])
    logits = hidden @ w["dense2.weight"].T + w["dense2.bias"]
    y = y.reshape(logits.shape)
    return (jax.nn.softplus(logits) - logits * y).mean()


def candidates(case: Case) -> dict[str, Any]:
    return both(case, loss_of)
