"""Where the seconds of a process go before, during and after training: stacked bars of medians."""

from collections.abc import Sequence

import plotly.graph_objects as go

from harness.language import _, noop
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.lines import Line, Place, comparable, extremes, joined, left_out, marked, name, places
from reports.statistics.row_runs import median
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number

TRAINING = "training"
PHASES = {
    "import_s": noop("import"),
    "build_s": noop("build"),
    "load_s": noop("load data"),
    "first_step_s": noop("first step"),
    TRAINING: noop("rest of training"),
    "evaluate_s": noop("evaluate"),
}
"""Column of the frame, or what follows from two of them, and its name; in the order of time."""

START, EVALUATION = noop("start-up, to the first step"), noop("evaluation")
DRAWN = {
    START: ("import_s", "build_s", "load_s", "first_step_s"),
    noop("training"): (TRAINING,),
    EVALUATION: ("evaluate_s",),
}
"""The parts of a bar: more of them nobody can tell apart."""

Medians = dict[str, float | None]


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the picture of all groups, none where no run was completed."""
    found = [(place, [_phases(line) for line in place.lines]) for place in places(study)]
    drawn = [(place, of) for place, of in found if any(_sum(one) for one in of)]
    if not drawn:
        return ()
    note = _(
        "Medians over the completed runs of a row, phase by phase. The first step holds what is compiled on it. A "
        "process takes longer than its bar, for it also measures inference and goes on training for the clock: the "
        "table has its whole time."
    )
    return (
        Exhibit(
            name="phases",
            part="start",
            title=_("Where the time goes"),
            short=_finding(drawn),
            note=joined((note, marked(place for place, _of in drawn), left_out(study.groups))),
            alt=joined(sentence for place, of in drawn for sentence in _alt(place, of)),
            figure=_figure(drawn),
            grid=_grid(drawn),
        ),
    )


def _finding(drawn: Sequence[tuple[Place, Sequence[Medians]]]) -> str:
    """Return who starts slowest and fastest."""
    pairs = [
        (line, _together(one, DRAWN[START])) for place, of in drawn for line, one in zip(place.lines, of, strict=True)
    ]
    found = extremes(pairs)
    if found is None:
        return ""
    (low, least), (high, most) = found
    if text.number(least, 2) == text.number(most, 2):
        return ""
    sentence = _(
        "{high} takes longest to its first step, {most} s in the median of the tasks; {low} is quickest, {least} s."
    )
    return sentence.format(high=high, low=low, most=text.number(most, 2), least=text.number(least, 2))


def _phases(line: Line) -> Medians:
    """Return the median seconds of every phase, and of the whole process."""
    found = {column: line.median(column) for column in (*PHASES, "total_s") if column != TRAINING}
    rest = line.numbers("train_s") - line.numbers("first_step_s")
    return found | {TRAINING: median(rest[rest >= 0])}


def _together(found: Medians, columns: Sequence[str]) -> float | None:
    known = [value for column in columns if (value := found[column]) is not None]
    return sum(known) if known else None


def _sum(found: Medians) -> float:
    return sum(found[column] or 0.0 for column in PHASES)


def _figure(drawn: Sequence[tuple[Place, Sequence[Medians]]]) -> go.Figure:
    shown = [
        style.Stacked(
            place.short,
            [line.axis_label for line in place.lines],
            [line.look.colour for line in place.lines],
            [style.Bars(what, _(what), [_together(one, columns) for one in found]) for what, columns in DRAWN.items()],
        )
        for place, found in drawn
    ]
    return style.stacked(shown, x_title=_("seconds"), hover="%{x:.3~g} s")


def _alt(place: Place, found: Sequence[Medians]) -> list[str]:
    """Return for every row its sum and what takes most of it."""
    sentences = []
    for line, one in zip(place.lines, found, strict=True):
        if whole := _sum(one):
            longest = max(PHASES, key=lambda column: one[column] or 0.0)
            sentence = _("{title}, {label}: {seconds} s, of which {phase} takes {share}.")
            shown = text.percent((one[longest] or 0.0) / whole, 0)
            facts = {"title": place.short, "label": line.short, "phase": _(PHASES[longest]), "share": shown}
            sentences.append(sentence.format(seconds=text.seconds(whole), **facts))
    return sentences


def _grid(drawn: Sequence[tuple[Place, Sequence[Medians]]]) -> Table:
    names = [_("{phase}, s").format(phase=_(what)) for what in PHASES.values()]
    headers = (
        _("task"),
        _("row"),
        *names,
        _("start-up, s"),
        _("sum, s"),
        _("whole process, s"),
        _("runs"),
        _("comparable"),
    )
    return grid(
        headers, [_cells(place, line, one) for place, of in drawn for line, one in zip(place.lines, of, strict=True)]
    )


def _cells(place: Place, line: Line, found: Medians) -> list[Cell]:
    runs = len(line.completed)
    return [
        name(place.title),
        name(line.label),
        *(number(found[column]) for column in PHASES),
        number(_together(found, DRAWN[START])),
        number(_sum(found) or None),
        number(found["total_s"]),
        number(float(runs), str(runs)),
        comparable(line.row),
    ]
