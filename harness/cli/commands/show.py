"""The command `evenbench show`: all that is known of one run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import filled, json_option, print_json, results_option
from harness.errors import UsageError
from harness.language import _, noop
from harness.records.next_command import next_command
from harness.records.store import STUDY

if TYPE_CHECKING:
    from harness.records.studies import Loaded

NOT_RUN = noop("not run")


@click.command()
@click.argument("run", nargs=-1)
@click.option("--study", callback=filled, help="Study that holds the run.  [default: the newest one]")
@results_option
@json_option
def show(run: tuple[str, ...], study: str | None, results: Path, as_json: bool) -> None:
    """Show all that is known of RUN: its name, words of it that no other run of the study has, or its number.

    The number is that which `evenbench run` counts. RUN may be the path of a record too. Without RUN, or with the name
    of a study alone, its runs are listed.
    """
    from harness.records import studies

    wanted = " ".join(run)
    folder, wanted = _place(wanted, study, results)
    loaded = studies.load(folder)
    if not wanted:
        _list_runs(loaded, as_json=as_json)
        return
    record = studies.find_run(loaded, wanted)
    if as_json:
        print_json(record)
        return
    from rich.console import Console

    from reports.formats.show import show as print_record

    print_record(record, Console())


def _place(wanted: str, study: str | None, results: Path) -> tuple[Path, str]:
    """Return the study that is meant, and what names the run in it: nothing where a study alone is named."""
    from harness.records import studies

    if study is not None:
        return studies.find(study, results), wanted
    if not wanted:
        return studies.newest(results), ""
    try:
        folder = studies.find(wanted, results)
    except UsageError:  # no study, so the name of a run, or a part of it
        return studies.newest(results), wanted
    path = Path(wanted)
    return folder, path.stem if path.suffix == ".json" and path.name != STUDY else ""


def _list_runs(loaded: "Loaded", *, as_json: bool) -> None:
    """Print the runs of a study in the order of its plan, with their numbers, and how to see one."""
    ended = {record.spec.run_id: record.outcome.status for record in loaded.records}
    planned = [spec.run_id for spec in loaded.plan.specs] if loaded.plan else list(ended)
    if as_json:
        print_json([{"run": run_id, "status": ended.get(run_id)} for run_id in planned])
        return
    for number, run_id in enumerate(planned, 1):
        click.echo(f"{number:>4}  {_(ended.get(run_id) or NOT_RUN)}  {run_id}")
    command = next_command("show", "1", "--study", loaded.name, results=loaded.folder.parent)
    click.echo(_("`{command}` shows all of one").format(command=command), err=True)
