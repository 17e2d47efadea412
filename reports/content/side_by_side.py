"""The rows of a group as columns, side by side, each with its runs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from harness.record import COMPLETED
from reports.statistics.rows import Group, Row


class Side(NamedTuple):
    """One backend, mode and profile: what stands in a column."""

    label: str
    row: Row
    runs: pd.DataFrame
    """All its runs."""
    is_completed: "pd.Series[bool]"
    """Of each of them: was it trained to its end?"""

    def completed(self, figure: str) -> "pd.Series[Any]":
        """Return a figure of the runs that were trained to their end and have it."""
        return self.runs[figure][self.is_completed].dropna()

    def median(self, figure: str) -> float | None:
        """Return the median of a figure over the completed runs, None where none has it."""
        found = self.completed(figure)
        return float(found.median()) if len(found) else None

    def words(self, figure: str) -> list[str]:
        """Return the distinct texts of a column, without the empty one."""
        return [str(word) for word in self.runs[figure].unique() if word]


def sides(group: Group, labels: Sequence[str], runs: pd.DataFrame) -> list[Side]:
    """Return the columns of a group.

    Args:
        group: as `summarize` returns it.
        labels: the names of its rows.
        runs: the frame, one row per run.
    """
    place = {run_id: number for number, run_id in enumerate(runs["run_id"])}
    found = []
    for label, row in zip(labels, group.rows, strict=True):
        of_row = runs.take(sorted(place[run_id] for run_id in row.run_ids))
        found.append(Side(label, row, of_row, of_row["status"].isin(COMPLETED)))
    return found
