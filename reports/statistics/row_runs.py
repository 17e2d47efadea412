"""The rows of a group with their runs: what tables and pictures read of the frame, row by row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.record import COMPLETED
from reports.statistics.rows import Group, Row


class Runs:
    """The columns of a frame, each turned into an array once, however many rows ask for it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.place = {str(run_id): number for number, run_id in enumerate(frame["run_id"])}
        self.is_completed = frame["status"].isin(COMPLETED).to_numpy()
        self._numbers: dict[str, NDArray[np.float64]] = {}

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of numbers, NaN where there is none."""
        if column not in self._numbers:
            self._numbers[column] = self.frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
        return self._numbers[column]

    def of(self, row: Row) -> NDArray[np.intp]:
        """Return where the runs of a row stand."""
        return np.array([self.place[run_id] for run_id in row.run_ids], dtype=np.intp)


@dataclass(frozen=True, eq=False)
class RowRuns:
    """One row of a group and its runs."""

    row: Row
    frame: Runs
    """Of all runs of the study."""
    places: NDArray[np.intp]
    """Where its own runs stand in it."""

    @property
    def label(self) -> str:
        """Its name in its group."""
        return self.row.label

    @property
    def completed(self) -> NDArray[np.intp]:
        """Where its runs stand that trained to their end."""
        return self.places[self.frame.is_completed[self.places]]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of its completed runs, NaN where there is no number."""
        return self.frame.numbers(column)[self.completed]

    def median(self, column: str) -> float | None:
        """Return the median of a column over the completed runs, None where none has it."""
        return median(self.numbers(column))

    def column(self, column: str) -> "pd.Series[Any]":
        """Return a column of all its runs, as it stands in the frame."""
        return self.frame.frame[column].iloc[self.places]

    def texts(self, column: str) -> tuple[str, ...]:
        """Return the distinct texts of a column over all its runs, without the empty one."""
        return tuple(dict.fromkeys(str(value) for value in self.column(column) if value))


def row_runs(group: Group, frame: Runs) -> list[RowRuns]:
    """Return the rows of a group with their runs, in the group's order."""
    return [RowRuns(row, frame, frame.of(row)) for row in group.rows]


def median(values: NDArray[np.float64]) -> float | None:
    """Return the median of the numbers that are known, None where there are none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
