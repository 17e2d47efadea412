"""The NumPy backend: the reference that parity compares every framework with. Not built for speed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.numpy.boltzmann import NumpyBoltzmann
from backends.numpy.nets import Net
from backends.numpy.optimizers import Updater
from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Device, DeviceMemory, Split, Trap
from harness.language import Sentence, Words, noop
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task


class NumpyProgram:
    """One task, in float64 or float32; every call has finished when it returns."""

    def __init__(self, task: Task, optimizer: Optimizer, weights: Arrays, seed: int, dtype: type = np.float64) -> None:
        self.dtype = dtype
        self.net = Net(task, dict(weights), seed, dtype)
        self.updater = Updater(optimizer)
        self.data: dict[str, NDArray[Any]] = {}
        self.last_losses: list[float] = []

    def load(self, arrays: Arrays) -> None:
        self.data = dict(arrays)

    def _batch(self, split: Split, indices: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
        x = self.data[f"{split}_x"][indices]  # tokens are row numbers and stay whole
        return (x if x.dtype == np.int32 else x.astype(self.dtype)), self.data[f"{split}_y"][indices]

    def train(self, order: NDArray[np.int32]) -> None:
        self.last_losses = []
        for indices in order:
            loss, gradients = self.net.loss_and_gradients(*self._batch("train", indices))
            self.updater.update(self.net.parameters, gradients)
            self.last_losses.append(loss)

    def synchronize(self) -> None:
        """Do nothing: NumPy computes before it returns."""

    def losses(self) -> NDArray[np.float32]:
        return np.array(self.last_losses, dtype=np.float32)

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
        return self.net.loss_and_gradients(*self._batch("train", indices))[1]

    def predict(self, split: Split, indices: NDArray[np.int32]) -> NDArray[np.float64]:
        return self.net.forward(self._batch(split, indices)[0], training=False)[0]

    def host(self, outputs: NDArray[np.float64]) -> NDArray[Any]:
        return outputs

    def parameters(self) -> dict[str, NDArray[Any]]:
        return {name: value.copy() for name, value in self.net.parameters.items()}

    def device_memory(self) -> DeviceMemory:
        return DeviceMemory(reason=noop("NumPy has no allocator of its own; see host_peak_bytes"))


class NumpyBackend:
    """Float64 (or float32) on the CPU, eager only."""

    name = "numpy"
    default_mode: Mode = "eager"

    def __init__(self, dtype: type = np.float64) -> None:
        self.dtype = dtype

    def single(self) -> "NumpyBackend":
        """Return the same in float32: how far it lies from float64 says what float32 can resolve of a sum."""
        return NumpyBackend(np.float32)

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def settings(self) -> dict[str, str]:
        return {"precision": np.dtype(self.dtype).name}

    def devices(self) -> tuple[Device, ...]:
        return (Device(kind="cpu", name="cpu"),)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager",)

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        if device != "cpu":
            return Sentence("NumPy computes on the CPU only, not on {device}", device=device)
        if mode != "eager":
            return Sentence("NumPy has no {mode} mode, only eager", mode=mode)
        return None

    def traps(self) -> tuple[Trap, ...]:
        return ()

    def compiled(self) -> dict[Mode, int]:
        return {}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> NumpyProgram:
        return NumpyProgram(task, optimizer, weights, seed, self.dtype)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> NumpyBoltzmann:
        return NumpyBoltzmann(stage, state, seed)

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        a, b, c = (np.ones((side, side), np.float32) for _ in range(3))
        return lambda: void(np.matmul(a, b, out=c))

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        source, target = (np.ones(numbers, np.float32) for _ in range(2))
        return lambda: np.copyto(target, source)


def void(_: object) -> None:
    """Drop a result."""


def backend() -> Backend:
    return NumpyBackend()
