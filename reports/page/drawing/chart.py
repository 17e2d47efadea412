"""A Plotly figure as it stands in the page: panels beside and below each other, with axes, names and a legend.

Colours of text and lines are those of the page, so that nothing is drawn anew where these change.
"""

import math
from collections.abc import Iterator

import plotly.graph_objects as go
from markupsafe import Markup

from reports.page.drawing import svg
from reports.page.drawing.marks import DASHES, KINDS, traces
from reports.page.drawing.panels import Panel, panels
from reports.page.drawing.pen import Pen
from reports.words import text

ROW_PX, SMALL_ROW_PX, CURVE_PX, SQUARE_PX = 26, 15, 210, 220
MOST_AT_FULL_HEIGHT = 12
NARROWEST_NAME_PX, WIDEST_NAME_PX = 34, 250
ABOVE, LINE_PX, TICKS_PX = 8, 16, 20


def drawn(figure: go.Figure) -> Markup:
    """Return a figure as markup: a legend where it has one, then its panels.

    Raises:
        TypeError: a trace is of a type that nothing here draws.
    """
    for trace in figure.data:
        if trace.type not in KINDS:
            raise TypeError(f"the page draws {', '.join(KINDS)}; received a trace of the type {trace.type!r}")
    found = panels(figure)
    kind = " squares" if any(_is_square(panel) for panel in found) else ""
    kind += " single" if len(found) == 1 else ""
    inside = Markup("").join(_panel(panel, figure) for panel in found)
    return _legend(figure) + Markup('<div class="panels{}">{}</div>').format(kind, inside)


def _panel(panel: Panel, figure: go.Figure) -> Markup:
    height = _height(panel)
    pen = Pen(panel, height, figure)
    names = [tick.text for tick in panel.y.ticks]
    left = min(max(NARROWEST_NAME_PX, *map(svg.width_of, names), 0) + 10, WIDEST_NAME_PX)
    below = 8 + TICKS_PX + LINE_PX * len([line for line in panel.x.title if line])
    above = ABOVE + (LINE_PX + 2 if any(panel.y.title) else 0)
    marks = (*_ground(pen), *traces(pen), *_across(pen), *_down(pen, left))
    drawing = svg.element(
        "svg",
        {"width": "100%", "height": svg.pixels(height), "overflow": "visible", "font-size": "13"},
        Markup("").join(marks),
    )
    title = Markup('<p class="panel-title">{}</p>').format(text.printable(panel.title)) if panel.title else Markup("")
    widest = f"max-width:{left + SQUARE_PX:.0f}px;" if _is_square(panel) else ""
    room = f"padding:{above}px 14px {below}px {left:.0f}px"
    axes = Markup('<div class="axes" style="{}">{}</div>').format(room, drawing)
    return Markup('<div class="panel" style="{}">{}{}</div>').format(widest, title, axes)


def _is_square(panel: Panel) -> bool:
    """Return whether a heat map is one over two like axes, so that it is as wide as high."""
    first = panel.traces[0]
    return first.type == "heatmap" and first.x is not None and not isinstance(first.x[0], str)


def _height(panel: Panel) -> float:
    if _is_square(panel):
        return SQUARE_PX
    if panel.y.names_rows:
        count = max(1.0, panel.y.scale.high - panel.y.scale.low)
        return count * (ROW_PX if count <= MOST_AT_FULL_HEIGHT else SMALL_ROW_PX)
    return CURVE_PX


def _ground(pen: Pen) -> Iterator[Markup]:
    """Yield what lies behind the marks: lines at the ticks, and lines through the panel."""
    down, across = ("0", svg.pixels(pen.height)), ("0", "100%")
    if not pen.panel.x.names_rows:
        for tick in pen.panel.x.ticks:
            yield svg.line((pen.x(tick.value), pen.x(tick.value)), down, svg.GRID)
    if not pen.panel.y.names_rows:
        for tick in pen.panel.y.ticks:
            yield svg.line(across, (svg.pixels(pen.y(tick.value)),) * 2, svg.GRID)
    for axis, at in pen.panel.lines:
        if axis == "x":
            yield svg.line((pen.x(at), pen.x(at)), down, svg.SOFT, stroke_dasharray="3 3")
        else:
            yield svg.line(across, (svg.pixels(pen.y(at)),) * 2, svg.SOFT, stroke_dasharray="3 3")


def _across(pen: Pen) -> Iterator[Markup]:
    """Yield the texts below a panel: its ticks, and what its axis shows."""
    y = pen.height + TICKS_PX - 4
    every = max(1, math.ceil(len(pen.panel.x.ticks) / 12))
    for number, tick in enumerate(pen.panel.x.ticks):
        if number % every == 0:
            kind = "minor" if number % 2 and not pen.panel.x.names_rows else None
            yield svg.words(tick.text, pen.x(tick.value), y, fill=svg.SOFT, font_size="12", kind=kind)
    for number, line in enumerate(filter(None, pen.panel.x.title)):
        yield svg.words(line, "0", y + LINE_PX * (number + 1) + 2, anchor="start", fill=svg.SOFT)


def _down(pen: Pen, left: float) -> Iterator[Markup]:
    """Yield the texts left of a panel, and above it what they show."""
    size = 13 if pen.height / max(1, len(pen.panel.y.ticks)) >= SMALL_ROW_PX + 1 else 11
    every = max(1, math.ceil(len(pen.panel.y.ticks) * 14 / pen.height))
    for tick in pen.panel.y.ticks[::every]:
        said = _cut(text.printable(tick.text), left - 10)
        yield svg.words(said, "-9", pen.y(tick.value) + 4.5, anchor="end", font_size=str(size))
    said = " ".join(pen.panel.y.title)
    if said:
        yield svg.words(said, f"-{left - 4:.0f}", -10, anchor="start", fill=svg.SOFT)


def _cut(name: str, room: float) -> str:
    if svg.width_of(name) <= room + 1:
        return name
    while name and svg.width_of(f"{name}…") > room:
        name = name[:-1]
    return f"{name}…"


def _legend(figure: go.Figure) -> Markup:
    """Return the names of what a figure's colours, dashes and shades mean, where it has a legend."""
    if not figure.layout.showlegend:
        return Markup("")
    items = [_sample(trace) for trace in figure.data if trace.name and trace.showlegend is not False]
    return Markup('<ul class="key">{}</ul>').format(Markup("").join(items)) if len(items) > 1 else Markup("")


def _sample(trace: object) -> Markup:
    """Return a trace's name with a sample of its mark."""
    kind, marks = trace.type, Markup("")  # type: ignore[attr-defined]
    marker, line = trace.marker, getattr(trace, "line", None)  # type: ignore[attr-defined]
    colour = marker.color if isinstance(marker.color, str) else svg.SOFT
    if kind == "bar":
        fields = {"x": "-8", "y": "-5", "width": "16", "height": "10", "fill": svg.SOFT, "opacity": marker.opacity}
        marks += svg.element("rect", fields)
    else:
        if "lines" in (trace.mode or "lines"):  # type: ignore[attr-defined]
            dash = DASHES[(line and line.dash) or "solid"]
            marks += svg.line(("-14", "14"), ("0", "0"), colour, stroke_width="2", stroke_dasharray=dash)
        marks += svg.outline(marker.symbol or "circle", colour)
    sample = svg.element("svg", {"width": "32", "height": "14", "viewBox": "-16 -7 32 14"}, marks)
    return Markup("<li>{}{}</li>").format(sample, text.printable(trace.name))  # type: ignore[attr-defined]
