"""How much memory a process takes at its peak, by kind: what the import takes, what comes on top, and the device's."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from harness.language import _, noop
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.lines import Line, Place, comparable, extremes, joined, left_out, marked, name, nobody, places
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number

KINDS = (noop("import"), noop("rest of the host's peak"), noop("device, by the framework's allocator"))
HOST, DEVICE = -0.18, 0.18
"""Where the bars of a row lie that has both."""


class Peaks(NamedTuple):
    """Median bytes of a row."""

    imported: float | None
    rest: float | None
    host: float | None
    device: float | None
    process: float | None


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the picture of all groups, none where no memory was measured."""
    found = [(place, [_memory(line) for line in place.lines]) for place in places(study)]
    drawn = [(place, of) for place, of in found if any(one.host or one.device for one in of)]
    if not drawn:
        return ()
    sentences = [
        _("Medians over the completed runs, in millions of bytes above the process before the import of the framework.")
    ]
    if any(one.device for _place, of in drawn for one in of):
        sentences.append(_("The device's memory is no part of the host's and has a bar of its own."))
    return (
        Exhibit(
            name="memory",
            part="memory",
            title=_("Memory at its peak"),
            short=_finding(drawn),
            note=joined((*sentences, marked(place for place, _of in drawn), left_out(study.groups))),
            alt=joined(_alt(place, of) for place, of in drawn),
            figure=_figure(drawn),
            grid=_grid(drawn),
        ),
    )


def _finding(drawn: Sequence[tuple[Place, Sequence[Peaks]]]) -> str:
    """Return who takes most and least of the host's memory."""
    found = extremes((line, one.host) for place, of in drawn for line, one in zip(place.lines, of, strict=True))
    if found is None:
        return ""
    (low, least), (high, most) = found
    if text.megabytes(least) == text.megabytes(most):
        return ""
    sentence = _("{high} takes most memory, {most} MB in the median of the tasks; {low} least, {least} MB.")
    return sentence.format(high=high, low=low, most=text.megabytes(most), least=text.megabytes(least))


def _memory(line: Line) -> Peaks:
    host, imported = line.median("host_peak_bytes"), line.median("import_bytes")
    return Peaks(
        imported=imported,
        rest=host - imported if host is not None and imported is not None and host >= imported else None,
        host=host,
        device=line.median("device_peak_bytes"),
        process=line.median("device_process_bytes"),
    )


def _megabytes(value: float | None) -> float | None:
    return None if value is None else value / 1e6


def _figure(drawn: Sequence[tuple[Place, Sequence[Peaks]]]) -> go.Figure:
    with_device = any(one.device for _place, of in drawn for one in of)
    shown = [
        style.Stacked(
            place.short,
            [line.axis_label for line in place.lines],
            [line.look.colour for line in place.lines],
            _bars(found, with_device=with_device),
        )
        for place, found in drawn
    ]
    return style.stacked(
        shown,
        x_title=_("megabytes"),
        hover="%{x:,.4~g} MB",
        row_px=style.BAR_PX * (1.5 if with_device else 1.0),
        width=0.34 if with_device else 0.7,
    )


def _bars(found: Sequence[Peaks], *, with_device: bool) -> list[style.Bars]:
    values = [
        [one.imported if one.rest is not None else None for one in found],
        [one.host if one.rest is None else one.rest for one in found],
        [one.device for one in found],
    ]
    offsets = (HOST, HOST, DEVICE) if with_device else (0.0, 0.0)
    return [
        style.Bars(what, _(what), list(map(_megabytes, of_kind)), offset)
        for what, of_kind, offset in zip(KINDS, values, offsets, strict=False)
    ]


def _alt(place: Place, found: Sequence[Peaks]) -> str:
    """Return which comparable row takes most of the host's memory and which least."""
    pairs = [(one.host, line) for line, one in zip(place.lines, found, strict=True) if line.row.comparable]
    known = sorted((host, line.short) for host, line in pairs if host is not None)
    if not known:
        return nobody(place)
    (least, low), (most, high) = known[0], known[-1]
    if len(known) == 1:
        return _("{title}: {label} takes {most} MB.").format(title=place.short, label=high, most=text.megabytes(most))
    sentence = _("{title}: {high} takes most, {most} MB; {low} takes least, {least} MB.")
    if text.megabytes(most) == text.megabytes(least):
        sentence = _("{title}: every comparable row takes {most} MB.")
    return sentence.format(
        title=place.short, high=high, low=low, most=text.megabytes(most), least=text.megabytes(least)
    )


def _grid(drawn: Sequence[tuple[Place, Sequence[Peaks]]]) -> Table:
    headers = (
        _("task"),
        _("row"),
        _("import, MB"),
        _("rest of the host's peak, MB"),
        _("host's peak, MB"),
        _("device's peak, MB"),
        _("process on the device, MB"),
        _("comparable"),
    )
    rows = [_cells(place, line, one) for place, of in drawn for line, one in zip(place.lines, of, strict=True)]
    return grid(headers, rows)


def _cells(place: Place, line: Line, found: Peaks) -> list[Cell]:
    values = (found.imported, found.rest, found.host, found.device, found.process)
    shown = [number(_megabytes(value), text.megabytes(value)) for value in values]
    return [name(place.title), name(line.label), *shown, comparable(line.row)]
