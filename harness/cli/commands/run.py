"""The command `evenbench run`: plan, run, store, report."""

from typing import Any

import click

from harness.cli.choices import choice_options
from harness.cli.clusters import RAY, executor_options, joined, refuse_on_a_cluster, refuse_without_a_cluster
from harness.cli.conducting import run_on_nodes, run_study
from harness.cli.names import with_words
from harness.cli.options import data_dir_option, filled, json_option, refuse_what_is_planned, results_option
from harness.cli.planning import planned
from harness.environments import machine


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
        plan = planned(with_words(asked))
    else:
        refuse_what_is_planned(click.get_current_context())
        plan = None
    if asked["executor"] != RAY:
        return run_study(asked, plan).code
    with joined(asked["address"]) as cluster:
        return run_on_nodes(cluster, asked, plan)
