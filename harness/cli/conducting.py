"""A study from its plan to its report: here, on nodes of one kind, or on every kind of node."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import click
from msgspec.structs import replace

from harness import registry
from harness.cli.clusters import Cluster, Where, nodes_for, words_of
from harness.cli.options import print_json
from harness.cli.planning import resumed, warn
from harness.cli.progress import Progress, earlier, how_long, roughly
from harness.cli.quantities import parse_seconds
from harness.cli.quiet import wait_for_quiet, warn_of_others
from harness.environments import machine
from harness.language import _
from harness.measure.clock import timestamp
from harness.record import Record
from harness.records import studies
from harness.records.merge import merge
from harness.records.next_command import next_command
from harness.records.store import STUDY, Store, check_name
from harness.runs.conductor import Conductor, Plan, look_for_data
from harness.runs.execute import Setting
from harness.spec import RunSpec

PART = "-on-"
"""In the name of the study of one kind of node: behind the name of the whole, before that of the kind."""


class Ended(NamedTuple):
    """How a study ended."""

    code: int
    stopped: bool = False
    """By the user."""


def run_study(
    asked: dict[str, Any], plan: Plan | None, where: Where | None = None, *, whole: Store | None = None
) -> Ended:
    """Do a study, here or on the nodes of a cluster, and tell what came of it.

    Args:
        asked: the options.
        plan: of a new study; None: the one that `--resume` names is gone on with.
        where: the nodes; None: here.
        whole: what `--resume` is to name if it is stopped, where that is not the study itself.
    """
    store = _named(asked) if plan is None else Store(asked["results"].absolute() / check_name(plan.study.name))
    words = () if where is None else words_of(asked)
    goes_on = (whole or store).resume_command(*words)
    if plan is not None:
        store.refuse_existing()
        left = store.missing(plan.study.specs)
    elif not asked["dry_run"]:
        with _alone(store):  # before it is asked what has no record yet
            plan, left = resumed(store, asked, where)
            return _conduct(plan, left, store, new=False, asked=asked, where=where, goes_on=goes_on)
    else:
        plan, left = resumed(store, asked, where)
    if asked["dry_run"]:
        _show_plan(plan, left, store, as_json=asked["as_json"])
        if where is not None:
            warn(where.said())
        return Ended(0)
    return _conduct(plan, left, store, new=True, asked=asked, where=where, goes_on=goes_on)


def run_on_nodes(cluster: Cluster, asked: dict[str, Any], plan: Plan | None) -> int:
    """Do a study on nodes of one kind, or on every kind."""
    on_all = asked["on"].casefold() == registry.ALL
    if plan is not None:
        study, records = plan.study, []
        whole = Store(asked["results"].absolute() / check_name(study.name))
    else:
        whole = _named(asked)
        study = next(iter(_parts(whole) if on_all else ()), whole).study()
        records = [] if on_all else whole.records()[0]
    choices = dict.fromkeys(spec.choice for spec in study.specs)
    kinds = nodes_for(cluster, choices, asked, records=records, warn=warn)
    return _run_on_all(asked, plan, kinds, whole) if on_all else run_study(asked, plan, kinds[0]).code


def _run_on_all(asked: dict[str, Any], plan: Plan | None, kinds: Sequence[Where], whole: Store) -> int:
    """Do the plan on every kind of node, each a study of its own, and join them in one, `whole`."""
    whole.refuse_existing()
    code = 0
    for where in kinds:
        part = Store(whole.folder.with_name(check_name(f"{whole.folder.name}{PART}{where.kind}")))
        if plan is None and part.exists():
            ended = run_study(asked | {"resume": part.folder.name}, None, where, whole=whole)
        else:
            of_kind = plan or resumed(_parts(whole)[0], asked, where)[0]
            ended = run_study(
                asked, replace(of_kind, study=replace(of_kind.study, name=part.folder.name)), where, whole=whole
            )
        code = max(code, ended.code)
        if ended.stopped:
            return ended.code
    parts = _parts(whole)
    if asked["dry_run"] or len(parts) < 2:
        return code
    merge(whole.folder, [part.folder for part in parts], created_at=timestamp())
    if not asked["as_json"]:
        _print_report(whole.folder)
    return code


def _parts(whole: Store) -> list[Store]:
    """Return the studies of the kinds of nodes that were begun for one study."""
    return [Store(path.parent) for path in sorted(whole.folder.parent.glob(f"{whole.folder.name}{PART}*/{STUDY}"))]


def _named(asked: dict[str, Any]) -> Store:
    """Return the study to go on with: by a name, as everywhere, or the path of a study or of a file in it."""
    results, named = asked["results"].absolute(), asked["resume"]
    return Store(studies.find(named, results) if os.sep in named else results / check_name(named))


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Hold a study's lock; where the disk has none, say so and go on."""
    with store.alone() as locked:
        if not locked:
            warn(
                _("the disk of {folder} has no locks: start no second command on this study").format(
                    folder=store.folder
                )
            )
        yield


