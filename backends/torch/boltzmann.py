"""Boltzmann machines on torch tensors: the stages of `harness/boltzmann.py`, no autograd, no host round trip.

In graph mode the update of one mini-batch is compiled by `torch.compile`, with the drawing of its random numbers in it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backends.torch import DEVICES, nets
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, draw_shapes, statistics_names
from harness.contract import Arrays, DeviceMemory, Split
from harness.language import Sentence
from harness.spec import DeviceKind, Mode

Tensors = dict[str, Tensor]
Draw = Callable[[str, Tensor], Tensor]
Update = tuple[Tensors, list[Tensor]]


def rbm_gradients(stage: Rbm, w: Tensors, x: Tensor, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)` and its statistics; moves a kept chain."""
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
    if stage.persistent:
        w["chain"].copy_(h)  # in place: a compiled update goes on with the tensors that it was traced with
    b = len(x)
    gradients = {
        "weight": torch.addmm(v0.T @ p0, v.T, p, alpha=-1.0).div_(b),
        "visible_bias": (v0 - v).mean(dim=0),
        "hidden_bias": (p0 - p).mean(dim=0),
    }
    return gradients, [(v0 - v).square().sum() / b]


def probabilities(x: Tensor, weight: Tensor, bias: Tensor, copies: float) -> Tensor:
    """Return `s(copies (x weight + bias))`."""
    return torch.addmm(bias, x, weight, beta=copies, alpha=copies).sigmoid_()


