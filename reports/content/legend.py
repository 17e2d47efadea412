"""What the numbers of a report mean: the lines for every study, and those for what only some studies have."""

from collections.abc import Sequence

from harness.language import _, noop
from harness.record import Record
from reports.statistics.methods import MARGIN
from reports.words import text

EVERY = (
    noop(
        "examples/s: batch size times steps over seconds in the steady blocks of a process; "
        "the median over the processes."
    ),
    noop(
        "min–max: over the N processes of the row; spread: their distance over the median. “one run”: it is not known."
    ),
    noop("× slower: seconds per example over the fastest row's, geometric means of the processes' median blocks."),
    noop("In brackets: its 95 % interval (Welch's, on logarithms), of this pair alone."),
    noop(
        "verdict: by the same test at 5 %, adjusted by Holm's method for all pairs of the study, "
        "which an interval is not."
    ),
    noop(
        "rank: 1 if not shown to be slower than the fastest, else one more than the rows shown to be faster. ≈: shared."
    ),
    noop(
        "“not comparable”: a row without a parity pass, without a completed run, or too noisy, "
        "is shown but never ranked."
    ),
    noop(
        "first step: import, build, load and first step together, with nothing kept by the compiler of an earlier run; "
        "epoch: its steps at the pace of the steady blocks."
    ),
    noop("memory: peak of the process above its state before the framework was imported. These three are medians."),
    noop("Test quality is that of every completed run, in the order of the seeds."),
    noop(
        "The training loop is Evenbench's own, with the examples in the device's memory. Where a backend's settings "
        "say steps_per_call, so many steps are one call into it, which its own trainer may not do: see docs/results."
    ),
    noop("Steady blocks: what others disturbed is left out, then what comes before the last level of the step time."),
)
ACCURACY = noop(
    "Two accuracies are equivalent if two one-sided tests at 5 % show that they differ by less than {margin}; "
    "different: by a test adjusted by Holm's method for all pairs of the study. Equal seeds are compared pair by pair."
)
EARLY = noop(
    "Where a preset stops early, test quality is that of the evaluation that was best on the validation split, "
    "examples held out from training. Another one may have been better on the test split; it does not count."
)
TUNED = noop(
    "(tuned): with the settings, listed above, that `evenbench tune` found on this machine before and proved equal to "
    "the reference. Without it: the framework as a newcomer gets it."
)
LAST_STAGE = noop(
    "In a task of stages, examples/s, rank and epoch are those of its last stage ({stages}); first step: "
    "import, building and loading of all stages, first step of the last; test quality: of the fine-tuned net."
)
SPEEDS = noop(
    "“Stages”: mean-field iterations are the steps until the mean change is below 0.00001; the reconstruction error is "
    "the squared error of a picture given back, as a mean over the stage's last epoch."
)
OUTCOME = noop(
    "“What came out”: pseudo-log-likelihood and bound (a lower bound on the log-likelihood) are nats per test picture, "
    "made binary. “unreliable”: the estimate of log Z behind the bound is not to be relied on."
)

INFERENCE = noop(
    "“Inference”: latency is from a call with one example to its outputs on the host, over the calls of the blocks "
    "that nobody disturbed; examples/s are over such blocks at the task's batch size."
)
ROOFLINE = noop(
    "“Roofline”: a step's operations are those of its products, two per multiply-add. “own product” and “best "
    "product”: a large float32 product of the same framework and of the fastest library in this study, on the same "
    "cores. The bound is the smaller of the best product's rate and operations per byte times the best copy's rate "
    "(Williams et al. 2009); a task that the caches hold can lie above it."
)
ENERGY = noop(
    "“Energy”: joules of the processor packages, their memory and the GPU over the steady blocks, with what others "
    "used on them meanwhile; not those of the rest of the computer."
)
TWINS = noop(
    "“Equal seeds”: all training losses and trained parameters of runs with the same seed, compared bit for bit. "
    "Differences of parameters are over the parameter's largest magnitude."
)


def legend(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the lines for a report on these records."""
    lines = [_(line) for line in EVERY]
    if any("accuracy" in record.measured.quality for record in records):
        lines.append(_(ACCURACY).format(margin=f"{MARGIN:g}"))
    if any(evaluation.validation for record in records for evaluation in record.measured.evaluations):
        lines.append(_(EARLY))
    if any(record.spec.profile != "stock" for record in records):
        lines.append(_(TUNED))
    machines = {record.spec.task: _last_stage(record) for record in records if record.measured.stages}
    if machines:
        lasts = text.clauses(
            _("{what}: {reason}").format(what=task, reason=_(stage)) for task, stage in machines.items()
        )
        lines += [_(LAST_STAGE).format(stages=lasts), _(SPEEDS), _(OUTCOME)]
    if any(record.measured.inference for record in records):
        lines.append(_(INFERENCE))
    if any(ceiling.matmul_flops_per_s for record in records for ceiling in record.ceilings):
        lines.append(_(ROOFLINE))
    if any(record.measured.energy.joules for record in records):
        lines.append(_(ENERGY))
    if any(record.twin for record in records):
        lines.append(_(TWINS))
    return tuple(lines)


def _last_stage(record: Record) -> str:
    preset = record.task.presets.get(record.spec.preset)
    return preset.boltzmann.stages[-1].name if preset and preset.boltzmann else record.measured.stages[-1].name
