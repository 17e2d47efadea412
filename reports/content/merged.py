"""What a report says of a merged study: what was merged, a table of its machines, and one of every machine's speeds.

Rows are never pooled over the sources, so each has sections of its own; here they stand side by side.
"""

from collections.abc import Sequence

import pandas as pd

from harness.language import _, ngettext, noop
from harness.records.store import Source
from harness.records.studies import Loaded
from reports.statistics.rows import SEPARATOR, Group, Row
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number, words

COMPUTED = ("task_version", "task_fingerprint", "dataset_fingerprint")
"""What must be equal for two machines to stand in one table."""


def lead(loaded: Loaded) -> tuple[str, ...]:
    """Return the first sentences of a merged study's report; none for a study that was run."""
    if loaded.plan is None or not loaded.plan.merged_from:
        return ()
    sources = loaded.plan.merged_from
    said = [
        ngettext(
            "{count} of {planned} planned runs have a record; merged {date} from {studies} study: {names}.",
            "{count} of {planned} planned runs have a record; merged {date} from {studies} studies: {names}.",
            len(sources),
        ).format(
            count=len(loaded.records),
            planned=len(loaded.plan.specs),
            date=loaded.plan.created_at,
            studies=len(sources),
            names=", ".join(text.first([source.name for source in sources], 40, noop("and {count} other studies"))),
        )
    ]
    for source in sources:
        said += _left_out(source)
    if missing := loaded.missing():
        said.append(
            _("Without a record: {runs}.").format(
                runs=", ".join(text.first(missing, 5, noop("and {count} other runs")))
            )
        )
    builds = dict.fromkeys(f"{r.evenbench} {r.git_revision or ''}".strip() for r in loaded.records)
    if len(builds) > 1:
        said.append(_("Measured by different code: Evenbench {builds}.").format(builds=", ".join(builds)))
    else:
        said += [_("Measured by Evenbench {build}.").format(build=build) for build in builds]
    return tuple(said)


def _left_out(source: Source) -> list[str]:
    parts = (
        (source.duplicates, _("taken from elsewhere already")),
        (source.damaged, _("damaged and left out")),
        (source.links, _("links that were not followed")),
    )
    return [
        _("{source}, {what}: {files}.").format(
            source=source.name, what=what, files="; ".join(text.first(files, 3, noop("and {count} other files")))
        )
        for files, what in parts
        if files
    ]


def tables(study: StudyRead) -> list[Table]:
    """Return the table of the machines, and for every task one of their speeds; none for a study that was run."""
    plan = study.loaded.plan
    return [_machines(study.runs), *_speeds(study.groups)] if plan is not None and plan.merged_from else []


def _machines(frame: pd.DataFrame) -> Table:
    facts = ["source", "cpu", "cores", "cores_used", "memory_bytes", "kernel"]
    rows = []
    for of_machine, runs in frame.groupby(facts, sort=False, dropna=False):
        source, cpu, cores, used, memory, kernel = of_machine
        ok = int((runs["status"] == "ok").sum())
        machine = _("{cpu}, {used} of {cores} processors used, {memory} GB").format(
            cpu=cpu, used=used, cores=cores, memory=f"{int(str(memory)) / 1e9:.0f}"
        )
        rows.append([words(shown) for shown in (str(source), machine, str(kernel), f"{ok} / {len(runs)}")])
    headers = (_("study"), _("machine"), _("system"), _("ok / runs"))
    return grid(headers, rows, _("Machines"))


def _speeds(groups: Sequence[Group]) -> list[Table]:
    """Return for everything that was computed the examples/s by machine; names are as in the sections."""
    computed: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        facts = [f"{name} {getattr(group, name)}".replace("_", " ") for name in group.split_by if name in COMPUTED]
        computed.setdefault((group.heading, *facts), []).append(group)
    found = []
    for what, machines in computed.items():
        rates = [(group.source, {row.label: _rate(row) for row in group.rows}) for group in machines]
        across = list(dict.fromkeys(label for _source, shown in rates for label in shown))
        rows = [(words(source), *(shown.get(label, words("")) for label in across)) for source, shown in rates]
        title = _("examples/s by machine: {cell}").format(cell=SEPARATOR.join(what))
        found.append(grid((_("study"), *across), rows, title))
    return found


def _rate(row: Row) -> Cell:
    """Return a row's examples per second, or that it may not be compared."""
    speed = row.throughput_examples_per_s
    if speed is None:
        return words(text.counted(row.status))
    return number(speed.median, text.rate(speed.median)) if row.comparable else words(_("not comparable"))
