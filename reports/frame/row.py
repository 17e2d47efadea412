"""One record becomes one row of the frame, with a value for every column of `columns.py`. Needs no pandas.

Every number is the record's own or follows from it alone; what is missing is None.
"""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.language import Sentence, Words, joined, noop
from harness.measure import conditions
from harness.measure.honesty import doubts
from harness.measure.noise import AND, disturbances
from harness.mistakes import clarity
from harness.record import COMPLETED, Memory, ParityVerdict, Phases, Record, StageMeasured
from harness.records.steady import TOO_NOISY, Reading, examples_per_s, read, steady
from harness.registry import reference_name
from harness.spec import Task, fingerprint
from harness.versions import base
from reports.frame.columns import FRAME, STAGES, Column, Kind
from reports.frame.instruments import figures, work_of
from reports.frame.work import Work
from reports.words.sentences import note, note_record

LARGEST = 2**63 - 1
LARGEST_REAL = 1e100
"""A number beyond it was not measured by anything, and its square is none: it counts as missing."""

Row = dict[str, Any]
Values = tuple[Any, ...]
"""Of one row, in the order of its columns, each as its column can hold it."""


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and abs(value) <= LARGEST else None


def _real(value: Any) -> float:
    return float(value) if value is not None and abs(value) <= LARGEST_REAL else math.nan


_FIT: Mapping[Kind, Callable[[Any], Any]] = {"text": _text, "flag": bool, "whole": _whole, "real": _real}
"""By the kind of a column: what makes a value one that it can hold."""


def fitter(columns: Mapping[str, Column]) -> Callable[[Row], Values]:
    """Return what makes the values of these columns out of a row that may hold None."""
    fits = [(name, _FIT[column.kind]) for name, column in columns.items()]
    return lambda row: tuple([fit(row[name]) for name, fit in fits])


fit_row = fitter(FRAME)


class RowOf:
    """Makes rows of records; what follows from a task alone is found once for all that share it, as in a store."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[Task, str, Work | None]] = {}

    def __call__(self, record: Record) -> Values:
        """Return the record's values for the columns of `FRAME`, in their order."""
        note_record(record)
        reading = read(record.measured.blocks, len(record.affinity))
        why_not = note(why_not_comparable(record, reading))
        speed = _speed(record, reading)
        digest, work = self._of_task(record)
        return fit_row(
            _identity(record, digest)
            | speed
            | figures(record, speed["step_s"], work)
            | _phases(record)
            | _quality(record)
            | _environment(record)
            | _installation(record)
            | {"comparable": not why_not, "why_not_comparable": why_not}
        )

    def _of_task(self, record: Record) -> tuple[str, Work | None]:
        """Return the task's fingerprint and the work of a step of the record's preset."""
        key = (id(record.task), record.spec.preset)
        if key not in self._known:  # which keeps the task, so that its id stays its own
            self._known[key] = (record.task, fingerprint(record.task), work_of(record))
        _task, digest, work = self._known[key]
        return digest, work


def _identity(record: Record, digest: str) -> Row:
    spec, parity = record.spec, record.parity
    target = record.task.target(spec.preset, spec.dataset)
    return {
        "run_id": spec.run_id,
        "source": spec.source,
        "task": spec.task,
        "task_version": spec.task_version,
        "task_fingerprint": digest,
        "backend": spec.backend,
        "device": spec.device,
        "device_name": record.measured.device_name,
        "mode": spec.mode,
        "preset": spec.preset,
        "profile": spec.profile,
        "dataset": spec.dataset,
        "dataset_fingerprint": record.dataset_fingerprint,
        "seed": spec.seed,
        "repeat": spec.repeat,
        "status": record.outcome.status,
        "reason": record.outcome.reason,
        "parity": {True: "pass", False: "fail", None: "not checked"}[parity.passed],
        "parity_reason": parity.reason,
        "parity_error_over_tolerance": parity.largest_error,
        "target": f"{target.metric} at least {target.at_least}" if target else "",
    }


