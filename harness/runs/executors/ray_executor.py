"""Rounds done on the nodes of a Ray cluster. The only file that imports Ray.

A round is one task, held to its node, which it has for itself: it asks for all its processors and accelerators, and for
the resource `evenbench` where the node was given one. Ray repeats nothing by itself. What is lost with a node or with
the process of a task is done once more, on another node where there is one, and then recorded as lost. Everything that
travels is bytes; records and files are written into the study by this process alone.
"""

import logging
import os
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import ray
from msgspec.structs import replace
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.data.prepare import Prepared
from harness.environments.machine import available_cores
from harness.environments.places import place
from harness.errors import EnvironmentFailure, EvenbenchError
from harness.language import Sentence, Words, _
from harness.record import COMPLETED, Record
from harness.records import same_seed
from harness.runs.execute import Setting, lost
from harness.runs.executors import node as on_node
from harness.runs.executors.bench import Known, one_of_each, task_of
from harness.runs.executors.joining import first_line, hushed, knock, not_joined
from harness.runs.executors.node import Answer, Facts, Made, Order
from harness.runs.executors.nodes import OURS, RESOURCES, Node, refuse_other_releases
from harness.runs.executors.travel import Files, Luggage, digests
from harness.spec import RunSpec
from harness.whole_files import write_whole

if TYPE_CHECKING:
    from harness.runs.conductor import Conductor

ANSWER_S = 120.0
"""Within which a node has to say what it is; its first process starts in that time."""
LOOK_S = 1.0
"""Between two looks at what has ended, so that Ctrl-C is heard."""
GRACE_S = 10.0
"""For a round that was asked to stop to hand in what it has."""
MOST_TRIES = 2
QUIETLY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
"""Of a cluster that is started here: nothing is told to its makers, and its tasks are not put behind other programs."""


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Join a cluster for the block; without an address start one on this machine, which nobody else can reach.

    Raises:
        EnvironmentFailure: nothing answers there, or another release of Ray or Python, or it wants another token.
    """
    if address is not None:
        knock(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    where: dict[str, Any] = {"address": address}
    if address is None:
        own = QUIETLY | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}  # else Ray saves one in the home
        os.environ.update({name: value for name, value in own.items() if name not in os.environ})
        # Asked for 127.0.0.1, Ray 2.60.0 takes the machine's own address on Linux; so it is told that this is no Linux.
        ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
        where = {"address": "local", "include_dashboard": False}
        where |= {"num_cpus": len(available_cores()), "resources": {OURS: 1}}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # What its nodes report Ray 2.60.0 prints to stdout, whatever it is told, and stdout is for data.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    try:
        with hushed():
            ray.init(**where, **quiet)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise not_joined(address or "127.0.0.1", error) from error
    try:
        for number, handler in handlers.items():  # Ray has put its own in their place
            signal.signal(number, handler)
        yield
    finally:
        ray.shutdown()


def nodes(backends: Sequence[str], pythons: Mapping[str, str]) -> tuple[Node, ...]:
    """Return the nodes that are alive, each asked what it is and what it has of some backends."""
    alive = [one for one in ray.nodes() if one["Alive"]]
    hosts = [str(one["NodeManagerHostname"]) for one in alive]
    found = [
        Node(
            id=one["NodeID"],
            name=host if hosts.count(host) == 1 else f"{host}:{one['NodeID'][:6]}",
            address=str(one["NodeManagerAddress"]),
            resources={name: float(count) for name, count in one["Resources"].items()},
        )
        for one, host in zip(alive, hosts, strict=True)
    ]
    asked = {_remote(_facts, one, whole=False).remote(tuple(backends), dict(pythons)): one for one in found}
    answered, _late = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
    for ref, one in asked.items():
        if ref not in answered:
            ray.cancel(ref, force=True)
            late = Sentence("it did not answer in {seconds:g} s", seconds=ANSWER_S)
            found[found.index(one)] = replace(one, problem=late)
            continue
        try:
            facts = msgspec.msgpack.decode(ray.get(ref), type=Facts)
            found[found.index(one)] = replace(one, facts=facts)
        except (RayError, msgspec.MsgspecError) as error:
            why = Sentence("it cannot do runs of this Evenbench: {reason}", reason=_reason(error))
            found[found.index(one)] = replace(one, problem=why)
    return tuple(sorted(found, key=lambda one: (one.name, one.id)))


def on(chosen: Iterable[Node], pythons: Mapping[str, str]) -> "Callable[[Conductor], OnNodes]":
    """Return what makes the executor of a conductor's rounds on some nodes."""
    return lambda conductor: OnNodes(tuple(chosen), pythons, conductor)


