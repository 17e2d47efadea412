"""The command `evenbench cluster`: the nodes of a Ray cluster, and what would run where."""

from typing import TYPE_CHECKING

import click

from harness.cli.clusters import ADDRESS, joined, problem_of
from harness.cli.names import backends_called, with_words
from harness.cli.options import json_option, print_json
from harness.language import _, plain, said

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.runs.executors.nodes import Node


@click.command()
@click.argument("what", nargs=-1, metavar="[BACKEND]...")
@click.option("--backend", "backends", multiple=True, metavar="NAME", help="Only this backend; may be repeated.")
@ADDRESS
@json_option
@click.pass_context
def cluster(
    context: click.Context, /, what: tuple[str, ...], backends: tuple[str, ...], address: str | None, as_json: bool
) -> None:
    """Show the nodes of a Ray cluster, their devices and environments, and what `run --on` would choose.

    Ends with 0 if every node can do runs, else with 1.
    """
    from harness import registry
    from harness.runs.executors.nodes import kinds

    named = backends_called(with_words({"what": what, "backends": backends})["backends"])
    for name in named:
        registry.entry(name)
    with joined(address) as of:
        nodes = of.nodes(named or registry.framework_names(), {})
    by_kind = kinds(node for node in nodes if not node.problem)
    if as_json:
        shown = {kind: [node.name for node in group] for kind, group in by_kind.items()}
        print_json(plain({"kinds": shown, "nodes": nodes}))
    else:
        from rich.console import Console

        out = Console()
        for part in _parts(nodes, by_kind):
            out.print(part)
    context.exit(1 if any(node.problem for node in nodes) else 0)


def _parts(nodes: "tuple[Node, ...]", by_kind: "dict[str, tuple[Node, ...]]") -> "list[RenderableType]":
    """Return what a reader sees: a line for every node, what is wrong, and what would run where."""
    from rich.box import SIMPLE
    from rich.table import Table

    from reports.words.wide_text import Words

    headings = (_("node"), _("kind"), _("address"), _("devices"), _("memory"), _("environments"), "Evenbench")
    table = Table(*headings, box=SIMPLE, pad_edge=False)
    kind_of = {node.id: kind for kind, group in by_kind.items() for node in group}
    for node in nodes:
        table.add_row(node.name, kind_of.get(node.id, ""), node.address, *_cells(node))
    troubles = [
        Words(_("{what}: {reason}").format(what=node.name, reason=said(problem)), style="red")
        for node in nodes
        if (problem := problem_of(node))
    ]
    return [table, *troubles, *map(Words, _closing(by_kind))]


def _cells(node: "Node") -> tuple[str, ...]:
    if node.facts is None:
        return ("", "", _("none"), "")
    facts = node.facts
    held = ", ".join(f"{name} {release}" for name, release in facts.releases.items()) or _("none")
    devices = ", ".join(filter(None, (f"{len(facts.cores)} CPU", node.accelerators)))
    return (devices, f"{facts.machine.memory_bytes / 1e9:.0f} GB", held, facts.evenbench)


def _closing(by_kind: "dict[str, tuple[Node, ...]]") -> list[str]:
    """Return what would run where."""
    if not by_kind:
        return [_("No node can do runs.")]
    if len(by_kind) == 1:
        sentence = _(
            "All nodes are of one kind: `evenbench run --executor ray` spreads its rounds over {count} of them."
        )
        return [sentence.format(count=len(next(iter(by_kind.values()))))]
    sentence = _("There are {count} kinds of node: choose one with --on, or compare them with --on all.")
    return [sentence.format(count=len(by_kind)), *(f"  --on {kind}" for kind in by_kind)]
