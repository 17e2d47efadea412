"""Parity, done: the same trace from the reference and from a backend, each in a process of its own, compared.

A pass is remembered under everything that could change it (task, optimizer, Evenbench's own code, the installed
packages, the processor, the shell's tuning variables), so that a study does not prove the same thing again every day.
A failure is never remembered.
"""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import registry
from harness.contract import Entry
from harness.environments.home import Remembered
from harness.environments.installation import proof_facts
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.language import Sentence, Words, told
from harness.measure.honesty import other_mode
from harness.parity import hints
from harness.parity import levels as parity
from harness.parity.levels import Level, Parity
from harness.record import LevelName, ParityLevel, ParityVerdict
from harness.runs.launch import judge, launch, workplace
from harness.spec import Choice, Preset, Task
from harness.worker.jobs import TraceJob
from harness.worker.parity import COMPILED, TRACE

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

    def __init__(self, words: Words, *, refused: bool = False) -> None:
        super().__init__(str(words))
        self.words = words
        """Why."""
        self.refused = refused
        """Whether the backend said so itself, before it computed anything."""


class Checker:
    """Checks parity; the reference's traces are computed once per task and preset."""

    def __init__(self, *, remember: bool = True) -> None:
        self.remember = remember
        self._references: dict[str, Trace] = {}

    def check(
        self,
        task: Task,
        preset: Preset,
        choice: Choice,
        interpreter: Interpreter,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> Parity:
        """Return the verdict on a choice, with the settings of a profile in force."""
        entry = registry.entry(choice.backend)
        known = Remembered("parity", self._facts(task, preset, choice, interpreter, settings or {}), Parity)
        if (found := known.answer()) is not None:
            return found
        verdict = self.check_entry(task, preset, choice, entry, python=interpreter.python, settings=settings)
        if verdict.passed:
            known.keep(verdict)
        return verdict

    def _facts(
        self, task: Task, preset: Preset, choice: Choice, interpreter: Interpreter, settings: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Return what a proof is remembered under, nothing where it is not to be."""
        facts = proof_facts(choice, interpreter) if self.remember else ()
        tuned = (f"tuned {name}={value}" for name, value in sorted(settings.items()))
        return (parity.key(task, preset), *facts, *tuned) if facts else ()

    def check_entry(
        self,
        task: Task,
        preset: Preset,
        choice: Choice,
        entry: Entry,
        *,
        python: str,
        settings: Mapping[str, str] | None = None,
    ) -> Parity:
        """Return the verdict on a backend that need not stand in the table."""
        where: dict[str, Any] = {"backend": choice.backend, "device": choice.device, "mode": choice.mode}

        def verdict(passed: bool, **more: Any) -> Parity:
            return Parity(task=task.name, **where, passed=passed, **more)

        inputs = parity.inputs(task, preset)
        job: dict[str, Any] = {"task": task, "preset": preset, "entry": entry, "settings": dict(settings or {})}
        job |= {"device": choice.device, "mode": choice.mode}
        try:
            levels, reference, candidate = self._levels(python, inputs, **job)
            versions = {n.removeprefix("versions/"): str(v) for n, v in candidate.items() if n.startswith("versions/")}
            failed = parity.failed(levels)
            if not failed:
                return verdict(True, levels=levels, versions=versions)
            first = levels["losses"]
            if failed == ["losses"] and first.error is not None:
                resolved, apart = self._resolved(task, preset, inputs, reference, candidate)
                if not parity.failed(resolved):
                    remark = Sentence(
                        "the losses of 20 steps differ by {error:.1e}, where {allowed:.0e} is allowed, and the "
                        "reference's own by {apart:.1e} in float32, its weights moved by {moved:.0e}",
                        error=first.error,
                        allowed=first.tolerance,
                        apart=apart,
                        moved=parity.NUDGE,
                    )
                    return verdict(True, levels={**levels, **resolved}, versions=versions, remark=remark)
                others = [self._other_draw(python, job, seed) for seed in OTHER_DRAWS]
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
                cut = self._trace(python, inputs, **job, prefixes=True)
                first_layer = parity.first_difference(task, self._reference(task, preset, inputs, prefixes=True), cut)
        except TraceFailed as error:
            return verdict(False, levels={}, failure=error.words, refused=error.refused)
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

    def _other_draw(self, python: str, job: dict[str, Any], seed: int) -> dict[LevelName, Level]:
        """Return the levels for another draw, that of the losses by how far they part where it alone failed."""
        task, preset = job["task"], job["preset"]
        inputs = parity.inputs(task, preset, seed)
        found, reference, candidate = self._levels(python, inputs, **job, seed=seed)
        if parity.failed(found) == ["losses"] and found["losses"].error is not None:
            found = {**found, **self._resolved(task, preset, inputs, reference, candidate, seed=seed)[0]}
        return found

    def _resolved(
        self, task: Task, preset: Preset, inputs: Trace, reference: Trace, candidate: Trace, *, seed: int = 0
    ) -> tuple[dict[LevelName, Level], float]:
        """Return the level of losses where they may lie apart as far as the reference's own, and how far those do."""
        moved = self._reference(task, preset, inputs, seed=seed, nudges=parity.NUDGES)["losses/nudged"]
        apart = parity.apart(reference["losses/all"], moved)
        level = parity.losses_level(reference, candidate, task.tolerances.losses, apart)
        return {"losses": level}, float(apart[-1] / np.abs(reference["losses/all"]).max())

    def _reference(
        self, task: Task, preset: Preset, inputs: Trace, *, seed: int = 0, prefixes: bool = False, nudges: int = 0
    ) -> Trace:
        name = f"{parity.key(task, preset)}{seed}{prefixes}{nudges}"
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
                nudges=nudges,
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
                raise TraceFailed(outcome.said or outcome.reason, refused=outcome.status == "unsupported")
            with np.load(place / "out" / TRACE, allow_pickle=False) as file:
                found = dict(file)
        compiled: Any = {n.removeprefix(COMPILED): int(count) for n, count in found.items() if n.startswith(COMPILED)}
        if (why := other_mode(compiled, trace_job.mode)) is not None:
            raise TraceFailed(why)
        return found


def record_verdict(verdict: Parity) -> ParityVerdict:
    """Return what a record carries of a verdict."""
    passed = verdict.passed if verdict.levels else None
    levels = {
        name: ParityLevel(error=level.error, tolerance=level.tolerance, passed=level.passed)
        for name, level in verdict.levels.items()
    }
    return ParityVerdict(passed=passed, **told(verdict.summary()), largest_error=verdict.largest(), levels=levels)
