"""A deliberately bad plug-in: backends that keep the contract but for one fault each, computed by NumPy.

`tests/test_plugins.py` has the check that must name each of them.
"""

from typing import Any

import numpy as np

from backends.numpy.adapter import NumpyBackend, NumpyProgram
from backends.numpy.boltzmann import NumpyBoltzmann
from harness.contract import Backend, DeviceMemory


class Program(NumpyProgram):
    """The reference in the contract's types."""

    def gradients(self, indices: Any) -> Any:
        return {name: value.astype(np.float32) for name, value in super().gradients(indices).items()}

    def host(self, outputs: Any) -> Any:
        return outputs.astype(np.float32)

    def parameters(self) -> Any:
        return {name: value.astype(np.float32) for name, value in self.net.parameters.items()}


def plugin(program: dict[str, Any] | None = None, **backend: Any) -> Backend:
    """Return an honest backend with some methods of its program, or of itself, replaced."""
    made = type("BadProgram", (Program,), program or {})

    class Plugin(NumpyBackend):
        name = "bad"

        def build(self, task: Any, optimizer: Any, *, weights: Any, seed: int, **_: Any) -> Any:
            return made(task, optimizer, weights, seed)

    found: Backend = type("Bad", (Plugin,), backend)()
    return found


def honest() -> Backend:
    return plugin()


def misnamed() -> Backend:
    return plugin(name="good")


def unversioned() -> Backend:
    return plugin(versions=lambda self: {})


def takes_any_device() -> Backend:
    return plugin(why_not=lambda self, task, device, mode: None)


def curt() -> Backend:
    return plugin(why_not=lambda self, task, device, mode: None if (device, mode) == ("cpu", "eager") else "no")


def never_learns() -> Backend:
    def train(self: Any, order: Any) -> None:
        self.last_losses = [1.0 for _ in order]

    return plugin({"train": train})


def own_weights() -> Backend:
    def init(self: Any, task: Any, optimizer: Any, weights: Any, seed: int) -> None:
        other = {name: value * np.float32(0.9) for name, value in weights.items()}
        Program.__init__(self, task, optimizer, other, seed)

    return plugin({"__init__": init})


def sums_the_loss() -> Backend:
    def losses(self: Any) -> Any:
        return 8 * NumpyProgram.losses(self)

    return plugin({"losses": losses})


def last_loss_only() -> Backend:
    def losses(self: Any) -> Any:
        return NumpyProgram.losses(self)[-20:] if len(self.last_losses) >= 20 else NumpyProgram.losses(self)[-1:]

    return plugin({"losses": losses})


def gradients_move() -> Backend:
    def gradients(self: Any, indices: Any) -> Any:
        self.train(indices[None])
        return Program.gradients(self, indices)

    return plugin({"gradients": gradients})


def shares_memory() -> Backend:
    def parameters(self: Any) -> Any:
        self.shared = getattr(self, "shared", {})
        for name, value in Program.parameters(self).items():
            self.shared.setdefault(name, value)[...] = value
        return dict(self.shared)

    def train(self: Any, order: Any) -> None:
        NumpyProgram.train(self, order)
        if hasattr(self, "shared"):
            self.parameters()

    return plugin({"parameters": parameters, "train": train})


def writes_what_it_was_given() -> Backend:
    def train(self: Any, order: Any) -> None:
        NumpyProgram.train(self, order)
        if order.flags.writeable:
            order[:] = 0

    return plugin({"train": train})


def forgetful_dropout() -> Backend:
    def gradients(self: Any, indices: Any) -> Any:
        self.net.random = np.random.default_rng(0)
        return Program.gradients(self, indices)

    return plugin({"gradients": gradients})


def half_precision() -> Backend:
    def host(self: Any, outputs: Any) -> Any:
        return outputs.astype(np.float16).astype(np.float32)

    return plugin({"host": host})


def silent_on_memory() -> Backend:
    return plugin({"device_memory": lambda self: DeviceMemory()})


def compiles_in_eager_mode() -> Backend:
    return plugin(compiled=lambda self: {"graph": 3})


def same_noise() -> Backend:
    class Stage(NumpyBoltzmann):
        def train(self, order: Any, rates: Any, **how: Any) -> None:
            self.random = np.random.default_rng(0)
            super().train(order, rates, **how)

    return plugin(build_boltzmann=lambda self, stage, *, state, seed, **_: Stage(stage, state, seed))


def waits_for_nothing() -> Backend:
    def synchronize(self: Any) -> None:
        self.queued = False

    def losses(self: Any) -> Any:
        if pending := getattr(self, "pending", None):
            self.pending = None
            NumpyProgram.train(self, pending[0])
        return NumpyProgram.losses(self)

    def train(self: Any, order: Any) -> None:
        losses(self)
        self.pending = (order,)

    def parameters(self: Any) -> Any:
        losses(self)
        return Program.parameters(self)

    return plugin({"synchronize": synchronize, "losses": losses, "train": train, "parameters": parameters})


def idle_probes() -> Backend:
    return plugin(product_probe=lambda self, device, side: lambda: None)


def dies() -> Backend:
    def build(self: Any, *_: Any, **__: Any) -> Any:
        import os

        os.abort()

    return plugin(build=build)
