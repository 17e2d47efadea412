"""All exhibits of a study, in the order in which the page shows them."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from harness.records import studies
from harness.records.studies import Loaded
from reports.frame.frame import frame
from reports.page.exhibit import Exhibit
from reports.statistics.rows import Group
from reports.statistics.summary import summarize

Figures = dict[str, go.Figure]
"""The type of what `reports.figures` returns."""

MAKERS = (
    "reports.page.exhibits.throughput",
    "reports.page.exhibits.learning",
    "reports.page.exhibits.phases",
    "reports.page.exhibits.memory",
    "reports.page.exhibits.tuning",
    "reports.page.exhibits.roofline",
    "reports.page.exhibits.parity",
    "reports.page.evidence.exhibits",
    "reports.page.exhibits.noise",
    "reports.page.exhibits.mistakes",
    "reports.page.exhibits.choice",
    "reports.page.exhibits.failures",
    "reports.page.exhibits.machine",
)
"""Modules with a function `exhibits(loaded, runs, groups)`."""


def exhibits(loaded: Loaded, runs: pd.DataFrame, groups: Sequence[Group]) -> tuple[Exhibit, ...]:
    """Return everything that can be shown of a study, beside its tables.

    Args:
        loaded: the study.
        runs: its frame, one row per run.
        groups: its summary.
    """
    with np.errstate(all="ignore"):  # what a record says is not always finite in the middle of a sum
        return tuple(one for name in MAKERS for one in import_module(name).exhibits(loaded, runs, groups))


def load_figures(study: str | Path) -> Figures:
    """Return the figures of a study's exhibits by their names.

    Args:
        study: a study's folder, or its name under `results/`.

    Raises:
        UsageError: there is no such study.
    """
    loaded = studies.load(studies.find(study, Path("results")))
    runs = frame(loaded.records)
    made = exhibits(loaded, runs, summarize(runs))
    return {one.name: one.figure for one in made if one.figure is not None}
