"""Parity, done: the same trace from the reference and from a backend, each in a process of its own, compared.

A pass is remembered under everything that could change it (task, optimizer, Evenbench's own code, the installed
packages, the processor, the shell's tuning variables), so that a study does not prove the same thing again every day.
A failure is never remembered.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness import registry
from harness.contract import Entry
from harness.environments.home import cache_folder
from harness.environments.installation import code_digest, installed_packages
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.language import Sentence, Words, told
from harness.parity import hints
from harness.parity import levels as parity
from harness.parity.levels import Level, Parity
from harness.record import LevelName, ParityLevel, ParityVerdict
from harness.runs.launch import judge, launch, workplace
from harness.spec import DeviceKind, Mode, Preset, Task
from harness.worker.jobs import TraceJob
from harness.worker.parity import TRACE
from harness.worker.process import shell_settings

TIMEOUT_S = 300.0
OTHER_DRAWS = (1, 2)
"""Seeds of the numbers that are handed in again where only the losses of 20 steps differ: both must pass.

A net with a kink is chaotic there: where a layer's input in the reference lies within float32's rounding of the kink,
rounding decides the side, and the losses part from that step on. That depends on the numbers drawn; a fault of the
optimizer, the schedule or the order of the mini-batches does not.
"""
Trace = Mapping[str, NDArray[Any]]


class TraceFailed(Exception):
    """A worker could not compute its trace."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words
        """Why."""


class Checker:
    """Checks parity; the reference's traces are computed once per task and preset."""

    def __init__(self, *, remember: bool = True) -> None:
        self.remember = remember
        self._references: dict[str, Trace] = {}

    def check(
        self,
        task: Task,
        preset: Preset,
        *,
        backend: str,
        device: DeviceKind,
        mode: Mode,
        interpreter: Interpreter,
        settings: Mapping[str, str] | None = None,
    ) -> Parity:
        """Return the verdict on one backend, device and mode, with the settings of a profile in force."""
        file = None
        entry = registry.entry(backend)
        ours = entry.path is None  # an adapter from elsewhere may change without our noticing
        if self.remember and ours and (packages := installed_packages(interpreter)):
            machine = (processor(), *sorted(f"{name}={value}" for name, value in shell_settings().items()))
            machine += tuple(f"tuned {name}={value}" for name, value in sorted((settings or {}).items()))
            facts = (backend, device, mode, interpreter.python, packages, code_digest(backend), *machine)
            file = cache_folder() / "parity" / f"{parity.key(task, preset, *facts)}.json"
            if (known := _read(file)) is not None:
                return known
        verdict = self.check_entry(
            task,
            preset,
            entry,
            name=backend,
            device=device,
            mode=mode,
            python=interpreter.python,
            settings=settings,
        )
        if file is not None and verdict.passed:
            _write(file, verdict)
        return verdict

    def check_entry(
        self,
        task: Task,
        preset: Preset,
        entry: Entry,
        *,
        name: str,
        device: DeviceKind,
        mode: Mode,
        python: str,
        settings: Mapping[str, str] | None = None,
    ) -> Parity:
        """Return the verdict on a backend that need not stand in the table."""

        def verdict(passed: bool, **more: Any) -> Parity:
            return Parity(task=task.name, backend=name, device=device, mode=mode, passed=passed, **more)

        inputs = parity.inputs(task, preset)
        where: dict[str, Any] = {"task": task, "preset": preset, "entry": entry, "device": device, "mode": mode}
        where["settings"] = dict(settings or {})
        try:
            levels, reference, candidate = self._levels(python, inputs, **where)
            versions = {n.removeprefix("versions/"): str(v) for n, v in candidate.items() if n.startswith("versions/")}
            failed = parity.failed(levels)
            if not failed:
                return verdict(True, levels=levels, versions=versions)
            first = levels["losses"]
            if failed == ["losses"] and first.error is not None:
                others = [
                    self._levels(python, parity.inputs(task, preset, seed), **where, seed=seed)[0]
                    for seed in OTHER_DRAWS
                ]
                if not any(parity.failed(found) for found in others):
                    remark = Sentence(
                        "the losses of 20 steps differ by {error:.1e} with the first numbers drawn, where "
                        "{allowed:.0e} is allowed, but pass with {draws} other draws",
                        error=first.error,
                        allowed=first.tolerance,
                        draws=len(others),
                    )
                    return verdict(True, levels=parity.worst(others), versions=versions, remark=remark)
            first_layer = None
            if failed[0] == "forward":
                cut = self._trace(python, inputs, **where, prefixes=True)
                first_layer = parity.first_difference(task, self._reference(task, preset, inputs, prefixes=True), cut)
        except TraceFailed as error:
            return verdict(False, levels={}, failure=error.words)
        hint = hints.hint(task, preset, failed[0], reference, candidate, inputs)
        return verdict(False, levels=levels, versions=versions, first_layer=first_layer, hint=hint)

    def _levels(
        self, python: str, inputs: Trace, *, task: Task, preset: Preset, seed: int = 0, **where: Any
    ) -> tuple[dict[LevelName, Level], Trace, Trace]:
        """Return the levels for one draw of numbers, with the traces of the reference and of the backend."""
        reference = self._reference(task, preset, inputs, seed=seed)
        cleared = {name: value for name, value in reference.items() if "/tape/" in name}
        candidate = self._trace(python, {**inputs, **cleared}, task=task, preset=preset, **where)
        return parity.compare(task, preset.optimizer, reference, candidate, inputs), reference, candidate

    def _reference(self, task: Task, preset: Preset, inputs: Trace, *, seed: int = 0, prefixes: bool = False) -> Trace:
        name = f"{parity.key(task, preset)}{seed}{prefixes}"
        if name not in self._references:
            entry = registry.entry(registry.reference_name())
            self._references[name] = self._trace(
                sys.executable,
                inputs,
                task=task,
                preset=preset,
                entry=entry,
                device="cpu",
                mode=entry.default_mode,
                prefixes=prefixes,
            )
        return self._references[name]

    def _trace(self, python: str, inputs: Trace, *, entry: Entry, **job: Any) -> Trace:
        with workplace() as place:
            parity.save_inputs(place / "inputs.npz", inputs)
            trace_job = TraceJob(
                **job,
                adapter=entry.adapter,
                out=str(place / "out"),
                cores=available_cores(),
                inputs=str(place / "inputs.npz"),
            )
            ended = launch(place, trace_job, python, timeout_s=TIMEOUT_S, path=entry.path)
            if ended.interrupted:
                raise KeyboardInterrupt
            outcome = judge(ended, TIMEOUT_S)
            if outcome.status != "ok":
                raise TraceFailed(outcome.said or outcome.reason)
            with np.load(place / "out" / TRACE, allow_pickle=False) as file:
                return dict(file)


def record_verdict(verdict: Parity) -> ParityVerdict:
    """Return what a record carries of a verdict."""
    passed = verdict.passed if verdict.levels else None
    levels = {
        name: ParityLevel(error=level.error, tolerance=level.tolerance, passed=level.passed)
        for name, level in verdict.levels.items()
    }
    return ParityVerdict(passed=passed, **told(verdict.summary()), largest_error=verdict.largest(), levels=levels)


def processor() -> str:
    """Return what the kernel says of the processor: its kernels, and so its rounding, depend on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def _read(file: Path) -> Parity | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Parity)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(file: Path, verdict: Parity) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(verdict))
    temporary.replace(file)
