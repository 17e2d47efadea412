"""Elements of SVG, every attribute and every text of them escaped.

Places across are percent of the picture's width and places down are pixels, so that one picture fits every page without
becoming larger or smaller in its letters.
"""

from collections.abc import Mapping

from markupsafe import Markup, escape

from reports.words import text

INK, SOFT, GRID, PAPER = "var(--ink)", "var(--soft)", "var(--grid)", "var(--paper)"
RADIUS = 4.6
SHAPES = {
    "circle": "M-4.6 0a4.6 4.6 0 1 0 9.2 0a4.6 4.6 0 1 0 -9.2 0Z",
    "square": "M-4.2 -4.2h8.4v8.4h-8.4Z",
    "diamond": "M0 -5.8L5.8 0L0 5.8L-5.8 0Z",
    "triangle-up": "M0 -5.4L5.2 4L-5.2 4Z",
    "x": "M-5 -2.6L-2.6 -5L0 -2.4L2.6 -5L5 -2.6L2.4 0L5 2.6L2.6 5L0 2.4L-2.6 5L-5 2.6L-2.4 0Z",
    "star": "M0 -6.2L1.6 -2L6 -1.9L2.5 0.8L3.7 5L0 2.5L-3.7 5L-2.5 0.8L-6 -1.9L-1.6 -2Z",
    "triangle-down": "M0 5.4L5.2 -4L-5.2 -4Z",
    "cross": "M-5.2 -1.7H-1.7V-5.2H1.7V-1.7H5.2V1.7H1.7V5.2H-1.7V1.7H-5.2Z",
    "x-thin": "M-4 -4L4 4M4 -4L-4 4",
}
"""Outlines around a marker's middle, in pixels, of the markers' names in Plotly."""

Value = str | float | Markup


def element(name: str, attributes: Mapping[str, Value | None], inside: Markup | str = "") -> Markup:
    """Return an element; attributes that are None are left out, and `inside` is escaped unless it is markup."""
    said = Markup("").join(
        Markup(' {}="{}"').format(key.replace("_", "-"), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{}{}>{}</{}>").format(Markup(name), said, escape(inside), Markup(name))


def _value(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """Return a share of the width as a place."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def pixels(place: float) -> str:
    """Return a place in pixels."""
    return f"{place:.1f}".removesuffix(".0")


def line(x: tuple[str, str], y: tuple[str, str], stroke: str, **more: Value | None) -> Markup:
    """Return a line from the first to the second place."""
    return element("line", {"x1": x[0], "y1": y[0], "x2": x[1], "y2": y[1], "stroke": stroke, **more})


def words(
    said: str,
    x: str,
    y: float,
    *,
    anchor: str = "middle",
    fill: str = INK,
    kind: str | None = None,
    **more: Value | None,
) -> Markup:
    """Return a line of text at a place; `kind` is its class in the page's style."""
    shown = text.printable(said)
    return element("text", {"x": x, "y": pixels(y), "text-anchor": anchor, "fill": fill, "class": kind, **more}, shown)


def marker(symbol: str, colour: str, x: str, y: str) -> Markup:
    """Return a marker in the middle of a place; an open one has the ground's colour inside."""
    return element("svg", {"x": x, "y": y, "overflow": "visible"}, outline(symbol, colour))


def outline(symbol: str, colour: str) -> Markup:
    """Return a marker's outline around the origin."""
    name = symbol.removesuffix("-dot").removesuffix("-open")
    is_open = "-open" in symbol
    fill = "none" if name == "x-thin" else PAPER if is_open else colour
    found = element("path", {"d": SHAPES[name], "fill": fill, "stroke": colour, "stroke-width": "1.6"})
    if symbol.endswith("-dot"):
        found += element("circle", {"r": "1.5", "fill": colour if is_open else PAPER})
    return found


def width_of(said: str, per_letter: float = 7.0) -> float:
    """Return about how wide a text is, in pixels; a Chinese character is as wide as two letters."""
    return sum(per_letter * (1.9 if ord(letter) > 0x2E80 else 1.0) for letter in said)
