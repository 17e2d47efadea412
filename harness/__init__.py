"""The machine of Evenbench: plan, isolate, measure, record. Imports no framework and no pandas."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from reports.frame.frame import Frame
    from reports.page.exhibits.all import Figures

__version__ = "0.1.0"


def load(study: "str | Path", *more: "str | Path") -> "Frame":
    """Return the records of a study as the tidy pandas frame that the reports use.

    Of several studies the frames stand below each other, with the column `study` in front.

    Args:
        study: a study's folder, or its name under `results/`.
        more: other studies.

    Raises:
        UsageError: there is no such study.
    """
    from reports.frame.frame import load_frame  # the one road from here to pandas, taken only on demand

    return load_frame(study, *more)


def figures(study: "str | Path") -> "Figures":
    """Return the pictures of a study's report as Plotly figures, by name.

    Args:
        study: a study's folder, or its name under `results/`.

    Raises:
        UsageError: there is no such study.
    """
    from reports.page.exhibits.all import load_figures

    return load_figures(study)
