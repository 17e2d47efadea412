"""What a node of a cluster does: it says what it is, makes what the runs share, and does a round.

Nothing here knows what brought it the order. What is written goes into a folder that is gone afterwards; what is to be
kept travels back in the answer, and the one who asked puts it into the study.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from harness import __version__, whole_files
from harness.data.prepare import Prepared
from harness.environments import interpreters, machine
from harness.environments.interpreters import Interpreter
from harness.environments.machine import ROOT
from harness.environments.places import place
from harness.errors import EnvironmentFailure, UsageError
from harness.language import Sentence
from harness.measure.conditions import shell_settings
from harness.record import Machine, Record
from harness.records.store import Study
from harness.runs.execute import Setting, Stopped
from harness.runs.executors.bench import Bench, Known
from harness.runs.executors.executor import Nobody, Plan
from harness.runs.executors.travel import Files, unpacked
from harness.spec import DeviceKind, RunSpec

PAUSE_S = 0.2
"""Between two looks whether the machine is free."""
CODE = ("harness", "backends", "tasks")
"""What does a run."""
HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")
"""Variables by which a cluster shows a task the devices that it asked for, none or all of the machine's."""
MOST_PROBES = 500
"""So many of the last travel along."""


class Facts(Struct, frozen=True, kw_only=True):
    """What a node says of itself."""

    evenbench: str
    code: str
    """A digest of the code that does runs."""
    machine: Machine
    cores: tuple[int, ...]
    """The processors that a run uses."""
    shell: dict[str, str]
    """The variables of its environment that may change speed or rounding."""
    releases: dict[str, str]
    """Of the backends that have an interpreter: the release of their framework."""
    lacking: dict[str, Sentence]
    """Of those that have none: why."""
    niceness: int
    """Of the processes that its tasks run in; above 0 others go first."""


class Order(Struct, frozen=True, kw_only=True):
    """What a node is asked for: a round, or what all rounds share."""

    study: Study
    """Without its runs."""
    specs: tuple[RunSpec, ...]
    """The runs of a round; where it is asked for what they share, one of each row."""
    folder: str
    """The study's, for sentences."""
    git_revision: str | None
    pythons: dict[str, str]
    """As `--python` names them; a path is one of the node."""
    with_parity: bool
    with_ceilings: bool
    mistakes: bool = False
    data: Prepared | None = None
    """As `travel` packs them; all runs of a round have the same."""
    twins: dict[str, tuple[str, ...]] = {}
    held: dict[str, bytes] = {}
    """Files of an earlier attempt that a run goes on from, by their paths in the study's folder."""
    known: Known


class Made(Struct, frozen=True, kw_only=True):
    """What all runs on a node share."""

    known: Known
    releases: dict[str, str]


class Answer(Struct, frozen=True, kw_only=True):
    """What came of a round."""

    records: tuple[Record, ...]
    files: dict[str, bytes]
    """What the runs left beside their records, by their paths in the study's folder."""
    known: Known


def code_digest() -> str:
    """Return a digest of the code that does runs: the same version of Evenbench may lie on two nodes in two states."""
    found = hashlib.sha256()
    for path in sorted(file for package in CODE for file in (ROOT / package).rglob("*.py")):
        found.update(f"{path.relative_to(ROOT)}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def facts(backends: Sequence[str], pythons: Mapping[str, str]) -> Facts:
    """Return what this machine is, and what it has of some backends; for `pythons` see `Order`."""
    releases, lacking = {}, {}
    for name in backends:
        try:
            releases[name] = interpreters.release(name, interpreters.find(name, pythons).python)
        except (EnvironmentFailure, UsageError) as error:
            lacking[name] = Sentence.of(error)
    _as_without_a_cluster()
    return Facts(
        evenbench=__version__,
        code=code_digest(),
        machine=machine.machine(),
        cores=machine.available_cores(),
        shell=shell_settings(),
        releases=releases,
        lacking=lacking,
        niceness=os.getpriority(os.PRIO_PROCESS, 0),
    )


def make_ready(order: Order) -> Made:
    """Find or make the interpreters, prove parity and measure the limits, with the machine for itself.

    Raises:
        EvenbenchError: a backend has no interpreter here, and none can be made.
    """
    _as_without_a_cluster()
    with alone(), place() as folder:
        bench = _bench(order, folder, lambda digest: {})
        bench.prove(order.specs)
        if order.with_ceilings:
            bench.measure_ceilings(order.specs)
        found = {name: interpreters.release(name, one.python) for (name, _), one in bench.plan.interpreters.items()}
        return Made(known=bench.known, releases=found)


def do_round(order: Order, fetch: Callable[[str], Files]) -> Answer:
    """Do a round with the machine for itself and return all that came of it, of one that was stopped too.

    Args:
        order: what is asked for.
        fetch: returns the files of a folder of prepared data, by its digest.

    Raises:
        KeyboardInterrupt: it was stopped before anything was done.
        EvenbenchError: it cannot be done here.
    """
    _as_without_a_cluster()
    with alone(), place() as folder:
        for name, content in order.held.items():
            (folder / name).write_bytes(content)
        bench = _bench(order, folder, fetch)
        if order.mistakes:
            bench.make_mistakes(order.specs)
        records: list[Record] = []
        try:
            with bench.probing(order.specs):
                for record in bench.round(order.specs):
                    records.append(record)  # one by one: what was done is kept when it is stopped
        except Stopped:
            pass
        except KeyboardInterrupt:
            if not records:
                raise
        del bench.known.probes[:-MOST_PROBES]
        return Answer(records=tuple(records), files=files_below(folder), known=bench.known)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return all files in a folder and in those below it, by their paths in it; what is locked or linked is none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != ".lock"
    }


@contextmanager
def alone() -> Iterator[None]:
    """Have this machine for the block: no other round of this user is done on it meanwhile, whoever asked for it."""
    path = Path(tempfile.gettempdir(), f"evenbench-round-{os.getuid()}.lock")
    while True:
        try:
            lock = whole_files.lock(path)
            break
        except BlockingIOError:
            time.sleep(PAUSE_S)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _bench(order: Order, folder: Path, fetch: Callable[[str], Files]) -> Bench:
    found: dict[tuple[str, DeviceKind], Interpreter] = {}
    for spec in order.specs:
        if (spec.backend, spec.device) not in found:
            found[spec.backend, spec.device] = interpreters.serving(
                spec.backend, order.pythons, device=spec.device, say=lambda line: None
            )
    plan = Plan(
        study=order.study,
        interpreters=found,
        data_dir=None,
        with_parity=order.with_parity,
        with_ceilings=order.with_ceilings,
    )
    setting = Setting(
        machine=machine.machine(),
        git_revision=order.git_revision,
        cores=machine.available_cores(),
        study=Path(order.folder),
    )
    data = None if order.data is None else unpacked(order.data, fetch)

    def prepared(spec: RunSpec) -> Prepared:
        if data is None:
            raise EnvironmentFailure("no data came along for {run}", run=spec.run_id)
        return data

    return Bench(
        plan,
        setting=setting,
        folder=folder,
        data=prepared,
        twins=lambda spec: order.twins.get(spec.run_id, ()),
        listener=Nobody(),
        known=order.known,
    )


def _as_without_a_cluster() -> None:
    """Undo what a cluster changes for its tasks and would change for a run: devices are hidden, others go first."""
    for name in HIDING:
        shown = os.environ.get(name, "").split(",")
        if shown in ([""], [str(number) for number in range(len(shown))]):
            os.environ.pop(name, None)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)
