"""The command `evenbench report`: the comparison of one study or several, in any format."""

from pathlib import Path
from typing import Any

import click

from harness import language
from harness.cli.options import as_path, filled, results_option
from harness.errors import UsageError
from harness.language import _
from harness.records.store import no_search_for_cycles


@click.command()
@click.argument("study", nargs=-1)
@click.option(
    "--format",
    "formats",
    multiple=True,
    callback=filled,
    metavar="FORMAT",
    help="terminal, md, csv, json, html, parquet or latex; may be repeated or joined by commas.  "
    "[default: terminal, or by the ending of -o]",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    callback=as_path,
    help="File for the report in one format.  [default: STUDY/report.md, .csv, .html, .parquet or .tex; json goes to "
    "stdout]",
)
@click.option("--full", is_flag=True, help="Show every table and number above the answer on the terminal.")
@click.option("--legend", is_flag=True, help="Show what the words and numbers of the report mean.")
@click.option("--lang", type=click.Choice(language.LANGUAGES), help="Language of the report.")
@results_option
def report(study: tuple[str, ...], formats: tuple[str, ...], output: Path | None, **asked: Any) -> None:
    """Show the comparison of each STUDY: a name inside the results folder, or the path of a study or of a file in it.

    Without STUDY: of the newest one.

    On the terminal that is the answer: who is faster, what could not be seen, and what to do next.

    The format html makes one page of all of them, which opens from disk: `-o FILE` names it where there are several.
    """
    from harness.records import studies
    from reports.formats.report import ENDINGS, FORMATS, PARTS, render_several

    wanted = [part.strip() for item in formats for part in item.split(",")]
    if not wanted and output is not None:
        ending = output.suffix.removeprefix(".")
        wanted = [{value: name for name, value in ENDINGS.items()}.get(ending, ending)]
        if wanted[0] not in FORMATS[1:]:
            raise UsageError(
                "the ending of -o {file} names no format: add --format {formats}",
                file=output,
                formats=", ".join(FORMATS[1:]),
            )
    folders = [studies.find(name, asked["results"]) for name in study] or [studies.newest(asked["results"])]
    more = tuple(part for part in PARTS if asked[part])
    with language.use(asked["lang"] or language.current()), no_search_for_cycles():
        written = render_several(folders, wanted or ["terminal"], output, more=more)
    for path in written:
        click.echo(_("wrote {file}").format(file=path), err=True)
