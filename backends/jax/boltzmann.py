"""Boltzmann machines on JAX's arrays: the stages of `harness/boltzmann.py`, without automatic differentiation.

JAX's own generator draws, from a key per update and per draw, in every mode and on every device.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from backends.jax.blocks import Blocks, Rows, jitted, reported
from backends.jax.devices import copy_to, device_of, peak_memory
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, statistics_names
from harness.contract import Arrays, DeviceMemory, Split
from harness.spec import DeviceKind, Mode

Tensors = dict[str, Any]
Draw = Callable[[str, Any], Any]
Update = tuple[Tensors, Tensors, list[Any]]
"""Gradients, what else of the state has changed, and the statistics."""


def rbm_gradients(stage: Rbm, w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)`, the chain if one is kept, and the statistics."""
    up = 2.0 if stage.doubled == "visible" else 1.0
    down = 2.0 if stage.doubled == "hidden" else 1.0
    v0 = draw("picture", x)
    if stage.recognise:
        v0 = draw("below", above(v0, w["below.weight"], w["below.bias"], float(stage.recognise_copies)))
    p0 = above(v0, w["weight"], w["hidden_bias"], up)
    h = w["chain"] if stage.persistent else draw("hidden0", p0)
    for k in range(1, steps + 1):
        v = draw(f"visible{k}", below(h, w["weight"], w["visible_bias"], down))
        p = above(v, w["weight"], w["hidden_bias"], up)
        if k < steps or stage.persistent:
            h = draw(f"hidden{k}", p)
    b = len(x)
    gradients = {
        "weight": (outer(v0, p0) - outer(v, p)) / b,
        "visible_bias": (v0 - v).mean(axis=0),
        "hidden_bias": (p0 - p).mean(axis=0),
    }
    return gradients, {"chain": h} if stage.persistent else {}, [jnp.square(v0 - v).sum() / b]


def above(x: Any, weight: Any, bias: Any, copies: float = 1.0) -> Any:
    """Return `s(copies (x weight + bias))`."""
    return jax.nn.sigmoid(copies * (x @ weight + bias))


def below(h: Any, weight: Any, bias: Any, copies: float = 1.0) -> Any:
    """Return `s(copies (h weight' + bias))`."""
    return jax.nn.sigmoid(copies * (turned(h, weight) + bias))


def turned(h: Any, weight: Any) -> Any:
    """Return `h weight'`, without a turned copy even op by op."""
    return lax.dot_general(h, weight, (((1,), (1,)), ((), ())))


def outer(left: Any, right: Any) -> Any:
    """Return `left' right`."""
    return lax.dot_general(left, right, (((0,), (0,)), ((), ())))


def mean_field(w: Tensors, v: Any, steps: int) -> tuple[Any, Any, Any]:
    """Return m1 `(B, H1)`, m2 `(B, H2)` and the mean absolute change of m1 in the last step."""
    from_below = v @ w["weight1"]
    m1 = jax.nn.sigmoid(2.0 * from_below + w["hidden1_bias"])
    m2 = above(m1, w["weight2"], w["hidden2_bias"])
    before = m1
    for _ in range(steps):
        before = m1
        m1 = jax.nn.sigmoid(from_below + turned(m2, w["weight2"]) + w["hidden1_bias"])
        m2 = above(m1, w["weight2"], w["hidden2_bias"])
    return m1, m2, jnp.abs(m1 - before).mean()


