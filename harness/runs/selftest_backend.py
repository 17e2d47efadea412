"""Backends whose speed, memory, accuracy and ending are known, some of them dishonest; only `selftest` knows them.

They compute nothing. A device is played by a watch: work is queued by moving the moment at which the device will be
idle, and whoever waits for it waits until that moment, so that a late awakening is not added up. What is known stands
in the constants, and the liars differ from the honest one in the one method that they lie with.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, BoltzmannProgram, Device, DeviceMemory, Split, Trap
from harness.errors import ContractError
from harness.language import noop
from harness.measure.clock import Stopwatch
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task

STEP_S = 0.004
FIRST_STEP_S = 0.25
"""What the very first step takes, as if something were compiled in it."""
PREDICT_EXAMPLE_S = 0.001
SLOW_PREDICT_EXAMPLE_S = 0.005
KEPT_BYTES = 64 * 2**20
SPIKE_BYTES = 64 * 2**20
"""Taken for a moment within the first step, which is long enough to hide what that costs, and gone when it ends."""
WRONG_ONE_IN = 4
FAILS_AT_STEP = 77
REMEMBERED = 20
"""How many times faster a liar is with what it has seen."""


class FakeProgram:
    """An honest device that works in its own time; `train` and `predict` only queue."""

    predict_example_s = PREDICT_EXAMPLE_S
    wrong_one_in = WRONG_ONE_IN

    def __init__(self, weights: Arrays) -> None:
        self.weights = {name: np.array(value, np.float32) for name, value in weights.items()}
        # Not zeros, whose pages the kernel hands out only when they are written.
        self.kept = np.ones(KEPT_BYTES, np.uint8)
        self.watch = Stopwatch()
        self.idle_at = 0.0
        self.steps = 0
        self.last = 0
        self.arrays: dict[str, NDArray[Any]] = {}

    def queue(self, seconds: float) -> None:
        """Give the device work for so many seconds."""
        self.idle_at = max(self.idle_at, self.watch.seconds()) + seconds

    def wait(self) -> None:
        """Return when the device has no work left."""
        self.watch.wait_until(self.idle_at)

    def step_s(self, indices: NDArray[np.int32]) -> float:
        """Return what one optimizer step takes."""
        return STEP_S

    def fail(self) -> None:
        """Do nothing; a backend that fails does so here, after `FAILS_AT_STEP` steps."""

    def load(self, arrays: Arrays) -> None:
        self.arrays = dict(arrays)

    def train(self, order: NDArray[np.int32]) -> None:
        self.queue(sum(self.step_s(indices) for indices in order) + (0.0 if self.steps else FIRST_STEP_S - STEP_S))
        before, self.steps, self.last = self.steps, self.steps + len(order), len(order)
        if before == 0:
            np.ones(SPIKE_BYTES, np.uint8)
        if before < FAILS_AT_STEP <= self.steps:
            self.fail()

    def synchronize(self) -> None:
        self.wait()

    def losses(self) -> NDArray[np.float32]:
        self.wait()
        return (1 / np.arange(self.steps - self.last + 1, self.steps + 1)).astype(np.float32)

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        return {name: np.zeros_like(value) for name, value in self.weights.items()}

    def predict(self, split: Split, indices: NDArray[np.int32]) -> NDArray[np.float32]:
        self.queue(self.predict_example_s * len(indices))
        labels = np.asarray(self.arrays[f"{split}_y"])[indices]
        right = indices % self.wrong_one_in != 0
        return np.stack([labels != right, labels == right], axis=1).astype(np.float32)

    def host(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        self.wait()
        return outputs

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        self.wait()
        return {name: value.copy() for name, value in self.weights.items()}

    def device_memory(self) -> DeviceMemory:
        return DeviceMemory(reason=noop("the device is played by a watch"))


class SlowEvaluation(FakeProgram):
    """Honest; its forward passes take long."""

    predict_example_s = SLOW_PREDICT_EXAMPLE_S


class Misses(FakeProgram):
    """Honest; learns less."""

    wrong_one_in = 2


class EarlySynchronize(FakeProgram):
    """Says that its device has nothing left to do, while it has."""

    def synchronize(self) -> None:
        """Do not wait."""


class RemembersBatches(FakeProgram):
    """Trains on a mini-batch that it has seen before faster than on a new one."""

    def __init__(self, weights: Arrays) -> None:
        super().__init__(weights)
        self.seen: set[bytes] = set()

    def step_s(self, indices: NDArray[np.int32]) -> float:
        key = indices.tobytes()
        known = key in self.seen
        self.seen.add(key)
        return STEP_S / REMEMBERED if known else STEP_S


class RemembersOutputs(FakeProgram):
    """Gives outputs that it has given before from a table."""

    def __init__(self, weights: Arrays) -> None:
        super().__init__(weights)
        self.seen: set[bytes] = set()

    def predict(self, split: Split, indices: NDArray[np.int32]) -> NDArray[np.float32]:
        key = indices.tobytes()
        self.predict_example_s = PREDICT_EXAMPLE_S / (REMEMBERED if key in self.seen else 1)
        self.seen.add(key)
        return super().predict(split, indices)


class EvaluatesInside(FakeProgram):
    """Evaluates in every `train` call, as a harness does whose clock runs on during an evaluation."""

    def train(self, order: NDArray[np.int32]) -> None:
        super().train(order)
        self.predict("test", np.arange(len(self.arrays["test_y"]), dtype=np.int32))


class Crashes(FakeProgram):
    """Ends its process."""

    def fail(self) -> None:
        os.abort()


class Hangs(FakeProgram):
    """Never comes back."""

    def fail(self) -> None:
        threading.Event().wait()


class Exhausts(FakeProgram):
    """Takes memory until there is none."""

    def fail(self) -> None:
        taken: list[NDArray[np.uint8]] = []
        while True:
            taken.append(np.ones(SPIKE_BYTES, np.uint8))


class Diverges(FakeProgram):
    """Loses its loss."""

    def losses(self) -> NDArray[np.float32]:
        found = super().losses()
        steps = np.arange(self.steps - self.last + 1, self.steps + 1)
        return np.where(steps == FAILS_AT_STEP, np.float32(np.nan), found)


class FakeBackend:
    """Builds one kind of program, whatever the task."""

    default_mode: Mode = "eager"

    def __init__(self, program: type[FakeProgram]) -> None:
        self.name = program.__name__
        self.program = program

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def settings(self) -> dict[str, str]:
        return {}

    def devices(self) -> tuple[Device, ...]:
        return (Device(kind="cpu", name="a watch"),)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager",)

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> str | None:
        return None if device == "cpu" else "the self-test has no device but a watch"

    def traps(self) -> tuple[Trap, ...]:
        return ()

    def compiled(self) -> dict[Mode, int]:
        return {}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> FakeProgram:
        return self.program(weights)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> BoltzmannProgram:
        raise ContractError("the self-test's backend has no Boltzmann machine")

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        raise ContractError("the self-test's backend computes no products")

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        raise ContractError("the self-test's backend copies nothing")


def honest() -> Backend:
    return FakeBackend(FakeProgram)


def slow_evaluation() -> Backend:
    return FakeBackend(SlowEvaluation)


def misses() -> Backend:
    return FakeBackend(Misses)


def early_synchronize() -> Backend:
    return FakeBackend(EarlySynchronize)


def remembers_batches() -> Backend:
    return FakeBackend(RemembersBatches)


def remembers_outputs() -> Backend:
    return FakeBackend(RemembersOutputs)


def evaluates_inside() -> Backend:
    return FakeBackend(EvaluatesInside)


def crashes() -> Backend:
    return FakeBackend(Crashes)


def hangs() -> Backend:
    return FakeBackend(Hangs)


def exhausts() -> Backend:
    return FakeBackend(Exhausts)


def diverges() -> Backend:
    return FakeBackend(Diverges)
