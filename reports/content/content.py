"""What a report says, in words and cells, once for all formats that people read.

The strings are as they came from the records; whoever shows them escapes them for its medium.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
from msgspec import Struct

from harness.language import _, noop
from harness.layers import Dense
from harness.record import Record
from harness.records.steady import TOO_NOISY
from harness.records.studies import Loaded
from reports.content import backends as said_backends
from reports.content import instruments, merged, stages
from reports.content import verdicts as said_verdicts
from reports.content.break_even import break_even
from reports.content.legend import legend
from reports.content.side_by_side import sides as side_by_side
from reports.statistics.rows import CELL, Group, Row, row_labels
from reports.statistics.summary import MACHINE, machine_names
from reports.words import text
from reports.words.table import Table

RANK, BACKEND, RATE, RANGE = noop("rank"), noop("backend"), noop("examples/s"), noop("min–max")
SPREAD, SLOWER, FIRST, EPOCH = noop("spread"), noop("× slower"), noop("first step s"), noop("epoch s")
MEMORY, DEVICE, VERDICT, PARITY = noop("memory MB"), noop("device MB"), noop("verdict"), noop("parity")
STATUS, REASON = noop("status"), noop("reason")
"""Headers, which are the keys of `Section.rows` too: they stay as they are until they are shown, by `_`."""
NOT_COMPARABLE = noop("not comparable")
ONE_RUN = noop("one run")
QUALITY = (
    noop("accuracy per seed"),
    noop("mean squared error per seed"),
    noop("accuracy or mean squared error per seed"),
    noop("mean squared error or accuracy per seed"),
)
"""All headers of test quality that there can be; they are made from the names of the metrics."""
SPLIT_BY = (noop("task version"), noop("task fingerprint"), noop("dataset fingerprint"), noop("machine"))
MORE_REASONS = noop("and {count} other reasons")

BASELINES = {"bag_of_words_accuracy": noop("bag of words (logistic regression on the same tokens)")}


class Section(Struct, frozen=True, kw_only=True):
    """One group of rows, as a table."""

    title: str
    notes: tuple[str, ...]
    quality_header: str
    rows: tuple[dict[str, str], ...]
    """Header to cell; all rows of a section have the same headers, in English: `_` is for who shows them."""
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


def content(loaded: Loaded, frame: pd.DataFrame, parts: pd.DataFrame, groups: Iterable[Group]) -> Content:
    """Return what is to be said of a study, given the frames of its runs and of their stages."""
    records = {record.spec.run_id: record for record in loaded.records}
    found = tuple(groups)
    pairs = sum(item.p is not None for group in found for item in group.comparisons)
    sections = tuple(_section(group, records, frame, parts, pairs) for group in found)
    return Content(
        title=_("Study {name}").format(name=loaded.name),
        lead=merged.lead(loaded) or _lead(loaded),
        sections=sections,
        damaged=tuple((damaged.path, text.quoted(damaged.reason)) for damaged in loaded.damaged),
        machines=tuple(dict.fromkeys(machine_names(frame, _(MACHINE)).tolist())),
        backends=said_backends.lines(frame),
        legend=legend(loaded.records) if sections else (),
        machine_tables=tuple(merged.tables(loaded, frame, found, [row_labels(group.rows) for group in found])),
    )


def _lead(loaded: Loaded) -> tuple[str, ...]:
    lead = []
    if loaded.plan is not None:
        lead.append(
            _("{count} of {planned} planned runs have a record; planned {date}.").format(
                count=len(loaded.records), planned=len(loaded.plan.specs), date=loaded.plan.created_at
            )
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


def _section(group: Group, records: dict[str, Record], frame: pd.DataFrame, parts: pd.DataFrame, pairs: int) -> Section:
    metrics = dict.fromkeys(row.metric for row in group.rows if row.metric)
    header = f"{' or '.join(metrics) or 'accuracy'} per seed".replace("_", " ")
    labels = row_labels(group.rows)
    has_device = any(row.device_peak_bytes is not None for row in group.rows)
    sides = stages.sides(group, labels, frame, parts)
    measured = side_by_side(group, labels, frame)
    of_group = [records[run_id] for row in group.rows for run_id in row.run_ids]
    return Section(
        title=" · ".join(str(getattr(group, name)) for name in CELL),
        notes=(
            *_notes(group, labels),
            *_parity_notes(group.rows, labels, records),
            *_training_notes(group.rows, labels, of_group),
        ),
        quality_header=header,
        rows=tuple(_cells(row, label, header, has_device) for row, label in zip(group.rows, labels, strict=True)),
        below=(
            *said_verdicts.lines(group, labels, pairs),
            *(_baseline(name, values) for name, values in group.baselines.items()),
        ),
        pairs=said_verdicts.pairs(group, labels),
        tables=(*stages.tables(sides), *instruments.tables(measured, frame, group)),
        remarks=(
            *stages.remarks(sides),
            *instruments.remarks(measured),
            *(() if sides else break_even(measured)),  # of stages, build and step are not of one thing
        ),
        troubles=tuple(line for row, label in zip(group.rows, labels, strict=True) for line in _troubles(row, label)),
    )


def _notes(group: Group, labels: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if group.split_by:
        facts = text.names(f"{_(name.replace('_', ' '))} {getattr(group, name)}" for name in group.split_by)
        notes.append(_("The study mixes different ones, so this table holds only: {facts}.").format(facts=facts))
    devices = dict.fromkeys(row.device_name for row in group.rows if row.comparable and row.device_name)
    if len(devices) > 1:
        sentence = _("The backends name different devices ({devices}): make sure that they are one.")
        notes.append(sentence.format(devices=text.names(devices)))
    single = [
        label for row, label in zip(group.rows, labels, strict=True)
        if row.comparable and len(row.seconds_per_example) == 1
    ]  # fmt: skip
    if single:
        sentence = _("One process shows nothing of how the next would come out: one run of {rows}.")
        notes.append(sentence.format(rows=text.names(single)))
    return tuple(notes)


def _parity_notes(rows: Sequence[Row], labels: Sequence[str], records: Mapping[str, Record]) -> Iterator[str]:
    """Yield what is to be said of parity that passed."""
    for row, named in zip(rows, labels, strict=True):
        verdicts = [records[run_id].parity for run_id in row.run_ids]
        for remark in dict.fromkeys(verdict.reason for verdict in verdicts if verdict.passed and verdict.reason):
            yield _("{row} passed parity with a remark: {remark}.").format(row=named, remark=text.quoted(remark))


def _training_notes(rows: Sequence[Row], labels: Sequence[str], records: Sequence[Record]) -> list[str]:
    """Return what must be known of a task's own accuracy, and where training stopped early."""
    notes = []
    outputs = _pixels(records[0])
    if outputs > 1:
        sentence = _("accuracy: the share of the {count:,} pixels that lie on the right side of one half.")
        notes.append(sentence.format(count=outputs))
    early = {record.spec.run_id for record in records if record.measured.stopped_early}
    counts = [(label, len(early & set(row.run_ids)), row.runs) for label, row in zip(labels, rows, strict=True)]
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


