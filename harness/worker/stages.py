"""The stages of a Boltzmann machine's training as the `Trainer` wants them, saved now and then.

The file of a long training holds the states of the stages that are done and that of the one under way. It is replaced
whole, so a sudden end leaves the last good one. Random numbers go on from a new seed after it, which changes nothing
about their distribution but makes the rest of the run another one than without interruption.
"""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Stage, State, rates, state_shapes
from harness.contract import BoltzmannProgram, Split
from harness.language import Sentence, Words, noop
from harness.measure.clock import Diverged
from harness.record import StageMeasured
from harness.whole_files import UNREADABLE_ARRAYS, whole

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
    """What was read from `path` at the start; without a path, or a file there, or one of any use, nothing."""

    def __init__(self, path: str | None, *, belongs_to: str = "") -> None:
        """Read the file; one that cannot be read, or that belongs to something else, is set aside.

        Args:
            path: of the file.
            belongs_to: what the states are of; a file that names another thing is not gone on from.
        """
        self.path = Path(path) if path else None
        self.belongs_to = belongs_to
        self.trouble: Sentence | None = None
        """What was wrong with the file that was there, and where it is now."""
        self._forget()
        if self.path is not None and self.path.exists():
            try:
                self._read(_arrays(self.path))
            except UNREADABLE_ARRAYS as error:
                reason = Sentence("it cannot be read ({kind}: {error})", kind=type(error).__name__, error=error)
                self._set_aside(self.path, reason)

    def _forget(self) -> None:
        self.done: dict[str, State] = {}
        self.stage: str | None = None
        self.state: State = {}
        self.epoch = 0
        self.train_s = 0.0
        """Seconds of training that went into the saved states."""
        self.measured: tuple[StageMeasured, ...] = ()
        """What was known of the stages when the states were saved."""

    def _read(self, arrays: State) -> None:
        self.stage, self.epoch, self.train_s = str(arrays["stage"]), int(arrays["epoch"]), float(arrays["train_s"])
        self.measured = msgspec.json.decode(arrays["measured"].tobytes(), type=tuple[StageMeasured, ...])
        self._read_belongs_to = str(arrays.get("belongs_to", self.belongs_to))  # the first ones did not say
        for full, value in arrays.items():
            kind, _, rest = full.partition("/")
            if kind == "state":
                self.state[rest] = value
            elif kind == "done":
                stage, _, name = rest.partition("/")
                self.done.setdefault(stage, {})[name] = value

    def check(self, stages: Sequence[Stage], batch: int) -> None:
        """Set the file aside where these stages, at this size of a mini-batch, cannot go on from it."""
        if self.path is not None and self.stage is not None and (reason := self._why_not(stages, batch)):
            self._set_aside(self.path, reason)

    def _why_not(self, stages: Sequence[Stage], batch: int) -> Words | None:
        names = [stage.name for stage in stages]
        if self._read_belongs_to != self.belongs_to or self.stage not in names:
            return noop("it is of another training")
        number = names.index(self.stage)
        if list(self.done) != names[:number] or not 0 < self.epoch < stages[number].epochs or not self.train_s >= 0:
            return noop("what it holds does not go together")
        states = {**self.done, self.stage: self.state}
        return next((why for stage in stages[: number + 1] if (why := _misfit(stage, states[stage.name], batch))), None)

    def _set_aside(self, path: Path, reason: Words) -> None:
        """Give the file another name, and begin as if there had been none."""
        number = next(n for n in itertools.count(1) if not _aside(path, n).exists())
        path.rename(_aside(path, number))
        self._forget()
        self.trouble = Sentence(
            "there was a checkpoint of an earlier attempt, but {reason}: the training began anew, and the file is "
            "kept as {file}",
            reason=reason,
            file=_aside(path, number),
        )

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
        facts["belongs_to"] = np.array(self.belongs_to)
        # As bytes: an array of objects would have to be pickled, and is not read without `allow_pickle`.
        facts["measured"] = np.frombuffer(msgspec.json.encode(measured), np.uint8)
        with whole(self.path) as temporary:
            np.savez(temporary, **arrays, **facts)  # type: ignore[arg-type, unused-ignore]

    def remove(self) -> None:
        """Forget the file: the training is over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _arrays(path: Path) -> State:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # a damaged one stays open else
        return dict(arrays)


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")


def _misfit(stage: Stage, state: State, batch: int) -> Words | None:
    """Return why a stage cannot go on from a state, or have gone before it; None if it can."""
    if {name: value.shape for name, value in state.items()} != state_shapes(stage, batch):
        return Sentence("the stage {stage} in it has other names or shapes", stage=stage.name)
    if not all(value.dtype.kind == "f" and np.isfinite(value).all() for value in state.values()):
        return Sentence("the stage {stage} in it holds what is no finite number", stage=stage.name)
    return None