@dataclass
class _Round:
    """A round under way."""

    specs: tuple[RunSpec, ...]
    mistakes: bool
    node: Node
    digests: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    """The files that went along, by their paths in the study's folder."""
    tries: int = 0
    """How often it was lost."""
    lost: dict[str, str] = field(default_factory=dict)
    """By the node on which it was lost: what was said."""


class OnNodes:
    """The nodes of a cluster that a study is done on; all of one kind."""

    def __init__(self, nodes: tuple[Node, ...], pythons: Mapping[str, str], conductor: "Conductor") -> None:
        self.nodes = {node.id: node for node in nodes}
        """Those that are alive."""
        self.pythons = dict(pythons)
        self.conductor = conductor
        self.luggage = Luggage(_put)
        self.known: dict[str, Known] = {node.id: Known() for node in nodes}
        self.there: dict[str, set[str]] = {node.id: set() for node in nodes}
        """The folders of data that a node is known to have."""
        self.under_way: dict[Any, _Round] = {}

    @property
    def places(self) -> int:
        """How many rounds may be under way at once."""
        return len(self.nodes)

    @contextmanager
    def work(self, specs: Sequence[RunSpec]) -> Iterator[None]:
        """Prove parity and measure the limits on every node; leave no round behind when the block ends.

        Raises:
            EnvironmentFailure: a node lacks what the study needs, or has another release of a framework.
        """
        if specs:
            self._make_ready(one_of_each(specs))
        try:
            yield
        finally:
            for ref in self.under_way:
                ray.cancel(ref, force=True)
            self.under_way.clear()

    def begin(self, specs: tuple[RunSpec, ...], *, mistakes: bool) -> None:
        """Take on a round, on the node that has least to do."""
        for spec in specs:
            self.conductor.listener.started(spec)
        self._submit(_Round(specs, mistakes, self._idlest(self.nodes)))

    def ended(self) -> Iterator[Record]:
        """Yield the records of the round that ends next; see `Executor`."""
        try:
            found = self._next()
        except KeyboardInterrupt:
            found = self._stopped()
            yield from found
            if not any(record.outcome.status == "interrupted" for record in found):
                raise
            return
        yield from found

    def _next(self) -> list[Record]:
        while True:
            ready, _rest = ray.wait(list(self.under_way), num_returns=1, timeout=LOOK_S)
            for ref in ready:
                one = self.under_way[ref]
                try:
                    answer = msgspec.msgpack.decode(ray.get(ref), type=Answer)
                except RayTaskError as error:
                    del self.under_way[ref]
                    raise _of_node(one.node, error) from error
                except RayError as error:
                    del self.under_way[ref]
                    if (found := self._again(one, error)) is not None:
                        return found
                    continue
                found = self._kept(one, answer)
                del self.under_way[ref]
                return found

    def _stopped(self) -> list[Record]:
        """Ask all rounds under way to stop, and return the records that they hand in within the time for that."""
        for ref in self.under_way:
            ray.cancel(ref)
        ready, late = ray.wait(list(self.under_way), num_returns=len(self.under_way), timeout=GRACE_S)
        for ref in late:
            ray.cancel(ref, force=True)
        found: list[Record] = []
        for ref in ready:
            with suppress(RayError):
                answer = msgspec.msgpack.decode(ray.get(ref), type=Answer)
                found += self._kept(self.under_way[ref], answer)
        self.under_way.clear()
        return found

    def _again(self, one: _Round, error: RayError) -> list[Record] | None:
        """Do a round that was lost once more; return the records of its runs if it was lost too often.

        Raises:
            EnvironmentFailure: no node is left.
        """
        one.lost[one.node.name] = f"{type(error).__name__}: {first_line(error)}"
        self._forget_the_dead()
        others = {key: node for key, node in self.nodes.items() if node.name not in one.lost} or self.nodes
        if not others:
            raise EnvironmentFailure(
                "node {node} was lost ({reason}), and no other one is left: `{command}` goes on",
                node=one.node.name,
                reason=one.lost[one.node.name],
                command=self.conductor.store.resume_command(),
            )
        one.tries += 1
        if one.tries < MOST_TRIES:
            one.node = self._idlest(others)
            self._submit(one)
            return None
        where = "; ".join(f"{name}: {said}" for name, said in one.lost.items())
        why = Sentence("what did it was lost {count} times ({reason})", count=one.tries, reason=where)
        return [self._lost(spec, one.node, why) for spec in one.specs]

    def _lost(self, spec: RunSpec, node: Node, why: Sentence) -> Record:
        if node.facts is None:
            raise _of_node(node, why)
        revision = self.conductor.setting.git_revision
        setting = Setting(machine=node.facts.machine, git_revision=revision, cores=node.facts.cores)
        fingerprint = self.conductor.data(spec).fingerprint
        return lost(spec, task_of(spec), setting, fingerprint=fingerprint, why=why)

    def _forget_the_dead(self) -> None:
        alive = {one["NodeID"] for one in ray.nodes() if one["Alive"]}
        self.nodes = {key: node for key, node in self.nodes.items() if key in alive}

    def _idlest(self, among: Mapping[str, Node]) -> Node:
        """Return the node of some with the fewest rounds; on it they wait for each other."""
        busy = Counter(one.node.id for one in self.under_way.values())
        return among[min(among, key=busy.__getitem__)]

    def _make_ready(self, specs: tuple[RunSpec, ...]) -> None:
        asked = {}
        for node in self.nodes.values():
            self.conductor.listener.preparing(_("node {node}").format(node=node.name))
            order = self._order(specs, node, with_ceilings=self.conductor.plan.with_ceilings)
            asked[_remote(_make_ready, node).remote(msgspec.msgpack.encode(order))] = node
        held: dict[str, tuple[str, str]] = {}
        try:
            while asked:
                ready, _rest = ray.wait(list(asked), num_returns=1, timeout=LOOK_S)
                for ref in ready:
                    node = asked.pop(ref)
                    try:
                        made = msgspec.msgpack.decode(ray.get(ref), type=Made)
                    except RayTaskError as error:
                        raise _of_node(node, error) from error
                    except RayError as error:
                        self.nodes.pop(node.id)
                        if not self.nodes:
                            raise _of_node(node, error) from error
                        continue
                    refuse_other_releases(node.name, made.releases, held)
                    self.known[node.id] = made.known
        finally:
            for ref in asked:
                ray.cancel(ref, force=True)

    def _submit(self, one: _Round) -> None:
        data = self.luggage.packed(self.conductor.data(one.specs[0]))
        one.digests = digests(data)
        folder = self.conductor.store.folder
        held = {name: (folder / name).read_bytes() for name in map(_checkpoint, one.specs) if (folder / name).is_file()}
        one.held = tuple(held)
        order = self._order(one.specs, one.node, data=data, held=held, mistakes=one.mistakes)
        carried = {name: self.luggage.handed[name] for name in one.digests if name not in self.there[one.node.id]}
        self.under_way[_remote(_do_round, one.node).remote(msgspec.msgpack.encode(order), carried)] = one

    def _order(
        self,
        specs: tuple[RunSpec, ...],
        node: Node,
        *,
        data: Prepared | None = None,
        held: dict[str, bytes] | None = None,
        with_ceilings: bool = False,
        mistakes: bool = False,
    ) -> Order:
        conductor = self.conductor
        return Order(
            study=replace(conductor.plan.study, specs=(), command=()),
            specs=specs,
            folder=str(conductor.store.folder.absolute()),
            git_revision=conductor.setting.git_revision,
            pythons=self.pythons,
            with_parity=conductor.plan.with_parity,
            with_ceilings=with_ceilings,
            mistakes=mistakes,
            data=data,
            twins={spec.run_id: conductor.twins.of(spec) for spec in specs},
            held=held or {},
            known=self.known[node.id],
        )

    def _kept(self, one: _Round, answer: Answer) -> list[Record]:
        """Write what the runs of a round left into the study, and return their records."""
        self.known[one.node.id] = answer.known
        self.there[one.node.id].update(one.digests)
        folder = self.conductor.store.folder
        files = dict(answer.files)
        records = [self._with_twin(record, files) for record in answer.records]
        ids = tuple(record.spec.run_id for record in records)
        for name, content in files.items():
            if name.removeprefix(".").startswith(ids) and ".." not in Path(name).parts:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                write_whole(folder / name, content)
        for name in one.held:
            if name not in files:
                (folder / name).unlink(missing_ok=True)
        return records

    def _with_twin(self, record: Record, files: dict[str, bytes]) -> Record:
        """Return a record compared with the first of its twins, whose outcome lies in the study and never travels."""
        twins, run_id = self.conductor.twins.of(record.spec), record.spec.run_id
        outcome = files.pop(same_seed.kept_path(Path(), run_id).name, None)
        if outcome is None or record.outcome.status not in COMPLETED:
            return record
        with place() as here:
            (here / same_seed.OUTCOME).write_bytes(outcome)
            found = here / same_seed.OUTCOME
            return replace(
                record, twin=same_seed.settle(found, run_id, twins=twins, folder=self.conductor.store.folder)
            )


