"""The bench of `evenbench tune`: each trial a worker of its own, with the settings in its environment."""

import msgspec

from harness.data.prepare import Prepared
from harness.environments.interpreters import Interpreter
from harness.environments.places import place
from harness.language import Sentence, Words, noop
from harness.record import ParityVerdict, Record
from harness.records import steady
from harness.runs.execute import Ready, Setting, execute
from harness.runs.parity import Checker
from harness.runs.profiles import Trial
from harness.spec import Choice, Preset, RunSpec, Task

STEADY_S = 0.7
"""Seconds of steady blocks that a trial takes, in place of the preset's."""
TIMEOUT_S = 120.0
NOISE_BUDGET_S = 1.0


class Cell:
    """One task and preset with one backend, device and mode; `last` is the record of the last trial that ended well."""

    def __init__(
        self,
        task: Task,
        preset: str,
        choice: Choice,
        *,
        interpreter: Interpreter,
        data: Prepared,
        setting: Setting,
        checker: Checker,
    ) -> None:
        self.task = task.at(preset)
        self.name = preset
        self.preset = self.task.preset(preset)
        self.choice = choice
        self.interpreter = interpreter
        self.data = data
        self.setting = setting
        self.checker = checker
        self.last: Record | None = None

    def measure(self, settings: dict[str, str]) -> Trial:
        """Run one worker with these settings and say how fast it was, or why it failed.

        Raises:
            KeyboardInterrupt: the user stopped it.
        """
        with place() as folder:
            ready = Ready(
                spec=self.spec(settings),
                task=msgspec.structs.replace(self.task, presets={self.name: short(self.preset)}),
                data=self.data,
                interpreter=self.interpreter,
                parity=ParityVerdict(passed=None, reason=noop("a trial")),
                trial=True,
            )
            record = execute(ready, self.setting, folder)
        outcome = record.outcome
        if outcome.status == "interrupted":
            raise KeyboardInterrupt
        rate = examples_per_s(record) if outcome.status == "ok" else None
        if rate is None:
            return Trial(
                settings=settings,
                why_not=Sentence("{kind}: {reason}", kind=outcome.status, reason=outcome.said or outcome.reason),
            )
        self.last = record
        return Trial(settings=settings, examples_per_s=rate, disturbed=disturbed(record))

    def prove(self, settings: dict[str, str]) -> tuple[bool, Words]:
        """Check parity with these settings in force; return whether it held, and the verdict in words."""
        verdict = self.checker.check(self.task, self.preset, self.choice, self.interpreter, settings=settings)
        return verdict.passed, verdict.summary() or "pass"

    def spec(self, settings: dict[str, str]) -> RunSpec:
        """Return what a trial runs."""
        return RunSpec(
            task=self.task.name,
            task_version=self.task.version,
            backend=self.choice.backend,
            device=self.choice.device,
            mode=self.choice.mode,
            preset=self.name,
            dataset=self.preset.dataset,
            profile="trial",
            settings=settings,
            seed=0,
            repeat=0,
            timeout_s=min(TIMEOUT_S, self.preset.timeout_s),
            noise_budget_s=NOISE_BUDGET_S,
        )


def short(preset: Preset) -> Preset:
    """Return the preset with as much measuring as a trial takes."""
    return msgspec.structs.replace(preset, measure_s=STEADY_S)


def disturbed(record: Record) -> float | None:
    """Return the share of the steady blocks that others disturbed; None where nothing was noted."""
    noted = [block for block in steady.steady(record.measured.blocks) if block.noise is not None]
    return steady.read(noted, len(record.affinity)).disturbed / len(noted) if noted else None


def examples_per_s(record: Record) -> float | None:
    """Return the examples per second that a report gives for the same blocks."""
    reading = steady.read(record.measured.blocks, len(record.affinity))
    return steady.examples_per_s(reading.blocks, record.measured.batch_size)
