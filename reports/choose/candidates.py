"""Who can be chosen and what was measured of them: rows of a study, gathered over its tasks, with every exclusion.

A candidate is a backend in one mode and profile. Only rows that passed parity enter. A task on which all runs of a
candidate failed counts as the worst there is; one that could not be read (too noisy, interrupted, never run) is
unknown, which is something else.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd
from msgspec import Struct

from harness.language import _
from harness.record import COMPLETED, Record
from harness.versions import base
from reports.choose.criteria import CRITERIA, Criterion
from reports.choose.exclusions import why_not
from reports.choose.known import WHOLE, Candidate, Key, Reading, label
from reports.choose.messages import Messages, add_messages
from reports.choose.needs import Needs
from reports.statistics.rows import CELL, SPLITS, Group, Row
from reports.statistics.study import StudyRead
from reports.words import text

FAILED = ("unsupported", "diverged", "out_of_memory", "timeout", "crashed")
"""Endings that say that the candidate cannot do the task here."""


TELLING = tuple(dict.fromkeys((*CELL[1:], "source", "machine", *SPLITS)))
"""What tells the groups of one task apart, what people know best first."""
OTHER_FACTS = ("run_id", "status", "target", "install_reason", "framework_version")
Facts = Mapping[str, Any]
"""Of one run, by the names of the frame's columns."""


class Field(Struct, frozen=True, kw_only=True):
    """All that a choice is made from."""

    tasks: tuple[str, ...]
    """The names of the cells, a task with what tells it from other cells of it; each is a table of the report."""
    candidates: tuple[Candidate, ...]
    excluded: tuple[tuple[str, str], ...]
    """Label and reason."""
    messages: Messages = Messages()


def field(study: StudyRead, needs: Needs) -> Field:
    """Return who can be chosen from a study, and who is excluded and why: by the limits of the needs among others."""
    groups = study.groups
    known = facts_of(study.loaded.records, study.runs)
    wanted = [group for group in groups if needs.limits.device in (None, group.device)]
    titles = _titles(wanted)
    keys = dict.fromkeys((row.backend, row.mode, row.profile) for group in groups for row in group.rows)
    found, excluded = [], []
    for key in keys:
        rows = {
            # Of rows that conditions or versions tell apart, the one that says most: they cannot be pooled.
            title: max(same, key=lambda row: (row.comparable, row.ok_runs))
            for title, group in zip(titles, wanted, strict=True)
            if (same := [row for row in group.rows if (row.backend, row.mode, row.profile) == key])
        }
        candidate = _candidate(key, rows, titles, known) if rows else None
        reason = why_not(key, rows, candidate, needs)
        if reason is not None or candidate is None:
            excluded.append((label(key), reason or ""))
            continue
        found.append(candidate)
    _add_devices(found, _devices(groups), needs)
    messages = add_messages(found, [r for r in study.loaded.records if needs.limits.device in (None, r.spec.device)])
    return Field(tasks=titles, candidates=tuple(found), excluded=tuple(excluded), messages=messages)


def facts_of(records: Iterable[Record], runs: pd.DataFrame) -> dict[str, Facts]:
    """Return by run what the criteria read: columns of the frame, and the seconds that no column has."""
    times = {record.spec.run_id: time_to_target(record) for record in records}
    more = runs.assign(
        seconds_per_example=(runs["median_step_s"] / runs["batch_size"]).astype("float64"),
        start_up_s=runs["import_s"] + runs["build_s"] + runs["first_step_s"],
        target_s=runs["run_id"].map(times).astype("float64"),
    )
    columns = [criterion.column for criterion in CRITERIA if criterion.column]
    wanted = pd.concat([more[list(OTHER_FACTS)], more[columns].astype("float64")], axis=1)
    found = [dict(zip(wanted.columns, values, strict=True)) for values in wanted.itertuples(index=False, name=None)]
    return {facts["run_id"]: facts for facts in found}


def time_to_target(record: Record) -> float | None:
    """Return the seconds of training until the preset's target was first seen, None if it has none or was missed."""
    target = record.task.target(record.spec.preset, record.spec.dataset)
    if target is None:
        return None
    for evaluation in record.measured.evaluations:
        value = evaluation.quality.get(target.metric)
        if value is not None and value >= target.at_least:
            return evaluation.train_seconds
    return None


def _titles(groups: Sequence[Group]) -> tuple[str, ...]:
    """Return a name for every group: the task's, with as much behind it as tells it from the task's other groups."""
    facts = {task: _telling([group for group in groups if group.task == task]) for task in {g.task for g in groups}}
    return tuple(_title(group, facts[group.task]) for group in groups)


def _telling(groups: Sequence[Group]) -> list[str]:
    """Return the facts that tell groups of one task apart, each of which tells more apart than those before it."""
    found = ["task"]
    for name in TELLING:
        if len({_title(group, [*found, name]) for group in groups}) > len({_title(group, found) for group in groups}):
            found.append(name)
    return found