def joint_gradients(stage: Joint, w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)`, chains and running means, and the statistics."""
    v = draw("picture", x)
    m1, m2, change = mean_field(w, v, stage.mean_field_steps)
    q1 = w["chain"]
    for k in range(1, steps + 1):
        h1 = draw(f"hidden1.{k}", q1)
        h2 = draw(f"hidden2.{k}", above(h1, w["weight2"], w["hidden2_bias"]))
        fantasy = draw(f"visible{k}", below(h1, w["weight1"], w["visible_bias"]))
        q1 = jax.nn.sigmoid(fantasy @ w["weight1"] + turned(h2, w["weight2"]) + w["hidden1_bias"])
    q2 = above(q1, w["weight2"], w["hidden2_bias"])
    kept = {"chain": q1}
    means = [units.mean(axis=0) for units in (v, m1, m2)]
    e = []
    for name, mean, target in zip(("mean1", "mean2"), means[1:], stage.sparsity_targets, strict=True):
        kept[name] = stage.sparsity_damping * w[name] + (1 - stage.sparsity_damping) * mean
        e.append(stage.sparsity_cost * (kept[name] - target))
    b, c = len(x), len(q1)
    gradients = {
        "weight1": outer(v, m1) / b - outer(fantasy, q1) / c - jnp.outer(means[0], e[0]),
        "weight2": outer(m1, m2) / b - outer(q1, q2) / c - jnp.outer(means[1], e[1]) - jnp.outer(e[0], means[2]),
        "visible_bias": means[0] - fantasy.mean(axis=0),
        "hidden1_bias": means[1] - q1.mean(axis=0) - e[0],
        "hidden2_bias": means[2] - q2.mean(axis=0) - e[1],
    }
    error = jnp.square(v - below(m1, w["weight1"], w["visible_bias"])).sum() / b
    return gradients, kept, [error, change, *(units.mean() for units in (fantasy, q1, q2))]


def wake_sleep_gradients(w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)`, nothing else of the state, and the statistics."""
    v = draw("picture", x)
    h = draw("hidden1.0", above(v, w["recognition"], w["recognition_bias"]))
    p0 = above(h, w["weight2"], w["hidden2_bias"])
    g = draw("hidden2.0", p0)
    for k in range(1, steps + 1):
        n = draw(f"hidden1.{k}", below(g, w["weight2"], w["hidden1_bias"]))
        p = above(n, w["weight2"], w["hidden2_bias"])
        if k < steps:
            g = draw(f"hidden2.{k}", p)
    dream = draw("dream", below(n, w["generation"], w["visible_bias"]))
    missed = v - below(h, w["generation"], w["visible_bias"])
    unseen = n - above(dream, w["recognition"], w["recognition_bias"])
    b = len(x)
    gradients = {
        "weight2": (outer(h, p0) - outer(n, p)) / b,
        "hidden1_bias": (h - n).mean(axis=0),
        "hidden2_bias": (p0 - p).mean(axis=0),
        "generation": outer(missed, h) / b,
        "visible_bias": missed.mean(axis=0),
        "recognition": outer(dream, unseen) / b,
        "recognition_bias": unseen.mean(axis=0),
    }
    return gradients, {}, [jnp.square(missed).sum() / b]


def one_update(stage: Stage, gibbs_steps: int, w: Tensors, data: Tensors, row: Rows) -> tuple[Tensors, Any]:
    """Return the state after one update, and its statistics; draw what the row has no tape of."""
    tape = row.get("tape", {})
    key = jax.random.fold_in(data["key"], row["draw"])
    drawn = iter(range(1_000_000))

    def draw(name: str, p: Any) -> Any:
        u = tape[name] if tape else jax.random.uniform(jax.random.fold_in(key, next(drawn)), p.shape)
        return (u < p).astype(p.dtype)

    x = data["x"][row["indices"]]
    match stage:
        case Rbm() as rbm:
            gradients, kept, report = rbm_gradients(rbm, w, x, draw, gibbs_steps)
        case Joint() as joint:
            gradients, kept, report = joint_gradients(joint, w, x, draw, gibbs_steps)
        case WakeSleep():
            gradients, kept, report = wake_sleep_gradients(w, x, draw, gibbs_steps)
    rate, momentum = row["rates"][0], row["rates"][1]
    for name, gradient in gradients.items():
        pull = gradient - stage.weight_decay * w[name] if gradient.ndim == 2 else gradient
        kept[f"velocity.{name}"] = momentum * w[f"velocity.{name}"] + rate * pull
        kept[name] = w[name] + kept[f"velocity.{name}"]
    return w | kept, jnp.stack(report)


def forward(stage: Stage, steps: int, w: Tensors, pictures: Any, indices: Any) -> Any:
    """Return what the machine makes of some pictures."""
    x = pictures[indices]
    match stage:
        case Joint():
            return jnp.concatenate(mean_field(w, x, steps)[:2], axis=1)
        case WakeSleep():
            return above(above(x, w["recognition"], w["recognition_bias"]), w["weight2"], w["hidden2_bias"])
        case Rbm(doubled=doubled, recognise=pixels, recognise_copies=copies):
            if pixels:
                x = above(x, w["below.weight"], w["below.bias"], float(copies))
            return above(x, w["weight"], w["hidden_bias"], 2.0 if doubled == "visible" else 1.0)


@cache
def updates_of(stage: Stage, gibbs_steps: int, mode: Mode) -> Blocks:
    """Return what makes the updates of a stage."""
    return Blocks(partial(one_update, stage, gibbs_steps), mode, looped=True)


@cache
def forward_of(stage: Stage, steps: int, mode: Mode) -> Callable[..., Any]:
    """Return the pass for features."""
    run = partial(forward, stage, steps)
    return jitted(run) if mode == "graph" else run  # type: ignore[no-any-return]


class JaxBoltzmann:
    """One stage on one device."""

    def __init__(self, stage: Stage, state: Arrays, *, device: DeviceKind, mode: Mode, seed: int) -> None:
        self.stage = stage
        self.mode = mode
        self.device = device_of(device)
        self.key = jax.device_put(jax.random.key(seed), self.device)
        self.w = {name: copy_to(self.device, np.asarray(value, np.float32)) for name, value in state.items()}
        self.data: Tensors = {}
        self.update = 0
        self.reports: list[Any] = []
        self.count = 0
        self.pending: list[Any] = []

    def load(self, arrays: Arrays) -> None:
        self.data = {name: copy_to(self.device, np.asarray(array, np.float32)) for name, array in arrays.items()}

    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        self.count = len(order)
        rows: Rows = {
            "indices": order,
            "rates": rates,
            "draw": np.arange(self.update, self.update + self.count, dtype=np.int32),
        }
        if tape is not None:
            rows["tape"] = {name: np.asarray(values, np.float32) for name, values in tape.items()}
        data = {"x": self.data["train_x"], "key": self.key}
        self.w, self.reports = updates_of(self.stage, gibbs_steps, self.mode).run(self.w, data, rows)
        self.update += self.count

    def synchronize(self) -> None:
        jax.block_until_ready((self.w, self.reports, self.pending))
        self.pending = []

    def statistics(self) -> dict[str, NDArray[np.float32]]:
        names = statistics_names(self.stage)
        return dict(zip(names, reported(self.reports, self.count).T.copy(), strict=True))

    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Any:
        outputs = forward_of(self.stage, steps, self.mode)(self.w, self.data[f"{split}_x"], indices)
        self.pending.append(outputs)
        return outputs

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.array(outputs)

    def state(self) -> dict[str, NDArray[np.float32]]:
        return {name: np.array(value) for name, value in self.w.items()}

    def device_memory(self) -> DeviceMemory:
        return peak_memory(self.device)
