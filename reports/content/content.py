"""What a report says, in words and cells, once for all formats that people read.

The strings are as they came from the records; whoever shows them escapes them for its medium.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
from msgspec import Struct

from harness.language import _, noop
from harness.layers import Dense
from harness.record import Record
from harness.records.studies import Loaded
from harness.spec import CONTROLS
from reports.content import backends as said_backends
from reports.content import instruments, merged, stages
from reports.content import verdicts as said_verdicts
from reports.content.answer import Answer, answer
from reports.content.break_even import break_even
from reports.content.cells import NOT_COMPARABLE, cells, first, why_not
from reports.content.legend import legend
from reports.statistics.looks import LOOKS
from reports.statistics.row_runs import Runs, row_runs
from reports.statistics.rows import Group, Row
from reports.statistics.study import StudyRead
from reports.statistics.summary import MACHINE, machine_names
from reports.words import text
from reports.words.table import Table

HEADERS = {
    "rank": noop("rank"),
    "row": noop("backend"),
    "rate": noop("examples/s"),
    "range": noop("min–max"),
    "spread": noop("spread"),
    "slower": noop("× slower"),
    "verdict": noop("verdict"),
    "first": noop("first step s"),
    "epoch": noop("epoch s"),
    "qualities": "",
    "memory": noop("memory MB"),
    "device": noop("device MB"),
    "parity": noop("parity"),
    "status": noop("status"),
    "reason": noop("reason"),
}
"""The columns of a section's table by their keys, as `cells` has them; that of the qualities is named by its metric."""
QUALITY = (
    noop("accuracy per seed"),
    noop("mean squared error per seed"),
    noop("accuracy or mean squared error per seed"),
    noop("mean squared error or accuracy per seed"),
)
"""All headers of test quality that there can be; they are made from the names of the metrics."""
SPLIT_BY = (noop("task version"), noop("task fingerprint"), noop("dataset fingerprint"), noop("machine"))

BASELINES = {
    "bag_of_words_accuracy": noop("bag of words (logistic regression on the same tokens)"),
    "character_counts_accuracy": noop("counts after the last three characters (Witten-Bell), accuracy"),
    "character_counts_bits_per_place": noop("counts after the last three characters (Witten-Bell), bits per place"),
}


class Section(Struct, frozen=True, kw_only=True):
    """One group of rows, as a table."""

    title: str
    notes: tuple[str, ...]
    main: Table
    """A line per row, with the columns of `HEADERS`."""
    below: tuple[str, ...]
    """On steady states, on what could have been shown, on accuracies, and what simple methods reach, one line each."""
    troubles: tuple[str, ...]
    """What went wrong, one sentence per row and reason."""
    tables: tuple[Table, ...]
    """On the stages of a Boltzmann machine, and of what else was measured."""
    remarks: tuple[str, ...]
    """Sentences on single figures in `tables`."""
    pairs: Table | None
    """Every pair of comparable rows; too wide for a terminal."""


class Content(Struct, frozen=True, kw_only=True):
    """The whole report."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    damaged: tuple[tuple[str, str], ...]
    """Path and reason."""
    machines: tuple[str, ...]
    backends: tuple[str, ...]
    """Versions, settings and traps of every backend."""
    legend: tuple[str, ...]
    answer: Answer
    machine_tables: tuple[Table, ...] = ()
    """Of a merged study, whose machines they hold side by side."""

    def lists(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the lists at the end of a report that are not empty, each with its title."""
        damaged = tuple(_("{what}: {reason}").format(what=path, reason=reason) for path, reason in self.damaged)
        found = (
            (_("Damaged records, left out"), damaged),
            (_("Machine"), self.machines),
            (_("Backends"), self.backends),
            (_("Legend"), self.legend),
        )
        return [(title, lines) for title, lines in found if lines]


def content(study: StudyRead) -> Content:
    """Return what is to be said of a study."""
    loaded, groups = study.loaded, study.groups
    records = {record.spec.run_id: record for record in loaded.records}
    runs = Runs(study.runs)
    pairs = sum(item.p is not None for group in groups for item in group.comparisons)
    sections = tuple(_section(group, records, runs, study.stages, pairs) for group in groups)
    return Content(
        title=_("Study {name}").format(name=loaded.name),
        lead=merged.lead(loaded) or _lead(loaded),
        sections=sections,
        damaged=tuple((damaged.path, text.quoted(damaged.reason)) for damaged in loaded.damaged),
        machines=tuple(dict.fromkeys(machine_names(study.runs, _(MACHINE)).tolist())),
        backends=said_backends.lines(study.runs),
        legend=legend(loaded.records) if sections else (),
        answer=answer(groups, loaded),
        machine_tables=tuple(merged.tables(study)),
    )


def _lead(loaded: Loaded) -> tuple[str, ...]:
    lead = []
    if loaded.plan is not None:
        sentence = _("{count} of {planned} planned runs have a record; planned {date}.")
        if loaded.plan.until_decided:
            sentence = _(
                "{count} of at most {planned} runs were made: the study ends when its pairs are decided or its budget "
                "is spent; planned {date}."
            )
        lead.append(
            sentence.format(count=len(loaded.records), planned=len(loaded.plan.specs), date=loaded.plan.created_at)
        )
        early = (r.spec for r in loaded.records if r.spec.repeat < min(LOOKS) and r.spec.profile not in CONTROLS)
        if any(spec.speed_only for spec in early):
            lead.append(
                _("Its budget did not hold three rounds of training and more: later ones measured speed alone.")
            )
    elif loaded.records:
        lead.append(
            _("{count} runs have a record; how many were planned is not known.").format(count=len(loaded.records))
        )
    if missing := loaded.missing():
        runs = f"{text.names(missing[:5])}{' ...' if len(missing) > 5 else ''}"
        command = loaded.resume_command()
        sentence = _("Without a record: {runs}; `{command}` runs what is missing.")
        lead.append((sentence if command else _("Without a record: {runs}.")).format(runs=runs, command=command))
    if not loaded.records:
        lead.append(_("There is nothing to compare yet."))
    unknown = _("no revision known")
    builds = dict.fromkeys(f"{r.evenbench} ({r.git_revision or unknown})" for r in loaded.records)
    if builds:
        sentence = _("Measured by Evenbench {builds}.")
        if len(builds) > 1:
            sentence = _("Measured by Evenbench {builds}. The runs were measured by different code.")
        lead.append(sentence.format(builds=text.names(builds)))
    return tuple(lead)


