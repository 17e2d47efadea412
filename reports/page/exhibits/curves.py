"""Learning curves of a row: the median over its completed runs, with the smallest and the largest of them.

A loss is recorded with its steps, not its seconds: those come from the timed blocks, between whose ends the steps are
taken to be equally long.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.record import COMPLETED, Record

MOST_POINTS = 60
"""Of one curve."""
DIGITS = 6
"""Significant digits that are drawn and shown."""

Numbers = NDArray[np.float64]


class Points(NamedTuple):
    """The curve of one run."""

    steps: Numbers
    seconds: Numbers
    """NaN where they are not known."""
    values: Numbers


class Curve(NamedTuple):
    """The curve of a row; all arrays have the same length."""

    steps: Numbers
    seconds: Numbers
    middle: Numbers
    low: Numbers
    high: Numbers
    runs: int


def losses(record: Record) -> Points:
    """Return the training losses of a run; of a task of stages the reconstruction errors of its last one."""
    steps = np.asarray(record.measured.loss_steps, dtype=np.float64)
    values = np.asarray(record.measured.losses[: len(steps)], dtype=np.float64)  # None becomes NaN
    steps = steps[: len(values)]
    return Points(steps, seconds_at(record, steps), values)


def seconds_at(record: Record, steps: Numbers) -> Numbers:
    """Return the seconds of training after so many steps, NaN where the timed blocks do not reach so far."""
    blocks = record.measured.blocks
    ends = np.cumsum([0, *(block.steps for block in blocks)])
    seconds = np.cumsum([0.0, *(block.seconds for block in blocks)])
    return np.asarray(np.interp(steps, ends, seconds, right=np.nan))


def evaluations(metric: str) -> Callable[[Record], Points]:
    """Return the function that reads a metric's evaluations on the test split from a record."""

    def read(record: Record) -> Points:
        found = [item for item in record.measured.evaluations if item.quality.get(metric) is not None]
        columns = [(item.steps, item.train_seconds, item.quality[metric]) for item in found]
        return Points(*np.asarray(columns, dtype=np.float64).reshape(-1, 3).T)

    return read


def curve(records: Sequence[Record], read: Callable[[Record], Points], points: int = MOST_POINTS) -> Curve | None:
    """Return the curve of the completed runs among these records, None where none has a value.

    Args:
        records: the runs of one row.
        read: takes the points of one run.
        points: how many are kept, evenly apart on a logarithmic scale of the steps, the first and the last included.
    """
    completed = (read(record) for record in records if record.outcome.status in COMPLETED)
    found = [one for one in completed if np.isfinite(one.values).any()]
    if not found:
        return None
    longest = max(found, key=lambda one: float(one.steps[-1]))
    at = thinned(longest.steps, points)
    values = np.array([_at(at, one.steps, one.values) for one in found])
    seconds = np.array([_at(at, one.steps, one.seconds) for one in found])
    reached = np.isfinite(values).any(axis=0)
    if not reached.any():
        return None
    values, seconds, at = values[:, reached], seconds[:, reached], at[reached]
    return Curve(
        steps=at,
        seconds=np.array([_median(column) for column in seconds.T]),
        middle=np.array([_median(column) for column in values.T]),
        low=np.nanmin(values, axis=0),
        high=np.nanmax(values, axis=0),
        runs=len(found),
    )


def thinned(steps: Numbers, points: int) -> Numbers:
    """Return some of the steps, evenly apart on a logarithmic scale, with both ends."""
    if len(steps) <= points:
        return steps
    wanted = np.geomspace(max(1.0, float(steps[0])), float(steps[-1]), points)
    return np.asarray(np.unique(steps[np.clip(np.searchsorted(steps, wanted), 0, len(steps) - 1)]))


def rounded(values: Numbers) -> list[float | None]:
    """Return numbers as they are drawn, None where there is none."""
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values]


def _at(steps: Numbers, own: Numbers, values: Numbers) -> Numbers:
    """Return a run's values at these steps, NaN before its first and after its last one."""
    if len(own) == 0:
        return np.full(len(steps), np.nan)
    return np.asarray(np.interp(steps, own, values, left=np.nan, right=np.nan))


def _median(values: Numbers) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
