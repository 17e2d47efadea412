"""Records to tables and decisions. In a notebook, `load` gives a study's frame, `figures` its pictures."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reports.frame.frame import Frame
    from reports.page.exhibits.all import Figures


def load(study: "str | Path | Iterable[str | Path]", *more: "str | Path") -> "Frame":
    """Return the records of a study as the tidy pandas frame that the reports use.

    Of several studies the frames stand below each other, with the column `study` in front.

    Args:
        study: a study's folder, or its name under `results/`, or a list of such.
        more: other studies.

    Raises:
        UsageError: there is no such study.
    """
    from reports.frame.frame import load_frame  # pandas takes half a second, and most of this package needs none

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
