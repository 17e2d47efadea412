"""The command `evenbench list`: the tasks, the backends and the studies."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import registry
from harness.cli.options import json_option, print_json, results_option
from harness.environments import managed, pins
from harness.errors import StoreError
from harness.language import _, noop, said
from harness.model import is_trained, parameter_shapes
from harness.records.next_command import next_command
from harness.records.store import Store
from harness.spec import CHANGEABLE
from harness.whole_files import shown_path
from reports.words.text import printable

if TYPE_CHECKING:
    from rich.table import Table

KINDS = (noop("tasks"), noop("backends"), noop("plugins"), noop("studies"))


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@results_option
@json_option
def list_(kind: str | None, results: Path, as_json: bool) -> None:
    """List the tasks, the backends, the plug-ins and the studies, or only one KIND of them."""
    found = {name: _LOOK[name](results) for name in ((kind,) if kind else KINDS)}
    if as_json:
        print_json(found)
        return
    from rich.console import Console

    console = Console()
    for name, rows in found.items():
        if rows:
            console.print(_TABLES[name](rows), highlight=False)
        elif name == "studies":
            command = next_command("run", results=results)
            click.echo(_("no studies in {folder} yet: `{command}` makes one").format(folder=results, command=command))
        elif kind or name != "plugins":
            click.echo(_("no {kind}").format(kind=_(name)))


def _tasks(_results: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": task.name,
            "aliases": tuple(alias for alias, name in registry.task_aliases().items() if name == task.name),
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
    found = []
    for name in registry.backend_names():
        entry = registry.entry(name)
        here = [managed.look(name, variant) for variant in pins.variants(name)]
        found.append(
            {
                "name": name,
                "aliases": entry.aliases,
                "modes": entry.modes,
                "default_mode": entry.default_mode,
                "reference": name == registry.reference_name(),
                "environments": {item.name: item.state for item in here},
            }
        )
    return found


def _plugins(_results: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": plugin.name,
            "kind": plugin.kind,
            "distribution": plugin.distribution,
            "problem": None if plugin.problem is None else said(plugin.problem),
        }
        for plugin in registry.installed_plugins()
    ]


def _studies(results: Path) -> list[dict[str, Any]]:
    from harness.records import studies

    found: list[dict[str, Any]] = []
    for folder in studies.everything(results):
        done = Store(folder).done()
        facts: dict[str, Any] = {"name": shown_path(folder.name), "created_at": None, "recorded": len(done)}
        facts |= {"planned": None, "presets": (), "problem": None}
        try:
            plan = Store(folder).study()
            ids = {spec.run_id for spec in plan.specs}
            facts |= {"created_at": plan.created_at, "recorded": len(done & ids)}
            facts["planned"] = max(len(plan.sure()), len(done & ids))
            facts["presets"] = tuple(dict.fromkeys(spec.preset for spec in plan.specs))
        except StoreError as error:
            facts["problem"] = str(error)
        found.append(facts)
    return sorted(found, key=lambda row: (row["created_at"] or "", row["name"]))


def _table(*headers: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, header in enumerate(headers):
        table.add_column(_(header), overflow="fold", no_wrap=number == 0)  # a name is there to be copied
    return table


def _whole_words(table: "Table", place: int, values: Iterable[str]) -> None:
    """Let a column be as wide as its longest word, so that no name in it is cut."""
    table.columns[place].min_width = max((len(word) for value in values for word in value.split()), default=1)


def _task_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("task"), noop("what"), noop("parameters"), noop("presets"), noop("data sets"))
    for row in rows:
        name, summary = row["name"], _(row["summary"])
        if row["aliases"]:
            summary = _("{summary} Also called {names}.").format(summary=summary, names=", ".join(row["aliases"][:2]))
        facts = (name, summary, f"{row['parameters']:,}", ", ".join(row["presets"]), ", ".join(row["datasets"]))
        table.add_row(*map(_plain, facts))
    for place in (3, 4):
        _whole_words(table, place, [", ".join(row[("presets", "datasets")[place - 3]]) for row in rows])
    sentence = _("`evenbench run TASK --set KEY=VALUE` makes a variant of a preset; its keys are {keys}.")
    table.caption = sentence.format(keys=", ".join(CHANGEABLE))
    table.caption_justify = "left"
    return table


def _backend_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("backend"), noop("also called"), noop("modes (* default)"), noop("environment"))
    for row in rows:
        modes = ", ".join(f"{mode}*" if mode == row["default_mode"] else mode for mode in row["modes"])
        states = {name: state for name, state in row["environments"].items() if state != "absent"}
        where = _(", ").join(f"{name} {_(state)}" for name, state in states.items())
        if not where and row["reference"]:
            where = _("none needed")
        elif not where:
            where = _("absent: `evenbench env create {backend}`").format(backend=row["name"])
        table.add_row(*map(_plain, (row["name"], ", ".join(row["aliases"]), modes, where)))
    return table


def _plugin_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("plug-in"), noop("kind"), noop("from"), noop("state"))
    for row in rows:
        state = _("left out: {reason}").format(reason=row["problem"]) if row["problem"] else _("in use")
        table.add_row(*map(_plain, (row["name"], _(row["kind"]), row["distribution"], state)))
    return table


def _study_table(rows: list[dict[str, Any]]) -> "Table":
    table = _table(noop("study"), noop("created"), noop("presets"), noop("runs"))
    for row in rows:
        runs = row["problem"] or _("{count} of {planned}").format(count=row["recorded"], planned=row["planned"])
        presets = ", ".join(row["presets"])
        table.add_row(*map(_plain, (row["name"], (row["created_at"] or "")[:16].replace("T", " "), presets, runs)))
    return table


def _plain(value: str) -> Any:
    """Return text of unknown origin as it may be printed."""
    from reports.words.wide_text import Words

    return Words(printable(value))


_LOOK = {"tasks": _tasks, "backends": _backends, "plugins": _plugins, "studies": _studies}
_TABLES = {"tasks": _task_table, "backends": _backend_table, "plugins": _plugin_table, "studies": _study_table}
