"""The command `evenbench merge`: studies of several machines in one folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import json_option, print_json, results_option
from harness.errors import UsageError
from harness.language import _, ngettext
from harness.measure.clock import timestamp
from harness.records.next_command import next_command
from harness.records.store import Store, check_name
from harness.records.studies import everything, find
from reports.words.text import first, printable

if TYPE_CHECKING:
    from harness.records.store import Store

MOST = 5
"""Files of a kind that are named on stderr."""


@click.command()
@click.argument("name", metavar="OUT")
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@results_option
@json_option
def merge(name: str, studies: tuple[str, ...], results: Path, as_json: bool) -> None:
    """Join the studies STUDY..., names inside the results folder or folders, in a new study OUT.

    Records are copied and never changed; a run that comes twice is taken once. The hardware is a column of every
    report, and runs of different sources are never pooled.
    """
    from harness.records.merge import merge as join

    if len(studies) < 2 and name in [folder.name for folder in everything(results)]:
        raise UsageError(
            "the new study's name is missing: merge takes it first, and {name} is a study that is there: `{command}`",
            name=name,
            command=next_command("merge", f"{name}-and-others", name, *studies, results=results),
        )
    if len(studies) < 2:
        raise UsageError("merge joins two studies or more; received {count}", count=len(studies))
    here = results
    folder = here / check_name(name)
    study = join(folder, [find(source, here) for source in studies], created_at=timestamp())
    if as_json:
        print_json({"study": str(folder), "sources": study.merged_from})
    for source in study.merged_from:
        for files, what in (
            (source.duplicates, _("taken from elsewhere already")),
            (source.damaged, _("damaged, left out")),
            (source.links, _("a link, not followed")),
        ):
            for file in first(files, MOST, _("files, all named in study.json")):
                _say(f"{source.name}: {what}: {file}")
    said = _("{folder} holds {records} of {studies} studies; `{command}` shows them")
    records = _counted(Store(folder), sum(source.records for source in study.merged_from))
    command = next_command("report", name, results=here)
    _say(said.format(folder=folder, records=records, studies=len(study.merged_from), command=command))


def _counted(store: "Store", records: int) -> str:
    """Return how many runs have a record, as the report counts them, and how many attempts were cut off before."""
    runs = len(store.recorded())
    attempts = records - runs
    said = ngettext("{count} run", "{count} runs", runs).format(count=runs)
    if not attempts:
        return said
    before = ngettext("{count} interrupted attempt", "{count} interrupted attempts", attempts).format(count=attempts)
    return _("{runs} and {attempts}").format(runs=said, attempts=before)


def _say(words: str) -> None:
    click.echo(printable(words), err=True)
