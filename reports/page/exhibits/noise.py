"""How much the measurement itself moves: the blocks inside every process, and the processes beside each other."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from harness.language import _, ngettext
from harness.measure.noise import disturbances
from harness.record import Record
from harness.records.steady import read, steady
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.lines import Line, Place, comparable, joined, left_out, marked, name, places, said
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number, words

MOST_PROCESSES = 360
"""Of the picture, over all groups; each row has the same share of them."""
MOST_DISTURBED = 5
"""Disturbed blocks of one process that are drawn, the slowest ones."""
WIDE = 4.0


class Process(NamedTuple):
    """The steady blocks of one process, in seconds per step."""

    line: Line
    record: Record
    typical: float
    """Median over the processes of the row: what the picture divides by."""
    quartiles: tuple[float, float, float]
    ends: tuple[float, float]
    disturbed: tuple[float, ...]
    """The slowest of them, slowest first."""
    blocks: int
    discarded: int
    disturbed_blocks: int
    state: str

    @property
    def label(self) -> str:
        """The row's name with the process's round."""
        return _("{label}, round {number}").format(label=self.line.axis_label, number=self.record.spec.repeat + 1)


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the picture of the blocks and the table of the processes, each where there is something to say."""
    records = {record.spec.run_id: record for record in study.loaded.records}
    found = places(study)
    rows = sum(len(place.lines) for place in found)
    most = max(1, MOST_PROCESSES // max(1, rows))
    drawn = [(place, [one for line in place.lines for one in _processes(line, records, most)]) for place in found]
    drawn = [(place, of) for place, of in drawn if of]
    return (*_blocks(drawn, found, study, most), *_repeats(found, study))


def _processes(line: Line, records: dict[str, Record], most: int) -> list[Process]:
    """Return the first processes of a row that have steady blocks, none where nobody knows the row's step time."""
    typical = line.median("median_step_s")
    ids = line.frame.frame["run_id"].iloc[line.completed[:most]]
    found = [_process(line, records[str(run_id)], typical) for run_id in ids] if typical else []
    return [one for one in found if one is not None]


def _process(line: Line, record: Record, typical: float) -> Process | None:
    cores = len(record.affinity)
    reading = read(record.measured.blocks, cores)
    if not reading.blocks:
        return None
    seconds = np.array([block.seconds / block.steps for block in reading.blocks])
    others = [block.seconds / block.steps for block in steady(record.measured.blocks) if disturbances(block, cores)]
    low, middle, high = (float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return Process(
        line=line,
        record=record,
        typical=typical,
        quartiles=(low, middle, high),
        ends=(float(seconds.min()), float(seconds.max())),
        disturbed=tuple(sorted(others, reverse=True)[:MOST_DISTURBED]),
        blocks=len(seconds),
        discarded=reading.discarded,
        disturbed_blocks=reading.disturbed,
        state=reading.outcome,
    )


def _blocks(
    drawn: Sequence[tuple[Place, Sequence[Process]]], found: Sequence[Place], study: StudyRead, most: int
) -> tuple[Exhibit, ...]:
    if not drawn:
        return ()
    sentences = [
        _("Every box is one process: the quartiles of the seconds per step over the steady blocks that are read, its "
          "lines from the quickest to the slowest of them, all over the row's median. A cross is a block that others "
          "disturbed, which is not read unless the run is too noisy to say.")
    ]  # fmt: skip
    more = sum(max(0, len(line.completed) - most) for place in found for line in place.lines)
    if more:
        sentence = ngettext(
            "Drawn are the first {most} of every row; {count} process is left out.",
            "Drawn are the first {most} of every row; {count} processes are left out.",
            more,
        )
        sentences.append(sentence.format(most=most, count=more))
    if any(len(one.disturbed) < one.disturbed_blocks for _place, of in drawn for one in of):
        sentences.append(_("Of a process at most {count} disturbed blocks are drawn.").format(count=MOST_DISTURBED))
    return (
        Exhibit(
            name="noise",
            title=_("Noise inside the processes"),
            note=joined((*sentences, marked(place for place, _of in drawn), left_out(study.groups))),
            alt=joined(_alt(place, of) for place, of in drawn),
            figure=_figure(drawn),
            grid=_grid(drawn),
        ),
    )


def _figure(drawn: Sequence[tuple[Place, Sequence[Process]]]) -> go.Figure:
    figure = style.panels(
        [place.short for place, _of in drawn], [22 * len(of) + 10 for _place, of in drawn], legend=False
    )
    for panel, (_place, of) in enumerate(drawn, start=1):
        for look in dict.fromkeys(one.line.look for one in of):
            alike = [(at, one) for at, one in enumerate(of) if one.line.look == look]
            figure.add_trace(_boxes(alike, look.colour), row=panel, col=1)
        crosses = [(value / one.typical, at) for at, one in enumerate(of) for value in one.disturbed]
        if crosses:
            shown = go.Scatter(
                x=[x for x, _at in crosses],
                y=[at for _x, at in crosses],
                mode="markers",
                name=_("disturbed block"),
                marker={"symbol": "x-thin", "size": 8, "line": {"color": style.INK, "width": 2}},
                hovertemplate="%{x:.3~g}×",
            )
            figure.add_trace(shown, row=panel, col=1)
        style.named_rows(figure, [one.label for one in of], panel=panel)
        ends = [value / one.typical for one in of for value in (*one.ends, *one.disturbed)]
        axis = {"title": {"text": _("seconds per step<br>over the row's median")}}
        if max(ends) > WIDE * min(ends):
            axis = {"title": {"text": _("seconds per step<br>over the row's median (log)")}}
            axis |= style.logarithmic(min(ends), max(ends))
        figure.update_xaxes(**axis, row=panel, col=1)
    return figure


def _boxes(processes: Sequence[tuple[int, Process]], colour: str) -> go.Box:
    def over(place: int) -> list[float]:
        return [one.quartiles[place] / one.typical for _at, one in processes]

    return go.Box(
        y=[at for at, _one in processes],
        q1=over(0),
        median=over(1),
        q3=over(2),
        lowerfence=[one.ends[0] / one.typical for _at, one in processes],
        upperfence=[one.ends[1] / one.typical for _at, one in processes],
        orientation="h",
        width=0.6,
        name=style.label(processes[0][1].line.label),
        line={"color": colour, "width": 1.5},
        fillcolor=style.faded(colour),
    )


def _alt(place: Place, of: Sequence[Process]) -> str:
    """Return whose blocks spread most, and how many were disturbed."""
    widest = max(of, key=lambda one: (one.quartiles[2] - one.quartiles[0]) / one.quartiles[1])
    spread = (widest.quartiles[2] - widest.quartiles[0]) / widest.quartiles[1]
    disturbed, every = sum(one.disturbed_blocks for one in of), sum(_recorded(one) for one in of)
    return _("{title}: the blocks of {label} spread most, their middle half over {spread} of its median; {disturbed} "
             "of {every} blocks were disturbed.").format(
        title=place.short, label=widest.label, spread=text.percent(spread), disturbed=disturbed, every=every
    )  # fmt: skip


def _recorded(one: Process) -> int:
    return len(steady(one.record.measured.blocks))


def _grid(drawn: Sequence[tuple[Place, Sequence[Process]]]) -> Table:
    headers = (
        _("task"), _("row"), _("round"), _("seed"), _("steady blocks"), _("read"), _("left out in front"),
        _("disturbed"), _("steady state"), _("median ms per step"), _("quickest"), _("first quartile"), _("median"),
        _("third quartile"), _("slowest"), _("slowest disturbed"),
    )  # fmt: skip
    return grid(headers, [_cells(place, one) for place, of in drawn for one in of])


def _cells(place: Place, one: Process) -> list[Cell]:
    spec = one.record.spec
    counts = (spec.repeat + 1, spec.seed, _recorded(one), one.blocks, one.discarded, one.disturbed_blocks)
    over = [value / one.typical for value in (one.ends[0], *one.quartiles, one.ends[1])]
    others = [text.number(value / one.typical) for value in one.disturbed]
    return [
        name(place.title),
        name(one.line.label),
        *(number(float(count), str(count)) for count in counts),
        said(one.state),
        number(1000 * one.quartiles[1]),
        *(number(value) for value in over),
        words(" ".join(others) or text.NOTHING),
    ]


def _repeats(found: Sequence[Place], study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the table of how far the processes of every row lie apart."""
    pairs = [(place, line) for place in found for line in place.lines if line.row.seconds_per_example]
    if not pairs:
        return ()
    headers = (
        _("task"), _("row"), _("processes"), _("slowest examples/s"), _("median examples/s"), _("fastest examples/s"),
        _("fastest less slowest, over the median"), _("standard deviation of the logarithm"), _("comparable"),
    )  # fmt: skip
    note = _("The sample is the process: its number is that of its median steady block. One process shows no spread.")
    return (
        Exhibit(
            name="repeats",
            title=_("Spread over the processes"),
            note=joined((note, left_out(study.groups))),
            grid=grid(headers, [_repeat_cells(place, line) for place, line in pairs]),
        ),
    )


def _repeat_cells(place: Place, line: Line) -> list[Cell]:
    speeds = 1 / np.array(line.row.seconds_per_example)
    low, middle, high = float(speeds.min()), float(np.median(speeds)), float(speeds.max())
    several = len(speeds) > 1
    spread = (high - low) / middle if several else None
    deviation = float(np.std(np.log(speeds), ddof=1)) if several else math.nan
    return [
        name(place.title),
        name(line.label),
        number(float(len(speeds)), str(len(speeds))),
        *(number(value, text.rate(value)) for value in (low, middle, high)),
        number(spread, text.percent(spread)),
        number(deviation if several else None),
        comparable(line.row),
    ]
