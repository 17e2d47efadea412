"""How long do the reports of a large study take, how large is its page, and how much memory do they need?

.venv/bin/python benchmarks/report_size.py [--records 10000] [--keep FOLDER]

Makes a study in a temporary folder: four tasks, three backends in two modes, many seeds, each record as large as one of
the preset quick (some 40 steady blocks with what else the machine did, 1,000 latencies, a loss per epoch). Then runs
the reports, and prints the wall seconds of each, the CPU seconds of all its processes, the peak of its largest
process, and the size of what it wrote. Ends with 1 if the page takes more than 20 seconds or 15 MB, the terminal more
than 5, or a process more than 1 GB.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness import registry
from harness.measure.clock import timestamp
from harness.record import (
    Block,
    Ceiling,
    Evaluation,
    Inference,
    Machine,
    Measured,
    Memory,
    Noise,
    Outcome,
    ParityVerdict,
    Phases,
    Record,
)
from harness.records.store import STUDY, Study
from harness.spec import RunSpec

TASKS = ("xor", "mlp-mnist", "lenet-mnist", "lstm-text")
MODES = ("eager", "graph")
MACHINE = Machine(
    cpu="Made-up CPU",
    cpu_flags=tuple(f"flag{number}" for number in range(120)),
    cores=4,
    memory_bytes=16_000_000_000,
    system="Linux",
    kernel="6.1",
    python="3.11.9",
)
COMMANDS = {
    "terminal": (5.0, ("--format", "terminal")),
    "html": (20.0, ("--format", "html", "-o", "page.html")),
    "md, csv": (math.inf, ("--format", "md,csv")),
}
"""By name: the wall seconds that it may take, and the options."""
MOST_MEGABYTES, MOST_MEMORY_MB = 15.0, 1000.0


def blocks(random: np.random.Generator, step_s: float, count: int) -> tuple[Block, ...]:
    """Return a first block, a calibration and so many steady blocks, the first few of them slower."""
    noise = np.exp(random.normal(0, 0.01, count)) * np.where(np.arange(count) < random.integers(0, 6), 1.2, 1.0)
    steps = max(1, round(0.05 / step_s))
    found = [Block(kind="first", steps=1, seconds=0.5, cpu_seconds=0.6)]
    found.append(Block(kind="calibration", steps=steps, seconds=steps * step_s, cpu_seconds=steps * step_s))
    for factor, foreign in zip(noise, random.exponential(1e-4, count), strict=True):
        seconds = float(steps * step_s * factor)
        around = Noise(
            load=1.5,
            foreign_cpu_seconds=float(foreign),
            steal_seconds=0.0,
            throttled_seconds=0.0,
            involuntary_switches=int(random.integers(0, 5)),
        )
        found.append(Block(kind="steady", steps=steps, seconds=seconds, cpu_seconds=2 * seconds, noise=around))
    return tuple(found)


def measured(random: np.random.Generator, step_s: float, backend: str) -> Measured:
    """Return what a run of the preset quick measures."""
    process_s = step_s * float(np.exp(random.normal(0, 0.03)))
    accuracy = float(np.clip(random.normal(0.95, 0.01), 0, 1))
    latencies = tuple(float(value) for value in process_s / 8 * np.exp(random.normal(0, 0.1, 1000)))
    calls = tuple(
        Block(kind="steady", steps=100, seconds=float(sum(latencies[first : first + 100])), cpu_seconds=0.1)
        for first in range(0, 1000, 100)
    )
    batched = blocks(random, process_s / 3, 12)
    epochs = np.arange(1, 31)
    return Measured(
        python="3.11.9",
        versions={backend: "1.2.3", "numpy": "2.4.0"},
        settings={"threads": "4", "flush_denormals": "off"},
        device_name="cpu",
        phases=Phases(
            import_s=1.0, build_s=0.2, load_s=0.1, first_step_s=0.5, train_s=2.0, evaluate_s=0.1, total_s=5.0
        ),
        blocks=blocks(random, process_s, int(random.integers(30, 60))),
        batch_size=64,
        examples={"train": 1437, "test": 360},
        loss_steps=tuple(int(epoch) * 22 for epoch in epochs),
        losses=tuple(float(value) for value in np.exp(-epochs / 9) * (1 + random.normal(0, 0.02, 30))),
        evaluations=tuple(
            Evaluation(steps=int(epoch) * 22, train_seconds=float(epoch) / 15, quality={"accuracy": accuracy})
            for epoch in epochs[4::5]
        ),
        quality={"accuracy": accuracy},
        memory=Memory(host_peak_bytes=int(random.normal(3e8, 1e6)), import_bytes=200_000_000),
        inference=(
            Inference(batch_size=1, first_call_s=0.01, blocks=calls, latencies=latencies, largest_difference=1e-7),
            Inference(batch_size=64, first_call_s=0.02, blocks=batched, largest_difference=1e-7),
        ),
    )


def records(count: int) -> Iterator[Record]:
    """Yield so many records, in the order in which a study would run them; one in fifty did not end well."""
    random = np.random.default_rng(0)
    rows = [(task, backend, mode) for task in TASKS for backend in registry.framework_names() for mode in MODES]
    ceilings = tuple(
        Ceiling(library=name, matmul_flops_per_s=2e11, copy_bytes_per_s=2e10) for name in registry.framework_names()
    )
    for number in range(count):
        repeat, place = divmod(number, len(rows))
        task, backend, mode = rows[place]
        died = random.random() < 0.02
        step_s = 0.0005 * (1 + place % len(TASKS)) * (1 + 0.3 * (place % 5))
        dataset = registry.task(task).preset("quick").dataset
        facts: dict[str, Any] = {"task": task, "task_version": 1, "backend": backend, "mode": mode, "preset": "quick"}
        yield Record(
            evenbench="0.1.0",
            git_revision="abc1234",
            started_at=timestamp(),
            spec=RunSpec(**facts, dataset=dataset, seed=repeat, repeat=repeat, timeout_s=300.0),
            task=registry.task(task),
            dataset_fingerprint="0123456789ab",
            machine=MACHINE,
            affinity=(0, 1, 2, 3),
            interpreter="python",
            interpreter_source="managed",
            outcome=Outcome(status="timeout", reason=f"took more than 300 s, {number % 7}") if died
            else Outcome(status="ok"),
            parity=ParityVerdict(passed=True, largest_error=0.25),
            measured=Measured() if died else measured(random, step_s, backend),
            ceilings=ceilings,
        )  # fmt: skip


def make(folder: Path, count: int) -> int:
    """Write a study of so many records, and return its bytes."""
    folder.mkdir(parents=True)
    specs, size = [], 0
    for item in records(count):
        specs.append(item.spec)
        size += (folder / f"{item.spec.run_id}.json").write_bytes(msgspec.json.encode(item))
    plan = Study(name=folder.name, created_at=timestamp(), command=("run",), specs=tuple(specs))
    (folder / STUDY).write_bytes(msgspec.json.encode(plan))
    return size


def run(folder: Path, options: tuple[str, ...]) -> tuple[float, float, float]:
    """Run one report; return its wall seconds, its CPU seconds and the peak of its largest process in MB."""
    code = "import sys; from harness.cli.main import main; sys.argv[0] = 'evenbench'; main()"
    begun = time.perf_counter()
    with (folder.parent / "printed.txt").open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-c", code, "report", str(folder), *options], cwd=folder.parent, stdout=out,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        _, status, usage = os.wait4(child.pid, 0)  # of all its processes
    if status:
        raise SystemExit(f"the report {' '.join(options)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3


def report(folder: Path) -> int:
    """Run and print all reports of a study; return 1 if one needs more than it may."""
    print(f"{'report':12}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'written MB':>12}")
    too_much = False
    for name, (most_s, options) in COMMANDS.items():
        wall_s, cpu_s, peak_mb = run(folder, options)
        page = folder.parent / "page.html"
        written = page.stat().st_size / 1e6 if name == "html" else (folder.parent / "printed.txt").stat().st_size / 1e6
        print(f"{name:12}{wall_s:8.1f}{cpu_s:8.1f}{peak_mb:9.0f}{written:12.2f}")
        too_much |= wall_s > most_s or written > MOST_MEGABYTES or (peak_mb > MOST_MEMORY_MB and most_s < math.inf)
    return int(too_much)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="make the study here, or use the one that is here, and leave it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.keep or Path(temporary)) / "large"
        if not folder.exists():
            size = make(folder, chosen.records)
            print(f"{chosen.records:,} records of {size / chosen.records / 1e3:.0f} KB on average")
        return report(folder)


if __name__ == "__main__":
    sys.exit(main())
