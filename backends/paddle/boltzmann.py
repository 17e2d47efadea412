"""Boltzmann machines on Paddle's tensors: the stages of `harness/boltzmann.py`, without gradients of Paddle's own.

An update is a function of the tensors that it moves: it returns new ones, and in graph mode one graph computes them
all, with the drawing of its random numbers in it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from backends.paddle import nets
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, draw_shapes, statistics_names
from harness.contract import Arrays, DeviceMemory, Split
from harness.language import Sentence
from harness.spec import DeviceKind, Mode

Tensors = dict[str, Any]
Draw = Callable[[str, Any], Any]
Update = tuple[Tensors, Tensors, list[Any]]
"""The uphill gradients, what else has moved, and the statistics."""


def rbm_gradients(stage: Rbm, w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return what one mini-batch x `(B, V)` gives."""
    up = 2.0 if stage.doubled == "visible" else 1.0
    down = 2.0 if stage.doubled == "hidden" else 1.0
    v0 = draw("picture", x)
    if stage.recognise:
        v0 = draw("below", probabilities(v0, w["below.weight"], w["below.bias"], float(stage.recognise_copies)))
    p0 = probabilities(v0, w["weight"], w["hidden_bias"], up)
    h = w["chain"] if stage.persistent else draw("hidden0", p0)
    for k in range(1, steps + 1):
        v = draw(f"visible{k}", probabilities(h, w["weight"].T, w["visible_bias"], down))
        p = probabilities(v, w["weight"], w["hidden_bias"], up)
        if k < steps or stage.persistent:
            h = draw(f"hidden{k}", p)
    b = x.shape[0]
    gradients = {
        "weight": paddle.addmm(v0.T @ p0, v.T, p, alpha=-1 / b, beta=1 / b),
        "visible_bias": (v0 - v).mean(axis=0),
        "hidden_bias": (p0 - p).mean(axis=0),
    }
    return gradients, {"chain": h} if stage.persistent else {}, [(v0 - v).square().sum() / b]


def probabilities(x: Any, weight: Any, bias: Any, copies: float) -> Any:
    """Return `s(copies (x weight + bias))`."""
    return paddle.nn.functional.sigmoid(paddle.addmm(bias, x, weight, beta=copies, alpha=copies))


def mean_field(w: Tensors, v: Any, steps: int) -> tuple[Any, Any, Any]:
    """Return m1 `(B, H1)`, m2 `(B, H2)` and the mean absolute change of m1 in the last step."""
    from_below = paddle.addmm(w["hidden1_bias"], v, w["weight1"])
    # 2 v W1 + b, from v W1 + b
    m1 = paddle.nn.functional.sigmoid(2 * from_below - w["hidden1_bias"])
    m2 = probabilities(m1, w["weight2"], w["hidden2_bias"], 1.0)
    before = m1
    for _ in range(steps):
        before = m1
        m1 = paddle.nn.functional.sigmoid(paddle.addmm(from_below, m2, w["weight2"].T))
        m2 = probabilities(m1, w["weight2"], w["hidden2_bias"], 1.0)
    return m1, m2, (m1 - before).abs().mean()


