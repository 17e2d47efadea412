"""How good the nets became, task by row: means over the seeds with their intervals, for few numbers make no picture."""

from harness.language import _
from reports.content.places import named
from reports.page.answer_sentences import accuracies
from reports.page.exhibit import Exhibit
from reports.page.lines import Line, Place, joined, left_out, name, places
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, grid, number, words


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the table of all groups that have a quality, nothing where none has one."""
    rows = [_cells(place, line) for place in places(study) for line in place.lines if line.row.quality]
    if not rows:
        return ()
    headers = (
        _("task"),
        _("row"),
        _("quality"),
        _("mean"),
        _("interval from"),
        _("interval to"),
        _("against the fastest"),
    )
    note = _(
        "Means over the seeds on the test split, with 95 % intervals; equivalent is what differs by less than 0.01."
    )
    return (
        Exhibit(
            name="qualities",
            part="quality",
            title=_("Test quality"),
            short=joined(accuracies(named([("", study.groups)]))),
            note=joined((note, left_out(study.groups))),
            grid=grid(headers, rows),
        ),
    )


def _cells(place: Place, line: Line) -> list[Cell]:
    row = line.row
    found = row.to_fastest
    ends = (row.accuracy_low, row.accuracy_high)
    verdict = found.accuracy_verdict if found and found.accuracy_difference is not None else ""
    return [
        name(place.title),
        name(line.label),
        words(_(row.metric.replace("_", " "))),
        number(row.quality_mean, text.quality(row.quality_mean, row.metric)),
        *(number(end, text.quality(end, row.metric)) for end in ends),
        words(_(verdict) if verdict else text.NOTHING),
    ]