def mean_field(w: Tensors, v: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return m1 `(B, H1)`, m2 `(B, H2)` and the mean absolute change of m1 in the last step."""
    from_below = torch.addmm(w["hidden1_bias"], v, w["weight1"])
    # 2 v W1 + b, from v W1 + b
    m1 = (2 * from_below - w["hidden1_bias"]).sigmoid_()
    m2 = probabilities(m1, w["weight2"], w["hidden2_bias"], 1.0)
    before = m1
    for _ in range(steps):
        before = m1
        m1 = torch.addmm(from_below, m2, w["weight2"].T).sigmoid_()
        m2 = probabilities(m1, w["weight2"], w["hidden2_bias"], 1.0)
    return m1, m2, (m1 - before).abs().mean()


def joint_gradients(stage: Joint, w: Tensors, x: Tensor, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)` and its statistics; moves chains and running means."""
    v = draw("picture", x)
    m1, m2, change = mean_field(w, v, stage.mean_field_steps)
    q1 = w["chain"]
    for k in range(1, steps + 1):
        h1 = draw(f"hidden1.{k}", q1)
        h2 = draw(f"hidden2.{k}", probabilities(h1, w["weight2"], w["hidden2_bias"], 1.0))
        fantasy = draw(f"visible{k}", probabilities(h1, w["weight1"].T, w["visible_bias"], 1.0))
        q1 = torch.addmm(torch.addmm(w["hidden1_bias"], fantasy, w["weight1"]), h2, w["weight2"].T).sigmoid_()
    q2 = probabilities(q1, w["weight2"], w["hidden2_bias"], 1.0)
    w["chain"].copy_(q1)
    means = v.mean(dim=0), m1.mean(dim=0), m2.mean(dim=0)
    e = []
    for name, mean, target in zip(("mean1", "mean2"), means[1:], stage.sparsity_targets, strict=True):
        w[name].mul_(stage.sparsity_damping).add_(mean, alpha=1 - stage.sparsity_damping)
        e.append(stage.sparsity_cost * (w[name] - target))
    b, c = len(x), len(q1)
    gradients = {
        "weight1": torch.addmm(v.T @ m1 / b, fantasy.T, q1, alpha=-1 / c).addr_(means[0], e[0], alpha=-1),
        "weight2": torch.addmm(m1.T @ m2 / b, q1.T, q2, alpha=-1 / c)
        .addr_(means[1], e[1], alpha=-1)
        .addr_(e[0], means[2], alpha=-1),
        "visible_bias": means[0] - fantasy.mean(dim=0),
        "hidden1_bias": means[1] - q1.mean(dim=0) - e[0],
        "hidden2_bias": means[2] - q2.mean(dim=0) - e[1],
    }
    error = (v - probabilities(m1, w["weight1"].T, w["visible_bias"], 1.0)).square().sum() / b
    return gradients, [error, change, fantasy.mean(), q1.mean(), q2.mean()]


def wake_sleep_gradients(w: Tensors, x: Tensor, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)` and its statistics."""
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
    b = len(x)
    gradients = {
        "weight2": torch.addmm(h.T @ p0, n.T, p, alpha=-1.0).div_(b),
        "hidden1_bias": (h - n).mean(dim=0),
        "hidden2_bias": (p0 - p).mean(dim=0),
        "generation": (missed.T @ h).div_(b),
        "visible_bias": missed.mean(dim=0),
        "recognition": (dream.T @ unseen).div_(b),
        "recognition_bias": unseen.mean(dim=0),
    }
    return gradients, [missed.square().sum() / b]


class TorchBoltzmann:
    """One stage on one device; `update` is compiled in graph mode."""

    def __init__(self, stage: Stage, state: Arrays, *, device: DeviceKind, mode: Mode, seed: int) -> None:
        self.stage = stage
        self.device = torch.device(DEVICES[device])
        self.module = torch.get_device_module(self.device)
        torch.manual_seed(seed)
        self.w = {name: torch.from_numpy(np.array(value, np.float32)).to(self.device) for name, value in state.items()}
        self.data: Tensors = {}
        self.rows: list[Tensor] = []
        if mode == "graph":
            nets.compile_or_raise()
        self.update: Any = torch.compile(self.one_update, dynamic=False) if mode == "graph" else self.one_update

    def load(self, arrays: Arrays) -> None:
        self.data = {name: torch.from_numpy(np.array(array)).to(self.device) for name, array in arrays.items()}

    @torch.no_grad()
    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        x, numbers = self.data["train_x"], torch.from_numpy(rates).to(self.device)
        tapes = None if tape is None else {k: torch.from_numpy(v).to(self.device) for k, v in tape.items()}
        self.rows = []
        for n, indices in enumerate(torch.tensor(order, device=self.device)):
            uniform = None if tapes is None else {name: values[n] for name, values in tapes.items()}
            self.rows.append(self.update(x[indices], numbers[n, 0], numbers[n, 1], gibbs_steps, uniform))

    def one_update(
        self, x: Tensor, rate: Tensor, momentum: Tensor, gibbs_steps: int, uniform: Tensors | None
    ) -> Tensor:
        """Make one update on a mini-batch x `(B, V)` and return its statistics."""

        def draw(name: str, p: Tensor) -> Tensor:
            u = torch.rand(shapes[name], device=p.device) if uniform is None else uniform[name]
            return (u < p).to(p.dtype)

        shapes = draw_shapes(self.stage, len(x), gibbs_steps)
        match self.stage:
            case Rbm() as rbm:
                gradients, row = rbm_gradients(rbm, self.w, x, draw, gibbs_steps)
            case Joint() as joint:
                gradients, row = joint_gradients(joint, self.w, x, draw, gibbs_steps)
            case WakeSleep():
                gradients, row = wake_sleep_gradients(self.w, x, draw, gibbs_steps)
        for name, gradient in gradients.items():
            w, velocity = self.w[name], self.w[f"velocity.{name}"]
            if gradient.ndim == 2:
                gradient.add_(w, alpha=-self.stage.weight_decay)
            w.add_(velocity.mul_(momentum).add_(gradient.mul_(rate)))
        return torch.stack(row)

    def synchronize(self) -> None:
        self.module.synchronize()

    def statistics(self) -> dict[str, NDArray[np.float32]]:
        table = torch.stack(self.rows).cpu().numpy()
        return dict(zip(statistics_names(self.stage), table.T, strict=True))

    @torch.no_grad()
    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Tensor:
        x = self.data[f"{split}_x"][torch.from_numpy(indices).to(self.device)]
        match self.stage:
            case Joint():
                return torch.cat(mean_field(self.w, x, steps)[:2], dim=1)
            case WakeSleep():
                x = probabilities(x, self.w["recognition"], self.w["recognition_bias"], 1.0)
                return probabilities(x, self.w["weight2"], self.w["hidden2_bias"], 1.0)
            case Rbm(doubled=doubled, recognise=below, recognise_copies=copies):
                if below:
                    x = probabilities(x, self.w["below.weight"], self.w["below.bias"], float(copies))
                return probabilities(x, self.w["weight"], self.w["hidden_bias"], 2.0 if doubled == "visible" else 1.0)

    def host(self, outputs: Tensor) -> NDArray[np.float32]:
        return np.asarray(outputs.cpu().numpy())

    def state(self) -> dict[str, NDArray[np.float32]]:
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.w.items()}

    def device_memory(self) -> DeviceMemory:
        if self.device.type == "cpu":
            return DeviceMemory(
                reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="torch")
            )
        return DeviceMemory(peak_bytes=self.module.max_memory_allocated())
