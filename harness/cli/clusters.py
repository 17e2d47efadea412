"""The options that say on which machines a study is done, and what joins a cluster for a command."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import click

from harness import __version__, registry
from harness.cli.choices import find_choices
from harness.cli.options import filled
from harness.environments import interpreters
from harness.errors import EnvironmentFailure, UsageError
from harness.language import Sentence, _, ngettext, said
from harness.runs.executors.nodes import ANY, Node

if TYPE_CHECKING:
    from harness.record import Record
    from harness.runs.conductor import Conductor
    from harness.runs.executors.executor import Executor
    from harness.spec import Choice, DeviceKind

F = TypeVar("F", bound=Callable[..., Any])
LOCAL, RAY = "local", "ray"

ADDRESS = click.option(
    "--address",
    envvar="RAY_ADDRESS",
    metavar="ADDRESS",
    callback=filled,
    help="Of the Ray cluster, such as 10.0.0.5:6379 or auto.  [default: RAY_ADDRESS; else one is started here]",
)
EXECUTOR = click.option(
    "--executor",
    type=click.Choice([LOCAL, RAY]),
    default=LOCAL,
    show_default=True,
    help="Who does the runs: this machine, or the nodes of a Ray cluster.",
)
ON = click.option(
    "--on",
    default=ANY,
    show_default=True,
    metavar="any|all|FILTER",
    callback=filled,
    help="With ray: any, nodes of one kind; all, every kind the whole plan; gpu:A100, or the name of a kind or node.",
)


def executor_options(command: F) -> F:
    """Add the options that say who does the runs."""
    return EXECUTOR(ADDRESS(ON(command)))


class Where(NamedTuple):
    """The nodes of one kind that a study is done on."""

    kind: str
    nodes: "tuple[Node, ...]"
    executor: "Callable[[Conductor], Executor]"

    def said(self) -> str:
        """Return what is told of them before a study begins."""
        names = ", ".join(node.name for node in self.nodes)
        sentence = ngettext(
            "on {count} node of {kind}: {names}", "on {count} nodes of {kind}: {names}", len(self.nodes)
        )
        return sentence.format(count=len(self.nodes), kind=self.kind, names=names)


class Cluster(Protocol):
    """A cluster that was joined: what `harness/runs/executors/ray_executor.py` has."""

    def nodes(self, backends: Sequence[str], pythons: Mapping[str, str]) -> "tuple[Node, ...]":
        """Return the nodes that are alive, and what they have of some backends."""

    def on(self, chosen: "Iterable[Node]", pythons: Mapping[str, str]) -> "Callable[[Conductor], Executor]":
        """Return what makes the executor of a conductor's rounds on some nodes."""


@contextmanager
def joined(address: str | None) -> Iterator[Cluster]:
    """Join a cluster for the block.

    Raises:
        EnvironmentFailure: Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")  # read when Ray is imported; it warns without an end
    try:
        from harness.runs.executors import ray_executor
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise EnvironmentFailure(
            "Ray is not installed where Evenbench runs: install Evenbench with its extra ray, `pip install '.[ray]'`"
        ) from error
    with ray_executor.connected(address):
        yield ray_executor


def choices_on_nodes(asked: Mapping[str, Any], warn: Callable[[str], None]) -> "tuple[Choice, ...]":
    """Return the (backend, device, mode) triples that are asked for; without names the main frameworks."""
    backends = asked["backends"] or registry.main_names()
    return find_choices(backends, asked["devices"], asked["modes"], warn=warn)[0]


def nodes_for(
    cluster: Cluster,
    choices: "Iterable[Choice]",
    asked: Mapping[str, Any],
    *,
    records: "Sequence[Record]" = (),
    warn: Callable[[str], None],
) -> tuple[Where, ...]:
    """Return the nodes that choices are to be measured on, by kind; of several kinds with `--on all` only.

    Args:
        cluster: where they are looked for.
        choices: what the nodes need devices for.
        asked: the options of the command.
        records: those that a study has; it is gone on with on nodes like theirs.
        warn: is told of nodes that do not answer.

    Raises:
        UsageError: nodes differ that must not, or there is none of that name.
        EnvironmentFailure: no node can do it, or one has another version.
    """
    from harness.runs.executors import nodes as of_nodes
    from harness.runs.executors.node import code_digest

    choices = tuple(choices)
    pythons = interpreters.parse(asked["pythons"])
    devices: dict[DeviceKind, None] = dict.fromkeys(choice.device for choice in choices)
    found = cluster.nodes(tuple(dict.fromkeys(choice.backend for choice in choices)), pythons)
    silent = [node for node in found if node.problem]
    for node in silent:
        warn(_("node {node} is left out: {reason}").format(node=node.name, reason=said(node.problem or "")))
    alive = [node for node in found if not node.problem]
    if not alive and silent:
        raise EnvironmentFailure("no node of the cluster can do runs: the reasons stand above")
    if records and alive:
        alive = _like(alive, records)
    by_kind = of_nodes.chosen(alive, asked["on"], devices)
    used = [node for group in by_kind.values() for node in group]
    of_nodes.refuse_other_versions(used, evenbench=__version__, code=code_digest())
    return tuple(Where(kind, group, cluster.on(group, pythons)) for kind, group in by_kind.items())


def _like(alive: "list[Node]", records: "Sequence[Record]") -> "list[Node]":
    from harness.measure import conditions
    from harness.runs.executors.nodes import difference, like, traits

    fitting = list(like(alive, records))
    if fitting:
        return fitting
    before = next((conditions.of(record) for record in records if record.measured.settings), {})
    now = {name: value for name, value in traits(alive[0]).items() if name in before}
    raise EnvironmentFailure(
        "no node is like the machine on which this study was begun ({differences}), and rows of different hardware "
        "are never pooled: start a new study there",
        differences=difference(before, now),
    )


def refuse_without_a_cluster() -> None:
    """Raise if an option was given that only a cluster heeds."""
    context = click.get_current_context()
    for name in ("address", "on"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError("--{option} belongs to a cluster: add --executor ray, or leave it out", option=name)


def words_of(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options that say where, for a command that goes on there."""
    address = ("--address", asked["address"]) if asked["address"] else ()
    return ("--executor", RAY, *address, *(("--on", asked["on"]) if asked["on"].casefold() != ANY else ()))


def refuse_on_a_cluster(asked: Mapping[str, Any]) -> None:
    """Raise if an option was given that is about this machine alone."""
    if asked["wait_for_quiet"] is not None:
        raise UsageError("--wait-for-quiet looks at this machine, and the runs are done on nodes: leave it out")
    if asked["profile"] != "stock":
        raise UsageError("a tuned profile belongs to a machine, and the runs are done on nodes: leave out --profile")


def problem_of(node: "Node") -> Sentence | None:
    """Return why a node cannot do runs, or what would spoil them there; None where all is well."""
    if node.problem is not None or node.facts is None:
        return node.problem
    if node.facts.niceness > 0:
        return Sentence(
            "its tasks stand behind other programs (niceness {niceness}): start it with RAY_worker_niceness=0",
            niceness=node.facts.niceness,
        )
    return None