def _title(group: Group, facts: Sequence[str]) -> str:
    return " ".join(str(fact) for name in facts if (fact := getattr(group, name)))


def _candidate(key: Key, rows: Mapping[str, Row], titles: Sequence[str], runs: Mapping[str, Facts]) -> Candidate:
    own = {title: [runs[run_id] for run_id in row.run_ids] for title, row in rows.items()}
    every = [facts for part in own.values() for facts in part]
    readings: dict[str, dict[str, Reading]] = {}
    for criterion in CRITERIA:
        if criterion.per_task:
            readings[criterion.name] = {
                title: _of_task(criterion, rows[title], own[title])
                if title in rows
                else Reading(why=_("it was not run"))
                for title in titles
            }
        elif criterion.column:
            readings[criterion.name] = {WHOLE: _of_backend(criterion, every)}
    backend, mode, profile = key
    versions = dict.fromkeys(facts["framework_version"] for facts in every if facts["framework_version"])
    builds = tuple(f"{base(backend)} {version}" for version in versions)
    return Candidate(backend=backend, mode=mode, profile=profile, readings=readings, builds=builds)


def _of_task(criterion: Criterion, row: Row, own: Sequence[Facts]) -> Reading:
    """Return what a row says by a criterion, given the facts of its runs."""
    completed = [facts for facts in own if facts["status"] in COMPLETED]
    if not completed and all(facts["status"] in FAILED for facts in own):
        return Reading(failed=True, why=_("all runs failed: {status}").format(status=text.counted(row.status)))
    if not row.comparable:
        return Reading(why="; ".join(row.why_not_comparable) or _("the runs were interrupted"))
    if criterion.scale == "points":
        seeds = tuple(sorted(row.accuracy_per_seed))
        accuracies = tuple(row.accuracy_per_seed[seed] for seed in seeds)
        return Reading(values=accuracies, seeds=seeds, why="" if seeds else _("the task has no accuracy"))
    values = tuple(value for value in _numbers(completed, criterion.column) if value > 0)
    if criterion.name != "time_to_accuracy":
        return Reading(values=values, why="" if values else _("it was not measured"))
    if not all(facts["target"] for facts in completed):
        return Reading(why=_("the task names no target"))
    return Reading(
        values=values,
        reached=len(values) / len(completed),
        failed=not values,
        why="" if values else _("no run reached the target"),
    )


def _of_backend(criterion: Criterion, own: Sequence[Facts]) -> Reading:
    """Return what all runs of a candidate say alike: the median, where records of several installations differ."""
    if values := _numbers(own, criterion.column):
        return Reading(values=(median(values),))
    installed = criterion.column.startswith("install")
    reasons = [facts["install_reason"] for facts in own if facts["install_reason"]] if installed else []
    return Reading(why=reasons[0] if reasons else _("it was not measured"))


def _numbers(own: Sequence[Facts], column: str) -> list[float]:
    return [facts[column] for facts in own if math.isfinite(facts[column])]


def _devices(groups: Sequence[Group]) -> dict[str, set[str]]:
    """Return for every device on which a run ended ok and comparable the backends that did so."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for row in group.rows:
            if row.comparable and row.ok_runs:
                found.setdefault(group.device, set()).add(row.backend)
    return found


def _add_devices(found: Sequence[Candidate], devices: Mapping[str, set[str]], needs: Needs) -> None:
    """Add the readings of the two criteria that count devices on which runs ended ok: nothing declared enters."""
    why_not = {
        "device_coverage": _why_no_coverage(devices),
        "device_available": _why_none_available(found, devices, needs.wanted_devices),
    }
    counted = {"device_coverage": tuple(devices), "device_available": needs.wanted_devices}
    for candidate in found:
        for name, wanted in counted.items():
            reading = Reading(why=why_not[name])
            if not reading.why:
                share = sum(candidate.backend in devices.get(device, ()) for device in wanted) / len(wanted)
                reading = Reading(values=(share,))
            candidate.readings[name] = {WHOLE: reading}


def _why_no_coverage(devices: Mapping[str, set[str]]) -> str:
    if not devices:
        return _("no run ended ok")
    return _("only {device} was measured in this study").format(device=next(iter(devices))) if len(devices) == 1 else ""


def _why_none_available(found: Sequence[Candidate], devices: Mapping[str, set[str]], wanted: Sequence[str]) -> str:
    """Return why nothing is known of the wanted devices: where nobody has one, a zero for all would decide nothing."""
    if not wanted:
        return _("the needs name no wanted_devices")
    if any(candidate.backend in devices.get(device, ()) for candidate in found for device in wanted):
        return ""
    return _("no candidate has a run that ended ok on {devices}: run the study there to know").format(
        devices=text.either(wanted)
    )
