"""How fast every row trains: the geometric mean over its processes, with the interval that belongs to it.

The processes' numbers are those that the verdicts compare; a row that is not comparable is hatched, and never ranked.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.language import _, noop
from reports.content.cells import cells
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.lines import MARK, Line, Place, comparable, joined, left_out, name, nobody, places, said
from reports.statistics import methods
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number

MOST_TASKS, MORE_TASKS = 6, noop("and {count} others")
LONGEST_INTERVAL = 1.5
"""Over the longest bar; an interval that reaches further leaves the picture."""


class Speed(NamedTuple):
    """Examples per second of a row: a mean, and the interval where it has several processes."""

    mean: float
    low: float | None
    high: float | None


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the picture of all groups, none where nothing was measured."""
    found = places(study)
    speeds = [[speed(line) for line in place.lines] for place in found]
    drawn = [(place, of) for place, of in zip(found, speeds, strict=True) if any(of)]
    if not drawn:
        return ()
    cut = [
        line.short
        for place, of in drawn
        for line, one in zip(place.lines, of, strict=True)
        if one and one.high is not None and one.high > _end(of)
    ]
    return (
        Exhibit(
            name="throughput",
            part="speed",
            title=_("Training speed"),
            short=_finding(drawn),
            note=joined((*_note(drawn, cut), left_out(study.groups))),
            alt=joined(_alt(place) for place, _speeds in drawn),
            figure=_figure(drawn),
            grid=_grid(drawn),
        ),
    )


def _finding(drawn: Sequence[tuple[Place, Sequence[Speed | None]]]) -> str:
    """Return the highest speed of every task's comparable rows."""
    best = []
    for place, of in drawn:
        known = [
            (one.mean, line.short) for line, one in zip(place.lines, of, strict=True) if one and line.row.comparable
        ]
        if known:
            mean, label = max(known)
            fields = {"task": style.label(place.group.task), "rate": text.number(mean), "label": label}
            best.append(_("{task} {rate} ({label})").format(**fields))
    if not best:
        return ""
    return _("Most examples per second: {rates}.").format(rates=text.names(text.first(best, MOST_TASKS, MORE_TASKS)))


def speed(line: Line) -> Speed | None:
    """Return examples per second of a row: geometric mean and Student's interval of the logarithms, by processes."""
    logs = [-value for value in methods.logarithms(line.row.seconds_per_example)]
    if not logs:
        return None
    if len(logs) < methods.FEWEST:
        return Speed(math.exp(logs[0]), None, None)
    found = methods.mean_interval(logs)
    return Speed(*(methods.ratio_of(value) for value in found))


def _end(speeds: Sequence[Speed | None]) -> float:
    """Return where the axis ends."""
    known = [one for one in speeds if one]
    longest = max(one.mean for one in known)
    return min(LONGEST_INTERVAL * longest, 1.05 * max(one.high or one.mean for one in known))


def _figure(drawn: Sequence[tuple[Place, Sequence[Speed | None]]]) -> go.Figure:
    figure = style.panels(
        [place.short for place, _speeds in drawn],
        [style.BAR_PX * len(place.lines) + 10 for place, _speeds in drawn],
    )
    for panel, (place, speeds) in enumerate(drawn, start=1):
        known = [(at, line, one) for at, (line, one) in enumerate(zip(place.lines, speeds, strict=True)) if one]
        for kind in dict.fromkeys((line.look.colour, line.row.comparable) for _at, line, _one in known):
            alike = [(at, one) for at, line, one in known if (line.look.colour, line.row.comparable) == kind]
            figure.add_trace(_bars(alike, kind[0], comparable=kind[1]), row=panel, col=1)
        style.named_rows(figure, [line.axis_label for line in place.lines], panel=panel)
        figure.update_xaxes(title={"text": _("examples per second")}, range=[0, _end(speeds)], row=panel, col=1)
    return figure


