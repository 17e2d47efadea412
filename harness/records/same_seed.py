"""Runs with equal seeds, compared bit for bit: what a worker writes for it, and what its parent makes of two of them.

Twins have the same task, backend, device, mode, preset, data set, profile and seed. The first of them that is completed
leaves its losses and parameters in the study's folder, hidden, until all of them are done.
"""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.record import Twin
from harness.spec import RunSpec
from harness.whole_files import UNREADABLE_ARRAYS, whole

OUTCOME = "outcome.npz"
LOSSES = "losses"
PARAMETER = "parameters/"
CHUNK = 2**20
"""Numbers compared at a time, so that the comparison of large arrays needs no third one."""


def key(spec: RunSpec) -> tuple[str | int, ...]:
    """Return what twins have in common."""
    return (
        spec.task,
        spec.backend,
        spec.device,
        spec.mode,
        spec.preset,
        spec.dataset,
        spec.profile,
        spec.seed,
    )


class Twins:
    """The runs of a plan that should come out alike, found once for all."""

    def __init__(self, planned: Iterable[RunSpec]) -> None:
        self._alike: dict[tuple[str | int, ...], list[str]] = {}
        for spec in planned:
            self._alike.setdefault(key(spec), []).append(spec.run_id)

    def of(self, spec: RunSpec) -> tuple[str, ...]:
        """Return the ids of the others that should come out like a run, in their order."""
        return tuple(other for other in self._alike.get(key(spec), ()) if other != spec.run_id)


def write(folder: str, losses: Iterable[float], parameters: Mapping[str, NDArray[Any]]) -> None:
    """Write what training proper came to, array by array.

    Args:
        folder: the worker's folder for its answer.
        losses: one per optimizer step, as float64, which holds any float32 exactly.
        parameters: by name, as the program gave them.
    """
    arrays = {f"{PARAMETER}{name}": value for name, value in parameters.items()}
    # Without `allow_pickle`, which MindSpore's NumPy 1.26 takes for an array.
    np.savez(Path(folder, OUTCOME), **{LOSSES: np.array(list(losses), np.float64)}, **arrays)  # type: ignore[arg-type, unused-ignore]


def kept_path(folder: Path, run_id: str) -> Path:
    """Return where a run's outcome waits for its twins."""
    return folder / f".{run_id}.{OUTCOME}"


def settle(found: Path, run_id: str, *, twins: Iterable[str], folder: Path) -> Twin | None:
    """Compare a completed run with the first of its twins, or keep its outcome where it is the first.

    Args:
        found: the worker's file, which may be missing.
        run_id: the run that it is of.
        twins: the ids of the others.
        folder: the study's.
    """
    if not found.is_file():
        return None
    first = next((other for other in twins if kept_path(folder, other).is_file()), None)
    if first is not None and (twin := compare(kept_path(folder, first), found, run_id=first)) is not None:
        return twin
    if first is not None:  # a damaged file: this run's outcome takes its place for the twins that follow
        forget(folder, (first,))
    _keep(found, kept_path(folder, run_id))
    return None


def forget(folder: Path, run_ids: Iterable[str]) -> None:
    """Remove what was kept of twins that are all done."""
    for run_id in run_ids:
        kept_path(folder, run_id).unlink(missing_ok=True)


def compare(first: Path, other: Path, *, run_id: str) -> Twin | None:
    """Return how far two outcomes are equal, or None where one of the files is damaged.

    Arrays that only one of them has, or that differ in shape, are differences without a size.
    """
    try:
        # opened here, since NumPy leaves a damaged file open (seen with 2.4)
        with first.open("rb") as one, other.open("rb") as two, np.load(one) as a, np.load(two) as b:
            return _compare(a, b, run_id)
    except UNREADABLE_ARRAYS:
        return None


def _compare(a: Any, b: Any, run_id: str) -> Twin:
    identical = set(a.files) == set(b.files)
    losses: float | None = None
    parameters: list[float] = []
    for name in a.files:
        if name not in b.files:
            continue
        one, two = a[name], b[name]
        if one.shape != two.shape or one.dtype != two.dtype:
            identical = False
            if name != LOSSES:
                continue
            one, two = one[: len(two)], two[: len(one)]
        equal, difference, magnitude = differences(one, two)
        identical = identical and equal
        if name == LOSSES:
            losses = difference
        else:
            parameters.append(difference / magnitude if difference else 0.0)
    return Twin(
        run_id=run_id,
        identical=identical,
        largest_loss_difference=losses,
        largest_parameter_difference=max(parameters, default=None),
    )


def differences(one: NDArray[Any], two: NDArray[Any]) -> tuple[bool, float, float]:
    """Return whether two arrays of one shape are equal bit for bit, their largest difference, and largest magnitude."""
    flat, other = one.reshape(-1), two.reshape(-1)
    equal, difference, magnitude = True, 0.0, 0.0
    for start in range(0, len(flat), CHUNK):
        a, b = flat[start : start + CHUNK], other[start : start + CHUNK]
        magnitude = max(magnitude, float(np.abs(a).max()), float(np.abs(b).max()))
        if a.tobytes() != b.tobytes():  # by `==`, NaN would differ from itself, and -0.0 would be 0.0
            equal = False
            difference = max(difference, float(np.abs(a.astype(np.float64) - b).max()))
    return equal, difference, magnitude


def _keep(found: Path, target: Path) -> None:
    """Copy a file piece by piece to where it is seen whole or not at all; without room there will be no comparison."""
    with suppress(OSError), whole(target) as temporary:
        shutil.copyfile(found, temporary)
