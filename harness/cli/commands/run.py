"""The command `evenbench run`: plan, run, store, report."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
from harness.cli.options import data_dir_option, filled, json_option, refuse_what_is_planned, results_option
from harness.language import _
from harness.records.next_command import next_command

if TYPE_CHECKING:
    from harness.data.text_files import TextFile
    from harness.record import Record
    from harness.records.store import Store, Study
    from harness.runs.conductor import Plan


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
@click.option("--no-parity", is_flag=True, help="Skip the proof of equality; no row will be ranked.")
@click.option("--no-mistakes", is_flag=True, help="Skip the students' mistakes; smoke does without them anyway.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@results_option
@json_option
def run(**asked: Any) -> int:
    """Run tasks on backends, measure them and compare.

    Without options: the quick preset of the four main tasks on every framework that works here, three times, on the
    CPU. Groups of tasks: main, text, boltzmann, optimizers.
    Every run is a process of its own; its record is stored at once under RESULTS/STUDY.
    """
    from harness.records.store import Store, check_name

    def warn(text: str) -> None:
        click.echo(text, err=True)

    results = Path(asked["results"]).expanduser().absolute()
    if asked["resume"] is not None:
        refuse_what_is_planned(click.get_current_context())
        store = Store(results / check_name(asked["resume"]))
        study, plan = _resumed(store, asked, warn)
    else:
        study, plan = _planned(asked, warn)
        store = Store(results / check_name(study.name))
    new = study if asked["resume"] is None else None
    if new is not None:
        store.refuse_existing()
    if asked["dry_run"]:
        _show_plan(plan, store, as_json=asked["as_json"])
        return 0
    return _conduct(plan, store, new, as_json=asked["as_json"])


def _planned(asked: dict[str, Any], warn: Any) -> "tuple[Study, Plan]":
    """Return the study and the plan that the options ask for."""
    from harness.measure.clock import timestamp
    from harness.records.store import Study
    from harness.runs.conductor import Plan, remembered
    from harness.runs.plan import Wish, plan
    from harness.runs.profiles import check_name

    tasks = find_tasks(asked["tasks"])
    choices, named = find_choices(asked["backends"], asked["devices"], asked["modes"], warn=warn)
    found = find_interpreters(choices, asked["pythons"], named=named, warn=warn)
    seeds = parse_seeds(asked["seeds"])
    files = _chosen_file(asked)
    runnable = tuple(c for c in choices if (c.backend, c.device) in found)
    profiles = check_name(asked["profile"])
    default_repeats = 1 if seeds else (5 if asked["preset"] in ("full", "paper") else 3)
    wish = Wish(
        tasks=tasks,
        choices=runnable,
        preset=asked["preset"],
        repeats=default_repeats if asked["repeats"] is None else asked["repeats"],
        seeds=seeds,
        dataset=next(iter(files), asked["dataset"]),
        dataset_is_file=bool(files),
        timeout_s=asked["timeout_s"],
        memory_limit_bytes=parse_bytes(asked["memory_limit"]),
        noise_budget_s=asked["noise_budget_s"],
        profiles=profiles,
        tuned=find_tuned(tasks, runnable, asked["preset"], found) if "tuned" in profiles else {},
    )
    specs = plan(wish)
    now = timestamp()
    study = Study(
        name=asked["study"] or f"{now[:19].replace(':', '').replace('T', '-')}-{asked['preset']}",
        created_at=now,
        command=tuple(sys.argv[1:]),
        specs=specs,
        files=tuple(map(remembered, files.values())),
    )
    return study, Plan(
        specs=specs,
        interpreters=found,
        data_dir=folder(asked["data_dir"]),
        with_parity=not asked["no_parity"],
        with_mistakes=not asked["no_mistakes"] and asked["preset"] != "smoke",
        files=files,
    )


def _chosen_file(asked: dict[str, Any]) -> "dict[str, TextFile]":
    """Return the user's file of texts by the name of its data set, if `--dataset` is a path."""
    from harness.data import datasets
    from harness.data.text_files import TextFile
    from harness.errors import UsageError

    columns = {name: asked[name] for name in ("text_column", "label_column", "encoding")}
    if asked["dataset"] is None:
        if any(value is not None for value in columns.values()):
            raise UsageError("--text-column, --label-column and --encoding belong to a file: name it with --dataset")
        return {}
    found = datasets.chosen(asked["dataset"], **columns)
    return {found.name: found} if isinstance(found, TextFile) else {}


