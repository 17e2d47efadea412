"""The nodes of a cluster: which of them a study is done on, and which of them are machines of one kind.

Rows of different hardware are never pooled, so a study is done on nodes of one kind. Of one kind are two that agree in
the conditions of `harness/measure/conditions.py`, in memory, in what a container gives, and in their accelerators.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from harness.errors import EnvironmentFailure, UsageError
from harness.language import Sentence, _, noop, said
from harness.measure import conditions
from harness.record import Record
from harness.registry import ALL
from harness.runs.executors.node import HIDING, Facts
from harness.spec import DeviceKind

ANY = "any"
"""For `--on`, beside `all`: equal nodes."""
RESOURCES: dict[DeviceKind, str] = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
"""What Ray calls the devices."""
TYPE = "accelerator_type:"
"""What Ray's names of accelerators begin with, as in `accelerator_type:A100`."""
OURS = "evenbench"
"""A resource of which a node may be given one: whatever else of ours wants the node has to wait for it."""
MEMORY, QUOTA, ACCELERATORS = noop("memory"), noop("processors given"), noop("accelerators")
LONGEST = 30
"""Characters of a processor's name in that of a kind."""


class Node(Struct, frozen=True, kw_only=True):
    """One node as the cluster and as it itself describes it."""

    id: str
    name: str
    """Its host's; where two have the same, with the beginning of its id."""
    address: str
    resources: dict[str, float]
    facts: Facts | None = None
    problem: Sentence | None = None
    """Why it did not answer."""

    def count(self, device: DeviceKind) -> int:
        """Return how many devices of a kind it has."""
        return int(self.resources.get(RESOURCES[device], 0))

    @property
    def models(self) -> tuple[str, ...]:
        """Of its accelerators."""
        return tuple(sorted(name.removeprefix(TYPE) for name in self.resources if name.startswith(TYPE)))

    @property
    def accelerators(self) -> str:
        """In words, such as `4 GPU A100`; empty where it has none."""
        counts = [f"{self.count(kind)} {RESOURCES[kind]}" for kind in RESOURCES if kind != "cpu" and self.count(kind)]
        return " ".join((*counts, *self.models))


def traits(node: Node) -> dict[str, str]:
    """Return what nodes of one kind agree in, by name; nothing of one that did not answer."""
    if node.facts is None:
        return {}
    machine = node.facts.machine
    given = [] if machine.cpu_quota is None else [f"{machine.cpu_quota:g}"]
    limit = [] if machine.memory_limit_bytes is None else [f"{machine.memory_limit_bytes / 1e9:.0f} GB"]
    return {
        **conditions.here(machine, node.facts.cores, node.facts.shell),
        MEMORY: f"{machine.memory_bytes / 1e9:.0f} GB",
        QUOTA: ", ".join((*given, *limit)),
        ACCELERATORS: node.accelerators,
    }


def kinds(nodes: Iterable[Node]) -> dict[str, tuple[Node, ...]]:
    """Return the nodes by the name of their kind: the processor's, how many of it are used, the accelerators."""
    groups: dict[tuple[tuple[str, str], ...], list[Node]] = {}
    for node in nodes:
        groups.setdefault(tuple(traits(node).items()), []).append(node)
    found: dict[str, tuple[Node, ...]] = {}
    for group in groups.values():
        name = _name_of(group[0])
        number = 2
        while (called := name if name not in found else f"{name}-{number}") in found:
            number += 1
        found[called] = tuple(group)
    return found


def _name_of(node: Node) -> str:
    if node.facts is None:
        return "unknown"
    plain = re.sub(r"\((R|TM)\)|\bCPU\b|\bProcessor\b|@.*", "", node.facts.machine.cpu)
    words = (plain, str(len(node.facts.cores)), node.accelerators)
    return "-".join(re.sub(r"\W+", "-", word).strip("-")[:LONGEST].strip("-") for word in words if word)


