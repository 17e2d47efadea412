"""What a report says, in words and cells, once for all formats that people read.

The strings are as they came from the records; whoever shows them escapes them for its medium.
"""

import json
from collections.abc import Iterable, Sequence

import pandas as pd
from msgspec import Struct

from harness.knobs import label
from harness.layers import Dense
from harness.record import Record
from reports import instruments, said_merge, said_verdicts, stages, text
from reports.legend import legend
from reports.rows import CELL, Group, Row
from reports.settled import TOO_NOISY
from reports.studies import Loaded
from reports.summary import machine_names

RANK, BACKEND, RATE, RANGE, SPREAD = "rank", "backend", "examples/s", "min–max", "spread"
SLOWER, FIRST, EPOCH, MEMORY, DEVICE = "× slower", "first step s", "epoch s", "memory MB", "device MB"
VERDICT, PARITY, STATUS, REASON = "verdict", "parity", "status", "reason"
NOT_COMPARABLE = "not comparable"
ONE_RUN = "one run"

BASELINES = {"bag_of_words_accuracy": "bag of words (logistic regression on the same tokens)"}


class Section(Struct, frozen=True, kw_only=True):
    """One group of rows, as a table."""

    title: str
    notes: tuple[str, ...]
    quality_header: str
    rows: tuple[dict[str, str], ...]
    """Header to cell; all rows of a section have the same headers."""
    below: tuple[str, ...]
    """On steady states, on what could have been shown, on accuracies, and what simple methods reach, one line each."""
    troubles: tuple[str, ...]
    """What went wrong, one sentence per row and reason."""
    tables: tuple[stages.Table, ...]
    """On the stages of a Boltzmann machine, and of what else was measured."""
    remarks: tuple[str, ...]
    """Sentences on single figures in `tables`."""
    pairs: stages.Table | None
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
    machine_tables: tuple[stages.Table, ...] = ()
    """Of a merged study, whose machines they hold side by side."""


def content(loaded: Loaded, frame: pd.DataFrame, parts: pd.DataFrame, groups: Iterable[Group]) -> Content:
    """Return what is to be said of a study, given the frames of its runs and of their stages."""
    records = {record.spec.run_id: record for record in loaded.records}
    found = tuple(groups)
    pairs = sum(item.p is not None for group in found for item in group.comparisons)
    sections = tuple(_section(group, records, frame, parts, pairs) for group in found)
    return Content(
        title=f"Study {loaded.name}",
        lead=said_merge.lead(loaded) or _lead(loaded),
        sections=sections,
        damaged=tuple((damaged.path, damaged.reason) for damaged in loaded.damaged),
        machines=tuple(dict.fromkeys(machine_names(frame))),
        backends=_backends(frame),
        legend=legend(loaded.records) if sections else (),
        machine_tables=tuple(said_merge.tables(loaded, frame, found, [row_labels(group.rows) for group in found])),
    )


def _lead(loaded: Loaded) -> tuple[str, ...]:
    lead = []
    if loaded.plan is not None:
        lead.append(
            f"{len(loaded.records)} of {len(loaded.plan.specs)} planned runs have a record; "
            f"planned {loaded.plan.created_at}."
        )
    elif loaded.records:
        lead.append(f"{len(loaded.records)} runs have a record; how many were planned is not known.")
    if missing := loaded.missing():
        lead.append(
            f"Without a record: {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}; "
            f"`evenbench run --resume {loaded.name}` runs what is missing."
        )
    if not loaded.records:
        lead.append("There is nothing to compare yet.")
    builds = dict.fromkeys(f"{r.evenbench} ({r.git_revision or 'no revision known'})" for r in loaded.records)
    if builds:
        several = " The runs were measured by different code." if len(builds) > 1 else ""
        lead.append(f"Measured by Evenbench {', '.join(builds)}.{several}")
    return tuple(lead)


def _section(group: Group, records: dict[str, Record], frame: pd.DataFrame, parts: pd.DataFrame, pairs: int) -> Section:
    metrics = dict.fromkeys(row.metric for row in group.rows if row.metric)
    header = f"{' or '.join(metrics) or 'accuracy'} per seed".replace("_", " ")
    labels = row_labels(group.rows)
    has_device = any(row.device_peak_bytes is not None for row in group.rows)
    sides = stages.sides(group, labels, frame, parts)
    measured = instruments.sides(group, labels, frame)
    of_group = [records[run_id] for row in group.rows for run_id in row.run_ids]
    return Section(
        title=" · ".join(str(getattr(group, name)) for name in CELL),
        notes=(*_notes(group, labels), *_training_notes(group.rows, labels, of_group)),
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
            *(() if sides else instruments.break_even(measured)),  # of stages, build and step are not of one thing
        ),
        troubles=tuple(line for row, label in zip(group.rows, labels, strict=True) for line in _troubles(row, label)),
    )


