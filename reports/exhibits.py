"""The exhibits of one study, in the order in which the page shows them."""

from collections.abc import Sequence

import pandas as pd

from reports.exhibit import Exhibit
from reports.rows import Group
from reports.studies import Loaded


def exhibits(loaded: Loaded, runs: pd.DataFrame, groups: Sequence[Group]) -> tuple[Exhibit, ...]:
    """Return the pictures and tables of a study.

    Args:
        loaded: the study.
        runs: its frame, one row per run.
        groups: as `summarize` returns them.
    """
    return ()