def _resumed(store: "Store", asked: dict[str, Any], warn: Any) -> "tuple[Study, Plan]":
    """Return a study from the disk and the plan to finish it."""
    from harness.errors import UsageError
    from harness.registry import task
    from harness.runs.conductor import Plan, found_again, missing
    from harness.runs.plan import Choice

    study = store.study()
    if study.merged_from:
        raise UsageError(
            "study {name} was merged from others, so there is nothing to resume: resume the study that lacks a run",
            name=study.name,
        )
    left = missing(study.specs, store)
    for spec in left:
        if task(spec.task).version != spec.task_version:
            raise UsageError(
                "study {study} was planned with version {planned} of {task}, this Evenbench has version {version}: "
                "start a new study",
                study=study.name,
                planned=spec.task_version,
                task=spec.task,
                version=task(spec.task).version,
            )
    choices = [Choice(backend=s.backend, device=s.device, mode=s.mode) for s in left]
    found = find_interpreters(choices, asked["pythons"], named=True, warn=warn) if left else {}
    return study, Plan(
        specs=study.specs,
        interpreters=found,
        data_dir=folder(asked["data_dir"]),
        with_parity=not asked["no_parity"],
        with_mistakes=not asked["no_mistakes"] and any(spec.preset != "smoke" for spec in left),
        files={file.name: found_again(file) for file in study.files if file.name in {spec.dataset for spec in left}},
    )


def _show_plan(plan: "Plan", store: "Store", *, as_json: bool) -> None:
    """Show what would run, or raise what would stop it before anything ran, as far as that is known at once."""
    import msgspec

    from harness.runs.conductor import look_for_data, missing

    left = missing(plan.specs, store)
    look_for_data(left, plan)
    if devices := sorted({spec.device for spec in left} - {"cpu"}):
        sentence = _("a run looks for its device ({devices}) when it starts; without one it is recorded as unsupported")
        click.echo(sentence.format(devices=_(", ").join(devices)), err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(left)).decode())
        return
    for spec in left:
        click.echo(spec.run_id)
    sentence = _("{count} of {planned} runs would run, into {folder}")
    click.echo(sentence.format(count=len(left), planned=len(plan.specs), folder=store.folder), err=True)


def _conduct(plan: "Plan", store: "Store", new: "Study | None", *, as_json: bool) -> int:
    """Run the plan, show the report, and return the exit code; a new study is created once its data are there."""
    from harness.cli.progress import Progress
    from harness.environments import machine
    from harness.runs.conductor import Conductor, missing
    from harness.runs.execute import Setting, available_cores

    setting = Setting(machine=machine.machine(), git_revision=machine.git_revision(), cores=available_cores())
    try:
        progress = Progress(len(missing(plan.specs, store)))
        conductor = Conductor(plan, store=store, setting=setting, listener=progress)
        conductor.prepare_data()  # before the live display: a download has one of its own, and there can be only one
        if new is not None:
            store.create(new)
        with progress:
            records = conductor.run()
    except KeyboardInterrupt:
        sentence = _("stopped before a run")
        if store.exists():
            sentence = _("stopped before a run; `{command}` goes on")
        click.echo(sentence.format(command=store.resume_command()), err=True)
        return 1
    interrupted = bool(records) and records[-1].outcome.status == "interrupted"
    if as_json:
        _print_json(records, store.folder)
    else:
        _print_report(store.folder)
    if interrupted:
        sentence = _("stopped; `{command}` goes on")
        click.echo(sentence.format(command=store.resume_command()), err=True)
    failed = [r for r in records if r.outcome.status != "ok" or r.parity.passed is False]
    if failed:
        sentence = _("{count} of {runs} runs did not end well or are not comparable; `{command}` tells all of one")
        words = ("show", "RUN", "--study", store.folder.name)
        command = next_command(*words, results=store.folder.parent)
        click.echo(sentence.format(count=len(failed), runs=len(records), command=command), err=True)
    return 1 if failed else 0


def _print_json(records: "tuple[Record, ...]", study: "Path") -> None:
    import msgspec

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
    click.echo(msgspec.json.format(msgspec.json.encode({"study": str(study), "runs": runs})).decode())


def _print_report(study: "Path") -> None:
    from reports.formats.report import render

    render(study, ("md", "csv", "html", "terminal"))  # the files first: whoever reads stdout may go away
    said = _("The report as a page for a browser; report.md and report.csv lie beside it:")
    click.echo(f"\n{said}\n{study / 'report.html'}")