def chosen(nodes: Sequence[Node], on: str, devices: Iterable[DeviceKind]) -> dict[str, tuple[Node, ...]]:
    """Return the nodes that a study is to be done on, by kind.

    Args:
        nodes: all that answered.
        on: `any`, `all`, a kind of device with or without a model (`gpu:A100`), or the name of a kind or node.
        devices: those that the study needs; a node has to have all of them.

    Raises:
        UsageError: there is no such node.
        EnvironmentFailure: no node has the devices.
    """
    wanted = tuple(dict.fromkeys(devices))
    able = [node for node in nodes if all(node.count(device) for device in wanted)]
    if not able:
        raise EnvironmentFailure(
            "no node of the cluster has {devices}: its nodes have {known}; start a node that has it, or choose another "
            "--device",
            devices=", ".join(wanted),
            known="; ".join(dict.fromkeys(_has(node) for node in nodes)) or _("nothing"),
        )
    by_kind = kinds(able)
    word = on.casefold()
    if word == ALL:
        return by_kind
    if word != ANY:
        found = [node for kind, group in by_kind.items() for node in group if _is_meant(on, kind, node)]
        if not found:
            raise UsageError(
                "--on takes any, all, a device such as gpu:A100, a kind of node or a node, but none here is {on!r}: "
                "there are {known}",
                on=on,
                known=", ".join((*by_kind, *(node.name for node in able))),
            )
        by_kind = kinds(found)
    if len(by_kind) > 1:
        (one, *_rest), (other, *_others) = list(by_kind.values())[:2]
        raise UsageError(
            "the nodes {one} and {other} differ in {what}, and rows of different hardware are never pooled: choose one "
            "of {kinds} with --on, or compare them with --on all",
            one=one.name,
            other=other.name,
            what=difference(traits(one), traits(other)),
            kinds=", ".join(by_kind),
        )
    return by_kind


def _has(node: Node) -> str:
    return f"{node.count('cpu')} CPU {node.accelerators}".strip()


def _is_meant(on: str, kind: str, node: Node) -> bool:
    asked = on.casefold()
    if asked in map(str.casefold, (kind, node.name, node.id)):
        return True
    word, colon, model = asked.partition(":")
    device = next((device for device in RESOURCES if device == word), None)
    if device is None or not node.count(device):
        return False
    return not colon or model in map(str.casefold, node.models)


def difference(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Return in words in what two machines differ."""
    pairs = conditions.differing(one, other).items()
    return ", ".join(f"{said(name.removeprefix(conditions.SHELL))} ({a or '-'} / {b or '-'})" for name, (a, b) in pairs)


def like(nodes: Iterable[Node], records: Iterable[Record]) -> tuple[Node, ...]:
    """Return the nodes on which a study may be gone on with: those of the conditions of all its records."""
    held = [conditions.of(record) for record in records if record.measured.settings]

    def fits(node: Node) -> bool:
        if node.facts is None:
            return False
        now = conditions.here(node.facts.machine, node.facts.cores, node.facts.shell)
        shown = {f"{conditions.SHELL}{name}" for name in HIDING}  # the cluster's doing, and another's for every task
        return not any(conditions.differing(before, now).keys() - shown for before in held)

    return tuple(node for node in nodes if fits(node))


def refuse_other_versions(nodes: Iterable[Node], *, evenbench: str, code: str) -> None:
    """Refuse nodes on which something else would run than here, or than on the others.

    Raises:
        EnvironmentFailure: one has another version of Evenbench, other code, or another release of a framework.
    """
    held: dict[str, tuple[str, str]] = {}
    for node in nodes:
        if node.facts is None:
            continue
        theirs, ours = node.facts.evenbench, evenbench
        if theirs == ours and node.facts.code != code:
            theirs, ours = f"{theirs} ({node.facts.code})", f"{ours} ({code})"
        if theirs != ours:
            raise EnvironmentFailure(
                "node {node} has Evenbench {theirs}, and this command is {ours}: install the same on both",
                node=node.name,
                theirs=theirs,
                ours=ours,
            )
        refuse_other_releases(node.name, node.facts.releases, held)


def refuse_other_releases(name: str, releases: Mapping[str, str], held: dict[str, tuple[str, str]]) -> None:
    """Refuse a node that has another release of a framework than one before it; `held` is release and node of each.

    Raises:
        EnvironmentFailure: it has.
    """
    for backend, release in releases.items():
        other, where = held.setdefault(backend, (release, name))
        if release != other:
            raise EnvironmentFailure(
                "node {node} has {backend} {release}, and node {other} has {known}: make them the same with "
                "`evenbench env create {backend}` there, or in its config.toml",
                node=name,
                backend=backend,
                release=release,
                other=where,
                known=other,
            )
