"""A study as all reports need it: its records, its frame, and the groups that follow from it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.records.studies import Loaded
from reports.frame.reader import read_study

if TYPE_CHECKING:  # pandas, and all that needs it, is imported while other processes read
    import pandas as pd

    from reports.statistics.rows import Group


@dataclass(frozen=True, eq=False)
class StudyRead:
    """A study, read, with what follows from its records; that is worked out once, and only where it is asked for."""

    loaded: Loaded
    runs: "pd.DataFrame"
    """One row per record, in the same order."""

    @classmethod
    def of(cls, folder: Path, *, for_pictures: bool = True) -> "StudyRead":
        """Read a study; what is damaged, its plan included, is listed and left out.

        Args:
            folder: of the study.
            for_pictures: the curves of single runs will be drawn.

        Raises:
            UsageError: there is no study in this folder.
        """
        return cls(*read_study(folder, for_pictures=for_pictures))

    @classmethod
    def of_loaded(cls, loaded: Loaded) -> "StudyRead":
        """Return a study whose records are at hand."""
        from reports.frame.frame import frame

        return cls(loaded, frame(loaded.records))

    @cached_property
    def groups(self) -> "tuple[Group, ...]":
        """The summary."""
        from reports.statistics.summary import summarize

        return summarize(self.runs)

    @cached_property
    def stages(self) -> "pd.DataFrame":
        """The frame of the stages of its records."""
        from reports.frame.frame import stages

        return stages(self.loaded.records)
