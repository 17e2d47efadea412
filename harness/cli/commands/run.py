"""The command `evenbench run`: plan, run, store, report."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import click
from msgspec.structs import replace

from harness import registry
from harness.cli.choices import (
    choice_options,
    find_choices,
    find_interpreters,
    find_tasks,
    find_tuned,
    folder,
    parse_bytes,
    parse_seeds,
)
from harness.cli.clusters import (
    RAY,
    Cluster,
    Where,
    choices_on_nodes,
    executor_options,
    joined,
    nodes_for,
    refuse_on_a_cluster,
    refuse_without_a_cluster,
    words_of,
)
from harness.cli.devices import those_with_a_device
from harness.cli.names import with_words
from harness.cli.options import data_dir_option, filled, json_option, print_json, refuse_what_is_planned, results_option
from harness.cli.progress import Progress, earlier, how_long, roughly
from harness.cli.quantities import parse_seconds, parse_share
from harness.cli.quiet import wait_for_quiet, warn_of_others
from harness.data import datasets
from harness.data.text_files import TextFile
from harness.environments import machine
from harness.environments.interpreters import Interpreter
from harness.errors import UsageError
from harness.language import _
from harness.measure import conditions
from harness.measure.clock import timestamp
from harness.record import Record
from harness.records import studies
from harness.records.merge import merge
from harness.records.next_command import next_command
from harness.records.store import STUDY, Store, check_name
from harness.runs.conductor import Conductor, Plan, look_for_data
from harness.runs.execute import Setting
from harness.runs.plan import Wish, found_again, left_of, study_of
from harness.runs.profiles import check_name as check_profile
from harness.spec import Choice, Design, DeviceKind, RunSpec, base_preset
from harness.whole_files import shown_path

PART = "-on-"
"""In the name of the study of one kind of node: behind the name of the whole, before that of the kind."""
LEAST_BUDGET_S, BUDGET_OF_A_ROW_S = 900.0, 300.0


@click.command()
@choice_options
@click.option(
    "--preset",
    default="quick",
    show_default=True,
    callback=filled,
    help="Size of the tasks: smoke, quick, full or a task's own.",
)
@click.option(
    "--repeats", type=int, help="Processes per task, backend and mode.  [default: 3; 1 with --seed; 5 with full]"
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    callback=filled,
    help="Seeds, such as 0,1,2 or 0-9.  [default: repeat r is seeded with r]",
)
@click.option(
    "--dataset",
    callback=filled,
    help="Data set instead of the preset's own: a name, or the path of a CSV or TSV file of labelled texts.",
)
@click.option(
    "--text-column",
    callback=filled,
    help="Column of the texts in the file, by name or number from 1.  [default: found out]",
)
@click.option("--label-column", callback=filled, help="Column of the labels in the file.  [default: found out]")
@click.option("--encoding", callback=filled, help="Encoding of the file.  [default: utf-8]")
@data_dir_option
@click.option("--study", callback=filled, help="Name of the study.  [default: the time and the preset]")
@click.option("--resume", metavar="STUDY", callback=filled, help="Go on with a study: run only what has no record yet.")
@click.option("--timeout", "timeout_s", type=float, help="Seconds after which a run is ended.  [default: the preset's]")
@click.option(
    "--noise-budget",
    "noise_budget_s",
    type=float,
    default=5.0,
    show_default=True,
    envvar="EVENBENCH_NOISE_BUDGET",
    help="Seconds for which a run measures again what other processes disturbed.",
)
@click.option("--memory-limit", help="Most memory that a run may take, such as 4GB.  [default: none]")
@click.option(
    "--profile",
    "profile",
    default="stock",
    show_default=True,
    help="stock: as a newcomer gets it; tuned: with what `evenbench tune` found; both.",
)
@click.option(
    "--until",
    type=click.Choice(["decided", "repeats"]),
    help="When to end: decided, when every pair of rows is, or the budget is spent; repeats, after --repeats.  "
    "[default: decided for quick, else repeats]",
)
@click.option(
    "--budget",
    callback=filled,
    help="Time after which no round is begun, such as 10min.  [default: 5min a row, at least 15min]",
)
@click.option(
    "--within", default="5%", show_default=True, callback=filled, help="Rows this close to each other are called equal."
)
@click.option(
    "--turns/--alone",
    "turns",
    default=None,
    help="Measure the rows of a task in turns, with all their workers alive, or one after the other.  "
    "[default: in turns, but for smoke]",
)
@click.option(
    "--wait-for-quiet",
    metavar="TIME",
    callback=filled,
    help="Wait up to so long, such as 10min, until other programs leave the processors.",
)
@click.option("--live", type=int, help="Most workers alive at once.  [default: as many as the memory holds]")
@click.option(
    "--controls/--no-controls",
    default=None,
    help="Measure a row's twin, and a twin that does 10 % more work, in every task.  [default: with full]",
)
@executor_options
@click.option("--no-parity", is_flag=True, help="Skip the proof of equality; no row will be ranked.")
@click.option("--no-mistakes", is_flag=True, help="Skip the students' mistakes; smoke does without them anyway.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@results_option
@json_option
def run(**asked: Any) -> int:
    """Run tasks on backends, measure them and compare.

    Without options: the quick preset of the four main tasks on every framework that works here, three times, on the
    CPU. Groups of tasks: main, text, boltzmann, vision, sequence, optimizers. `--set batch_size=32` makes a variant.
    Every run is a process of its own; its record is stored at once under RESULTS/STUDY.
    """
    machine.temporary_folder()  # where its workers would work: looked for now, under --dry-run too
    if asked["executor"] != RAY:
        refuse_without_a_cluster()
    else:
        refuse_on_a_cluster(asked)
    if asked["resume"] is None:
        plan = _planned(with_words(asked))
    else:
        refuse_what_is_planned(click.get_current_context())
        plan = None
    if asked["executor"] != RAY:
        return _run(asked, plan).code
    with joined(asked["address"]) as cluster:
        return _run_on(cluster, asked, plan)


class Ended(NamedTuple):
    """How a study ended."""

    code: int
    stopped: bool = False
    """By the user."""


def _run(asked: dict[str, Any], plan: Plan | None, where: Where | None = None, *, whole: Store | None = None) -> Ended:
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
            plan, left = _resumed(store, asked, where)
            return _conduct(plan, left, store, new=False, asked=asked, where=where, goes_on=goes_on)
    else:
        plan, left = _resumed(store, asked, where)
    if asked["dry_run"]:
        _show_plan(plan, left, store, as_json=asked["as_json"])
        if where is not None:
            _warn(where.said())
        return Ended(0)
    return _conduct(plan, left, store, new=True, asked=asked, where=where, goes_on=goes_on)


def _named(asked: dict[str, Any]) -> Store:
    """Return the study to go on with: by a name, as everywhere, or the path of a study or of a file in it."""
    results, named = asked["results"].absolute(), asked["resume"]
    return Store(studies.find(named, results) if os.sep in named else results / check_name(named))


def _run_on(cluster: Cluster, asked: dict[str, Any], plan: Plan | None) -> int:
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
    kinds = nodes_for(cluster, choices, asked, records=records, warn=_warn)
    return _run_on_all(asked, plan, kinds, whole) if on_all else _run(asked, plan, kinds[0]).code


def _run_on_all(asked: dict[str, Any], plan: Plan | None, kinds: Sequence[Where], whole: Store) -> int:
    """Do the plan on every kind of node, each a study of its own, and join them in one, `whole`."""
    whole.refuse_existing()
    code = 0
    for where in kinds:
        part = Store(whole.folder.with_name(check_name(f"{whole.folder.name}{PART}{where.kind}")))
        if plan is None and part.exists():
            ended = _run(asked | {"resume": part.folder.name}, None, where, whole=whole)
        else:
            of_kind = plan or _resumed(_parts(whole)[0], asked, where)[0]
            ended = _run(
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


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Hold a study's lock; where the disk has none, say so and go on."""
    with store.alone() as locked:
        if not locked:
            _warn(
                _("the disk of {folder} has no locks: start no second command on this study").format(
                    folder=store.folder
                )
            )
        yield


