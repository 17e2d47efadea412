"""The columns of the frame, each with its kind and its meaning: the one table that frame, exports and docs share."""

from typing import Literal, NamedTuple

Kind = Literal["text", "whole", "real", "flag"]
"""text: empty where there is nothing to say. whole: a number without fraction, or missing. real: a number or NaN."""

DTYPES: dict[Kind, str] = {"text": "str", "whole": "Int64", "real": "float64", "flag": "bool"}


class Column(NamedTuple):
    """What one column holds."""

    kind: Kind
    meaning: str


FRAME: dict[str, Column] = {
    "run_id": Column("text", "Name of the run inside its study."),
    "source": Column("text", "In a merged study the one that the run comes from, else empty; never pooled."),
    "task": Column("text", "What was computed."),
    "task_version": Column("whole", "Version of the task's definition."),
    "task_fingerprint": Column("text", "Changes with any field of the task; runs of different ones are never pooled."),
    "backend": Column("text", "Who computed it."),
    "device": Column("text", "Kind of device: cpu, gpu or npu."),
    "device_name": Column("text", "The device's name as the backend gives it."),
    "mode": Column("text", "How the framework executed the model: eager, graph or xla."),
    "preset": Column("text", "Size of the task."),
    "profile": Column("text", "stock: the framework as a newcomer gets it; else the name of a tuned setting."),
    "dataset": Column("text", "Data set that was trained and tested on."),
    "seed": Column("whole", "Seed of the initial weights and of the order of the examples."),
    "repeat": Column("whole", "Number of the round, from 0."),
    "status": Column("text", "How the run ended."),
    "reason": Column("text", "One sentence on an ending other than ok."),
    "parity": Column("text", "pass, fail or not checked: was this backend, device and mode shown to compute the task?"),
    "parity_reason": Column("text", "What differed, or why nothing was checked."),
    "parity_error_over_tolerance": Column("real", "Largest error of any parity level, as a multiple of its tolerance."),
    "comparable": Column(
        "flag", "Parity passed, the run was completed, steady blocks were measured and not too noisy."
    ),
    "why_not_comparable": Column("text", "Every reason why the run is not comparable, empty if it is."),
    "batch_size": Column("whole", "Examples per optimizer step."),
    "train_examples": Column("whole", "Examples in the training split, with those held out for validation."),
    "test_examples": Column("whole", "Examples in the test split."),
    "steps": Column("whole", "Optimizer steps of the training proper, of a task of stages those of its last stage."),
    "throughput_examples_per_s": Column("real", "Batch size times steps over seconds, both summed over steady blocks."),
    "step_s": Column("real", "Seconds per optimizer step over the steady blocks; of stages, those of the last one."),
    "median_step_s": Column("real", "Median over the steady blocks of their seconds per step: what verdicts compare."),
    "round": Column("text", "First run of the round in which it took turns with others; empty outside of turns."),
    "turns": Column(
        "text",
        "By measure (train, latency, inference) and number of the turn: seconds per example, 1 where others disturbed "
        "it, and the seconds of the probe before it; a JSON object, empty outside of turns.",
    ),
    "planned_in_turns": Column("flag", "Its study was planned so that the rows of a task take turns."),
    "until_decided": Column("flag", "Its study ends when its pairs are decided: it is looked at after some rounds."),
    "within": Column("real", "Share of 1 within which the ratio of two rows is called equal."),
    "speed_only": Column("flag", "A round for speed alone: nothing was trained to its end or evaluated."),
    "steady_state": Column(
        "text",
        "settled, never settled (the last half is read), too few blocks to tell (all are read) or "
        "too noisy to say (all are read, disturbed ones too, and the run is not comparable).",
    ),
    "recorded_blocks": Column("whole", "Number of steady blocks that were recorded."),
    "steady_blocks": Column("whole", "Number of steady blocks that are read."),
    "discarded_blocks": Column("whole", "Undisturbed blocks before those that are read."),
    "disturbed_blocks": Column("whole", "Steady blocks that others disturbed by the noise guard's rule."),
    "steady_s": Column("real", "Seconds in the steady blocks that are read."),
    "cpu_per_wall": Column("real", "CPU seconds of the process per wall second in steady blocks: the busy cores."),
    "block_spread": Column("real", "Interquartile range of the steady blocks' seconds per step over their median."),
    "import_s": Column("real", "Seconds to import the framework."),
    "build_s": Column("real", "Seconds to build the model."),
    "load_s": Column("real", "Seconds to put the data on the device."),
    "first_step_s": Column("real", "Seconds of the very first step, with what is compiled on it; of the last stage."),
    "time_to_first_step_s": Column(
        "real",
        "Import, build, load and first step together, in seconds; what a compiler keeps from run to run was empty.",
    ),
    "warm_first_step_s": Column(
        "real", "Seconds of the first step of a second process that found what the compiler of the first had kept."
    ),
    "warm_time_to_first_step_s": Column("real", "Import, build, load and first step of that process together."),
    "train_s": Column("real", "Seconds of the training proper, first step and calibration included; of all stages."),
    "stopped_early": Column("flag", "Training ended by the preset's early stopping."),
    "epoch_s": Column("real", "Steps of one epoch times step_s: seconds of an epoch in the steady state."),
    "evaluate_s": Column("real", "Seconds of all evaluations on the test split."),
    "total_s": Column("real", "Seconds of the worker from its start to its end."),
    "accuracy": Column(
        "real",
        "Share of right answers on the test split, at the evaluation that counts: the last one, "
        "or with a validation split the best one there.",
    ),
    "mean_squared_error": Column("real", "Mean squared error on the test split, at the same evaluation."),
    "mean_iou": Column("real", "Of images: mean over the classes of intersection over union, at the same evaluation."),
    "bits_per_place": Column("real", "Of sequences: mean cross-entropy per place in bits, at the same evaluation."),
    "baselines": Column("text", "What simple methods reach on the same data, as a JSON object of numbers."),
    "final_loss": Column("real", "Last recorded training loss; of stages, the last one's reconstruction error."),
    "host_peak_bytes": Column("whole", "Peak anonymous resident memory above the state before the import."),
    "import_bytes": Column("whole", "The part of host_peak_bytes that the import alone took."),
    "device_peak_bytes": Column("whole", "Peak by the framework's own allocator on the device."),
    "device_process_bytes": Column("whole", "Peak of the process on the device in the driver's view."),
    "latency_median_s": Column("real", "Seconds of a forward pass of one example, to the host: median of the calls."),
    "latency_p95_s": Column("real", "Its 95th percentile over the calls of the blocks that nobody disturbed."),
    "latency_p99_s": Column("real", "Its 99th percentile over the same calls."),
    "latency_first_call_s": Column("real", "Seconds of the first forward pass of one example, with what is compiled."),
    "inference_batch_size": Column("whole", "Examples per forward pass of inference_examples_per_s."),
    "inference_examples_per_s": Column("real", "Examples over seconds of undisturbed blocks of forward passes."),
    "inference_difference": Column(
        "real", "Largest difference of its outputs from the evaluation's, over their largest magnitude."
    ),
    "inference_disturbed_blocks": Column("whole", "Blocks of forward passes that others disturbed, not read."),
    "flops_per_step": Column("whole", "Floating-point operations of a step's products, counted from the task."),
    "least_bytes_per_step": Column("whole", "Bytes that a step must move at least, counted from the task."),
    "flops_per_s": Column("real", "Operations of a step over step_s."),
    "matmul_flops_per_s": Column("real", "Operations per second of the backend's own large float32 product."),
    "best_matmul_flops_per_s": Column("real", "The same of the fastest library that was measured in the study."),
    "best_matmul_library": Column("text", "Name of that library."),
    "copy_bytes_per_s": Column("real", "Bytes read and written per second in the backend's own large copy."),
    "best_copy_bytes_per_s": Column("real", "The same of the fastest library that was measured in the study."),
    "share_of_own_matmul": Column("real", "Share of matmul_flops_per_s that a step reached."),
    "share_of_best_matmul": Column("real", "Share of best_matmul_flops_per_s that a step reached."),
    "roofline_flops_per_s": Column(
        "real", "The smaller of best_matmul_flops_per_s and operations per byte times best_copy_bytes_per_s."
    ),
    "share_of_roofline": Column("real", "Share of roofline_flops_per_s; above 1 where the caches hold the task."),
    "ceiling_reason": Column("text", "Why the backend's own limits are missing, or may be too low."),
    "joules": Column("real", "Energy over the steady blocks by all counters together."),
    "joules_per_1000_examples": Column("real", "The same per 1,000 training examples."),
    "energy_counters": Column("text", "Names of the counters in joules."),
    "energy_reason": Column("text", "Why counters are missing."),
    "twin_of": Column("text", "The run with the same seed that this one was compared with."),
    "twin": Column("text", "bit-identical or differs: losses and parameters beside those of twin_of."),
    "twin_loss_difference": Column("real", "Largest difference of the two runs' losses, step by step."),
    "twin_parameter_difference": Column("real", "Largest difference of a parameter over its largest magnitude."),
    "install_s": Column("real", "Seconds of the build of the backend's environment, downloads included."),
    "install_bytes": Column("whole", "Sum of the sizes of its files, right after the build."),
    "install_packages": Column("whole", "Distributions installed in it."),
    "install_reason": Column("text", "Why these three are missing: the harness did not build it."),
    "adapter_lines": Column("whole", "Lines of code of the backend's adapter."),
    "clear_messages": Column(
        "real",
        "Share of those students' mistakes that did harm which the framework's message named, by the rule of mistakes.",
    ),
    "framework_version": Column("text", "Version of the backend's framework."),
    "versions": Column("text", "Versions of the framework and what lies below it, as a JSON object."),
    "settings": Column("text", "What was set or found that changes speed or precision, as a JSON object."),
    "tuned_settings": Column("text", "The variables that the tuned profile set, as a JSON object; nothing for stock."),
    "harmful_traps": Column("text", "Known traps that spoiled the comparison here, as a JSON object of sentences."),
    "traps": Column("text", "Known traps here that leave the numbers right, as a JSON object of sentences."),
    "cpu": Column("text", "Processor of the machine."),
    "cores": Column("whole", "Processors of the machine."),
    "cores_used": Column("whole", "Processors that the worker was allowed to use."),
    "memory_bytes": Column("whole", "Memory of the machine."),
    "kernel": Column("text", "Operating system and its kernel."),
    "conditions": Column(
        "text",
        "Processor, processors used and variables of the shell, as a JSON object; runs under others are never pooled.",
    ),
    "python": Column("text", "Version of the worker's Python."),
    "git_revision": Column("text", "Commit of Evenbench, with -dirty behind it if files differed."),
    "evenbench": Column("text", "Version of Evenbench."),
    "started_at": Column("text", "When the run began, UTC, ISO 8601."),
    "interpreter_source": Column("text", "Where the interpreter came from: --python, config, managed or current."),
    "target": Column("text", "Quality that the preset asks for, empty without a target."),
    "dataset_fingerprint": Column("text", "Changes when the bytes of the data change."),
}