def why_not_comparable(record: Record, reading: Reading) -> Words:
    """Return all reasons why a run must not be compared with others, or nothing if it may be."""
    reasons: list[Words] = []
    parity, outcome = record.parity, record.outcome
    if record.spec.backend == reference_name():
        reasons.append(noop("it is the reference, which computes in float64"))
    if parity.passed is not True:
        reasons.append(_without_parity(parity))
    if outcome.status not in COMPLETED:
        reasons.append(Sentence("the run ended as {kind}", kind=outcome.status))
    reasons += doubts(record.measured.honesty, record.spec.mode)
    if not reading.recorded:
        reasons.append(noop("no steady block was measured"))
    elif record.measured.batch_size < 1:
        reasons.append(noop("the batch size is not known"))
    # What was timed in turns met the same as what it is compared with.
    if reading.outcome == TOO_NOISY and not record.live_with:
        reasons.append(
            Sentence(
                "too noisy to say: {count} of {blocks} steady blocks were disturbed by {reason}",
                count=reading.disturbed,
                blocks=len(reading.blocks),
                reason=joined(reading.causes, AND),
            )
        )
    return joined(reasons)


def _without_parity(parity: ParityVerdict) -> Words:
    words = parity.said or parity.reason
    if parity.passed is None:
        return once(Sentence("parity was not checked: {reason}", reason=words), noop("parity was not checked"))
    return once(Sentence("parity failed: {reason}", reason=words), noop("parity failed"))


def once(whole: Sentence, what: str) -> Words:
    """Return what happened and its reason; one of the two where the reason is missing or says what happened itself."""
    reason = whole.fields["reason"]
    if not reason or reason == what:
        return what
    return reason if isinstance(reason, Sentence | str) and str(reason).startswith(what) else whole


def _is_in_an_earlier_stage(record: Record) -> bool:
    """Return whether a run ended before its last stage was done, so that its blocks may be those of another one."""
    machine = _machine(record)
    done = {stage.name for stage in record.measured.stages}
    return bool(machine) and record.outcome.status not in COMPLETED and machine[-1] not in done


def _machine(record: Record) -> list[str]:
    """Return the names of the stages that a Boltzmann machine is trained in, none for another task."""
    preset = record.task.presets.get(record.spec.preset)
    return [stage.name for stage in preset.boltzmann.stages] if preset and preset.boltzmann else []


def _speed(record: Record, reading: Reading) -> Row:
    measured = record.measured
    if _is_in_an_earlier_stage(record):
        reading = read((), len(record.affinity))
    blocks = reading.blocks
    batch = measured.batch_size or None
    train = measured.examples.get("train")
    preset = record.task.presets.get(record.spec.preset)
    held_out = round(preset.early_stopping.share * (train or 0)) if preset and preset.early_stopping else 0
    steps, seconds = sum(block.steps for block in blocks), sum(block.seconds for block in blocks)
    step_s = seconds / steps if steps else None
    return {
        "batch_size": batch,
        "train_examples": train,
        "test_examples": measured.examples.get("test"),
        "steps": measured.loss_steps[-1] if measured.loss_steps else 0,
        "throughput_examples_per_s": examples_per_s(blocks, measured.batch_size),
        "step_s": step_s,
        "median_step_s": reading.median_step_s(),
        "steady_state": reading.outcome,
        "round": record.live_with[0] if record.live_with else "",
        "turns": _turns(record),
        "planned_in_turns": record.spec.design.turns,
        "until_decided": record.spec.design.until_decided,
        "within": record.spec.design.within,
        "speed_only": record.spec.speed_only,
        "recorded_blocks": reading.recorded,
        "steady_blocks": len(blocks),
        "discarded_blocks": reading.discarded,
        "disturbed_blocks": reading.disturbed,
        "steady_s": seconds if blocks else None,
        "cpu_per_wall": sum(block.cpu_seconds for block in blocks) / seconds if blocks else None,
        "block_spread": _relative_quartiles([block.seconds / block.steps for block in blocks]),
        "epoch_s": (train - held_out) // batch * step_s if train and batch and step_s else None,
    }


def _turns(record: Record) -> str:
    """Return what took how long in which turn, as a JSON object; nothing where the run took none."""
    measured, cores = record.measured, len(record.affinity)
    if not record.live_with or measured.batch_size < 1:
        return ""
    timed = {"train": (measured.blocks, measured.batch_size)}
    for inference in measured.inference:
        timed["latency" if inference.batch_size == 1 else "inference"] = (inference.blocks, inference.batch_size)
    found = {
        name: {
            str(block.turn): (
                block.seconds / block.steps / size,
                int(bool(disturbances(block, cores))),
                record.probes.get(block.turn),
            )
            for block in steady(blocks)
            if block.turn is not None
        }
        for name, (blocks, size) in timed.items()
    }
    return json.dumps(found)


