"""What the harness itself costs: seconds per run beyond its phases, a plan of 10,000 runs, and the noise guard's looks.

    python benchmarks/harness_time.py

Per run: a fake backend (the NumPy reference) does a smoke run of XOR in a process of its own; of the wall seconds of
`execute` all phases of the worker (import, build, load, training, evaluation, the seconds for the clock alone and for
inference) are taken off. What is left is the harness: starting Python, reading the job, writing the result.
"""

import tempfile
from pathlib import Path

import click

from harness.data.prepare import prepare
from harness.environments import machine
from harness.environments.interpreters import find
from harness.environments.machine import available_cores
from harness.measure.clock import TARGET_BLOCK_S, Stopwatch
from harness.measure.noise import Guard
from harness.record import ParityVerdict, Record
from harness.records.store import Store, Study
from harness.registry import task
from harness.runs.execute import Ready, Setting, execute
from harness.runs.plan import Wish, plan
from harness.spec import Choice, RunSpec

RUNS = 10_000
LOOKS = 1000


@click.command()
@click.option("--repeats", default=5, show_default=True, help="Runs whose cost is taken; the median is printed.")
def main(repeats: int) -> None:
    """Print the harness's own costs."""
    per_run = sorted(one_run() for _ in range(repeats))
    click.echo(f"beyond the worker's phases: {per_run[len(per_run) // 2]:.3f} s a run (median of {repeats})")
    expand_s, resume_s = plan_of(RUNS)
    click.echo(f"a plan of {RUNS:,} runs: expanded in {expand_s:.2f} s, resumed with all done in {resume_s:.2f} s")
    look_s = look()
    click.echo(f"two looks of the noise guard: {1e6 * look_s:.0f} µs, {look_s / TARGET_BLOCK_S:.2%} of a block")


def xor() -> RunSpec:
    """Return a run of XOR on the reference."""
    found = task("xor")
    wish = Wish(
        tasks=(found,), choices=(Choice(backend="numpy", device="cpu", mode="eager"),), preset="smoke", repeats=1
    )
    return plan(wish)[0]


def one_run() -> float:
    """Return the seconds of a run that belong to none of its phases."""
    spec, found = xor(), task("xor")
    preset = found.preset(spec.preset)
    data = prepare(found, preset, dataset=spec.dataset, seed=0, data_dir=None)
    setting = Setting(machine=machine.machine(), git_revision=None, cores=available_cores())
    ready = Ready(spec=spec, task=found, data=data, interpreter=find("numpy", {}), parity=ParityVerdict(passed=None))
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        record = execute(ready, setting, Path(folder))
        return watch.seconds() - worked(record)


def worked(record: Record) -> float:
    """Return the seconds of a run that were import, build, load, training, evaluation or inference."""
    measured, phases = record.measured, record.measured.phases
    parts = [phases.import_s, phases.build_s, phases.load_s, phases.evaluate_s]
    blocks = [*measured.blocks, *(block for part in measured.inference for block in part.blocks)]
    return sum(part or 0.0 for part in parts) + sum(block.seconds for block in blocks)


def plan_of(runs: int) -> tuple[float, float]:
    """Return the seconds to expand a plan of so many runs, and to find that all of them are done."""
    choices = (
        Choice(backend="torch", device="cpu", mode="eager"),
        Choice(backend="tensorflow", device="cpu", mode="graph"),
    )
    watch = Stopwatch()
    wish = Wish(tasks=(task("xor"), task("lenet-mnist")), choices=choices, preset="smoke", repeats=runs // 4)
    specs = plan(wish)
    expand_s = watch.seconds()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "study"))
        store.create(Study(name="study", created_at="", command=(), specs=specs))
        for spec in specs:
            Path(folder, "study", f"{spec.run_id}.json").touch()
        watch = Stopwatch()
        left = store.missing(store.study().specs)
        resume_s = watch.seconds()
    if left:
        raise RuntimeError(f"{len(left)} runs of the plan were not found done")
    return expand_s, resume_s


def look() -> float:
    """Return the seconds of the two looks of one block."""
    guard = Guard(available_cores())
    watch = Stopwatch()
    for _ in range(LOOKS):
        guard.between(guard.look(0.0), guard.look(0.0))
    return watch.seconds() / LOOKS


if __name__ == "__main__":
    main()
