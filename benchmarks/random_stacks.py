"""How often does the gate refuse what is right? Random stacks of layers, each compared with the reference.

.venv/bin/python benchmarks/random_stacks.py --backend torch [--mode eager] [--stacks 1000] [--first 0]

All stacks are traced by one process in the backend's environment, the reference here. A stack that is refused is
printed with its level and array; so is how far every level came in all others, in multiples of what is allowed. A stack
whose losses the reference itself does not keep finite is no task, and is left out.
"""

import argparse
import importlib
import math
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.stacks import stack  # noqa: E402  (in either environment)
from harness.contract import Entry  # noqa: E402
from harness.parity import levels  # noqa: E402
from harness.spec import Mode  # noqa: E402
from harness.worker.jobs import TraceJob  # noqa: E402
from harness.worker.parity import levels as traced  # noqa: E402


def trace(adapter: str, seed: int, mode: Mode, draw: int = 0) -> dict[str, np.ndarray]:
    """Return what a backend computes of a stack."""
    module, _, function = adapter.partition(":")
    task = stack(seed)
    preset = task.presets["only"]
    job = TraceJob(
        task=task, preset=preset, adapter=adapter, device="cpu", mode=mode, settings={}, out="", cores=(), inputs=""
    )
    backend = getattr(importlib.import_module(module), function)()
    return {name: np.asarray(value) for name, value in traced(job, backend, levels.inputs(task, preset, draw)).items()}


def work(asked: argparse.Namespace) -> None:
    """Trace stacks in the backend's environment."""
    for seed in range(asked.first, asked.first + asked.stacks):
        try:
            for draw in (0, 1, 2) if asked.draws else (0,):
                np.savez(Path(asked.worker, f"{seed}-{draw}.npz"), **trace(asked.adapter, seed, asked.mode, draw))  # type: ignore[arg-type, unused-ignore]
        except Exception as error:  # noqa: BLE001  (whatever a framework raises is a finding)
            Path(asked.worker, f"{seed}.error").write_text(f"{type(error).__name__}: {error}"[:500])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--mode")
    parser.add_argument("--stacks", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--draws", action="store_true", help="trace the two other draws too, as the gate does")
    parser.add_argument("--adapter", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work(asked)
        return

    from harness import registry
    from harness.environments import interpreters

    entry: Entry = registry.entry(asked.backend)
    mode = asked.mode or entry.default_mode
    python = interpreters.find(asked.backend, {}, device="cpu").python
    refused: Counter[str] = Counter()
    worst: dict[str, float] = {}
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        words = ["--adapter", entry.adapter, "--mode", mode, "--worker", folder, "--draws"]
        words += ["--stacks", str(asked.stacks), "--first", str(asked.first)]
        subprocess.run([python, str(Path(__file__)), *words], check=True, cwd=folder)
        reference = registry.entry(registry.reference_name()).adapter
        for seed in range(asked.first, asked.first + asked.stacks):
            task, error = stack(seed), Path(folder, f"{seed}.error")
            if error.exists():
                print(f"{seed}: {error.read_text()}\n    {task.layers}")
                refused["error"] += 1
                continue
            draws, failed = [], []
            for draw in (0, 1, 2):
                inputs = levels.inputs(task, task.presets["only"], draw)
                with np.load(Path(folder, f"{seed}-{draw}.npz")) as came:
                    expected = trace(reference, seed, "eager", draw)
                    if not np.isfinite(expected["losses/all"]).all():
                        break
                    draws.append(levels.compare(task, task.presets["only"].optimizer, expected, dict(came), inputs))
                failed = levels.failed(draws[0])
                if failed != ["losses"]:
                    break
            if not draws:
                continue
            count += 1
            if failed and not (failed == ["losses"] and not any(map(levels.failed, draws[1:]))):
                level = draws[0][failed[0]]
                print(f"{seed}: {failed} {level.error or math.nan:.1e} of {level.tolerance:.0e} at {level.where}")
                print(f"    {[type(one).__name__ for one in task.layers]} {task.presets['only'].optimizer}")
                refused[failed[0]] += 1
            for name, level in draws[0].items():
                if level.tolerance:
                    worst[name] = max(worst.get(name, 0.0), (level.error or 0) / level.tolerance)
    print(f"{asked.backend} {mode}: {sum(refused.values())} of {count} refused: {dict(refused)}")
    print("largest error, in multiples of what is allowed: ", {name: f"{value:.2g}" for name, value in worst.items()})


if __name__ == "__main__":
    main()
