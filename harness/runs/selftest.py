"""The self-test: what is known must come out of real workers as it is, and a program that lies must be caught.

Every case is one run of a fake backend (`selftest_backend.py`) through the same `execute`, worker, clock and counters
as any framework's. A time that comes out too long is taken again, for the machine may have been busy; if the noise
guard saw that it was, the case says so instead of blaming the harness. Too short is never excused.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.contract import Entry
from harness.data.prepare import Prepared
from harness.environments import machine
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.environments.places import place
from harness.language import noop
from harness.layers import Dense
from harness.measure import noise
from harness.measure.clock import Stopwatch
from harness.model import initial_weights
from harness.optimizers import SGD
from harness.record import Noise, ParityVerdict, Record
from harness.runs import selftest_backend as known
from harness.runs.execute import Ready, Setting, execute
from harness.runs.selftest_cases import (
    BATCH,
    CASES,
    EPOCHS,
    EVALUATIONS,
    STEPS,
    TEST_EXAMPLES,
    TRAIN_EXAMPLES,
    TURNS,
    Case,
    Finding,
    is_noisy,
    turns_are_known,
)
from harness.runs.turns import round_of
from harness.spec import PLANTED, Preset, RunSpec, Target, Task

ATTEMPTS = 3
BUDGET_S = 90.0
"""Seconds after which nothing is taken again."""


class Selftest(Struct, frozen=True, kw_only=True):
    """All findings; `passed` unless one deviates."""

    passed: bool
    seconds: float
    noisy: bool
    """Something could not be judged, for the machine was too busy."""
    findings: tuple[Finding, ...]


def conduct(started: Callable[[str], None], cases: tuple[Case, ...] | None = None) -> Selftest:
    """Do the self-test; `started` is told the name of every case that begins."""
    watch = Stopwatch()
    setting = Setting(machine=machine.machine(), git_revision=None, cores=available_cores())
    guard = noise.Guard(setting.cores)
    findings: list[Finding] = []
    with place() as folder:
        data = prepared(folder)
        for case in (*CASES, TURNS) if cases is None else cases:
            for attempt in range(ATTEMPTS):
                started(case.name if attempt == 0 else f"{case.name}, again")
                before, clock = guard.look(own_cpu_s()), Stopwatch()
                record, *partners = run(case, data, setting, folder)
                others = guard.between(before, guard.look(own_cpu_s()))
                room = clock.seconds() * len(setting.cores)
                found = tuple(case.judge(case, record)) + tuple(turns_are_known(case, record, p) for p in partners)
                wrong = [finding for finding in found if finding.verdict == "DEVIATES"]
                if not wrong or not all(f.excusable for f in wrong) or watch.seconds() > BUDGET_S:
                    break
            noisy = is_noisy(record) or foreign_s(others) > noise.MOST_FOREIGN * room
            findings += [excused(finding) for finding in found] if noisy else found
    return Selftest(
        passed=all(finding.verdict != "DEVIATES" for finding in findings),
        seconds=watch.seconds(),
        noisy=any(finding.verdict == "too noisy" for finding in findings),
        findings=tuple(findings),
    )


def task() -> Task:
    """Return the task that the fake backends pretend to learn."""
    preset = Preset(
        dataset="selftest",
        epochs=EPOCHS,
        batch_size=BATCH,
        optimizer=SGD(learning_rate=0.1),
        target=Target(at_least=1 - 1 / known.WRONG_ONE_IN),
        evaluations=EVALUATIONS,
        measure_s=0.6,
        inference_s=0.2,
    )
    return Task(
        name="selftest",
        version=1,
        summary="Learn nothing, in a known time.",
        input_shape=(4,),
        layers=(Dense(units=2),),
        loss="softmax_cross_entropy",
        datasets=("selftest",),
        presets={"selftest": preset},
    )


def prepared(folder: Path) -> Prepared:
    """Write the files that a run starts from."""
    random = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {}
    for split, count in (("train", TRAIN_EXAMPLES), ("test", TEST_EXAMPLES)):
        arrays[f"{split}_x"] = random.standard_normal((count, 4)).astype(np.float32)
        arrays[f"{split}_y"] = random.integers(0, 2, count, dtype=np.int32)
    order = np.concatenate([random.permutation(TRAIN_EXAMPLES) for _ in range(EPOCHS)]).reshape(STEPS, BATCH)
    for name, values in {**arrays, "order": order.astype(np.int32)}.items():
        np.save(folder / f"{name}.npy", values)
    np.savez(folder / "weights.npz", allow_pickle=False, **initial_weights(task(), 0))
    return Prepared(
        arrays={name: str(folder / f"{name}.npy") for name in arrays},
        order=str(folder / "order.npy"),
        weights=str(folder / "weights.npz"),
        fingerprint="selftest",
        examples={"train": TRAIN_EXAMPLES, "test": TEST_EXAMPLES},
    )


def run(case: Case, data: Prepared, setting: Setting, folder: Path) -> tuple[Record, ...]:
    """Run one case in a worker of its own, or in turns with a partner that does more than it says."""
    if not case.in_turns:
        return (execute(ready_of(case, data), setting, folder),)
    both = [ready_of(case, data, profile) for profile in ("stock", PLANTED)]
    return tuple(round_of(both, setting, folder, started=lambda _: None))


def ready_of(case: Case, data: Prepared, profile: str = "stock") -> Ready:
    """Return a case's run with all that it needs."""
    spec = RunSpec(
        task="selftest",
        task_version=1,
        backend=case.backend,
        mode="eager",
        preset="selftest",
        dataset="selftest",
        seed=0,
        repeat=0,
        timeout_s=case.timeout_s,
        memory_limit_bytes=case.memory_limit_bytes,
        noise_budget_s=2.0,
        profile=profile,
    )
    return Ready(
        spec=spec,
        task=task(),
        data=data,
        interpreter=Interpreter(python=sys.executable, source="current", reason=noop("fakes run where Evenbench runs")),
        parity=ParityVerdict(passed=None, reason=noop("a fake computes nothing")),
        described=Entry(
            adapter=f"{known.__name__}:{case.backend}", framework="numpy", modes=("eager",), default_mode="eager"
        ),
    )


def own_cpu_s() -> float:
    """Return the CPU seconds of this process and of its workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def foreign_s(others: Noise) -> float:
    """Return the processor seconds that others took, the hypervisor among them.

    Over a whole run: over a block, half a processor's load can be less than what the system's ticks resolve.
    """
    return (others.foreign_cpu_seconds or 0.0) + (others.steal_seconds or 0.0)


def excused(finding: Finding) -> Finding:
    """Return a finding of a noisy machine: what can be its fault is not called a deviation."""
    wrong = finding.verdict == "DEVIATES" and finding.excusable
    return replace(finding, verdict="too noisy") if wrong else finding