def _warn(text: str) -> None:
    click.echo(text, err=True)


def _planned(asked: dict[str, Any]) -> Plan:
    """Return the plan that the options ask for; without interpreters where nodes of a cluster find their own."""
    on_nodes = asked["executor"] == RAY
    tasks = find_tasks(asked["tasks"])
    found: Mapping[tuple[str, DeviceKind], Interpreter] = {}
    if not on_nodes:
        choices, named = find_choices(asked["backends"], asked["devices"], asked["modes"], warn=_warn)
        found = find_interpreters(choices, asked["pythons"], named=named, warn=_warn)
    else:
        choices = choices_on_nodes(asked, _warn)
    files = _chosen_file(asked)
    if asked["preset"] != base_preset(asked["preset"]):
        sentence = _(
            "{preset} is a variant of {base}, and is never compared with it; it has a target only by --set target"
        )
        _warn(sentence.format(preset=asked["preset"], base=base_preset(asked["preset"])))
    for task in tasks:
        task.preset(asked["preset"])  # a wrong name is said before frameworks are asked for their devices
    runnable = choices if on_nodes else those_with_a_device(choices, found, asked["devices"], warn=_warn)
    profiles = check_profile(asked["profile"])
    design = _design(asked, runnable)
    wish = Wish(
        tasks=tasks,
        choices=runnable,
        preset=asked["preset"],
        repeats=asked["repeats"],
        seeds=parse_seeds(asked["seeds"]),
        dataset=next(iter(files), asked["dataset"]),
        dataset_is_file=bool(files),
        timeout_s=asked["timeout_s"],
        memory_limit_bytes=parse_bytes(asked["memory_limit"]),
        noise_budget_s=asked["noise_budget_s"],
        design=design,
        budget_s=_budget(asked, design, rows=len(runnable) * len(profiles)),
        live=asked["live"],
        controls=_controls(asked, design),
        profiles=profiles,
        tuned=find_tuned(tasks, runnable, asked["preset"], found) if "tuned" in profiles else {},
    )
    return Plan(
        study=study_of(wish, name=asked["study"], command=tuple(map(shown_path, sys.argv[1:])), files=files.values()),
        interpreters=found,
        data_dir=folder(asked["data_dir"]),
        with_parity=not asked["no_parity"],
        open_rows=_open_rows if design.until_decided else None,
        with_mistakes=not asked["no_mistakes"] and base_preset(asked["preset"]) != "smoke",
        files=files,
    )


