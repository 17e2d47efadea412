"""The panels of a Plotly figure: which traces stand in which, and the scales of their axes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports.page.drawing.scales import Scale, Tick, is_number, over, ticks

Trace = Any
"""A trace of a Plotly figure."""


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis: its scale, its ticks, and what it says."""

    scale: Scale
    ticks: tuple[Tick, ...]
    title: tuple[str, ...]
    """Its lines."""
    names_rows: bool
    """Its ticks are names: of rows, or of the columns of a heat map."""
    is_reversed: bool = False

    def at(self, value: float) -> float:
        """Return a value's place, 0 at the left or lower end."""
        place = self.scale.at(value)
        return 1 - place if self.is_reversed else place


@dataclass(frozen=True, eq=False)
class Panel:
    """What stands between one pair of axes."""

    title: str
    x: Axis
    y: Axis
    traces: tuple[Trace, ...]
    lines: tuple[tuple[str, float], ...]
    """Straight lines through the panel: x or y, and where."""


def panels(figure: go.Figure) -> list[Panel]:
    """Return the panels of a figure, in their order."""
    pairs: dict[tuple[str, str], list[Trace]] = {}
    for trace in figure.data:
        pairs.setdefault((trace.xaxis or "x", trace.yaxis or "y"), []).append(trace)
    titles = [note.text for note in figure.layout.annotations or () if note.xref == "paper"]
    shared = {name for name in (y for _x, y in pairs) if _axis_of(figure, name).matches}
    every = [trace for traces in pairs.values() for trace in traces]
    found = []
    for place, ((x, y), traces) in enumerate(pairs.items()):
        lines = tuple(_lines(figure, x, y))
        across = _axis(figure, x, traces, [at for axis, at in lines if axis == "x"])
        together = every if shared and y in shared | {"y"} else traces
        up = _axis(figure, "y" if y in shared else y, together, [at for axis, at in lines if axis == "y"])
        found.append(Panel(titles[place] if place < len(titles) else "", across, up, tuple(traces), lines))
    return found


def _axis_of(figure: go.Figure, name: str) -> Any:
    return figure.layout[f"{name[0]}axis{name[1:]}"]


def _axis(figure: go.Figure, name: str, traces: Sequence[Trace], more: Iterable[float]) -> Axis:
    layout = _axis_of(figure, name)
    is_log = layout.type == "log"
    categories = list(dict.fromkeys(one for trace in traces for one in _texts(trace, name[0])))
    if categories:
        marks = tuple(Tick(float(place), said) for place, said in enumerate(categories))
        return Axis(Scale(-0.5, len(categories) - 0.5), marks, _title(layout), names_rows=True)
    is_reversed = layout.autorange == "reversed"
    if layout.range is not None:
        low, high = layout.range
        is_reversed = is_reversed or low > high
        low, high = min(low, high), max(low, high)
        scale = Scale(10.0**low, 10.0**high, is_log=True) if is_log else Scale(float(low), float(high))
    else:
        values = [*(value for trace in traces for value in _values(trace, name[0], figure)), *more]
        scale = over(values, is_log=is_log, with_zero=layout.rangemode == "tozero")
        if all(trace.type in ("heatmap", "contour") for trace in traces):
            step = 0.5 if all(value == round(value) for value in values) else 0.0
            scale = Scale(min(values) - step, max(values) + step) if max(values) > min(values) else scale
    if layout.tickvals is None:
        return Axis(scale, tuple(ticks(scale)), _title(layout), names_rows=False, is_reversed=is_reversed)
    said = layout.ticktext if layout.ticktext is not None else [f"{value:g}" for value in layout.tickvals]
    marks = tuple(Tick(float(value), str(words)) for value, words in zip(layout.tickvals, said, strict=True))
    return Axis(scale, marks, _title(layout), names_rows=True, is_reversed=is_reversed)


def _title(layout: Any) -> tuple[str, ...]:
    return tuple((layout.title.text or "").split("<br>"))


def _texts(trace: Trace, axis: str) -> Iterator[str]:
    yield from (value for value in _given(trace, axis) if isinstance(value, str))


def _given(trace: Trace, axis: str) -> list[Any]:
    found = trace[axis]
    if found is None and trace.type == "heatmap":
        found = range(len(trace.z if axis == "y" else trace.z[0]))
    return [] if found is None else [value.item() if hasattr(value, "item") else value for value in found]


def _values(trace: Trace, axis: str, figure: go.Figure) -> Iterator[float]:
    """Yield every number of a trace that its axis must hold."""
    if trace.type == "bar" and axis == "x":
        yield 0.0
        yield from stacked_ends(trace, figure)
    elif trace.type == "box" and axis == "x":
        for part in (trace.lowerfence, trace.upperfence):
            yield from (float(value) for value in part)
    else:
        yield from (value for value in _given(trace, axis) if is_number(value))
    if trace.type in ("bar", "scatter"):
        for low, high in intervals(trace, axis):
            yield from (value for value in (low, high) if is_number(value))


def intervals(trace: Trace, axis: str) -> list[tuple[float, float]]:
    """Return the ends of the intervals on a trace's points, NaN where a point has none; nothing where none has."""
    error = trace[f"error_{axis}"]
    if error is None or error.array is None:
        return []
    below = error.arrayminus if error.arrayminus is not None else error.array
    ends = zip(_given(trace, axis), below, error.array, strict=True)
    nothing = float("nan")
    return [
        (nothing, nothing) if None in (middle, down, up) else (middle - float(down), middle + float(up))
        for middle, down, up in ends
    ]


def bar_starts(trace: Trace, figure: go.Figure) -> dict[tuple[float, int], float]:
    """Return where the bars of a trace begin, by their place and number: at zero, or at the ends of those below."""
    places = _given(trace, "y")
    starts = {(place, number): 0.0 for number, place in enumerate(places)}
    if figure.layout.barmode != "stack":
        return starts
    for other in figure.data:
        if other is trace:
            break
        if other.type == "bar" and (other.yaxis or "y") == (trace.yaxis or "y"):
            for place, value in zip(_given(other, "y"), _given(other, "x"), strict=True):
                for key in starts:
                    if key[0] == place and is_number(value):
                        starts[key] += value
    return starts


def stacked_ends(trace: Trace, figure: go.Figure) -> list[float]:
    """Return where the bars of a trace end."""
    starts = bar_starts(trace, figure).values()
    return [start + value for start, value in zip(starts, _given(trace, "x"), strict=True) if is_number(value)]


def _lines(figure: go.Figure, x: str, y: str) -> Iterator[tuple[str, float]]:
    """Yield the straight lines through a panel."""
    for shape in figure.layout.shapes or ():
        if shape.type == "line" and shape.xref.split()[0] == x and shape.yref.split()[0] == y:
            yield ("x", float(shape.x0)) if shape.x0 == shape.x1 else ("y", float(shape.y0))
