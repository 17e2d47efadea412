"""Where the marks of a panel stand: places across in percent, places down in pixels."""

from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup

from reports.page.drawing import svg
from reports.page.drawing.panels import Panel


class Pen:
    """Draws the traces of one panel of so many pixels in height."""

    def __init__(self, panel: Panel, height: float, figure: go.Figure) -> None:
        self.panel, self.height, self.figure = panel, height, figure

    def x(self, value: float) -> str:
        """Return a place across."""
        return svg.percent(min(max(self.panel.x.at(value), -0.002), 1.002))

    def y(self, value: float) -> float:
        """Return a place down, in pixels."""
        return self.height * (1 - self.panel.y.at(value))

    def holds(self, x: Any, y: Any) -> bool:
        """Return whether a point can be placed."""
        return self.panel.x.scale.holds(x) and self.panel.y.scale.holds(y)

    def interval(self, low: str, high: str, y: float, colour: str) -> Markup:
        """Return a line across with a short stroke at each end."""
        at, above, below = svg.pixels(y), svg.pixels(y - 4), svg.pixels(y + 4)
        return Markup("").join(
            svg.line(x, y_ends, colour, stroke_width="1.8")
            for x, y_ends in (((low, high), (at, at)), ((low, low), (above, below)), ((high, high), (above, below)))
        )


def numbers(values: Any) -> list[Any]:
    """Return the values of a trace as Python has them."""
    return [] if values is None else [value.item() if hasattr(value, "item") else value for value in values]
