"""The commands that read: `evenbench report`, `evenbench show` and `evenbench list`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import language
from harness.cli_options import filled, json_option, results_option
from harness.language import _, noop
from harness.next_command import next_command

if TYPE_CHECKING:
    from rich.table import Table

KINDS = (noop("tasks"), noop("backends"), noop("studies"))


@click.command()
@click.argument("study", nargs=-1, required=True)
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
    callback=filled,
    help="File for the report in one format.  [default: STUDY/report.md, .csv, .html, .parquet or .tex; json goes to "
    "stdout]",
)
@click.option("--lang", type=click.Choice(language.LANGUAGES), help="Language of the report.")
@results_option
def report(
    study: tuple[str, ...], formats: tuple[str, ...], output: str | None, lang: str | None, results: str
) -> None:
    """Show the comparison of each STUDY, a name inside the results folder or a study's own folder.

    The format html makes one page of all of them, which opens from disk: `-o FILE` names it where there are several.
    """
    from harness.errors import UsageError
    from harness.store import no_search_for_cycles
    from reports import studies
    from reports.report import ENDINGS, FORMATS, render_several

    wanted = [part.strip() for item in formats for part in item.split(",")]
    if not wanted and output is not None:
        ending = Path(output).suffix.removeprefix(".")
        wanted = [{value: name for name, value in ENDINGS.items()}.get(ending, ending)]
        if wanted[0] not in FORMATS[1:]:
            raise UsageError(
                "the ending of -o {file} names no format: add --format {formats}",
                file=output,
                formats=", ".join(FORMATS[1:]),
            )
    folders = [studies.find(name, Path(results).expanduser()) for name in study]
    with language.use(lang or language.current()), no_search_for_cycles():
        written = render_several(folders, wanted or ["terminal"], None if output is None else Path(output))
    for path in written:
        click.echo(_("wrote {file}").format(file=path), err=True)


@click.command()
@click.argument("run")
@click.option("--study", callback=filled, help="Study that holds the run.  [default: the newest one]")
@results_option
@json_option
def show(run: str, study: str | None, results: str, as_json: bool) -> None:
    """Show all that is known of RUN: its name, or a part of it that no other run of the study has."""
    import msgspec

    from reports import studies

    folder = (
        studies.newest(Path(results).expanduser()) if study is None else studies.find(study, Path(results).expanduser())
    )
    record = studies.find_run(studies.load(folder), run)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(record), indent=2).decode())
        return
    from rich.console import Console

    from reports.show import show as print_record

    print_record(record, Console())


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@results_option
@json_option
def list_(kind: str | None, results: str, as_json: bool) -> None:
    """List the tasks, the backends and the studies, or only one KIND of them."""
    found = {name: _LOOK[name](Path(results).expanduser()) for name in ((kind,) if kind else KINDS)}
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    from rich.console import Console

    console = Console()
    for name, rows in found.items():
        if rows:
            console.print(_TABLES[name](rows), highlight=False)
        elif name == "studies":
            command = next_command("run", results=Path(results).expanduser())
            click.echo(_("no studies in {folder} yet: `{command}` makes one").format(folder=results, command=command))
        else:
            click.echo(_("no {kind}").format(kind=_(name)))


def _tasks(_results: Path) -> list[dict[str, Any]]:
    import math

    from harness import registry
    from harness.model import is_trained, parameter_shapes

    return [
        {
            "name": task.name,
            "version": task.version,
            "summary": task.summary,
            "parameters": sum(math.prod(shape) for n, shape in parameter_shapes(task).items() if is_trained(n)),
            "datasets": task.datasets,
            "presets": {
                name: {"dataset": preset.dataset, "epochs": preset.epochs, "batch_size": preset.batch_size}
                for name, preset in task.presets.items()
            },
        }
        for task in map(registry.task, registry.task_names())
    ]


def _backends(_results: Path) -> list[dict[str, Any]]:
    from harness import environments, pins, registry

    found = []
    for name in registry.backend_names():
        entry = registry.entry(name)
        here = [environments.look(name, variant) for variant in pins.variants(name)]
        found.append(
            {
                "name": name,
                "modes": entry.modes,
                "default_mode": entry.default_mode,
                "reference": name == registry.reference_name(),
                "environments": {item.name: item.state for item in here},
            }
        )
    return found


def _studies(results: Path) -> list[dict[str, Any]]:
    from harness.errors import StoreError
    from harness.store import Store
    from reports import studies

    found: list[dict[str, Any]] = []
    for folder in studies.everything(results):
        done = Store(folder).done()
        facts = {"name": folder.name, "created_at": None, "recorded": len(done), "planned": None, "problem": None}
        try:
            plan = Store(folder).study()
            ids = {spec.run_id for spec in plan.specs}
            facts |= {"created_at": plan.created_at, "recorded": len(done & ids), "planned": len(ids)}
        except StoreError as error:
            facts["problem"] = str(error)
        found.append(facts)
    return sorted(found, key=lambda row: (row["created_at"] or "", row["name"]))


def _table(*headers: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for header in headers:
        table.add_column(_(header), overflow="fold")
    return table


def _task_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("task"), noop("what"), noop("parameters"), noop("presets"), noop("data sets"))
    for row in rows:
        presets = ", ".join(f"{name} ({preset['dataset']})" for name, preset in row["presets"].items())
        name, summary = row["name"], row["summary"]
        facts = (name, _(summary), f"{row['parameters']:,}", presets, ", ".join(row["datasets"]))
        table.add_row(*map(_plain, facts))
    return table


def _backend_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("backend"), noop("modes (* default)"), noop("environment"))
    for row in rows:
        modes = ", ".join(f"{mode}*" if mode == row["default_mode"] else mode for mode in row["modes"])
        states = {name: state for name, state in row["environments"].items() if state != "absent"}
        where = _(", ").join(f"{name} {_(state)}" for name, state in states.items())
        if not where and row["reference"]:
            where = _("none needed")
        elif not where:
            where = _("absent: `evenbench env create {backend}`").format(backend=row["name"])
        table.add_row(*map(_plain, (row["name"], modes, where)))
    return table


def _study_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("study"), noop("created"), noop("runs"))
    for row in rows:
        runs = row["problem"] or _("{count} of {planned}").format(count=row["recorded"], planned=row["planned"])
        table.add_row(*map(_plain, (row["name"], row["created_at"] or "", runs)))
    return table


def _plain(value: str) -> Any:
    """Return text of unknown origin as it may be printed."""
    from harness.wide_text import Words
    from reports.text import printable

    return Words(printable(value))


_LOOK = {"tasks": _tasks, "backends": _backends, "studies": _studies}
_TABLES = {"tasks": _task_table, "backends": _backend_table, "studies": _study_table}