def _section(group: Group, records: dict[str, Record], runs: Runs, parts: pd.DataFrame, pairs: int) -> Section:
    rows = row_runs(group, runs)
    staged = stages.rows(rows, parts)
    of_group = [records[run_id] for row in group.rows for run_id in row.run_ids]
    return Section(
        title=group.heading,
        notes=(*_notes(group), *_parity_notes(group.rows, records), *_training_notes(group.rows, of_group)),
        main=_main(group.rows),
        below=(
            *said_verdicts.lines(group, pairs),
            *(_baseline(name, values) for name, values in group.baselines.items()),
        ),
        pairs=said_verdicts.pairs(group),
        tables=(*stages.tables(staged), *instruments.tables(rows, group)),
        remarks=(
            *stages.remarks(staged),
            *instruments.remarks(rows),
            *(() if staged else break_even(rows)),  # of stages, build and step are not of one thing
        ),
        troubles=tuple(line for row in group.rows for line in _troubles(row)),
    )


def _main(rows: Sequence[Row]) -> Table:
    metrics = dict.fromkeys(row.metric for row in rows if row.metric)
    quality = f"{' or '.join(metrics) or 'accuracy'} per seed".replace("_", " ")
    has_device = any(row.device_peak_bytes is not None for row in rows)
    headers = {key: _(header or quality) for key, header in HEADERS.items() if key != "device" or has_device}
    shown = map(cells, rows)
    return Table(
        headers=tuple(headers.values()),
        rows=tuple(tuple(of_row[key] for key in headers) for of_row in shown),
        keys=tuple(headers),
    )


def _notes(group: Group) -> tuple[str, ...]:
    notes = []
    if group.split_by:
        facts = text.names(f"{_(name.replace('_', ' '))} {getattr(group, name)}" for name in group.split_by)
        notes.append(_("The study mixes different ones, so this table holds only: {facts}.").format(facts=facts))
    devices = dict.fromkeys(row.device_name for row in group.rows if row.comparable and row.device_name)
    if len(devices) > 1:
        sentence = _("The backends name different devices ({devices}): make sure that they are one.")
        notes.append(sentence.format(devices=text.names(devices)))
    single = [row.label for row in group.rows if row.comparable and len(row.seconds_per_example) == 1]
    if single:
        sentence = _("One process shows nothing of how the next would come out: one run of {rows}.")
        notes.append(sentence.format(rows=text.names(single)))
    return tuple(notes)


def _parity_notes(rows: Sequence[Row], records: Mapping[str, Record]) -> Iterator[str]:
    """Yield what is to be said of parity that passed."""
    for row in rows:
        verdicts = [records[run_id].parity for run_id in row.run_ids]
        for remark in dict.fromkeys(verdict.reason for verdict in verdicts if verdict.passed and verdict.reason):
            yield _("{row} passed parity with a remark: {remark}.").format(row=row.label, remark=text.quoted(remark))


def _training_notes(rows: Sequence[Row], records: Sequence[Record]) -> list[str]:
    """Return what must be known of a task's own accuracy, and where training stopped early."""
    notes = []
    outputs = _pixels(records[0])
    if outputs > 1:
        sentence = _("accuracy: the share of the {count:,} pixels that lie on the right side of one half.")
        notes.append(sentence.format(count=outputs))
    early = {record.spec.run_id for record in records if record.measured.stopped_early}
    counts = [(row.label, len(early & set(row.run_ids)), row.runs) for row in rows]
    if early:
        places = text.names(
            _("{label} in {stopped} of {runs} runs").format(label=label, stopped=stopped, runs=runs)
            for label, stopped, runs in counts
            if stopped
        )
        notes.append(_("Training stopped early: {places}.").format(places=places))
    return notes


def _pixels(record: Record) -> int:
    """Return how many outputs are each judged by the side of one half on which they lie, 0 for another task."""
    preset = record.task.presets.get(record.spec.preset)
    layers = (preset.layers if preset else None) or record.task.layers
    last = next((layer.units for layer in reversed(layers) if isinstance(layer, Dense)), 0)
    return last if record.task.loss == "sigmoid_cross_entropy" else 0


def _baseline(name: str, values: Iterable[float]) -> str:
    shown = text.either(text.quality(value, name) for value in values)
    said = _(BASELINES[name]) if name in BASELINES else name.replace("_", " ")
    return _("{what}: {reason}").format(what=said, reason=shown)


def _troubles(row: Row) -> list[str]:
    """Return what is to be said of a row that is not comparable, or of which a run did not end well."""
    sentence = _("{row}: {what}: {reason}")
    lines = [sentence.format(row=row.label, what=_(NOT_COMPARABLE), reason=reason) for reason in first(why_not(row))]
    if row.ok_runs < row.runs:
        status = text.counted(row.status)
        reasons = first(row.reasons or (noop("no reason was given"),))
        lines += [sentence.format(row=row.label, what=status, reason=reason) for reason in reasons]
    return lines
