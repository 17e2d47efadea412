"""What is learned, against the seconds of training and against the steps: two pictures for every group of rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from harness.language import _, ngettext
from harness.record import Record
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.exhibits import curves
from reports.page.exhibits.curves import Curve, Numbers, Points, rounded
from reports.page.lines import Line, Place, joined, left_out, marked, name, places
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number

MOST_POINTS_IN_ALL = 30_000
"""Of the curves of one study; of very many curves each gets fewer."""
FEWEST_POINTS = 8
FEWEST_DRAWN = 3
"""Evaluations of a curve below which a picture shows less than its table."""
MARKERS = 8
"""Of one line, so that it is not told from others by its colour alone."""
WIDE = 20.0
"""A quantity whose largest value is so many times its smallest gets a logarithmic axis."""


class Drawn(NamedTuple):
    """A row and its curve."""

    line: Line
    curve: Curve


class Subject(NamedTuple):
    """What the curves of one picture show."""

    what: str
    metric: str
    """By which numbers are written."""
    evaluated: bool
    """Few points with their ranges, instead of a line with a band."""
    staged: bool = False
    """Of the last stage of a Boltzmann machine alone."""
    target: float | None = None


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the loss and the quality of every group that has them."""
    records = {record.spec.run_id: record for record in study.loaded.records}
    found = places(study)
    count = sum(len(place.lines) for place in found)
    points = max(FEWEST_POINTS, min(curves.MOST_POINTS, MOST_POINTS_IN_ALL // max(1, count)))
    made = []
    for place in found:
        of_group = [records[run_id] for line in place.lines for run_id in line.row.run_ids]
        if drawn := _drawn(place, records, curves.losses, points):
            staged = any(record.measured.stages for record in of_group)
            what = _("reconstruction error of the last stage") if staged else _("training loss")
            subject = Subject(what, "", evaluated=False, staged=staged)
            made.append(_exhibit(f"loss-{place.anchor}", _("Loss: {title}"), place, drawn, subject))
        metric = next((line.row.metric for line in place.lines if line.row.metric), "")
        if drawn := _drawn(place, records, curves.evaluations(metric), points):
            subject = Subject(_(metric.replace("_", " ")), metric, evaluated=True, target=_target(metric, of_group[0]))
            made.append(_exhibit(f"quality-{place.anchor}", _("Test quality: {title}"), place, drawn, subject))
    if made and (more := left_out(study.groups)):
        made.append(Exhibit(name="learning-left-out", title=_("More learning curves"), note=more))
    return tuple(made)


def _drawn(place: Place, records: dict[str, Record], read: Callable[[Record], Points], points: int) -> list[Drawn]:
    pairs = [
        (line, curves.curve([records[run_id] for run_id in line.row.run_ids], read, points)) for line in place.lines
    ]
    return [Drawn(line, found) for line, found in pairs if found is not None]


def _target(metric: str, record: Record) -> float | None:
    """Return the quality that the runs have to reach, None where nothing is asked or another metric."""
    target = record.task.target(record.spec.preset, record.spec.dataset)
    return target.at_least if target and target.metric == metric else None


def _exhibit(anchor: str, title: str, place: Place, drawn: Sequence[Drawn], subject: Subject) -> Exhibit:
    return Exhibit(
        name=anchor,
        part="curves",
        title=title.format(title=place.short),
        note=joined((*_note(drawn, subject), *_rising(drawn, subject), marked([place]))),
        alt=joined(_alt(drawn, subject)),
        figure=_figure(drawn, subject) if max(len(one.curve.steps) for one in drawn) >= FEWEST_DRAWN else None,
        grid=_grid(drawn, subject),
    )


def _figure(drawn: Sequence[Drawn], subject: Subject) -> go.Figure:
    figure = style.pair(y_title=subject.what)
    traces: list[tuple[int, go.Scatter]] = []
    for line, curve in drawn:
        steps = rounded(curve.steps)
        traces.append((1, _trace(line, curve, rounded(curve.seconds), subject, first=True)))
        traces.append((2, _trace(line, curve, steps, subject, first=False)))
        if not subject.evaluated and curve.runs > 1:
            traces.append((2, _band(line, curve, steps)))
    figure.add_traces(
        [trace for _column, trace in traces], rows=[1] * len(traces), cols=[one for one, _trace in traces]
    )
    for column, title, values in (
        (1, _("seconds of training"), [one.curve.seconds for one in drawn]),
        (2, _("optimizer steps"), [one.curve.steps for one in drawn]),
    ):
        figure.update_xaxes(**_axis(title, values), row=1, col=column)
    values = [array for one in drawn for array in (one.curve.low, one.curve.high)]
    if subject.metric:
        figure.update_yaxes(range=_span(values, subject.target))
    else:
        shown = _axis(subject.what, values)
        figure.update_yaxes(type=shown["type"], dtick=shown.get("dtick"))
        figure.update_yaxes(title=shown["title"], row=1, col=1)
    if subject.target is not None:
        figure.add_hline(y=subject.target, line={"dash": "dot", "color": style.INK, "width": 1.5})
    return figure


def _trace(line: Line, curve: Curve, x: Sequence[float | None], subject: Subject, *, first: bool) -> go.Scatter:
    middle = rounded(curve.middle)
    found: dict[str, Any] = {}
    if subject.evaluated and curve.runs > 1:
        above, below = rounded(curve.high - curve.middle), rounded(curve.middle - curve.low)
        found["error_y"] = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1}
    return go.Scatter(
        x=x,
        y=middle,
        name=style.label(line.axis_label),
        legendgroup=line.short,
        showlegend=first,
        line={"color": line.look.colour, "dash": line.look.dash, "width": 2},
        mode="lines+markers",
        marker={"symbol": line.look.symbol, "color": line.look.colour, "size": 9, "maxdisplayed": MARKERS},
        hovertemplate="%{x:.4~g}: %{y:.4~g}",
        **found,
    )


def _band(line: Line, curve: Curve, steps: Sequence[float | None]) -> go.Scatter:
    return go.Scatter(
        x=[*steps, *reversed(steps)],
        y=[*rounded(curve.low), *reversed(rounded(curve.high))],
        legendgroup=line.short,
        showlegend=False,
        fill="toself",
        fillcolor=style.faded(line.look.colour, 0.15),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
    )


def _known(arrays: Iterable[Numbers]) -> Numbers:
    values = np.concatenate(list(arrays))
    return np.asarray(values[np.isfinite(values)])


def _axis(title: str, arrays: Sequence[Numbers]) -> dict[str, Any]:
    """Return an axis whose scale goes by how far its values lie apart, and is named if it is logarithmic."""
    values = _known(arrays)
    if not len(values) or values.min() <= 0 or values.max() < WIDE * values.min():
        return {"title": {"text": title}, "type": "linear", "rangemode": "tozero"}
    scale = style.logarithmic(float(values.min()), float(values.max()))
    return scale | {"title": {"text": _("{quantity}<br>(logarithmic)").format(quantity=title)}}


def _span(arrays: Sequence[Numbers], target: float | None) -> list[float]:
    """Return the ends of a linear axis that holds the values and the target."""
    values = np.append(_known(arrays), [] if target is None else [target])
    room = max(0.05 * float(values.max() - values.min()), 0.01 * float(abs(values).max()), 1e-9)
    return [float(values.min()) - room, float(values.max()) + room]


def _note(drawn: Sequence[Drawn], subject: Subject) -> list[str]:
    most = max(len(one.curve.steps) for one in drawn)
    if subject.evaluated:
        sentences = [
            _("A point is the median over the completed runs, on the test split; the line on it reaches from the "
              "smallest to the largest run.")
        ]  # fmt: skip
    else:
        sentence = ngettext(
            "A line is the median over the completed runs at {count} point; the band beside the steps reaches from "
            "the smallest to the largest run.",
            "A line is the median over the completed runs at up to {count} points; the band beside the steps reaches "
            "from the smallest to the largest run.",
            most,
        )
        sentences = [sentence.format(count=most), _("A loss is a mean over the steps since the recorded one before.")]
    if subject.staged:
        sentences.append(_("Steps and seconds are those of the last stage alone."))
    else:
        sentences.append(_("Seconds are those of training alone, with the first step and what is compiled on it."))
    if subject.target is not None:
        value = text.quality(subject.target, subject.metric)
        sentences.append(_("The dotted line is the preset's target, {value}.").format(value=value))
    return sentences


def _rising(drawn: Sequence[Drawn], subject: Subject) -> Iterable[str]:
    """Yield why a curve ends higher than it begins, for it looks as if the net had come undone."""
    rising = [one.line.short for one in drawn if one.curve.middle[-1] > one.curve.middle[0]]
    if subject.evaluated or not rising:
        return
    if subject.staged:
        yield _(
            "That the error rises is no fault of a framework: this stage raises a bound on the likelihood of the "
            "pictures, and starts from stages that were trained to reconstruct them."
        )
    else:
        yield _("The loss of {labels} ends higher than it began.").format(labels=", ".join(rising))


def _alt(drawn: Sequence[Drawn], subject: Subject) -> list[str]:
    """Return where every curve ends, and how far apart the ends are."""
    sentences = []
    for line, curve in drawn:
        sentence = _("{label}: {what} {value} after {steps} steps and {seconds} s of training.")
        if not np.isfinite(curve.seconds[-1]):
            sentence = _("{label}: {what} {value} after {steps} steps.")
        value, seconds = _shown(curve.middle[-1], subject), text.seconds(float(curve.seconds[-1]))
        steps = f"{int(curve.steps[-1]):,}"
        sentences.append(
            sentence.format(label=line.short, what=subject.what, value=value, steps=steps, seconds=seconds)
        )
    ends = sorted(float(one.curve.middle[-1]) for one in drawn)
    if len(ends) > 1:
        sentence = _("The ends of the curves lie between {low} and {high}.")
        sentences.append(sentence.format(low=_shown(ends[0], subject), high=_shown(ends[-1], subject)))
    return sentences


def _shown(value: float, subject: Subject) -> str:
    return text.quality(value, subject.metric) if subject.metric else text.number(value)


def _grid(drawn: Sequence[Drawn], subject: Subject) -> Table:
    headers = (
        _("row"),
        _("steps"),
        _("seconds"),
        _("{quantity}, median").format(quantity=subject.what),
        _("smallest"),
        _("largest"),
        _("runs"),
    )
    return grid(headers, [cells for one in drawn for cells in _cells(one, subject)])


def _cells(one: Drawn, subject: Subject) -> list[list[Cell]]:
    curve = one.curve
    columns = (curve.steps, curve.seconds, curve.middle, curve.low, curve.high)
    rows = []
    for steps, seconds, *values in zip(*map(rounded, columns), strict=True):
        shown = [number(value, text.NOTHING if value is None else _shown(value, subject)) for value in values]
        runs = number(float(curve.runs), str(curve.runs))
        rows.append([name(one.line.label), number(steps, f"{steps:,.0f}"), number(seconds), *shown, runs])
    return rows
