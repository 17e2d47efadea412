"""A long training, saved now and then: the states of the stages that are done and that of the one under way.

The file is replaced whole, so a sudden end leaves the last good one. Random numbers go on from a new seed after it,
which changes nothing about their distribution but makes the rest of the run another one than without interruption.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from harness.boltzmann import State
from harness.record import StageMeasured


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
        temporary = self.path.with_suffix(f".{os.getpid()}.npz")
        facts = {"stage": np.array(stage), "epoch": np.array(epoch), "train_s": np.array(train_s)}
        facts["measured"] = np.frombuffer(msgspec.json.encode(measured), np.uint8)
        np.savez(temporary, **arrays, **facts)  # type: ignore[arg-type, unused-ignore]
        temporary.replace(self.path)

    def remove(self) -> None:
        """Forget the file: the training is over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