COLUMNS: dict[str, str] = {name: column.meaning for name, column in FRAME.items()}
"""Every column of the frame and what it means."""

SAMPLES: dict[str, Column] = {
    "run_id": Column("text", "Name of the run."),
    "block": Column("whole", "Number of the block in its run, from 0."),
    "kind": Column("text", "first, calibration, steady or short."),
    "steps": Column("whole", "Optimizer steps in the block."),
    "seconds": Column("real", "Wall seconds of the block."),
    "cpu_seconds": Column("real", "CPU seconds of the process in the block."),
}
LOSSES: dict[str, Column] = {
    "run_id": Column("text", "Name of the run."),
    "steps": Column("whole", "Optimizer steps done."),
    "loss": Column("real", "Mean training loss since the row before; of stages, the last one's reconstruction error."),
}
EVALUATIONS: dict[str, Column] = {
    "run_id": Column("text", "Name of the run."),
    "steps": Column("whole", "Optimizer steps done."),
    "train_seconds": Column("real", "Seconds of training until then."),
    "metric": Column("text", "Name of the metric."),
    "value": Column("real", "Its value on the test split."),
    "validation": Column("real", "Its value on the validation split, where the preset stops early."),
}
STAGES: dict[str, Column] = {
    "run_id": Column("text", "Name of the run."),
    "number": Column("whole", "Number of the stage in its run, from 0."),
    "stage": Column("text", "Name of the stage, or of what was trained or judged after it."),
    "kind": Column("text", "machine: a stage of it was trained; figures: it was judged; net: a net was trained."),
    "updates": Column("whole", "Updates that the training has."),
    "examples_per_s": Column("real", "Batch size times steps over seconds, both summed over its steady blocks."),
    "first_step_s": Column("real", "Seconds of its first step, with what is compiled on it."),
    "train_s": Column("real", "Seconds of its training, first step and calibration included."),
    "reconstruction_error": Column("real", "Squared error of a picture given back, mean over the last epoch."),
    "mean_field_change": Column("real", "Mean change of m1 in the last mean-field step, mean over the last epoch."),
    "chain_visible": Column("real", "Mean of the chains' pixels, mean over the last epoch."),
    "chain_hidden1": Column("real", "Mean of the chains' first hidden layer, mean over the last epoch."),
    "chain_hidden2": Column("real", "Mean of the chains' second hidden layer, mean over the last epoch."),
    "pseudo_log_likelihood": Column("real", "Of a machine with one hidden layer, in nats per test picture."),
    "mean_field_iterations": Column("real", "Mean-field steps until the mean change is below 0.00001."),
    "bound": Column("real", "Variational lower bound on the log-likelihood, in nats per test picture."),
    "bound_is_reliable": Column("whole", "1 if the estimate of log_z behind the bound can be relied on, 0 if not."),
    "log_z": Column("real", "Logarithm of the partition function, by annealed importance sampling."),
    "sample_size_uniform": Column("real", "Effective sample size of its runs from the uniform start."),
    "sample_size_rates": Column("real", "Effective sample size of its runs from the start at the rates of all units."),
    "accuracy": Column("real", "Share of right answers of the net on the test split."),
    "remarks": Column("text", "Sentences on these figures, as a JSON object."),
}
"""The statistics and figures are named as in the records."""
VERDICTS: dict[str, Column] = {
    **{name: FRAME[name] for name in ("task", "preset", "dataset", "device")},
    **{name: FRAME[name] for name in ("task_version", "task_fingerprint", "dataset_fingerprint", "source")},
    "machine": Column("text", "The machine in words."),
    **{name: FRAME[name] for name in ("backend", "mode", "profile", "device_name", "framework_version")},
    "other_backend": Column("text", "Backend of the other row, with which this one is compared."),
    "other_mode": Column("text", "Mode of the other row."),
    "other_profile": Column("text", "Profile of the other row."),
    "other_device_name": Column("text", "Device of the other row."),
    "other_framework_version": Column("text", "Version of the other row's framework."),
    "processes": Column("whole", "Processes of this row that were measured."),
    "other_processes": Column("whole", "Processes of the other row that were measured."),
    "rounds": Column(
        "whole",
        "Rounds of the study, compared by Student's paired test; missing where Welch's compared the processes.",
    ),
    "ratio": Column(
        "real", "Seconds per example of this row over the other's: geometric means of process medians, or of rounds."
    ),
    "ratio_low": Column("real", "Lower end of the ratio's 95 % interval (on logarithms), of this pair alone."),
    "ratio_high": Column("real", "Upper end of the same interval."),
    "p": Column(
        "real", "Two-sided p-value for no difference in speed, adjusted for the looks where there are several."
    ),
    "p_holm": Column("real", "The same, adjusted by Holm's method for all pairs of the study."),
    "verdict": Column(
        "text",
        "This row is faster or slower than the other, equal (within `within`; in turns alone), or no difference shown, "
        "or not comparable.",
    ),
    "why": Column("text", "Why there is no verdict."),
    "smallest_ratio": Column(
        "real", "True ratio that this pair would have shown with 80 % power at Holm's strictest level."
    ),
    "latency_ratio": Column("real", "Seconds of the median call with one example, of this row over the other's."),
    "latency_low": Column("real", "Lower end of its 95 % interval, of this pair alone."),
    "latency_high": Column("real", "Upper end of the same interval."),
    "latency_p_holm": Column("real", "p-value for no difference in it, adjusted by Holm's method."),
    "latency_verdict": Column("text", "By it this row is faster or slower than the other, or no difference shown."),
    "inference_ratio": Column("real", "Seconds of an example in a batch, of this row over the other's."),
    "inference_low": Column("real", "Lower end of its 95 % interval, of this pair alone."),
    "inference_high": Column("real", "Upper end of the same interval."),
    "inference_p_holm": Column("real", "p-value for no difference in it, adjusted by Holm's method."),
    "inference_verdict": Column("text", "By it this row is faster or slower than the other, or no difference shown."),
    "accuracy_difference": Column("real", "Mean accuracy over the seeds, of this row less the other's."),
    "accuracy_low": Column("real", "Lower end of its 95 % interval, of this pair alone."),
    "accuracy_high": Column("real", "Upper end of the same interval."),
    "accuracy_p_holm": Column("real", "p-value for no difference in accuracy, adjusted by Holm's method."),
    "accuracy_p_equivalence": Column("real", "p-value of two one-sided tests for a difference of the margin."),
    "accuracy_test": Column("text", "paired by seed, where both rows have the same seeds, else Welch."),
    "accuracy_margin": Column("real", "Accuracies that differ by less are equivalent."),
    "accuracy_verdict": Column("text", "equivalent, different, not shown or not comparable."),
}
"""One row per pair of rows of a report's table."""
