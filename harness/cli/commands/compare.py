"""The command `evenbench compare`: two studies, and an exit code for continuous integration."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import as_path, filled, json_option, results_option
from harness.errors import UsageError, unknown_name
from harness.language import _
from reports.words.json_text import for_stream
from reports.words.text import printable

if TYPE_CHECKING:
    from reports.compare.studies import Compared

FORMATS = ("terminal", "md", "json")


@click.command()
@click.argument("names", nargs=-1, metavar="[A] [B]")
@click.option(
    "--fail-on-slower",
    metavar="SHARE",
    help="End with 1 if a row of B is shown to be slower by more than this: 5% or 0.05.",
)
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    callback=filled,
    help="terminal, md or json.  [default: terminal, or by the ending of -o]",
)
@click.option(
    "-o", "--output", metavar="FILE", callback=as_path, help="File for the md or json comparison.  [default: stdout]"
)
@results_option
@json_option
def compare(
    names: tuple[str, ...],
    fail_on_slower: str | None,
    form: str | None,
    output: Path | None,
    results: Path,
    as_json: bool,
) -> int:
    """Compare study B with study A, each a name inside the results folder, or the path of a study or of a file in it.

    Where one or both are left out, the newest study is taken, or the two newest: the older one is A.

    Says what changed around them (versions, settings, machine) and gives a verdict for every row that both have. Rows
    of different task versions or data are refused.

    Ends with 1 if a row that passed parity in A does not in B or ended otherwise, or if one is shown to be slower than
    --fail-on-slower allows; with 3 if nothing could be shown, since nothing is comparable or, with --fail-on-slower, no
    row has two processes in both studies; with 2 if the call was wrong; else with 0.
    """
    from harness.cli.quantities import parse_share

    limit = None if fail_on_slower is None else parse_share("--fail-on-slower", fail_on_slower, most=10.0)
    wanted = form or ("json" if as_json else output.suffix.removeprefix(".") if output else "terminal")
    if wanted not in FORMATS:
        raise unknown_name("format", wanted, FORMATS)
    if as_json and wanted != "json":
        raise UsageError("--json and --format {form} do not go together", form=wanted)
    if output is not None and wanted == "terminal":
        raise UsageError("-o names a file for the formats md and json; add --format md or json")
    from harness.records import studies
    from reports.compare.studies import compare_studies
    from reports.statistics.study import StudyRead

    folders = studies.pair(names, results)
    if len(names) < 2:
        click.echo(_("A: {a}, B: {b}").format(a=folders[0].name, b=folders[1].name), err=True)
    found = compare_studies(*(StudyRead.of(folder, for_pictures=False) for folder in folders), limit=limit)
    text = _written(found, wanted)
    if output is not None:
        try:
            output.write_text(text, "utf-8", newline="")
        except OSError as error:  # no StoreError, which ends with 1: that would say that B is worse
            raise UsageError(
                "cannot write {path}: {strerror}; name another file with -o", path=output, strerror=error.strerror
            ) from error
        click.echo(_("wrote {path}").format(path=output), err=True)
    elif text:
        click.echo(for_stream(text, sys.stdout) if wanted == "json" else text, nl=False)
    if why := found.why_nothing_shown():
        click.echo(printable(why), err=True)
    return found.exit_code()


def _written(found: "Compared", form: str) -> str:
    """Return the comparison in a format for files, and print it where it is one for the terminal."""
    from reports.compare.export import to_json
    from reports.compare.words import document
    from reports.formats.markdown import markdown_of
    from reports.formats.terminal import show_document

    if form == "json":
        return to_json(found)
    if form == "md":
        return markdown_of(document(found))
    from rich.console import Console

    show_document(document(found), Console())
    return ""
