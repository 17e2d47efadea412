"""What went wrong: every run that did not end well, and every row that is not comparable, each with its reason."""

from harness.language import _, ngettext
from harness.record import Record
from harness.records.studies import Loaded
from reports.page.exhibit import Exhibit
from reports.page.lines import joined, left_out, name, places, said
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, grid, number, words

MOST_RUNS = 200
WELL = "ok"


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the tables of failed runs and of rows that are not comparable, each where there is one."""
    return (*_failures(study.loaded), *_incomparable(study))


def _failures(loaded: Loaded) -> tuple[Exhibit, ...]:
    failed = [record for record in loaded.records if record.outcome.status != WELL]
    damaged, missing = loaded.damaged, loaded.missing()
    if not failed and not damaged and not missing:
        return ()
    headers = (_("run"), _("task"), _("backend"), _("mode"), _("seed"), _("ended as"), _("reason"), _("error"))
    every = (
        *(_cells(record) for record in failed[:MOST_RUNS]),
        *(_without(one.path, _("damaged record"), one.reason) for one in damaged[:MOST_RUNS]),
        *(_without(run_id, _("no record"), "") for run_id in missing[:MOST_RUNS]),
    )
    count = len(failed) + len(damaged) + len(missing)
    sentence = ngettext(
        "{count} run did not end well, has no record or a damaged one.",
        "{count} runs did not end well, have no record or a damaged one.",
        count,
    )
    more = "" if count == len(every) else _("The first {shown} are listed.").format(shown=len(every))
    return (
        Exhibit(
            name="failures",
            part="trouble",
            title=_("Failures"),
            note=joined((sentence.format(count=count), more)),
            grid=grid(headers, every),
        ),
    )


def _cells(record: Record) -> tuple[Cell, ...]:
    spec, outcome = record.spec, record.outcome
    return (
        name(spec.run_id),
        name(spec.task),
        name(spec.backend),
        name(spec.mode),
        number(float(spec.seed), str(spec.seed)),
        said(outcome.status),
        said(outcome.reason),
        name(outcome.error_type or outcome.signal or ""),
    )


def _without(what: str, status: str, reason: str) -> tuple[Cell, ...]:
    return (name(what), *[words("")] * 3, number(None, ""), words(status), said(reason), words(""))


def _incomparable(study: StudyRead) -> tuple[Exhibit, ...]:
    lines = [(place, line) for place in places(study) for line in place.lines if not line.row.comparable]
    if not lines:
        return ()
    rows = [
        (
            name(place.title),
            name(line.label),
            words(text.shared(line.row.parity)),
            words(text.counted(line.row.status)),
            said(reason),
        )
        for place, line in lines
        for reason in line.row.why_not_comparable
    ]
    sentence = ngettext(
        "{count} row is not comparable, and has no rank.",
        "{count} rows are not comparable, and have no rank.",
        len(lines),
    )
    return (
        Exhibit(
            name="not-comparable",
            part="trouble",
            title=_("Not comparable"),
            note=joined((sentence.format(count=len(lines)), left_out(study.groups))),
            grid=grid((_("task"), _("row"), _("parity"), _("runs ended as"), _("why not comparable")), rows),
        ),
    )
