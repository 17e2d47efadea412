"""The traces of a panel as elements of SVG: points, lines, bars and boxes."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from markupsafe import Markup

from reports.page.drawing import heat, svg
from reports.page.drawing.panels import Trace, bar_starts, intervals
from reports.page.drawing.pen import Pen, numbers
from reports.page.drawing.scales import is_number

DASHES = {
    "solid": None,
    "dash": "7 4",
    "dot": "2 3",
    "dashdot": "7 3 2 3",
    "longdash": "12 4",
    "longdashdot": "12 3 2 3",
}
WIDE = 1000
"""Units across in which lines are given, stretched to the picture's width."""


def traces(pen: Pen) -> Iterator[Markup]:
    """Yield the elements of all traces of a panel."""
    for trace in pen.panel.traces:
        yield from KINDS[trace.type](pen, trace)


def _each(value: Any, count: int) -> Sequence[Any]:
    return numbers(value) if isinstance(value, (list, tuple)) or hasattr(value, "dtype") else [value] * count


def scatter(pen: Pen, trace: Trace) -> Iterator[Markup]:
    """Yield a band, or a line, its intervals, and its markers."""
    points = list(zip(numbers(trace.x), numbers(trace.y), strict=True))
    if trace.fill == "toself":
        known = [point for point in points if pen.holds(*point)]
        yield _stretched(pen, "polygon", known, {"fill": trace.fillcolor, "stroke": "none"})
        return
    mode = trace.mode or "lines"
    colour = _colour(trace)
    if "lines" in mode:
        stroke = {
            "fill": "none",
            "stroke": colour,
            "stroke-width": "2",
            "stroke-dasharray": DASHES[trace.line.dash or "solid"],
        }
        for run in _runs(pen, points):
            yield _stretched(pen, "polyline", run, stroke)
    colours = _each(trace.marker.color or colour, len(points))
    yield from _intervals(pen, trace, points, colours)
    if "markers" in mode:
        for place in _marked(trace, len(points)):
            x, y = points[place]
            if pen.holds(x, y):
                yield svg.marker(trace.marker.symbol or "circle", _ink(colours[place]), pen.x(x), svg.pixels(pen.y(y)))
    for (x, y), said in zip(points, numbers(trace.text), strict=False):
        if "text" in mode and pen.holds(x, y):
            yield svg.words(said, pen.x(x), pen.y(y) - 9, fill="#222")


def _colour(trace: Trace) -> str:
    marker = trace.marker
    found = trace.line.color or (marker.color if isinstance(marker.color, str) else None) or marker.line.color
    return _ink(found)


def _ink(colour: str | None) -> str:
    """Return a colour; what has that of the text follows the page's."""
    return svg.SOFT if colour in (None, "#767676") else str(colour)


def _runs(pen: Pen, points: Sequence[tuple[Any, Any]]) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a line that no missing point breaks."""
    run: list[tuple[float, float]] = []
    for point in (*points, (math.nan, math.nan)):
        if pen.holds(*point):
            run.append(point)
        elif run:
            yield run
            run = []


def _stretched(pen: Pen, name: str, points: Sequence[tuple[float, float]], attributes: dict[str, str | None]) -> Markup:
    """Return a line or an area over the width of the picture, whatever that is."""
    places = " ".join(f"{WIDE * pen.panel.x.at(x):.1f},{pen.y(y):.1f}" for x, y in points)
    drawn = svg.element(name, {"points": places, "vector-effect": "non-scaling-stroke", **attributes})
    box = {"viewBox": f"0 0 {WIDE} {svg.pixels(pen.height)}", "preserveAspectRatio": "none"}
    return svg.element("svg", {"width": "100%", "height": svg.pixels(pen.height), "overflow": "visible", **box}, drawn)


def _intervals(pen: Pen, trace: Trace, points: Sequence[tuple[Any, Any]], colours: Sequence[Any]) -> Iterator[Markup]:
    for (_x, y), (low, high), colour in zip(points, intervals(trace, "x"), colours, strict=False):
        if pen.holds(low, y) and pen.holds(high, y):
            yield pen.interval(pen.x(low), pen.x(high), pen.y(y), _ink(colour))
    for (x, _y), (low, high), colour in zip(points, intervals(trace, "y"), colours, strict=False):
        if pen.holds(x, low) and pen.holds(x, high):
            ends = (svg.pixels(pen.y(low)), svg.pixels(pen.y(high)))
            yield svg.line((pen.x(x), pen.x(x)), ends, _ink(colour), stroke_width="1.4")


def _marked(trace: Trace, count: int) -> Sequence[int]:
    """Return which points have a marker: of a long line some, evenly apart."""
    most = trace.marker.maxdisplayed
    if not most or count <= most:
        return range(count)
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def bar(pen: Pen, trace: Trace) -> Iterator[Markup]:
    """Yield bars that lie, each from the end of those that it is stacked on."""
    places, values = numbers(trace.y), numbers(trace.x)
    colours = _each(trace.marker.color, len(values))
    edges = _each(trace.marker.line.color, len(values))
    is_hatched = bool(trace.marker.pattern.shape)
    height = pen.height / max(1.0, pen.panel.y.scale.high - pen.panel.y.scale.low) * 0.92 * (trace.width or 0.7)
    starts = bar_starts(trace, pen.figure)
    for number, (place, value) in enumerate(zip(places, values, strict=True)):
        if not is_number(value) or not value:
            continue
        start = starts[place, number]
        low, high = (min(max(pen.panel.x.at(end), 0.0), 1.0) for end in (start, start + value))
        fill = f"url(#hatched-{str(edges[number])[1:]})" if is_hatched else _ink(colours[number])
        box = {"x": svg.percent(low), "width": svg.percent(high - low), "y": svg.pixels(pen.y(place) - height / 2)}
        stroke = _ink(edges[number]) if edges[number] else None
        yield svg.element(
            "rect",
            {**box, "height": svg.pixels(height), "fill": fill, "stroke": stroke, "opacity": trace.marker.opacity},
        )
    for place, (low, high) in zip(places, intervals(trace, "x"), strict=False):
        if is_number(low) and is_number(high):
            yield pen.interval(pen.x(low), pen.x(high), pen.y(place), svg.INK)


def box(pen: Pen, trace: Trace) -> Iterator[Markup]:
    """Yield boxes that lie: whiskers, quartiles, and a line at the median."""
    columns = (trace.y, trace.lowerfence, trace.q1, trace.median, trace.q3, trace.upperfence)
    colour = _ink(trace.line.color)
    for place, *ends in zip(*map(numbers, columns), strict=True):
        if not all(pen.panel.x.scale.holds(end) for end in ends):
            continue
        low, first, middle, high = (pen.x(ends[number]) for number in (0, 1, 2, 4))
        y, half = pen.y(place), 5.5
        at = svg.pixels(y)
        yield svg.line((low, high), (at, at), colour, stroke_width="1.4")
        width = svg.percent(max(pen.panel.x.at(ends[3]) - pen.panel.x.at(ends[1]), 0.0))
        shape = {"x": first, "width": width, "y": svg.pixels(y - half), "height": svg.pixels(2 * half)}
        yield svg.element("rect", {**shape, "fill": trace.fillcolor, "stroke": colour})
        yield svg.line((middle, middle), (svg.pixels(y - half), svg.pixels(y + half)), colour, stroke_width="2.4")


KINDS: dict[str, Callable[[Pen, Trace], Iterator[Markup]]] = {
    "scatter": scatter,
    "bar": bar,
    "box": box,
    "heatmap": heat.cells,
    "contour": heat.contour,
}
"""How the traces of each type are drawn."""
