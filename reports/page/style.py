"""The common look of the figures: one colour and one symbol per backend, no background, readable on light and on dark.

Colours are those of Okabe & Ito (2008, "Color Universal Design"), which colour-blind people can tell apart; nothing is
told by colour alone. Text and lines are of a grey that has contrast on both grounds; the page may set them darker or
lighter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness import registry
from harness.versions import base
from reports.words import text

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Black and yellow are left out: one of them vanishes on each ground."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
FILLINGS = ("", "-open", "-dot", "-open-dot")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PATTERNS = ("", "/", "x", ".", "\\", "+")
HATCHED = "/"
"""Of what is not comparable."""
INK = "#767676"
FAINT = "rgba(128, 128, 128, 0.3)"
CLEAR = "rgba(0, 0, 0, 0)"

LONGEST_LABEL = 40
"""Characters of a name in a picture; the table has all of it."""
BAR_PX, GAP_PX, MARGIN_PX = 34, 92, 40


class Look(NamedTuple):
    """How a row of a summary is drawn."""

    colour: str
    symbol: str
    dash: str


def colours(backends: Iterable[str]) -> dict[str, str]:
    """Return a colour for every backend, the same in every study: by the names of the frameworks, then others.

    Releases of one framework share a colour; their names or dashes tell them apart.
    """
    return {name: COLOURS[place % len(COLOURS)] for name, place in _places(backends).items()}


def symbols(backends: Iterable[str]) -> dict[str, str]:
    """Return a marker's symbol for every backend, as `colours` does."""
    return {name: SYMBOLS[place % len(SYMBOLS)] for name, place in _places(backends).items()}


def looks(rows: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], Look]:
    """Return how to draw rows of a backend, a mode and a profile: dash and filling tell rows of one colour apart."""
    found = list(dict.fromkeys(rows))
    names = [backend for backend, _, _ in found]
    colour, symbol = colours(names), symbols(names)
    alike: dict[str, list[tuple[str, str, str]]] = {}
    for row in sorted(found, key=lambda row: (row[0], row[2] != "stock", row[1:])):
        alike.setdefault(colour[row[0]], []).append(row)
    place = {row: number for rows in alike.values() for number, row in enumerate(rows)}
    return {
        row: Look(
            colour[row[0]],
            f"{symbol[row[0]]}{FILLINGS[place[row] % len(FILLINGS)]}",
            DASHES[place[row] % len(DASHES)],
        )
        for row in found
    }


def _places(backends: Iterable[str]) -> dict[str, int]:
    names = list(dict.fromkeys(backends))
    known = [*sorted(registry.main_names()), registry.reference_name()]
    known += [name for name in registry.framework_names() if name not in known]
    others = sorted({base(name) for name in names} - set(known))
    place = {name: number for number, name in enumerate((*known, *others))}
    return {name: place[base(name)] for name in names}


def bar(colour: str, *, comparable: bool) -> dict[str, Any]:
    """Return a bar's `marker`: full, or hatched where the row is not comparable."""
    if comparable:
        return {"color": faded(colour), "line": {"color": colour, "width": 1.5}}
    pattern = {"shape": HATCHED, "fgcolor": colour, "bgcolor": CLEAR, "size": 6, "solidity": 0.35}
    return {"color": CLEAR, "line": {"color": colour, "width": 1.5}, "pattern": pattern}


