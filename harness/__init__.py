"""The machine of Evenbench: plan, isolate, measure, record. Imports no framework and no pandas."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from reports.frame import Frame

__version__ = "0.1.0"


def load(study: "str | Path") -> "Frame":
    """Return the records of one study as the tidy pandas frame that the reports use.

    Args:
        study: a study's folder, or its name under `results/`.

    Raises:
        UsageError: there is no such study.
    """
    from reports.frame import load_frame  # the one road from here to pandas, taken only on demand

    return load_frame(study)
