"""What tuning gains: every tuned row beside its own stock row, as a ratio with the interval of the verdict."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.language import _
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.lines import Line, Place, joined, left_out, name, places, said
from reports.statistics.study import StudyRead
from reports.statistics.verdicts import Comparison
from reports.words import text
from reports.words.table import Cell, grid, number

STOCK = "stock"


class Gain(NamedTuple):
    """A tuned row against its stock row."""

    place: Place
    stock: Line
    tuned: Line
    found: Comparison
    """Of stock against tuned: above 1, stock takes longer."""


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the picture of all pairs, none where the study has not both profiles of a row."""
    gains = [gain for place in places(study) for gain in _gains(place)]
    if not gains:
        return ()
    sentences = [
        _("How many times as fast a row trains with the settings of its profile as with those of the framework as it "
          "comes; the line is the 95 % interval of this pair alone (Welch's, on logarithms). At 1 nothing is gained.")
    ]  # fmt: skip
    if any(gain.found.ratio is not None and gain.found.low is None for gain in gains):
        sentences.append(_("One process on a side gives no interval."))
    if odd := [gain for gain in gains if gain.found.ratio is None]:
        labels = ", ".join(dict.fromkeys(gain.tuned.short for gain in odd))
        sentences.append(_("Not comparable, and not drawn: {labels}.").format(labels=labels))
    drawn = [gain for gain in gains if gain.found.ratio is not None]
    return (
        Exhibit(
            name="tuning",
            part="speed",
            title=_("Stock against tuned"),
            note=joined((*sentences, left_out(study.groups))),
            alt=joined(_alt(gain) for gain in drawn),
            figure=_figure(drawn) if drawn else None,
            grid=grid(_headers(), [_cells(gain) for gain in gains]),
        ),
    )


def _gains(place: Place) -> list[Gain]:
    pairs = {(item.a, item.b): item for item in place.group.comparisons}
    found = []
    for b, tuned in enumerate(place.lines):
        for a, stock in enumerate(place.lines):
            if tuned.row.profile != STOCK and stock.row.profile == STOCK and _base(stock) == _base(tuned):
                item = pairs[a, b] if a < b else pairs[b, a].reversed()
                found.append(Gain(place, stock, tuned, item))
    return found


def _base(line: Line) -> tuple[str, ...]:
    return line.row.backend, line.row.mode, line.row.device_name, line.row.framework_version


def _figure(gains: Sequence[Gain]) -> go.Figure:
    figure = style.panels([_("Stock against tuned")], [style.BAR_PX * len(gains) + 20])
    for at, (_place, _stock, tuned, found) in enumerate(gains):
        error = None
        if found.ratio is not None and found.low is not None and found.high is not None:
            error = {"type": "data", "symmetric": False, "thickness": 2, "width": 6, "color": style.INK}
            error |= {"array": [found.high - found.ratio], "arrayminus": [found.ratio - found.low]}
        shown = go.Scatter(
            x=[found.ratio],
            y=[at],
            mode="markers",
            name=tuned.short,
            marker={"symbol": tuned.look.symbol, "color": tuned.look.colour, "size": 11},
            error_x=error,
            hovertemplate="%{x:.3~g}×",
        )
        figure.add_trace(shown)
    style.named_rows(figure, [f"{gain.tuned.short}, {gain.place.group.task}" for gain in gains])
    ends = [value for gain in gains for value in (gain.found.ratio, gain.found.low, gain.found.high) if value]
    scale = style.logarithmic(min(*ends, 1.0), max(*ends, 1.0))
    figure.update_xaxes(title={"text": _("times as fast as stock<br>(logarithmic)")}, **scale)
    figure.add_vline(x=1, line={"dash": "dot", "color": style.INK, "width": 1.5})
    return figure


def _alt(gain: Gain) -> str:
    found = gain.found
    sentence = _("{task}, {label}: {times} times as fast as stock, without an interval.")
    if found.verdict == "slower":
        sentence = _("{task}, {label}: {times} times as fast as stock ({low} to {high}).")
    elif found.low is not None:
        sentence = _(
            "{task}, {label}: {times} times as fast as stock ({low} to {high}), which is not shown to be a gain."
        )
    if found.verdict == "faster":
        sentence = _("{task}, {label}: {times} times as fast as stock ({low} to {high}), which is slower.")
    times, low, high = (text.number(value) for value in (found.ratio, found.low, found.high))
    return sentence.format(
        task=style.label(gain.place.group.task), label=gain.tuned.short, times=times, low=low, high=high
    )


def _headers() -> tuple[str, ...]:
    return (
        _("task"),
        _("row"),
        _("times as fast as stock"),
        _("interval from"),
        _("interval to"),
        _("p (Holm)"),
        _("verdict of stock"),
        _("processes tuned"),
        _("processes stock"),
        _("settings"),
    )


def _cells(gain: Gain) -> list[Cell]:
    found = gain.found
    settings = next(iter(gain.tuned.texts("tuned_settings")), "")
    return [
        name(gain.place.title),
        name(gain.tuned.label),
        number(found.ratio),
        number(found.low),
        number(found.high),
        number(found.p_holm, text.number(found.p_holm, 2)),
        said(found.verdict),
        number(float(found.processes_b), str(found.processes_b)),
        number(float(found.processes_a), str(found.processes_a)),
        name(settings),
    ]