def _show_plan(plan: Plan, left: tuple[RunSpec, ...], store: Store, *, as_json: bool) -> None:
    """Show what would run, or raise what would stop it before anything ran, as far as that is known at once."""
    look_for_data(left, plan)
    if as_json:
        print_json(left)
        return
    for spec in left:
        click.echo(spec.run_id)
    sentence = _("{count} of {planned} runs would run, into {folder}")
    click.echo(sentence.format(count=len(left), planned=len(plan.study.specs), folder=store.folder), err=True)
    if plan.study.until_decided and plan.study.budget_s is not None:
        sentence = _("It ends when all is decided, or after {time}; the first round of each task is made anyway.")
        click.echo(sentence.format(time=roughly(plan.study.budget_s)), err=True)
    elif left:
        click.echo(how_long(earlier(store).expected(left), len(left)), err=True)


def _conduct(
    plan: Plan,
    left: tuple[RunSpec, ...],
    store: Store,
    *,
    new: bool,
    asked: dict[str, Any],
    where: Where | None,
    goes_on: str,
) -> Ended:
    """Run the plan and show the report; a new study is created once its data are there."""
    wait_s = None if asked["wait_for_quiet"] is None else parse_seconds("--wait-for-quiet", asked["wait_for_quiet"])
    setting = Setting(machine=machine.machine(), git_revision=machine.git_revision(), cores=machine.available_cores())
    executor = where.executor if where else None
    try:
        budget_s = plan.study.budget_s if plan.study.until_decided else None
        progress = Progress(left, earlier(store), budget_s=budget_s)
        conductor = Conductor(plan, left, store=store, setting=setting, listener=progress, executor=executor)
        conductor.prepare_data()  # before the live display: a download has one of its own, and there can be only one
        if new:
            store.create(plan.study)
        if where is not None:
            warn(where.said())
        elif wait_s is not None:
            wait_for_quiet(setting.cores, wait_s, warn)
        else:
            warn_of_others(setting.cores, warn)
        with _alone(store) if new else nullcontext(), progress:
            records = conductor.run()
    except KeyboardInterrupt:
        sentence = _("stopped before a run")
        if store.exists():
            sentence = _("stopped before a run; `{command}` goes on")
        click.echo(sentence.format(command=goes_on), err=True)
        return Ended(1, stopped=True)
    if asked["as_json"]:
        _print_json(records, store.folder)
    else:
        _print_report(store.folder)
    stopped = any(record.outcome.status == "interrupted" for record in records)
    if stopped:
        sentence = _("stopped; `{command}` goes on")
        click.echo(sentence.format(command=goes_on), err=True)
    failed = [r for r in records if r.outcome.status != "ok" or r.parity.passed is False]
    if failed:
        sentence = _("{count} of {runs} runs did not end well or are not comparable; `{command}` tells all of one")
        words = ("show", "RUN", "--study", store.folder.name)
        command = next_command(*words, results=store.folder.parent)
        click.echo(sentence.format(count=len(failed), runs=len(records), command=command), err=True)
    return Ended(1 if failed else 0, stopped)


def _print_json(records: tuple[Record, ...], study: Path) -> None:
    runs = [
        {
            "run": r.spec.run_id,
            "status": r.outcome.status,
            "reason": r.outcome.reason,
            "parity": r.parity.passed,
            "quality": r.measured.quality,
        }
        for r in records
    ]
    print_json({"study": str(study), "runs": runs})


def _print_report(study: Path) -> None:
    from reports.formats.report import render  # pandas: hours later, and not under --dry-run

    render(study, ("md", "csv", "html", "terminal"))  # the files first: whoever reads stdout may go away