def _checkpoint(spec: RunSpec) -> str:
    return f".{spec.run_id}.checkpoint.npz"


def _remote(function: Callable[..., bytes], node: Node, *, whole: bool = True) -> Any:
    """Return a function as a task on a node, which it has for itself if it is to have the `whole` of it."""
    resources = {name: node.resources[name] for name in (RESOURCES["npu"], OURS) if whole and name in node.resources}
    return ray.remote(function).options(
        num_cpus=node.resources.get(RESOURCES["cpu"], 0) if whole else 0,
        num_gpus=node.resources.get(RESOURCES["gpu"], 0) if whole else 0,
        resources=resources,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node.id, soft=False),
        max_retries=0,
    )


def _put(files: Files) -> object:
    """Put the files of a folder into the object store.

    Raises:
        EnvironmentFailure: it has no room for them.
    """
    try:
        return ray.put(dict(files))
    except RayError as error:
        size = sum(map(len, files.values()))
        raise EnvironmentFailure(
            "Ray's object store has no room for {size:.1f} GB of data ({reason}): start the head node with a larger "
            "--object-store-memory",
            size=size / 1e9,
            reason=first_line(error),
        ) from error


def _facts(backends: tuple[str, ...], pythons: dict[str, str]) -> bytes:
    return msgspec.msgpack.encode(on_node.facts(backends, pythons))


def _make_ready(order: bytes) -> bytes:
    return msgspec.msgpack.encode(on_node.make_ready(msgspec.msgpack.decode(order, type=Order)))


def _do_round(order: bytes, carried: dict[str, Any]) -> bytes:
    def fetch(digest: str) -> Files:
        if digest not in carried:
            raise EnvironmentFailure("the data {digest} were here before, and are gone", digest=digest)
        files: Files = ray.get(carried[digest])
        return files

    return msgspec.msgpack.encode(on_node.do_round(msgspec.msgpack.decode(order, type=Order), fetch))


def _of_node(node: Node, error: Exception | Sentence) -> EnvironmentFailure:
    return EnvironmentFailure("node {node}: {reason}", node=node.name, reason=_reason(error))


def _reason(error: Exception | Sentence) -> Words:
    """Return what went wrong on a node: the sentence of an error of ours, else the exception's own first line."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, EvenbenchError):
        return Sentence.of(cause)
    if isinstance(cause, Sentence):
        return cause
    return f"{type(cause).__name__}: {first_line(cause)}"
