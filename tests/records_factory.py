"""Records as a worker would write them, built through the Structs; every argument has a plain default."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import registry
from harness.contract import Trap
from harness.measure import timestamp
from harness.record import (
    Block,
    BlockKind,
    Evaluation,
    Machine,
    Measured,
    Memory,
    Outcome,
    ParityVerdict,
    Phases,
    Record,
    Status,
)
from harness.spec import RunSpec, Task
from harness.store import Store, Study

LENET = registry.task("lenet-mnist")
MACHINE = Machine(
    cpu="Test CPU",
    cpu_flags=("avx2",),
    cores=4,
    memory_bytes=8_000_000_000,
    system="Linux",
    kernel="6.1",
    python="3.11.9",
)
PASS = ParityVerdict(passed=True, largest_error=0.25)
FAIL = ParityVerdict(passed=False, reason="differs from the reference in gradients at dense1.weight", largest_error=9.0)
UNCHECKED = ParityVerdict(passed=None, reason="parity was not checked (--no-parity)")


def block(kind: BlockKind, steps: int, seconds: float) -> Block:
    return Block(kind=kind, steps=steps, seconds=seconds, cpu_seconds=1.5 * seconds)


def measured(step_s: float = 0.01, accuracy: float | None = 0.9, **changes: Any) -> Measured:
    """Return what a finished run has measured: three steady blocks of 10 steps, 5 epochs of 22 steps."""
    facts: dict[str, Any] = {
        "python": "3.11.9",
        "versions": {"torch": "2.13.0", "numpy": "2.4.0"},
        "settings": {"threads": "4", "flush_denormals": "off"},
        "traps": (Trap(name="denormals", sentence="denormals are not flushed", harmful=False),),
        "device_name": "cpu",
        "phases": Phases(
            import_s=1.0, build_s=0.25, load_s=0.125, first_step_s=0.5, train_s=1.5, evaluate_s=0.0625, total_s=4.0
        ),
        "blocks": (
            block("first", 1, 0.5),
            block("calibration", 5, 1.0),
            block("steady", 10, 10 * step_s),
            block("steady", 10, 11 * step_s),
            block("steady", 10, 9 * step_s),
            block("short", 3, 100.0),
        ),
        "batch_size": 64,
        "examples": {"train": 1437, "test": 360},
        "loss_steps": (22, 44, 66, 88, 110),
        "losses": (2.0, 1.0, 0.5, 0.25, 0.125),
        "evaluations": (Evaluation(steps=110, train_seconds=1.5, quality={"accuracy": accuracy}),),
        "quality": {"accuracy": accuracy},
        "memory": Memory(host_peak_bytes=300_000_000, import_bytes=200_000_000, reasons={"device_peak_bytes": "a CPU"}),
    }
    return Measured(**(facts | changes))


def spec(backend: str = "torch", *, repeat: int = 0, seed: int | None = None, **changes: Any) -> RunSpec:
    facts: dict[str, Any] = {
        "task": "lenet-mnist",
        "task_version": 1,
        "mode": "eager",
        "preset": "quick",
        "dataset": "digits",
        "timeout_s": 600.0,
    }
    return RunSpec(
        **(facts | {"backend": backend, "repeat": repeat, "seed": repeat if seed is None else seed} | changes)
    )


def record(
    backend: str = "torch",
    *,
    repeat: int = 0,
    seed: int | None = None,
    status: Status = "ok",
    reason: str = "",
    parity: ParityVerdict = PASS,
    found: Measured | None = None,
    task: Task = LENET,
    machine: Machine = MACHINE,
    dataset_fingerprint: str = "0123456789ab",
    stderr_tail: str = "",
    git_revision: str | None = "abc1234",
    **in_spec: Any,
) -> Record:
    """Return one record; what is not named is that of a run that went well."""
    return Record(
        evenbench="0.1.0",
        git_revision=git_revision,
        started_at=timestamp(),
        spec=spec(backend, repeat=repeat, seed=seed, **in_spec),
        task=task,
        dataset_fingerprint=dataset_fingerprint,
        machine=machine,
        affinity=(0, 1, 2, 3),
        interpreter="/opt/python",
        interpreter_source="managed",
        outcome=Outcome(status=status, reason=reason, stderr_tail=stderr_tail),
        parity=parity,
        measured=measured(versions={backend: "1.2.3"}) if found is None else found,
    )


def died(backend: str = "torch", *, status: Status = "crashed", reason: str = "signal SIGSEGV", **more: Any) -> Record:
    """Return the record of a run that ended before anything was measured."""
    return record(backend, status=status, reason=reason, found=Measured(), **more)


def write_study(folder: Path, records: Sequence[Record], *, planned: Sequence[RunSpec] = ()) -> Path:
    """Write a study of these records, and of planned runs that have none."""
    store = Store(folder)
    specs = (*(item.spec for item in records), *planned)
    store.create(Study(name=folder.name, created_at="2026-11-21T00:00:00+00:00", command=("run",), specs=specs))
    for item in records:
        store.add(item)
    return folder


def damage(folder: Path, name: str = "broken") -> Path:
    """Put half a record into a study."""
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.encode(record())[:200])
    return path
