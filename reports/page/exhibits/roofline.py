"""Which share of the machine's measured limits a step reaches: of the own product, of the best one, of the roofline."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.language import _, noop
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.lines import Line, Place, comparable, joined, left_out, marked, name, nobody, places, said
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number

SHARES = {
    "share_of_own_matmul": noop("of the framework's own product"),
    "share_of_best_matmul": noop("of the best product"),
    "share_of_roofline": noop("of the roofline"),
}
MARKS = ("circle-open", "circle", "diamond-open")
"""Of the shares; the colour is the framework's."""
RATES = {
    "flops_per_s": noop("reached, GFLOP/s"),
    "matmul_flops_per_s": noop("own product, GFLOP/s"),
    "best_matmul_flops_per_s": noop("best product, GFLOP/s"),
    "roofline_flops_per_s": noop("roofline, GFLOP/s"),
}


class Reached(NamedTuple):
    """What is known of a row, by column."""

    line: Line
    shares: dict[str, float | None]
    rates: dict[str, float | None]


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the picture of all groups, none where the study has measured no limits."""
    found = [(place, [_reached(line) for line in place.lines]) for place in places(study)]
    drawn = [(place, of) for place, of in found if any(value for one in of for value in one.shares.values())]
    if not drawn:
        return ()
    note = _(
        "Operations per second of a training step, as a share of what was measured in this study on the same cores: a "
        "large float32 product of the framework itself, that of the fastest library, and the roofline, which is the "
        "smaller of the best product and what the memory can feed (Williams et al. 2009). A task that the caches hold "
        "can lie above the roofline. Medians over the completed runs."
    )
    return (
        Exhibit(
            name="limits",
            title=_("Share of the machine's limit"),
            note=joined((note, marked(place for place, _of in drawn), left_out(study.groups))),
            alt=joined(_alt(place, of) for place, of in drawn),
            figure=_figure(drawn),
            grid=_grid(drawn),
        ),
    )


def _reached(line: Line) -> Reached:
    return Reached(
        line=line,
        shares={column: line.median(column) for column in SHARES},
        rates={column: line.median(column) for column in RATES},
    )


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _figure(drawn: Sequence[tuple[Place, Sequence[Reached]]]) -> go.Figure:
    figure = style.panels(
        [place.short for place, _found in drawn],
        [style.BAR_PX * len(found) + 20 for _place, found in drawn],
        legend=True,
    )
    for panel, (place, found) in enumerate(drawn, start=1):
        for part, (column, what) in enumerate(SHARES.items()):
            shown = go.Scatter(
                x=[_percent(one.shares[column]) for one in found],
                y=[at + 0.2 * (part - 1) for at in range(len(found))],
                mode="markers",
                name=_(what),
                legendgroup=column,
                showlegend=panel == 1,
                marker={"symbol": MARKS[part], "color": [one.line.look.colour for one in found], "size": 11},
                hovertemplate="%{x:.3~g} %",
            )
            figure.add_trace(shown, row=panel, col=1)
        known = [100 * value for one in found for value in one.shares.values() if value]
        style.named_rows(figure, [line.axis_label for line in place.lines], panel=panel)
        scale = style.logarithmic(min(known), max(known))
        figure.update_xaxes(title={"text": _("percent (logarithmic)")}, **scale, row=panel, col=1)
    return figure


def _alt(place: Place, found: Sequence[Reached]) -> str:
    """Return the comparable rows that come nearest to the best product and least near."""
    column = "share_of_best_matmul"
    pairs = [(one.shares[column], one.line) for one in found if one.line.row.comparable]
    known = sorted((share, line.short) for share, line in pairs if share is not None)
    if not known:
        return nobody(place)
    (least, low), (most, high) = known[0], known[-1]
    shown = {"most": _shown(most), "least": _shown(least)}
    if len(known) == 1:
        sentence = _("{title}: {high} reaches {most} of the best product.")
    else:
        sentence = _("{title}: {high} reaches {most} of the best product, {low} {least}.")
    return sentence.format(title=place.short, high=high, low=low, **shown)


def _shown(value: float | None) -> str:
    return text.NOTHING if value is None else text.in_percent(text.number(100 * value))


def _grid(drawn: Sequence[tuple[Place, Sequence[Reached]]]) -> Table:
    headers = (
        _("task"),
        _("row"),
        *(_(what) for what in SHARES.values()),
        *(_(what) for what in RATES.values()),
        _("best product by"),
        _("comparable"),
        _("why limits are missing"),
    )
    return grid(headers, [_cells(place, one) for place, of in drawn for one in of])


def _cells(place: Place, found: Reached) -> list[Cell]:
    rates = [None if value is None else value / 1e9 for value in found.rates.values()]
    libraries, reasons = (", ".join(found.line.texts(column)) for column in ("best_matmul_library", "ceiling_reason"))
    return [
        name(place.title),
        name(found.line.label),
        *(number(_percent(value), _shown(value)) for value in found.shares.values()),
        *(number(value) for value in rates),
        name(libraries),
        comparable(found.line.row),
        said(reasons),
    ]
