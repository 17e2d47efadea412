"""Evenbench in a notebook: what a study's report says, as pandas frames and Plotly figures.

`load` has a line for every run, `summary` one for every row of the report, `verdicts` one for every pair of rows, and
`figures` the pictures. Everywhere a study is its name under `results/`, or the path of its folder. `python -m
evenbench` is the command line.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__

if TYPE_CHECKING:
    from reports.frame.frame import Frame
    from reports.page.exhibits.all import Figures

__all__ = ["Studies", "__version__", "figures", "load", "summary", "verdicts"]

Studies = str | Path | Iterable[str | Path]
"""One study, or several in a list."""


def load(study: Studies, *more: str | Path, short: bool = False) -> "Frame":
    """Return one line for every run.

    Names are categories and times are times. `comparable` is as the report has it: whether the run's whole row may be
    compared; `run_comparable` is that of the run alone.

    Args:
        study: a study or a list of them; of several, the column `study` stands in front.
        more: other studies.
        short: only the columns that fit on a screen.

    Raises:
        UsageError: there is no such study.
    """
    from reports import notebook  # pandas takes half a second, which `import evenbench` does not

    return notebook.runs(notebook.listed(study, *more), short=short)


def summary(study: Studies, *more: str | Path, short: bool = False) -> "Frame":
    """Return one line for every row of the report's tables, in their order.

    Args:
        study: a study or a list of them, each with places of its own.
        more: other studies.
        short: only the columns that fit on a screen.

    Raises:
        UsageError: there is no such study.
    """
    from reports import notebook

    return notebook.rows(notebook.listed(study, *more), short=short)


def verdicts(study: Studies, *more: str | Path, short: bool = False) -> "Frame":
    """Return one line for every pair of rows that computed the same: what `report.verdicts.csv` holds.

    Args:
        study: a study or a list of them, each judged for itself, as its report does.
        more: other studies.
        short: only the columns that fit on a screen.

    Raises:
        UsageError: there is no such study.
    """
    from reports import notebook

    return notebook.pairs(notebook.listed(study, *more), short=short)


def figures(study: str | Path) -> "Figures":
    """Return the pictures of a study's page, by their kind and, where each task has its own, the task: `loss xor`.

    Raises:
        UsageError: there is no such study.
    """
    from reports import notebook

    return notebook.pictures(study)