def _bars(alike: Sequence[tuple[int, Speed]], colour: str, *, comparable: bool) -> go.Bar:
    """Return the bars of one colour, with their intervals."""
    error = {"type": "data", "symmetric": False, "color": style.INK, "thickness": 2, "width": 6}
    error["array"] = [None if one.high is None else one.high - one.mean for _at, one in alike]
    error["arrayminus"] = [None if one.low is None else one.mean - one.low for _at, one in alike]
    return go.Bar(
        x=[one.mean for _at, one in alike],
        y=[at for at, _one in alike],
        orientation="h",
        name="",
        marker=style.bar(colour, comparable=comparable),
        error_x=error,
        hovertemplate="%{x:,.4~g}",
    )


def _note(drawn: Sequence[tuple[Place, Sequence[Speed | None]]], cut: Sequence[str]) -> list[str]:
    lines = [line for place, _speeds in drawn for line in place.lines]
    sentences = [
        _(
            "A bar is the geometric mean, over the processes of a row, of the examples per second in their median "
            "steady block; the line on it is the 95 % interval (Student's, on logarithms). What is shown of two rows "
            "is said by their verdict, not by whether their lines overlap."
        )
    ]
    if any(len(line.row.seconds_per_example) == 1 for line in lines):
        sentences.append(_("A row of one process has no interval."))
    if any(not line.row.comparable and line.row.seconds_per_example for line in lines):
        sentences.append(_("Hatched ({mark}): not comparable, and never ranked; the table says why.").format(mark=MARK))
    if any(not line.row.seconds_per_example for line in lines):
        sentences.append(_("A row without a bar has no completed run that was measured."))
    if cut:
        sentence = _("The interval of {labels} reaches beyond the picture; the table has its ends.")
        sentences.append(sentence.format(labels=", ".join(dict.fromkeys(cut))))
    return sentences


def _alt(place: Place) -> str:
    """Return who is fastest in a group, and by how much, as the verdicts have it."""
    ranked = [line for line in place.lines if line.row.comparable]
    if not ranked:
        return nobody(place)
    first = speed(ranked[0])
    sentences = []
    if first:
        sentence = _("{title}: {label} is fastest with {rate} examples per second.")
        if ranked[0].row.shares_place or ranked[0].row.alone:
            sentence = _("{title}: {label} has {rate} examples per second.")
        sentences.append(sentence.format(title=place.short, label=ranked[0].short, rate=text.rate(first.mean)))
    for line in ranked[1:]:
        found = line.row.to_fastest
        times, low, high = (text.number(value) for value in _ratio(line))
        if found is not None and found.verdict == "slower":
            sentence = _("{label} is {times} times slower ({low} to {high}).")
        elif found is not None and found.low is not None:
            sentence = _("{label}: {times} times its seconds ({low} to {high}), which shows no difference.")
        else:
            sentence = _("{label}: {times} times its seconds, without an interval.")
        sentences.append(sentence.format(label=line.short, times=times, low=low, high=high))
    if others := [line.short for line in place.lines if not line.row.comparable]:
        sentences.append(_("Not comparable: {labels}.").format(labels=", ".join(others)))
    return joined(sentences)


def _ratio(line: Line) -> tuple[float | None, float | None, float | None]:
    found = line.row.to_fastest
    return (line.row.times_slower, found.low, found.high) if found else (line.row.times_slower, None, None)


def _grid(drawn: Sequence[tuple[Place, Sequence[Speed | None]]]) -> Table:
    headers = (
        _("task"),
        _("row"),
        _("rank"),
        _("examples/s"),
        _("interval from"),
        _("interval to"),
        _("processes"),
        _("median examples/s"),
        _("× slower"),
        _("× slower from"),
        _("× slower to"),
        _("verdict"),
        _("comparable"),
        _("why not"),
    )
    rows = [_cells(place, line, one) for place, of in drawn for line, one in zip(place.lines, of, strict=True)]
    return grid(headers, rows)


def _cells(place: Place, line: Line, one: Speed | None) -> list[Cell]:
    row = line.row
    shown = cells(row)
    return [
        name(place.title),
        name(line.label),
        shown["rank"],
        *(number(value, text.rate(value)) for value in one or (None, None, None)),
        shown["processes"],
        shown["rate"],
        *(number(value) for value in _ratio(line)),
        shown["verdict"],
        comparable(row),
        said("; ".join(row.why_not_comparable)),
    ]
