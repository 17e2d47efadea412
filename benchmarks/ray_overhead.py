"""What a Ray cluster costs: of a round, beside doing it here; and of a large plan, in time and memory of the driver.

    python benchmarks/ray_overhead.py --rounds 20              # needs Ray; a cluster of this machine is started
    python benchmarks/ray_overhead.py --runs 100000 --nodes 1000

The first does the same round of the reference here and on the cluster, the odd ones the other way round, and prints the
median seconds of both. The second makes a plan, stores it, asks what is left of it when half of it has a record, and
lets a conductor give all its rounds to nodes of which there is but a list: what they answer is made here.
"""

import argparse
import statistics
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from msgspec.structs import replace

from harness import registry
from harness.environments import interpreters, machine
from harness.language import Sentence
from harness.measure.clock import Stopwatch
from harness.record import Record
from harness.records.store import Store, Study
from harness.runs.conductor import Conductor, Plan, rounds
from harness.runs.execute import Setting, lost
from harness.runs.executors.bench import task_of
from harness.runs.executors.executor import Nobody
from harness.runs.executors.node import Facts
from harness.runs.executors.nodes import Node, chosen, refuse_other_versions
from harness.runs.plan import Wish, plan
from harness.spec import Choice, RunSpec

CHOICES = 10
"""Rows of the large plan, which are one round together."""
REFERENCE = registry.reference_name()


def here() -> Setting:
    """Return the facts of this machine."""
    return Setting(machine=machine.machine(), git_revision=machine.git_revision(), cores=machine.available_cores())


def rounds_beside_local(count: int) -> None:
    """Do rounds of one run here and on a cluster of this machine, and print what each way takes."""
    from harness.runs.executors import ray_executor

    choice = Choice(backend=REFERENCE, device="cpu", mode="eager")
    wish = Wish(tasks=(registry.task("xor"),), choices=(choice,), preset="smoke", repeats=count + 1)
    study = Study(name="overhead", created_at="", command=(), specs=plan(wish))
    found = {(REFERENCE, choice.device): interpreters.find(REFERENCE, {})}
    asked = Plan(study=study, interpreters=found, data_dir=None, with_parity=False, with_ceilings=False)
    start = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, ray_executor.connected(None):
        nodes = ray_executor.nodes((REFERENCE,), {})
        print(f"a cluster of this machine is there, and has said what it is, after {start.seconds():.1f} s")
        ways: dict[str, Callable[[Conductor], Any] | None] = {"here": None, "ray": ray_executor.on(nodes, {})}
        took: dict[str, list[float]] = {way: [] for way in ways}
        conductors = {}
        for way, executor in ways.items():
            store = Store(Path(folder, way))
            store.create(study)
            conductors[way] = Conductor(asked, (), store=store, setting=here(), listener=Nobody(), executor=executor)
        for number, together in enumerate(rounds(study.specs)):
            for way in list(ways)[:: -1 if number % 2 else 1]:
                conductors[way].left = together
                watch = Stopwatch()
                conductors[way].run()
                took[way].append(watch.seconds())
    for way, seconds in took.items():
        seconds = seconds[1:]  # the first one starts processes, and takes the data along
        low, _, high = statistics.quantiles(seconds, n=4)
        median = statistics.median(seconds)
        print(f"{way}: median {median:.3f} s, quartiles {low:.3f} to {high:.3f}, {len(seconds)} rounds")
    apart = [ray - local for ray, local in zip(took["ray"][1:], took["here"][1:], strict=True)]
    print(f"ray - here: median {1000 * statistics.median(apart):.0f} ms")


class Nowhere(Store):
    """A store that keeps nothing."""

    def add(self, record: Record) -> Path:
        return self.folder

    def records(self) -> tuple[list[Record], list[Any]]:
        return [], []


class Listed:
    """Nodes of which there is but a list: what they answer is made here."""

    def __init__(self, nodes: Sequence[Node], conductor: Conductor) -> None:
        self.nodes = nodes
        self.under_way: deque[tuple[RunSpec, ...]] = deque()
        spec = conductor.left[0]
        self.record = lost(spec, task_of(spec), here(), fingerprint="", why=Sentence("made up"))

    @property
    def places(self) -> int:
        return len(self.nodes)

    @contextmanager
    def work(self, specs: Sequence[RunSpec]) -> Iterator[None]:
        yield

    def begin(self, specs: tuple[RunSpec, ...], *, mistakes: bool) -> None:
        self.under_way.append(specs)

    def ended(self) -> Iterator[Record]:
        for spec in self.under_way.popleft():
            yield replace(self.record, spec=spec)


def large_plan(runs: int, count: int) -> None:
    """Plan, store, resume and schedule many runs on many nodes, and print seconds and memory of each step."""
    choices = tuple(Choice(backend=f"b{number}", device="cpu", mode="eager") for number in range(CHOICES))
    wish = Wish(tasks=(registry.task("xor"),), choices=choices, preset="smoke", repeats=runs // CHOICES)
    step("nothing yet", Stopwatch())
    watch = Stopwatch()
    specs = plan(wish)
    step(f"{len(specs):,} runs planned", watch)
    study = Study(name="large", created_at="", command=(), specs=specs)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "large"))
        watch = Stopwatch()
        store.create(study)
        step(f"the plan stored, {(store.folder / 'study.json').stat().st_size / 1e6:.0f} MB", watch)
        for spec in specs[: len(specs) // 2]:
            (store.folder / f"{spec.run_id}.json").touch()
        watch = Stopwatch()
        left = store.missing(store.study().specs)
        step(f"resumed, {len(left):,} runs left", watch)
        watch = Stopwatch()
        nodes = listed(count)
        (group,) = chosen(nodes, "any", ["cpu"]).values()
        refuse_other_versions(group, evenbench="", code="")
        step(f"{len(group):,} nodes chosen", watch)
        asked = Plan(study=study, interpreters={}, data_dir=None, with_parity=False, with_ceilings=False)
        watch = Stopwatch()
        conductor = Conductor(
            asked,
            specs,
            store=Nowhere(store.folder),
            setting=here(),
            listener=Nobody(),
            executor=lambda conductor: Listed(group, conductor),
        )
        done = conductor.run()
        step(f"{len(done):,} runs in {len(done) // CHOICES:,} rounds given out and taken in", watch)
        print(f"{len(done) / CHOICES / watch.seconds():,.0f} rounds/s")


def listed(count: int) -> tuple[Node, ...]:
    """Return so many equal nodes."""
    setting = here()
    facts = Facts(
        evenbench="",
        code="",
        machine=setting.machine,
        cores=setting.cores,
        shell={},
        releases={f"b{number}": "1" for number in range(CHOICES)},
        lacking={},
        niceness=0,
    )
    return tuple(
        Node(id=f"{number:056x}", name=f"n{number}", address="10.0.0.1", resources={"CPU": 8}, facts=facts)
        for number in range(count)
    )


def step(what: str, watch: Stopwatch) -> None:
    memory = psutil.Process().memory_info().rss / 1e6
    print(f"{what}: {watch.seconds():.2f} s, {memory:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=1000)
    asked = parser.parse_args()
    if asked.rounds:
        rounds_beside_local(asked.rounds)
    if asked.runs:
        large_plan(asked.runs, asked.nodes)


if __name__ == "__main__":
    main()
