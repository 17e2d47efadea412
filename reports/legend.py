"""What the numbers of a report mean: the lines for every study, and those for what only some studies have."""

from collections.abc import Sequence

from harness.record import Record

EVERY = (
    "examples/s: batch size times steps over seconds in the steady blocks of a process; the median over the processes.",
    "min–max: over the N processes of the row; spread: their distance over the median. “one run”: it is not known.",
    "Ranks are not yet a statistical verdict. ≈: the min–max range overlaps with the fastest row's, no order is shown.",
    "“not comparable”: a row without a parity pass, or without a completed run, is shown but never ranked.",
    "first step: import, build, load and first step together; epoch: its steps at the pace of the steady blocks.",
    "memory: peak of the process above its state before the framework was imported. These three are medians.",
    "Test quality is that of every completed run, in the order of the seeds.",
)
EARLY = (
    "Where a preset stops early, test quality is that of the evaluation that was best on the validation split, "
    "examples held out from training. Another one may have been better on the test split; it does not count."
)
TUNED = (
    "(tuned): with the settings, listed above, that `evenbench tune` found on this machine before and proved equal to "
    "the reference. Without it: the framework as a newcomer gets it."
)
SPEEDS = (
    "“Stages”: mean-field iterations are the steps until the mean change is below 0.00001; the reconstruction error is "
    "the squared error of a picture given back, as a mean over the stage's last epoch."
)
OUTCOME = (
    "“What came out”: pseudo-log-likelihood and bound (a lower bound on the log-likelihood) are nats per test picture, "
    "made binary. “unreliable”: the estimate of log Z behind the bound is not to be relied on."
)


def legend(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the lines for a report on these records."""
    lines = list(EVERY)
    if any(evaluation.validation for record in records for evaluation in record.measured.evaluations):
        lines.append(EARLY)
    if any(record.spec.profile != "stock" for record in records):
        lines.append(TUNED)
    machines = {record.spec.task: _last_stage(record) for record in records if record.measured.stages}
    if machines:
        lasts = "; ".join(f"{task}: {stage}" for task, stage in machines.items())
        lines.append(
            f"In a task of stages, examples/s, rank and epoch are those of its last stage ({lasts}); first step: "
            "import, building and loading of all stages, first step of the last; test quality: of the fine-tuned net."
        )
        lines += [SPEEDS, OUTCOME]
    return tuple(lines)


def _last_stage(record: Record) -> str:
    preset = record.task.presets.get(record.spec.preset)
    return preset.boltzmann.stages[-1].name if preset and preset.boltzmann else record.measured.stages[-1].name
