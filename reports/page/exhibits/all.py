"""All exhibits of a study, in the order in which the page shows them."""

from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from harness.records import studies
from reports.page.evidence import exhibits as evidence
from reports.page.exhibit import Exhibit
from reports.page.exhibits import (
    choice,
    failures,
    learning,
    machine,
    memory,
    mistakes,
    noise,
    parity,
    phases,
    quality,
    roofline,
    throughput,
    tuning,
)
from reports.statistics.study import StudyRead

Figures = dict[str, go.Figure]
"""The type of what `reports.figures` returns."""

MAKERS = (
    throughput.exhibits,
    quality.exhibits,
    learning.exhibits,
    phases.exhibits,
    memory.exhibits,
    tuning.exhibits,
    roofline.exhibits,
    parity.exhibits,
    evidence.exhibits,
    noise.exhibits,
    mistakes.exhibits,
    choice.exhibits,
    failures.exhibits,
    machine.exhibits,
)


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return everything that can be shown of a study, beside its tables."""
    with np.errstate(all="ignore"):  # what a record says is not always finite in the middle of a sum
        return tuple(one for make in MAKERS for one in make(study))


def load_figures(study: str | Path) -> Figures:
    """Return the figures of a study's exhibits by their names.

    Args:
        study: a study's folder, or its name under `results/`.

    Raises:
        UsageError: there is no such study.
    """
    read = StudyRead.of(studies.find(study, Path("results")))
    return {one.name: one.figure for one in exhibits(read) if one.figure is not None}
