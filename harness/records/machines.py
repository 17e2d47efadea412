"""Copies of a Boltzmann machine under way, kept beside its record: what is asked of them later needs no training.

A copy holds what the stage trained and its chains, by the names of `harness/boltzmann.py`, but no velocities.
"""

from pathlib import Path

import numpy as np

from harness.boltzmann import Stage, State
from harness.whole_files import whole


def keep(folder: Path, stage: Stage, state: State, *, epoch: int) -> Path:
    """Write a copy of a stage after so many epochs into `folder`, whole or not at all; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stage.name}-{epoch:04d}.npz"
    parts = {name: value for name, value in state.items() if not name.startswith("velocity.")}
    with whole(path) as temporary:
        # Without `allow_pickle`, which MindSpore's NumPy 1.26 takes for an array.
        np.savez(temporary, **parts)  # type: ignore[arg-type, unused-ignore]
    return path


def read(path: Path) -> State:
    """Return the state that `keep` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
