"""What a net of two inputs and one output answers on a plane: small multiples, one per row, with the data's points."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from harness.language import _
from harness.records.evidence import Surface
from reports.page.evidence.files import ShownRun
from reports.page.exhibit import Exhibit
from reports.page.heat_maps import INK, place, small_multiples
from reports.words import text
from reports.words.table import Table, grid, number, words

DARK, LIGHT = "#6E6E6E", "#FAFAFA"
"""Greys, for a colour means a framework."""
PANEL_PX = 240
READ = 5
"""Values in a row of the table: thinned evenly, both ends in it."""


def exhibit(name: str, title: str, shown: Sequence[ShownRun], note: str) -> Exhibit | None:
    """Return the surfaces of a group's rows, None where there is none."""
    rows = [(item, item.found.surface) for item in shown if item.found.surface is not None]
    if not rows:
        return None
    is_logit = rows[0][0].record.task.loss == "sigmoid_cross_entropy"
    values = [_values(surface, is_logit=is_logit) for _item, surface in rows]
    low, high = (0.0, 1.0) if is_logit else _limits(values)
    figure = small_multiples([item.label for item, _surface in rows], panel_px=PANEL_PX)
    for panel, ((_item, surface), of_row) in enumerate(zip(rows, values, strict=True)):
        _draw(figure, panel, surface, of_row, low, high)
    if is_logit:
        what = _(
            "Shown is the probability of the label 1 that each net gives a point; the line is where it is one half."
        )
    else:
        what = _("Shown is what each net gives for a point; the line is half way between the ends of the scale.")
    return Exhibit(
        name=name,
        title=_("Decision surface: {group}").format(group=title),
        note=f"{what} {note}",
        alt=_(
            "{count} maps of the plane side by side, coloured by the output of the net, with the test points."
        ).format(count=len(rows)),
        figure=figure,
        grid=_grid(rows, values),
    )


def _values(surface: Surface, *, is_logit: bool) -> NDArray[np.float64]:
    found = np.array([[math.nan if value is None else value for value in row] for row in surface.outputs])
    return 1 / (1 + np.exp(-found.clip(-700, 700))) if is_logit else found


def _limits(values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    known = np.concatenate([found[np.isfinite(found)] for found in values])
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _axis(surface: Surface, axis: int) -> NDArray[np.float64]:
    return np.linspace(surface.low[axis], surface.high[axis], len(surface.outputs)).round(6)


def _draw(
    figure: go.Figure, panel: int, surface: Surface, values: NDArray[np.float64], low: float, high: float
) -> None:
    across, up = _axis(surface, 0).tolist(), _axis(surface, 1).tolist()
    z = [[None if math.isnan(value) else round(value, 3) for value in row] for row in values.tolist()]
    scale = {"zmin": low, "zmax": high, "colorscale": [[0, DARK], [1, LIGHT]]}
    figure.add_trace(
        go.Heatmap(
            x=across, y=up, z=z, **scale, showscale=panel == 0, colorbar={"thickness": 12},
            hovertemplate="(%{x:.2f}, %{y:.2f}): %{z:.3f}<extra></extra>",
        ),
        **place(panel),
    )  # fmt: skip
    middle = (low + high) / 2
    figure.add_trace(
        go.Contour(
            x=across, y=up, z=z, contours={"start": middle, "end": middle, "size": 1, "coloring": "none"},
            line={"color": "#222222", "width": 2}, showscale=False, hoverinfo="skip",
        ),
        **place(panel),
    )  # fmt: skip
    for label, symbol in ((0.0, "circle"), (1.0, "diamond")):
        points = [point for point in surface.points if (point.y > 0.5) == (label > 0.5)]
        figure.add_trace(
            go.Scatter(
                x=[point.x[0] for point in points],
                y=[point.x[1] for point in points],
                mode="markers+text",
                text=[f"{point.y:g}" for point in points] if len(points) <= READ else None,
                textposition="top center",
                textfont={"color": "#222222"},
                cliponaxis=False,
                marker={"symbol": symbol, "size": 11, "color": "#FFFFFF", "line": {"color": "#222222", "width": 2}},
                hovertemplate="(%{x}, %{y})<extra></extra>",
                showlegend=False,
            ),
            **place(panel),
        )
    figure.update_xaxes(
        title={"text": _("first input")}, range=[across[0], across[-1]], constrain="domain", **place(panel)
    )
    figure.update_yaxes(
        title={"text": _("second input")}, range=[up[0], up[-1]], scaleanchor=f"x{panel + 1}" if panel else "x",
        constrain="domain", constraintoward="top", linecolor=INK, **place(panel),
    )  # fmt: skip


def _grid(rows: Sequence[tuple[ShownRun, Surface]], values: Sequence[NDArray[np.float64]]) -> Table:
    """Return the surfaces at a few points, evenly thinned, with the corners; every row on its own grid of inputs."""
    cells = []
    for (item, surface), of_row in zip(rows, values, strict=True):
        kept = np.linspace(0, len(of_row) - 1, READ).round().astype(int).tolist()
        across, up = _axis(surface, 0), _axis(surface, 1)
        for y in kept:
            found = [number(float(of_row[y, x]), text.number(float(of_row[y, x]), 3)) for x in kept]
            cells.append([words(item.label, quoted=True), number(float(up[y]), f"{up[y]:g}"), *found])
        header = [f"{across[x]:g}" for x in kept]
    return grid([_("backend"), _("second input"), *(_("at first input {x}").format(x=x) for x in header)], cells)
