"""The command `evenbench merge`: studies of several machines in one folder."""

from pathlib import Path

import click

from harness.cli_options import json_option, results_option

MOST = 5
"""Files of a kind that are named on stderr."""


@click.command()
@click.argument("name", metavar="OUT")
@click.argument("studies", metavar="STUDY...", nargs=-1, required=True)
@results_option
@json_option
def merge(name: str, studies: tuple[str, ...], results: str, as_json: bool) -> None:
    """Join the studies STUDY..., names inside the results folder or folders, in a new study OUT.

    Records are copied and never changed; a run that comes twice is taken once. The hardware is a column of every
    report, and runs of different sources are never pooled.
    """
    import msgspec

    from harness.errors import UsageError
    from harness.language import _
    from harness.measure import timestamp
    from harness.merge import merge as join
    from harness.store import check_name
    from reports.studies import find
    from reports.text import first

    if len(studies) < 2:
        raise UsageError(_("merge joins two studies or more; received {count}").format(count=len(studies)))
    here = Path(results).expanduser()
    folder = here / check_name(name)
    study = join(folder, [find(source, here) for source in studies], created_at=timestamp())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"study": str(folder), "sources": study.merged_from})))
    for source in study.merged_from:
        for files, what in (
            (source.duplicates, _("taken from elsewhere already")),
            (source.damaged, _("damaged, left out")),
            (source.links, _("a link, not followed")),
        ):
            for file in first(files, MOST, _("files, all named in study.json")):
                _say(f"{source.name}: {what}: {file}")
    count = sum(source.records for source in study.merged_from)
    said = _("{count} records of {studies} studies are in {folder}; `evenbench report {name}` shows them")
    _say(said.format(count=count, studies=len(study.merged_from), folder=folder, name=name))


def _say(words: str) -> None:
    from reports.text import printable

    click.echo(printable(words), err=True)