def joint_gradients(stage: Joint, w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return what one mini-batch x `(B, V)` gives."""
    v = draw("picture", x)
    m1, m2, change = mean_field(w, v, stage.mean_field_steps)
    q1 = w["chain"]
    for k in range(1, steps + 1):
        h1 = draw(f"hidden1.{k}", q1)
        h2 = draw(f"hidden2.{k}", probabilities(h1, w["weight2"], w["hidden2_bias"], 1.0))
        fantasy = draw(f"visible{k}", probabilities(h1, w["weight1"].T, w["visible_bias"], 1.0))
        from_below = paddle.addmm(w["hidden1_bias"], fantasy, w["weight1"])
        q1 = paddle.nn.functional.sigmoid(paddle.addmm(from_below, h2, w["weight2"].T))
    q2 = probabilities(q1, w["weight2"], w["hidden2_bias"], 1.0)
    means = [units.mean(axis=0) for units in (v, m1, m2)]
    moved, e = {"chain": q1}, []
    for name, mean, target in zip(("mean1", "mean2"), means[1:], stage.sparsity_targets, strict=True):
        moved[name] = stage.sparsity_damping * w[name] + (1 - stage.sparsity_damping) * mean
        e.append(stage.sparsity_cost * (moved[name] - target))
    b, c = x.shape[0], q1.shape[0]
    gradients = {
        "weight1": paddle.addmm(v.T @ m1, fantasy.T, q1, beta=1 / b, alpha=-1 / c) - paddle.outer(means[0], e[0]),
        "weight2": paddle.addmm(m1.T @ m2, q1.T, q2, beta=1 / b, alpha=-1 / c)
        - paddle.outer(means[1], e[1])
        - paddle.outer(e[0], means[2]),
        "visible_bias": means[0] - fantasy.mean(axis=0),
        "hidden1_bias": means[1] - q1.mean(axis=0) - e[0],
        "hidden2_bias": means[2] - q2.mean(axis=0) - e[1],
    }
    error = (v - probabilities(m1, w["weight1"].T, w["visible_bias"], 1.0)).square().sum() / b
    return gradients, moved, [error, change, fantasy.mean(), q1.mean(), q2.mean()]


def wake_sleep_gradients(w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return what one mini-batch x `(B, V)` gives."""
    v = draw("picture", x)
    h = draw("hidden1.0", probabilities(v, w["recognition"], w["recognition_bias"], 1.0))
    p0 = probabilities(h, w["weight2"], w["hidden2_bias"], 1.0)
    g = draw("hidden2.0", p0)
    for k in range(1, steps + 1):
        n = draw(f"hidden1.{k}", probabilities(g, w["weight2"].T, w["hidden1_bias"], 1.0))
        p = probabilities(n, w["weight2"], w["hidden2_bias"], 1.0)
        if k < steps:
            g = draw(f"hidden2.{k}", p)
    dream = draw("dream", probabilities(n, w["generation"].T, w["visible_bias"], 1.0))
    missed = v - probabilities(h, w["generation"].T, w["visible_bias"], 1.0)
    unseen = n - probabilities(dream, w["recognition"], w["recognition_bias"], 1.0)
    b = x.shape[0]
    gradients = {
        "weight2": paddle.addmm(h.T @ p0, n.T, p, alpha=-1 / b, beta=1 / b),
        "hidden1_bias": (h - n).mean(axis=0),
        "hidden2_bias": (p0 - p).mean(axis=0),
        "generation": missed.T @ h / b,
        "visible_bias": missed.mean(axis=0),
        "recognition": dream.T @ unseen / b,
        "recognition_bias": unseen.mean(axis=0),
    }
    return gradients, {}, [missed.square().sum() / b]


class PaddleBoltzmann:
    """One stage on one device; `update` is one graph in graph mode."""

    def __init__(self, stage: Stage, state: Arrays, *, device: DeviceKind, mode: Mode) -> None:
        self.stage = stage
        self.device = device
        self.mode = mode
        self.w = {name: paddle.to_tensor(np.array(value, np.float32)) for name, value in state.items()}
        self.data: Tensors = {}
        self.rows: list[Any] = []
        self.updates: dict[int, Any] = {}

    def load(self, arrays: Arrays) -> None:
        self.data = {name: paddle.to_tensor(np.array(array, np.float32)) for name, array in arrays.items()}

    def update_of(self, gibbs_steps: int) -> Any:
        """Return the update with so many steps of the chains, made once."""
        if gibbs_steps not in self.updates:

            def update(x: Any, rate: Any, momentum: Any, w: Tensors, uniform: Tensors) -> tuple[Tensors, Any]:
                return one_update(self.stage, gibbs_steps, x, rate, momentum, w, uniform)

            self.updates[gibbs_steps] = nets.compiled(update) if self.mode == "graph" else update
        return self.updates[gibbs_steps]

    @paddle.no_grad()  # type: ignore[untyped-decorator]
    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        update = self.update_of(gibbs_steps)
        x, numbers = self.data["train_x"], paddle.to_tensor(rates)
        tapes = {name: paddle.to_tensor(values) for name, values in (tape or {}).items()}
        self.rows = []
        for n, indices in enumerate(paddle.to_tensor(order)):
            uniform = {name: values[n] for name, values in tapes.items()}
            pictures = paddle.gather(x, indices)
            self.w, row = update(pictures, numbers[n, 0], numbers[n, 1], self.w, uniform)
            self.rows.append(row)

    def synchronize(self) -> None:
        if self.device != "cpu":  # as in the adapter
            paddle.device.synchronize()

    def statistics(self) -> dict[str, NDArray[np.float32]]:
        table = paddle.stack(self.rows).numpy()
        return dict(zip(statistics_names(self.stage), table.T, strict=True))

    @paddle.no_grad()  # type: ignore[untyped-decorator]
    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Any:
        x = paddle.gather(self.data[f"{split}_x"], paddle.to_tensor(indices))
        match self.stage:
            case Joint():
                return paddle.concat(mean_field(self.w, x, steps)[:2], axis=1)
            case WakeSleep():
                x = probabilities(x, self.w["recognition"], self.w["recognition_bias"], 1.0)
                return probabilities(x, self.w["weight2"], self.w["hidden2_bias"], 1.0)
            case Rbm(doubled=doubled, recognise=below, recognise_copies=copies):
                if below:
                    x = probabilities(x, self.w["below.weight"], self.w["below.bias"], float(copies))
                return probabilities(x, self.w["weight"], self.w["hidden_bias"], 2.0 if doubled == "visible" else 1.0)

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.asarray(outputs.numpy())

    def state(self) -> dict[str, NDArray[np.float32]]:
        return {name: tensor.numpy() for name, tensor in self.w.items()}

    def device_memory(self) -> DeviceMemory:
        if self.device == "cpu":
            return DeviceMemory(
                reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="Paddle")
            )
        return DeviceMemory(peak_bytes=paddle.device.max_memory_allocated())


def one_update(
    stage: Stage, gibbs_steps: int, x: Any, rate: Any, momentum: Any, w: Tensors, uniform: Tensors
) -> tuple[Tensors, Any]:
    """Return the state after one update on a mini-batch x `(B, V)`, and its statistics.

    What `uniform` does not have is drawn.
    """
    shapes = draw_shapes(stage, x.shape[0], gibbs_steps)

    def draw(name: str, p: Any) -> Any:
        u = uniform[name] if uniform else paddle.rand(shapes[name])
        return (u < p).astype("float32")

    match stage:
        case Rbm():
            gradients, moved, row = rbm_gradients(stage, w, x, draw, gibbs_steps)
        case Joint():
            gradients, moved, row = joint_gradients(stage, w, x, draw, gibbs_steps)
        case WakeSleep():
            gradients, moved, row = wake_sleep_gradients(w, x, draw, gibbs_steps)
    after = w | moved
    for name, gradient in gradients.items():
        if gradient.ndim == 2:
            gradient = gradient - stage.weight_decay * w[name]
        velocity = momentum * w[f"velocity.{name}"] + rate * gradient
        after |= {name: w[name] + velocity, f"velocity.{name}": velocity}
    return after, paddle.stack(row)
