"""Records as a worker would write them, built through the Structs; every argument has a plain default."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from harness import registry
from harness.contract import Trap
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
    StageMeasured,
    Status,
)
from harness.records.store import Store, Study
from harness.spec import RunSpec, Task
from reports.statistics.looks import Turn

LENET = registry.task("lenet-mnist")
MACHINE_TASK = registry.task("dbm-mnist")
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


class Processes(NamedTuple):
    """What is compared of a row, without the row."""

    seconds_per_example: tuple[float, ...]
    comparable: bool = True
    accuracy_per_seed: dict[int, float] = {}
    inference: dict[str, tuple[float, ...]] = {}
    turns: dict[str, dict[str, dict[int, Turn]]] = {}
    until_decided: bool = False
    within: float = 0.05
    by_round: dict[str, float] = {}


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
    baselines: dict[str, float] | None = None,
    **in_spec: Any,
) -> Record:
    """Return one record; what is not named is that of a run that went well."""
    return Record(
        evenbench="0.1.0",
        git_revision=git_revision,
        started_at="2026-11-21T00:00:00+00:00",
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
        baselines=baselines or {},
    )


def died(backend: str = "torch", *, status: Status = "crashed", reason: str = "signal SIGSEGV", **more: Any) -> Record:
    """Return the record of a run that ended before anything was measured."""
    return record(backend, status=status, reason=reason, found=Measured(), **more)


def trained_stage(name: str, step_s: float = 0.01, **changes: Any) -> StageMeasured:
    """Return a stage of 20 updates, of which 10 were timed in steady blocks."""
    blocks = (block("first", 1, 0.5), block("calibration", 9, 1.0), block("steady", 10, 10 * step_s))
    facts: dict[str, Any] = {
        "name": name,
        "updates": 20,
        "first_step_s": 0.5,
        "train_s": 1.5 + 10 * step_s,
        "blocks": blocks,
    }
    return StageMeasured(**(facts | changes))


def stages(
    step_s: float = 0.01, accuracy: float = 0.9, bound: float | None = -110.25, why_unreliable: str = ""
) -> tuple[StageMeasured, ...]:
    """Return the stages of a deep Boltzmann machine; every figure differs from the others and follows the arguments."""

    def judged(name: str, iterations: float, bound: float | None) -> StageMeasured:
        return StageMeasured(
            name=name,
            quality={
                "mean_field_iterations": iterations,
                "bound": bound,
                "bound_is_reliable": float(not why_unreliable),
                "log_z": 400.0,
                "sample_size_uniform": 60.0,
                "sample_size_rates": 50.0,
            },
            remarks={"bound": why_unreliable} if why_unreliable else {},
        )

    def net(name: str, worse: float) -> StageMeasured:
        return trained_stage(name, step_s / 2, quality={"accuracy": accuracy - worse})

    return (
        trained_stage("bottom", step_s, statistics={"reconstruction_error": (30.0, 20.0)}),
        StageMeasured(name="bottom, trained", quality={"pseudo_log_likelihood": -200.0 - step_s}),
        trained_stage("top", 2 * step_s, statistics={"reconstruction_error": (40.0, 35.0)}),
        judged("joint, composed", 30.0, None if bound is None else bound - 20),
        trained_stage(
            "joint",
            4 * step_s,
            statistics={
                "reconstruction_error": (20.0, 10.0 + step_s),
                "mean_field_change": (1e-3, 1e-4),
                "chain_visible": (0.2, 0.1),
                "chain_hidden1": (0.3, 0.25),
                "chain_hidden2": (0.4, 0.35),
            },
        ),
        judged("joint, trained", 20.0, bound),
        net("linear probe", 0.05),
        net("fine-tuned", 0.0),
        net("random start", 0.01),
        net("fine-tuned, 1,000 labels", 0.1),
        net("random start, 1,000 labels", 0.2),
    )


def machine_record(
    backend: str = "torch", *, repeat: int = 0, parts: tuple[StageMeasured, ...] = (), **more: Any
) -> Record:
    """Return the record of a deep Boltzmann machine."""
    parts = parts or stages()
    blocks = {part.name: part.blocks for part in parts}
    found = measured(versions={backend: "1.2.3"}, stages=parts, batch_size=100, blocks=blocks.get("joint", ()))
    facts: dict[str, Any] = {"preset": "full", "dataset": "mnist", "found": found}
    return of_task(MACHINE_TASK, record(backend, repeat=repeat, **(facts | more)))


def of_task(task: Task, item: Record) -> Record:
    """Return the same record as that of another task."""
    return replace(item, task=task, spec=replace(item.spec, task=task.name))


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
