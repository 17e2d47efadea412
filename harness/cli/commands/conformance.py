"""The command `evenbench conformance`: what a backend or a task still has to mend, first things first."""

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option, print_json
from harness.language import _, ngettext, noop, plain, said

if TYPE_CHECKING:
    from harness.worker.jobs import Finding

STATES = (noop("passed"), noop("refused"), noop("wrong"), noop("start"))


@click.command()
@click.argument("name")
@click.option("--mode", "modes", multiple=True, help="Only in this mode; may be repeated.  [default: every mode]")
@click.option(
    "--check", "only", multiple=True, metavar="WORDS", help="Only checks whose names begin so; may be repeated."
)
@click.option("--python", "pythons", multiple=True, metavar="NAME=PATH", help="Use this interpreter for the backend.")
@json_option
def conformance(
    name: str, modes: tuple[str, ...], only: tuple[str, ...], pythons: tuple[str, ...], as_json: bool
) -> int:
    """Check that the backend or task NAME keeps the contract, and say what is wrong, first things first.

    Of a backend: parity over small tasks that hold every layer and optimizer, cases worked out by hand, what its calls
    return, refusals, memory, modes, probes and `synchronize`. What it refuses with a sentence is no fault. Ends with 0
    if nothing is wrong, else with 1.
    """
    from harness import registry

    _refuse_left_out(name)
    found: dict[str, tuple[Finding, ...]] = {}
    if name in registry.task_names():
        from harness.runs.conformance.tasks import check_task

        found[""] = check_task(name)
    else:
        found = dict(_of_backend(name, modes, only, pythons))
    if as_json:
        print_json({mode: plain(findings) for mode, findings in found.items()})
    else:
        for mode, findings in found.items():
            _print(f"{name} {mode}".strip(), findings)
    return 1 if any(one.state == "wrong" for findings in found.values() for one in findings) else 0


def _refuse_left_out(name: str) -> None:
    """Raise with what leaves a plug-in of this name out."""
    from harness import registry
    from harness.errors import ContractError, unknown_name

    left_out = [plugin for plugin in registry.installed_plugins() if plugin.name == name and plugin.problem]
    known = (*registry.backend_names(), *registry.task_names())
    if left_out and name not in known:
        raise ContractError("the plug-in {name} is left out: {reason}", name=name, reason=left_out[0].problem)
    if name not in known and name.partition("@")[0] not in known:
        raise unknown_name(noop("backend or task"), name, known)


def _of_backend(name: str, modes: tuple[str, ...], only: tuple[str, ...], pythons: tuple[str, ...]) -> Any:
    from harness import registry
    from harness.environments import interpreters
    from harness.errors import unknown_name
    from harness.runs.conformance import check, check_names

    entry = registry.entry(name)
    for mode in modes:
        if mode not in entry.modes:
            raise unknown_name(noop("mode"), mode, entry.modes)
    for words in only:
        if not any(known.startswith(words) for known in check_names()):
            raise unknown_name(noop("check"), words, check_names())
    interpreter = interpreters.find(name, interpreters.parse(pythons))
    for mode in entry.modes:
        if not modes or mode in modes:
            click.echo(_("checking {name} in {mode} mode ...").format(name=name, mode=mode), err=True)
            yield mode, check(name, mode, interpreter, only=only)


def _print(title: str, findings: "tuple[Finding, ...]") -> None:
    """Print the count, then what is wrong in the order to mend it, then what is refused."""
    from rich.console import Console
    from rich.table import Table

    from reports.words.wide_text import Words

    console = Console()
    by_state = {state: [one for one in findings if one.state == state] for state in ("passed", "wrong", "refused")}
    wrong, refused = len(by_state["wrong"]), len(by_state["refused"])
    line = ngettext(
        "{title}: {count} check, {wrong} wrong, {refused} refused",
        "{title}: {count} checks, {wrong} wrong, {refused} refused",
        len(findings),
    )
    console.print(Words(line.format(title=title, count=len(findings), wrong=wrong, refused=refused)))
    grid = Table.grid(padding=(0, 1))
    for state, mark in (("wrong", "!"), ("refused", "i")):
        for one in by_state[state]:
            grid.add_row(mark, Words(_("{check}: {reason}").format(check=_(one.check), reason=said(one.words))))
    if grid.row_count:
        console.print(grid)
    if wrong:
        first = by_state["wrong"][0]
        console.print(Words(_("Mend first: {check}").format(check=_(first.check))))
    elif refused:
        console.print(Words(_("It keeps the contract in all that it does not refuse.")))
    else:
        console.print(Words(_("It keeps the contract.")))