def _notes(group: Group, labels: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if group.split_by:
        facts = ", ".join(f"{name.replace('_', ' ')} {getattr(group, name)}" for name in group.split_by)
        notes.append(f"The study mixes different ones, so this table holds only: {facts}.")
    devices = dict.fromkeys(row.device_name for row in group.rows if row.comparable and row.device_name)
    if len(devices) > 1:
        notes.append(f"The backends name different devices ({', '.join(devices)}): make sure that they are one.")
    single = [
        label for row, label in zip(group.rows, labels, strict=True)
        if row.comparable and len(row.seconds_per_example) == 1
    ]  # fmt: skip
    if single:
        notes.append(f"One process shows nothing of how the next would come out: one run of {', '.join(single)}.")
    return tuple(notes)


def _training_notes(rows: Sequence[Row], labels: Sequence[str], records: Sequence[Record]) -> list[str]:
    """Return what must be known of a task's own accuracy, and where training stopped early."""
    notes = []
    outputs = _pixels(records[0])
    if outputs > 1:
        notes.append(f"accuracy: the share of the {outputs:,} pixels that lie on the right side of one half.")
    early = {record.spec.run_id for record in records if record.measured.stopped_early}
    counts = [(label, len(early & set(row.run_ids)), row.runs) for label, row in zip(labels, rows, strict=True)]
    if early:
        places = ", ".join(f"{label} in {stopped} of {runs} runs" for label, stopped, runs in counts if stopped)
        notes.append(f"Training stopped early: {places}.")
    return notes


def _pixels(record: Record) -> int:
    """Return how many outputs are each judged by the side of one half on which they lie, 0 for another task."""
    preset = record.task.presets.get(record.spec.preset)
    layers = (preset.layers if preset else None) or record.task.layers
    last = next((layer.units for layer in reversed(layers) if isinstance(layer, Dense)), 0)
    return last if record.task.loss == "sigmoid_cross_entropy" else 0


def _baseline(name: str, values: Iterable[float]) -> str:
    shown = " or ".join(text.quality(value, name) for value in values)
    return f"{BASELINES.get(name, name.replace('_', ' '))}: {shown}"


def row_labels(rows: Iterable[Row]) -> list[str]:
    """Return a name for every row, with what tells it from others of the same backend and mode."""
    found = list(rows)
    names = [f"{row.backend} {row.mode}{'' if row.profile == 'stock' else f' ({row.profile})'}" for row in found]
    return [
        name if names.count(name) == 1 else " ".join(filter(None, (name, row.framework_version, row.device_name)))
        for name, row in zip(names, found, strict=True)
    ]


def _cells(row: Row, label: str, quality_header: str, has_device: bool) -> dict[str, str]:
    speed = row.throughput_examples_per_s
    several = speed is not None and speed.runs > 1
    cells = {
        RANK: text.NOTHING if row.rank is None else f"≈ {row.rank}" if row.shares_place else str(row.rank),
        BACKEND: label,
        RATE: text.rate(speed.median if speed else None),
        RANGE: f"{text.rate(speed.low)}–{text.rate(speed.high)}" if speed and several else ONE_RUN if speed else "",
        SPREAD: text.percent(speed.relative()) if speed and several else ONE_RUN if speed else "",
        SLOWER: said_verdicts.times_slower(row),
        VERDICT: said_verdicts.verdict(row),
        FIRST: text.seconds(row.time_to_first_step_s),
        EPOCH: text.seconds(row.epoch_s),
        quality_header: " ".join(text.quality(item.value, row.metric) for item in row.quality) or text.NOTHING,
        MEMORY: text.megabytes(row.host_peak_bytes),
    }
    if has_device:
        cells[DEVICE] = text.megabytes(row.device_peak_bytes)
    reasons = "; ".join((*_first(_why_not(row)), *_first(row.reasons)))
    return cells | {PARITY: row.parity, STATUS: row.status, REASON: reasons}


def _troubles(row: Row, label: str) -> list[str]:
    """Return what is to be said of a row that is not comparable, or of which a run did not end well."""
    lines = [f"{label}: {NOT_COMPARABLE}: {reason}" for reason in _first(_why_not(row))]
    if row.ok_runs < row.runs:
        lines += [f"{label}: {row.status}: {reason}" for reason in _first(row.reasons or ("no reason was given",))]
    return lines


def _why_not(row: Row) -> tuple[str, ...]:
    """Return why a row is not comparable, unless the way in which its runs ended says it all."""
    says_it_all = row.parity == "pass" and row.reasons and TOO_NOISY not in row.steady_state
    return () if says_it_all else row.why_not_comparable


def _first(reasons: tuple[str, ...]) -> tuple[str, ...]:
    return text.first(reasons, 3, "reasons")


def _backends(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return lines of versions, settings and traps, each with whom it belongs to."""
    lines = []
    for backend, runs in frame.groupby("backend", sort=False):
        lines += [f"{backend} versions: {_facts(value)}" for value in dict.fromkeys(runs["versions"]) if value]
        known = runs[runs["settings"] != ""]
        places = known["device"] + " " + known["mode"] + known["profile"].map(lambda p: "" if p == "stock" else f" {p}")
        for value, of_value in places.groupby(known["settings"], sort=False):
            lines.append(f"{backend} settings ({', '.join(dict.fromkeys(of_value))}): {_facts(str(value))}")
        lines += _tuned(str(backend), runs[runs["profile"] != "stock"])
        for column, word in (("harmful_traps", "TRAP, the numbers are spoiled"), ("traps", "note")):
            traps = [sentence for value in runs[column] if value for sentence in json.loads(value).values()]
            lines += [f"{backend} {word}: {sentence}" for sentence in dict.fromkeys(traps)]
    return tuple(lines)


def _tuned(backend: str, runs: pd.DataFrame) -> list[str]:
    """Return a line on what the profile of each task, device and mode has set."""
    lines = []
    for cell, of_cell in runs.groupby(["task", "device", "mode"], sort=False):
        for value in dict.fromkeys(of_cell["tuned_settings"]):
            shown = label(json.loads(value)) if value else "none, for nothing was faster than stock when tuned"
            lines.append(f"{backend} tuned settings ({' '.join(map(str, cell))}): {shown}")
    return lines


def _facts(value: str) -> str:
    return ", ".join(f"{name} {fact}" for name, fact in json.loads(value).items())
