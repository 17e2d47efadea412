"""All exhibits of a study, in the order in which the page shows them."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import pandas as pd

from reports.exhibit import Exhibit
from reports.rows import Group
from reports.studies import Loaded

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
    there = [name for name in MAKERS if find_spec(name)]
    return tuple(one for name in there for one in import_module(name).exhibits(loaded, runs, groups))
