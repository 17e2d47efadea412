"""All exhibits of a study, in the order in which the page shows them."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports import studies
from reports.exhibit import Exhibit
from reports.frame import frame
from reports.rows import Group
from reports.studies import Loaded
from reports.summary import summarize

Figures = dict[str, go.Figure]
"""The type of what `harness.figures` returns."""

MAKERS = (
    "reports.throughput_exhibits",
    "reports.learning_exhibits",
    "reports.phase_exhibits",
    "reports.memory_exhibits",
    "reports.tuning_exhibits",
    "reports.roofline_exhibits",
    "reports.parity_exhibits",
    "reports.evidence_exhibits",
    "reports.noise_exhibits",
    "reports.mistakes_exhibits",
    "reports.choice_exhibits",
    "reports.failure_exhibits",
    "reports.machine_exhibits",
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