def faded(colour: str, share: float = 0.45) -> str:
    """Return a colour that lets the ground through, so that lines on it can be seen."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {share})"


def patterned(place: int) -> dict[str, Any]:
    """Return the `marker` of the parts of stacked bars: a colour and a pattern for every part."""
    pattern = {"shape": PATTERNS[place % len(PATTERNS)], "fgcolor": "#ffffff", "solidity": 0.25, "size": 6}
    return {
        "color": COLOURS[place % len(COLOURS)],
        "pattern": pattern | {"fillmode": "overlay"},
        "line": {"color": INK, "width": 0.5},
    }


def label(name: str) -> str:
    """Return a name as it may stand beside an axis: on one line, and cut."""
    return text.printable(name, LONGEST_LABEL)


def panels(titles: Sequence[str], heights: Sequence[int], *, legend: bool = False) -> go.Figure:
    """Return an empty figure of panels below each other, in the common look.

    Args:
        titles: of the panels; of a single one none is shown.
        heights: of the panels, in pixels.
        legend: whether room for one is left below.
    """
    count = len(heights)
    total = sum(heights) + GAP_PX * (count - 1)
    figure = make_subplots(
        rows=count,
        cols=1,
        row_heights=list(heights),
        vertical_spacing=GAP_PX / total if count > 1 else 0.0,
        subplot_titles=list(titles) if count > 1 else None,
    )
    figure.update_annotations(x=0, xanchor="left", font={"size": 13, "color": INK})
    return dressed(figure, plot_px=total, legend=legend)


def pair(*, y_title: str, legend: bool = True) -> go.Figure:
    """Return an empty figure of two panels side by side that share their vertical axis, in the common look."""
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    figure.update_yaxes(title={"text": y_title}, row=1, col=1)
    return dressed(figure, plot_px=280, legend=legend)


def dressed(figure: go.Figure, *, plot_px: int, legend: bool) -> go.Figure:
    """Give a figure the common look, with so many pixels for its panels, and return it."""
    top, bottom = MARGIN_PX, 64 + 60 * legend
    figure.update_layout(
        template=None,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        height=plot_px + top + bottom,
        margin={"l": 8, "r": 16, "t": top, "b": bottom},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -82 / plot_px, "yanchor": "top"},
        hoverlabel={"namelength": -1},
        bargap=0.3,
    )
    axis: Mapping[str, Any] = {
        "title": {"font": {"size": 13}},
        "gridcolor": FAINT,
        "zerolinecolor": INK,
        "linecolor": INK,
        "automargin": True,
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


class Bars(NamedTuple):
    """One part of the stacked bars of a panel."""

    key: str
    """What the same part is called in every panel."""
    title: str
    values: Sequence[float | None]
    offset: float = 0
    """Of its bars from the places of their rows: bars of one offset are stacked."""


class Stacked(NamedTuple):
    """A panel of stacked bars, a bar per row."""

    title: str
    rows: Sequence[str]
    parts: Sequence[Bars]


def stacked(
    panels_of: Sequence[Stacked], *, x_title: str, hover: str, row_px: float = BAR_PX, width: float | None = None
) -> go.Figure:
    """Return a figure of stacked bars, panel below panel, with one legend for the parts.

    Args:
        panels_of: what is drawn.
        x_title: of the axis of the values.
        hover: shows a value, as Plotly's `hovertemplate`.
        row_px: the height of a row.
        width: of a bar, as a share of it; Plotly's own if there is none.
    """
    figure = panels(
        [one.title for one in panels_of], [round(row_px * len(one.rows)) + 10 for one in panels_of], legend=True
    )
    for panel, one in enumerate(panels_of, start=1):
        for place, part in enumerate(one.parts):
            shown = go.Bar(
                x=list(part.values),
                y=[at + part.offset for at in range(len(part.values))],
                orientation="h",
                name=part.title,
                legendgroup=part.key,
                showlegend=panel == 1,
                marker=patterned(place),
                hovertemplate=hover,
            )
            if width is not None:
                shown.width = width
            figure.add_trace(shown, row=panel, col=1)
        named_rows(figure, one.rows, panel=panel)
        figure.update_xaxes(title={"text": x_title}, rangemode="tozero", row=panel, col=1)
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    return figure


def named_rows(figure: go.Figure, labels: Sequence[str], *, panel: int = 1, size: float = 1.0) -> None:
    """Write names beside the rows of a panel, the first one on top; rows stand at 0, 1, 2 and so on.

    Equal names stay rows of their own, since a row is a number and no category.
    """
    figure.update_yaxes(
        row=panel,
        col=1,
        tickmode="array",
        tickvals=[place * size for place in range(len(labels))],
        ticktext=[label(name) for name in labels],
        range=[(len(labels) - 0.5) * size, -0.5 * size],
        showgrid=False,
        zeroline=False,
    )


def logarithmic(low: float, high: float) -> dict[str, Any]:
    """Return the type and the ticks of a logarithmic axis over these values."""
    return {"type": "log", "dtick": 1 if high >= 100 * low else "D2", "tickformat": ".3~g"}
