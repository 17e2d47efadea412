"""The command `evenbench show`: all that is known of one run."""

from pathlib import Path

import click

from harness.cli.options import filled, json_option, print_json, results_option


@click.command()
@click.argument("run")
@click.option("--study", callback=filled, help="Study that holds the run.  [default: the newest one]")
@results_option
@json_option
def show(run: str, study: str | None, results: Path, as_json: bool) -> None:
    """Show all that is known of RUN: its name, or a part of it that no other run of the study has."""
    from harness.records import studies

    folder = studies.newest(results) if study is None else studies.find(study, results)
    record = studies.find_run(studies.load(folder), run)
    if as_json:
        print_json(record)
        return
    from rich.console import Console

    from reports.formats.show import show as print_record

    print_record(record, Console())
