"""The stages of a Boltzmann machine's training as the `Trainer` wants them, saved now and then.

The file of a long training holds the states of the stages that are done and that of the one under way. It is replaced
whole, so a sudden end leaves the last good one. Random numbers go on from a new seed after it, which changes nothing
about their distribution but makes the rest of the run another one than without interruption.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Stage, State, rates
from harness.contract import BoltzmannProgram, Split
from harness.language import Sentence
from harness.measure.clock import Diverged
from harness.record import StageMeasured
from harness.whole_files import whole

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
            raise Diverged(updates, math.nan, what=Sentence("{name} of the stage {stage}", name=name, stage=stage.name))


def epoch_means(values: list[float], per_epoch: int) -> tuple[float | None, ...]:
    """Return the mean of each epoch's values; null where it is not finite."""
    means = [float(np.mean(values[i : i + per_epoch])) for i in range(0, len(values), per_epoch)]
    return tuple(mean if math.isfinite(mean) else None for mean in means)


class Checkpoint:
    """What was read from `path` at the start; without a path, or a file there, nothing."""

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path else None
        self.done: dict[str, State] = {}
        self.stage: str | None = None
        self.state: State = {}
        self.epoch = 0
        self.train_s = 0.0
        """Seconds of training that went into the saved states."""
        self.measured: tuple[StageMeasured, ...] = ()
        """What was known of the stages when the states were saved."""
        if self.path is not None and self.path.is_file():
            with np.load(self.path, allow_pickle=False) as file:
                self._read(dict(file))

    def _read(self, arrays: State) -> None:
        self.stage, self.epoch, self.train_s = str(arrays["stage"]), int(arrays["epoch"]), float(arrays["train_s"])
        self.measured = msgspec.json.decode(arrays["measured"].tobytes(), type=tuple[StageMeasured, ...])
        for full, value in arrays.items():
            kind, _, rest = full.partition("/")
            if kind == "state":
                self.state[rest] = value
            elif kind == "done":
                stage, _, name = rest.partition("/")
                self.done.setdefault(stage, {})[name] = value

    def save(
        self,
        done: dict[str, State],
        stage: str,
        state: State,
        *,
        epoch: int,
        train_s: float,
        measured: Sequence[StageMeasured] = (),
    ) -> None:
        """Write the states of the stages that are done and that of the one under way after `epoch` epochs."""
        if self.path is None:
            return
        arrays = {f"done/{name}/{part}": value for name, parts in done.items() for part, value in parts.items()}
        arrays |= {f"state/{part}": value for part, value in state.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        facts = {"stage": np.array(stage), "epoch": np.array(epoch), "train_s": np.array(train_s)}
        # As bytes: an array of objects would have to be pickled, and is not read without `allow_pickle`.
        facts["measured"] = np.frombuffer(msgspec.json.encode(measured), np.uint8)
        with whole(self.path) as temporary:
            np.savez(temporary, **arrays, **facts)  # type: ignore[arg-type, unused-ignore]

    def remove(self) -> None:
        """Forget the file: the training is over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