def _cells(row: Row, label: str, quality_header: str, has_device: bool) -> dict[str, str]:
    speed = row.throughput_examples_per_s
    several = speed is not None and speed.runs > 1
    one_run = _(ONE_RUN)
    cells = {
        RANK: text.NOTHING if row.rank is None or row.alone else f"≈ {row.rank}" if row.shares_place else str(row.rank),
        BACKEND: label,
        RATE: text.rate(speed.median if speed else None),
        RANGE: f"{text.rate(speed.low)}–{text.rate(speed.high)}" if speed and several else one_run if speed else "",
        SPREAD: text.percent(speed.relative()) if speed and several else one_run if speed else "",
        SLOWER: said_verdicts.times_slower(row),
        VERDICT: _(said_verdicts.verdict(row)),
        FIRST: text.seconds(row.time_to_first_step_s),
        EPOCH: text.seconds(row.epoch_s),
        quality_header: " ".join(text.quality(item.value, row.metric) for item in row.quality) or text.NOTHING,
        MEMORY: text.megabytes(row.host_peak_bytes),
    }
    if has_device:
        cells[DEVICE] = text.megabytes(row.device_peak_bytes)
    reasons = text.clauses((*_first(_why_not(row)), *_first(row.reasons)))
    return cells | {PARITY: text.counted(row.parity), STATUS: text.counted(row.status), REASON: reasons}


def _troubles(row: Row, label: str) -> list[str]:
    """Return what is to be said of a row that is not comparable, or of which a run did not end well."""
    sentence = _("{row}: {what}: {reason}")
    lines = [sentence.format(row=label, what=_(NOT_COMPARABLE), reason=reason) for reason in _first(_why_not(row))]
    if row.ok_runs < row.runs:
        status = text.counted(row.status)
        reasons = _first(row.reasons or (noop("no reason was given"),))
        lines += [sentence.format(row=label, what=status, reason=reason) for reason in reasons]
    return lines


def _why_not(row: Row) -> tuple[str, ...]:
    """Return why a row is not comparable, unless the way in which its runs ended says it all."""
    says_it_all = row.parity == "pass" and row.reasons and TOO_NOISY not in row.steady_state
    return () if says_it_all else row.why_not_comparable


def _first(reasons: tuple[str, ...]) -> tuple[str, ...]:
    return text.first(tuple(map(text.quoted, reasons)), 3, MORE_REASONS)