def _relative_quartiles(values: Sequence[float]) -> float | None:
    """Return the interquartile range over the median (linear between the values), or None for fewer than two."""
    if len(values) < 2:
        return None
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def _start(phases: Phases) -> float | None:
    """Return the seconds from nothing to the end of the first step."""
    first = (phases.import_s, phases.build_s, phases.load_s, phases.first_step_s)
    known = [part for part in first if part is not None]
    return sum(known) if len(known) == len(first) else None


def _phases(record: Record) -> Row:
    measured, warm = record.measured, record.warm_start or Phases()
    phases = measured.phases
    return {
        "import_s": phases.import_s,
        "build_s": phases.build_s,
        "load_s": phases.load_s,
        "first_step_s": phases.first_step_s,
        "time_to_first_step_s": _start(phases),
        "warm_first_step_s": warm.first_step_s,
        "warm_time_to_first_step_s": _start(warm),
        "train_s": phases.train_s,
        "stopped_early": measured.stopped_early,
        "evaluate_s": phases.evaluate_s,
        "total_s": phases.total_s,
    }


def _quality(record: Record) -> Row:
    measured = record.measured
    return {
        "accuracy": measured.quality.get("accuracy"),
        "mean_squared_error": measured.quality.get("mean_squared_error"),
        "mean_iou": measured.quality.get("mean_iou"),
        "bits_per_place": measured.quality.get("bits_per_place"),
        "baselines": _object(record.baselines),
        "final_loss": measured.losses[-1] if measured.losses else None,
    }


def _environment(record: Record) -> Row:
    measured, machine, memory = record.measured, record.machine, record.measured.memory
    if record.spec.speed_only:
        memory = Memory()  # it did not do all that takes memory
    return {
        "host_peak_bytes": memory.host_peak_bytes,
        "import_bytes": memory.import_bytes,
        "device_peak_bytes": memory.device_peak_bytes,
        "device_process_bytes": memory.device_process_bytes,
        "framework_version": measured.versions.get(base(record.spec.backend)),
        "versions": _object(measured.versions),
        "settings": _object(measured.settings),
        "tuned_settings": _object(record.tuned_settings),
        "harmful_traps": _object({trap.name: trap.sentence for trap in measured.traps if trap.harmful}),
        "traps": _object({trap.name: trap.sentence for trap in measured.traps if not trap.harmful}),
        "cpu": machine.cpu,
        "cores": machine.cores,
        "cores_used": len(record.affinity),
        "memory_bytes": machine.memory_bytes,
        "kernel": f"{machine.system} {machine.kernel}",
        "conditions": _object(conditions.of(record)) if measured.settings else "",
        "python": measured.python,
        "git_revision": record.git_revision,
        "evenbench": record.evenbench,
        "started_at": record.started_at,
        "interpreter_source": record.interpreter_source,
    }


def _installation(record: Record) -> Row:
    found = record.installation
    return {
        "install_s": found.install_s,
        "install_bytes": found.bytes,
        "install_packages": found.packages,
        "install_reason": found.reason,
        "adapter_lines": found.adapter_lines,
        "clear_messages": clarity(record.mistakes),
    }


def _object(facts: Mapping[str, str | float]) -> str:
    """Return facts as a JSON object, the same text for the same facts; nothing for no facts."""
    return json.dumps(facts, sort_keys=True, ensure_ascii=False) if facts else ""


def stage_row(stage: StageMeasured, record: Record) -> Row:
    """Return the columns of `STAGES` of one stage of a run, but for those that name the stage."""
    is_machine = stage.name in _machine(record) or bool(stage.statistics)
    found: Row = {
        "stage": stage.name,
        "kind": "machine" if is_machine else "net" if stage.updates else "figures",
        "updates": stage.updates,
        "examples_per_s": examples_per_s(read(stage.blocks, len(record.affinity)).blocks, record.measured.batch_size),
        "first_step_s": stage.first_step_s,
        "train_s": stage.train_s if stage.updates else None,
        "remarks": _object(stage.remarks),
    }
    last = {name: means[-1] for name, means in stage.statistics.items() if means}
    figures = {name: (last | stage.quality).get(name) for name in STAGES if name not in (*found, "run_id", "number")}
    reliable = figures["bound_is_reliable"]
    return found | figures | {"bound_is_reliable": None if reliable is None else int(bool(reliable))}
