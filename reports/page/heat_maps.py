"""Heat maps in the page's common look: no background of their own, and small ones side by side, equal in scale."""

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reports.words import text

INK = "#767676"
"""Has contrast on light and on dark; the page may set it darker or lighter."""
CLEAR = "rgba(0, 0, 0, 0)"
PASSED, FAILED = "#8A8A8A", "#111111"
"""Greys, for a colour means a framework."""
PALE = "#F2F2F2"
COLUMNS = 3
LONGEST_LABEL = 48


def bare(figure: go.Figure, *, height: int, least_px: int) -> go.Figure:
    """Give a figure the common look and return it.

    Args:
        figure: what is drawn.
        height: in pixels.
        least_px: the width below which it cannot be read; it stands in `layout.meta`, for a page to scroll by.
    """
    figure.update_layout(
        template=None,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        height=height,
        margin={"l": 8, "r": 16, "t": 48, "b": 48},
        showlegend=False,
        meta={"least_px": least_px},
    )
    figure.update_xaxes(showgrid=False, zeroline=False, automargin=True, title={"font": {"size": 13}})
    figure.update_yaxes(showgrid=False, zeroline=False, automargin=True, title={"font": {"size": 13}})
    return figure


def small_multiples(titles: Sequence[str], *, panel_px: int) -> go.Figure:
    """Return an empty figure of square panels, three in a row."""
    columns = min(COLUMNS, len(titles))
    rows = math.ceil(len(titles) / columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[label(title) for title in titles],
        horizontal_spacing=0.08,
        vertical_spacing=min(90 / (rows * panel_px), 0.9 / max(rows - 1, 1)),
    )
    figure.update_annotations(font={"size": 13, "color": INK})
    return bare(figure, height=rows * (panel_px + 70) + 60, least_px=220 * columns + 40)


def place(number: int) -> dict[str, Any]:
    """Return row and column of the panel of that number, from 0."""
    row, column = divmod(number, COLUMNS)
    return {"row": row + 1, "col": column + 1}


def label(name: str) -> str:
    """Return a name as it may stand in a picture: on one line, cut, and never read as markup."""
    return text.printable(name, LONGEST_LABEL).replace("<", "‹").replace(">", "›")
