"""A stage of a Boltzmann machine as the `Trainer` and the measurement of inference want it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Stage, State, rates
from harness.contract import BoltzmannProgram, Split
from harness.measure import Diverged

Order = NDArray[np.int32]


class StageProgram:
    """A stage as the `Trainer` wants it: it knows the number of the update, and so its rate and its k."""

    def __init__(self, stage: Stage, program: BoltzmannProgram, *, per_epoch: int, update: int) -> None:
        self.stage = stage
        self.program = program
        self.per_epoch = per_epoch
        self.update = update
        self.rows: dict[str, list[float]] = {}

    def train(self, order: Order) -> None:
        """Make the next N updates."""
        numbers = rates(self.stage, self.update, len(order), self.per_epoch)
        epoch = min(self.update // self.per_epoch, self.stage.epochs - 1)  # later updates are for the clock alone
        steps = self.stage.gibbs_steps_at(epoch)
        self.program.train(order, numbers, gibbs_steps=steps)
        self.update += len(order)

    def synchronize(self) -> None:
        """Return only when all queued work is done."""
        self.program.synchronize()

    def losses(self) -> NDArray[np.float32]:
        """Return the reconstruction errors of the last call, and keep all statistics."""
        found = self.program.statistics()
        for name, values in found.items():
            self.rows.setdefault(name, []).extend(map(float, values))
        return found["reconstruction_error"]


class Features:
    """A machine as what is asked for its outputs, which are its features."""

    def __init__(self, program: BoltzmannProgram, *, steps: int) -> None:
        self.program = program
        self.steps = steps

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        """Return the features of pictures (B,), on the device; may return early."""
        return self.program.features(split, indices, steps=self.steps)

    def host(self, outputs: Any) -> NDArray[np.float32]:
        """Copy features to the host."""
        return self.program.host(outputs)

    def synchronize(self) -> None:
        """Return only when all queued work is done."""
        self.program.synchronize()


def check_finite(stage: Stage, state: State, updates: int) -> None:
    """Refuse a state that is not finite: an RBM whose weights are NaN draws zeros, and its error looks like any other.

    Raises:
        Diverged: a number is not finite.
    """
    for name, value in state.items():
        if not np.isfinite(value).all():
            raise Diverged(updates, math.nan, what=f"{name} of the stage {stage.name}")


def epoch_means(values: list[float], per_epoch: int) -> tuple[float | None, ...]:
    """Return the mean of each epoch's values; null where it is not finite."""
    means = [float(np.mean(values[i : i + per_epoch])) for i in range(0, len(values), per_epoch)]
    return tuple(mean if math.isfinite(mean) else None for mean in means)
