"""What the instruments of one run say, as the frame's columns: inference, roofline, energy and equal seeds.

Every figure follows from one record alone; what was not measured is None. Needs no pandas.
"""

from collections.abc import Sequence

import numpy as np

from harness.errors import EvenbenchError
from harness.measure.noise import disturbances
from harness.record import Block, Ceiling, Inference, Record
from harness.records.steady import examples_per_s, is_time, steady, undisturbed
from harness.spec import SOURCE_END
from reports.frame.work import Work, timed_step

Figures = dict[str, float | int | str | None]

MOST_DIFFERENT = 1e-4
"""Outputs that differ by more from those of the run's own evaluation, over their largest magnitude, are other ones."""


def figures(record: Record, step_s: float | None, work: Work | None = None) -> Figures:
    """Return the instruments' columns of a run.

    Args:
        record: the run.
        step_s: seconds of its optimizer step, if they are known.
        work: as `work_of` returns it for this task and preset, for who has it already.
    """
    return {
        **inference(record),
        **roofline(record, step_s, work or work_of(record)),
        **energy(record),
        **twin(record),
    }


def inference(record: Record) -> Figures:
    """Return latency at batch size 1 and throughput at the task's own, of the blocks that nobody disturbed."""
    cores = len(record.affinity)
    single = next((item for item in record.measured.inference if item.latencies), None)
    batched = next((item for item in record.measured.inference if not item.latencies), None)
    quantiles = _quantiles(clean_latencies(single, cores) if single else (), (0.5, 0.95, 0.99))
    disturbed = sum(
        len(steady(item.blocks)) - len(undisturbed(item.blocks, cores)) for item in record.measured.inference
    )
    found = [item.largest_difference for item in record.measured.inference]
    differences = [value for value in found if value is not None]
    return {
        "latency_median_s": quantiles[0],
        "latency_p95_s": quantiles[1],
        "latency_p99_s": quantiles[2],
        "latency_first_call_s": single.first_call_s if single else None,
        "inference_batch_size": batched.batch_size if batched else None,
        "inference_examples_per_s": examples_per_s(undisturbed(batched.blocks, cores), batched.batch_size)
        if batched
        else None,
        "inference_difference": max(differences, default=None),
        "inference_disturbed_blocks": disturbed if record.measured.inference else None,
    }


def _quantiles(calls: Sequence[float], shares: Sequence[float]) -> list[float | None]:
    """Return quantiles of seconds, linear between the calls; none where a call took what no call can take.

    As NumPy's own, which takes longer than all the rest that is read of a run.
    """
    last = len(calls) - 1
    places = [divmod(share * last, 1) for share in shares]
    ends = [(int(below), min(int(below) + 1, last)) for below, _part in places]
    if last < 0:
        return [None] * len(shares)
    found = np.fromiter(calls, np.float64, len(calls))
    found.partition(sorted({0, last, *(end for pair in ends for end in pair)}))
    if not (is_time(found[0]) and is_time(found[-1])):
        return [None] * len(shares)
    return [
        float(found[low] + (found[high] - found[low]) * part)
        for (low, high), (_below, part) in zip(ends, places, strict=True)
    ]


def clean_latencies(single: Inference, cores: int) -> Sequence[float]:
    """Return the latencies of the steady blocks that nobody disturbed; none where calls and blocks do not add up."""
    blocks: Sequence[Block] = single.blocks
    if sum(block.steps for block in blocks) != len(single.latencies):
        blocks = steady(blocks)
    if sum(block.steps for block in blocks) != len(single.latencies):
        return ()
    is_read = [block.kind == "steady" and not disturbances(block, cores) for block in blocks]
    if all(is_read):
        return single.latencies
    read: list[float] = []
    first = 0
    for block, wanted in zip(blocks, is_read, strict=True):
        if wanted:
            read += single.latencies[first : first + block.steps]
        first += block.steps
    return read


def work_of(record: Record) -> Work | None:
    """Return the work of one step of a run, None where its task's layers do not tell."""
    preset = record.task.presets.get(record.spec.preset)
    try:
        return timed_step(record.task.at(record.spec.preset), preset) if preset else None
    except EvenbenchError:
        return None


def roofline(record: Record, step_s: float | None, work: Work | None) -> Figures:
    """Return what a step is, how fast it was computed, and which share of the machine's measured limits that is."""
    own = next((item for item in record.ceilings if item.library == record.spec.backend), None)
    own_flops = own.matmul_flops_per_s if own else None
    best = best_product(record.ceilings)
    best_flops = best.matmul_flops_per_s if best else None
    copied = max((item.copy_bytes_per_s for item in record.ceilings if item.copy_bytes_per_s), default=None)
    reached = work.flops / step_s if work and step_s else None
    roof = work.roofline(flops_per_s=best_flops, bytes_per_s=copied) if work and best_flops and copied else None
    return {
        "flops_per_step": work.flops if work else None,
        "least_bytes_per_step": work.least_bytes if work else None,
        "flops_per_s": reached,
        "matmul_flops_per_s": own_flops,
        "best_matmul_flops_per_s": best_flops,
        "best_matmul_library": best.library if best else "",
        "copy_bytes_per_s": own.copy_bytes_per_s if own else None,
        "best_copy_bytes_per_s": copied,
        "share_of_own_matmul": _share(reached, own_flops),
        "share_of_best_matmul": _share(reached, best_flops),
        "roofline_flops_per_s": roof,
        "share_of_roofline": _share(reached, roof),
        "ceiling_reason": own.reason if own else "",
    }


def best_product(ceilings: Sequence[Ceiling]) -> Ceiling | None:
    """Return the ceiling of the library with the fastest product."""
    known = [item for item in ceilings if item.matmul_flops_per_s]
    return max(known, key=lambda item: item.matmul_flops_per_s or 0.0, default=None)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def energy(record: Record) -> Figures:
    """Return the joules of all counters over the steady blocks, and why there are none."""
    found = record.measured.energy
    joules = sum(found.joules.values()) if found.joules else None
    examples = found.steps * record.measured.batch_size
    return {
        "joules": joules,
        "joules_per_1000_examples": 1000 * joules / examples if joules is not None and examples else None,
        "energy_counters": ", ".join(found.joules),
        "energy_reason": "; ".join(dict.fromkeys(found.reasons.values())),
    }


def twin(record: Record) -> Figures:
    """Return how far a run came out like the first one with its seed."""
    found, source = record.twin, record.spec.source
    return {
        "twin_of": "" if found is None else f"{source}{SOURCE_END}{found.run_id}" if source else found.run_id,
        "twin": "" if found is None else "bit-identical" if found.identical else "differs",
        "twin_loss_difference": found.largest_loss_difference if found else None,
        "twin_parameter_difference": found.largest_parameter_difference if found else None,
    }