def _design(asked: dict[str, Any], choices: tuple[Choice, ...]) -> Design:
    """Return how the rows are to be compared: by default a quick study ends when all is decided, others are counted."""
    base = base_preset(asked["preset"])
    counted = asked["repeats"] is not None or bool(asked["seeds"])
    if counted and asked["until"] == "decided":
        raise UsageError("--until decided counts its rounds itself: leave out --repeats and --seed, or --until")
    decided = asked["until"] == "decided" or (asked["until"] is None and base == "quick" and not counted)
    decided = decided and asked["turns"] is not False and len(choices) * len(check_profile(asked["profile"])) > 1
    turns = decided or (asked["turns"] if asked["turns"] is not None else base != "smoke")
    if asked["until"] == "decided" and not decided:
        raise UsageError("--until decided needs two rows or more that take turns: name a second backend or mode")
    return Design(turns=turns, until_decided=decided, within=parse_share("--within", asked["within"], most=1.0))


def _budget(asked: dict[str, Any], design: Design, *, rows: int) -> float | None:
    """Return the seconds after which no round is begun: a round of more rows takes longer."""
    if asked["budget"] is not None:
        return parse_seconds("--budget", asked["budget"])
    return max(LEAST_BUDGET_S, rows * BUDGET_OF_A_ROW_S) if design.until_decided else None


def _controls(asked: dict[str, Any], design: Design) -> bool:
    if asked["controls"] and not design.turns:
        raise UsageError("--controls are measured in turns with their row: leave out --alone")
    return design.turns and (base_preset(asked["preset"]) == "full" if asked["controls"] is None else asked["controls"])


def _open_rows(records: Sequence[Record]) -> Callable[[RunSpec], bool]:
    """Return what says of a run whether a pair of its row is still to be decided."""
    from reports.statistics.decided import open_rows

    return open_rows(records)


def _chosen_file(asked: dict[str, Any]) -> dict[str, TextFile]:
    """Return the user's file of texts by the name of its data set, if `--dataset` is a path."""
    columns = {name: asked[name] for name in ("text_column", "label_column", "encoding")}
    if asked["dataset"] is None:
        if any(value is not None for value in columns.values()):
            raise UsageError("--text-column, --label-column and --encoding belong to a file: name it with --dataset")
        return {}
    found = datasets.chosen(asked["dataset"], **columns)
    return {found.name: found} if isinstance(found, TextFile) else {}


def _resumed(store: Store, asked: dict[str, Any], where: Where | None) -> tuple[Plan, tuple[RunSpec, ...]]:
    """Return the plan to finish a study from the disk, and the runs that it lacks."""
    study = store.study()
    if asked["budget"] is not None:
        study = replace(study, budget_s=parse_seconds("--budget", asked["budget"]))
    if asked["live"] is not None:
        study = replace(study, live=asked["live"])
    left = left_of(study, store)
    choices = tuple(dict.fromkeys(spec.choice for spec in left))
    here = bool(left) and where is None
    if here:
        _warn_of_other_conditions(store)
    plan = Plan(
        study=study,
        interpreters=find_interpreters(choices, asked["pythons"], named=True, warn=_warn) if here else {},
        data_dir=folder(asked["data_dir"]),
        with_parity=not asked["no_parity"],
        open_rows=_open_rows if any(spec.design.until_decided for spec in left) else None,
        with_mistakes=not asked["no_mistakes"] and any(base_preset(spec.preset) != "smoke" for spec in left),
        files={file.name: found_again(file) for file in study.files if file.name in {spec.dataset for spec in left}},
    )
    return plan, left


def _warn_of_other_conditions(store: Store) -> None:
    """Say what is not as it was when the study's runs so far were made: what is run now has rows of its own."""
    now = conditions.here(machine.machine(), machine.available_cores(), conditions.shell_settings())
    held = [conditions.of(record) for record in store.records()[0] if record.measured.settings]
    others = {item for before in held for item in conditions.differing(before, now).items()}
    if others:
        shown = (f"{name.removeprefix(conditions.SHELL)}: {a or '-'} -> {b or '-'}" for name, (a, b) in sorted(others))
        sentence = _(
            "the runs of this study so far were made under other conditions, and are not pooled with those that follow "
            "({differences}); to pool them, go on as it was begun"
        )
        _warn(sentence.format(differences="; ".join(shown)))


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
            _warn(where.said())
        elif wait_s is not None:
            wait_for_quiet(setting.cores, wait_s, _warn)
        else:
            warn_of_others(setting.cores, _warn)
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
