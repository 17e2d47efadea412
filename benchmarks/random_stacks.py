"""How often does the gate refuse what is right? Random stacks of layers, each compared with the reference.

.venv/bin/python benchmarks/random_stacks.py --backend torch,jax [--mode eager] [--stacks 1000] [--first 0]

The gate itself says the verdict (`harness/runs/parity.py`), but a process in the backend's environment computes many
traces instead of one, and the reference computes here. A stack that is refused is printed with its level and array; so
is how far every level came in the others, in multiples of what is allowed, and how many passed by what the gate allows
to losses that part by themselves. A stack whose losses the reference itself does not keep finite is no task and is left
out.
"""

import argparse
import io
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.stacks import stack  # noqa: E402  (in either environment)
from harness.contract import Arrays, Backend, Entry  # noqa: E402
from harness.registry import resolve  # noqa: E402
from harness.spec import Mode  # noqa: E402
from harness.worker.jobs import TraceJob  # noqa: E402
from harness.worker.parity import levels, nudged_losses, prefixes  # noqa: E402

RENEW = 100
"""Stacks after which a process is replaced: what a framework compiled stays in its memory."""


def trace(backend: Backend, seed: int, mode: Mode, inputs: Arrays, *, cut: bool, nudges: int = 0) -> Arrays:
    """Return what a backend computes of a stack: all levels, or the outputs behind each layer, or nudged losses."""
    task = stack(seed)
    job = TraceJob(
        task=task,
        preset=task.presets["only"],
        adapter="",
        device="cpu",
        mode=mode,
        settings={},
        out="",
        cores=(),
        inputs="",
        nudges=nudges,
    )
    compute = nudged_losses if nudges else prefixes if cut else levels
    return {name: np.asarray(value) for name, value in compute(job, backend, inputs).items()}


def packed(arrays: Arrays) -> bytes:
    """Return arrays as the bytes of an .npz file, which every version of NumPy reads."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type, unused-ignore]
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, Any]:
    """Return the arrays of an .npz file's bytes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def work(adapter: str, mode: Mode, ends: Connection) -> None:
    """Trace what comes over the connection, in the backend's environment, until it is closed."""
    backend: Backend = resolve(adapter)()
    while True:
        try:
            seed, cut = ends.recv()
        except EOFError:
            return
        inputs = unpacked(ends.recv_bytes())
        try:
            if (reason := backend.why_not(stack(seed), "cpu", mode)) is not None:
                ends.send(("no", str(reason)))
                continue
            found = trace(backend, seed, mode, inputs, cut=cut)
        except Exception as error:  # noqa: BLE001  (whatever a framework raises is a finding)
            ends.send(("error", f"{type(error).__name__}: {error}"[:500]))
        else:
            ends.send(("ok", ""))
            ends.send_bytes(packed(found))


@dataclass
class Worker:
    """A process in a backend's environment that computes traces."""

    python: str
    adapter: str
    mode: Mode
    ends: Connection | None = None
    process: subprocess.Popen[bytes] | None = None

    def ask(self, seed: int, inputs: Arrays, *, cut: bool) -> tuple[str, str, dict[str, Any]]:
        """Return how it ended ("ok", "no", "error"), why, and the trace."""
        if self.ends is None:
            self.ends, other = Pipe()
            words = [self.python, str(Path(__file__)), "--worker", str(other.fileno())]
            words += ["--backend", self.adapter, "--mode", self.mode]
            self.process = subprocess.Popen(words, pass_fds=[other.fileno()], stdout=subprocess.DEVNULL)
            other.close()
        try:
            self.ends.send((seed, cut))
            self.ends.send_bytes(packed(inputs))
            how, why = self.ends.recv()
            return how, why, unpacked(self.ends.recv_bytes()) if how == "ok" else {}
        except (EOFError, OSError):
            code = self.end()
            return "error", f"the process ended with {code}", {}

    def end(self) -> int:
        """Close the process and return its exit status."""
        code = 0
        if self.ends is not None and self.process is not None:
            self.ends.close()
            code = self.process.wait()
        self.ends = self.process = None
        return code


@dataclass
class Tally:
    """What was seen of one backend."""

    worker: Worker
    name: str
    compared: int = 0
    unsupported: int = 0
    parted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        """Return the result in a sentence or two."""
        worst = ", ".join(f"{name} {value:.2g}" for name, value in self.worst.items())
        return (
            f"{self.name}: {sum(self.refused.values())} of {self.compared} refused {dict(self.refused)}, "
            f"{self.parted} passed whose losses part, {self.unsupported} not supported\n"
            f"    largest error, in multiples of what is allowed: {worst}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="torch", help="names, separated by commas")
    parser.add_argument("--mode", default="", help="the same of all; without it each one's default")
    parser.add_argument("--stacks", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker is None:
        judge(asked)
    else:
        work(asked.backend, asked.mode, Connection(asked.worker))


def judge(asked: argparse.Namespace) -> None:
    """Hold every stack against the reference, and print what was refused."""
    from harness import registry
    from harness.environments import interpreters
    from harness.parity import levels as parity
    from harness.runs.parity import Checker, Trace, TraceFailed
    from harness.spec import Choice

    reference = resolve(registry.entry(registry.reference_name()).adapter)()

    class Held(Checker):
        """The gate, with processes that stay: starting one costs more than the trace of a stack."""

        def _trace(self, python: str, inputs: Trace, *, entry: Entry, **job: Any) -> Trace:
            seed, cut = int(job["task"].name.removeprefix("stack ")), job.get("prefixes", False)
            if python == sys.executable:
                return trace(reference, seed, "eager", inputs, cut=cut, nudges=job["nudges"])
            how, why, found = tally.worker.ask(seed, inputs, cut=cut)
            if how != "ok":
                raise TraceFailed(why, refused=how == "no")
            return found

    checker, tallies = Held(remember=False), []
    for name in asked.backend.split(","):
        entry = registry.entry(name)
        mode = asked.mode or entry.default_mode
        python = interpreters.find(name, {}, device="cpu").python
        choice = Choice(backend=name, device="cpu", mode=mode)
        tallies.append((entry, choice, Tally(Worker(python, entry.adapter, mode), f"{name} {mode}")))
    for seed in range(asked.first, asked.first + asked.stacks):
        task = stack(seed)
        preset = task.presets["only"]
        expected = checker._reference(task, preset, parity.inputs(task, preset))
        for entry, choice, tally in tallies if np.isfinite(expected["losses/all"]).all() else ():
            verdict = checker.check_entry(task, preset, choice, entry, python=tally.worker.python)
            if verdict.refused:
                tally.unsupported += 1
                continue
            tally.compared += 1
            tally.parted += bool(verdict.remark)
            if not verdict.passed:
                print(f"{tally.name}, {seed}: {verdict.summary()}\n    {task.layers} {preset.optimizer}", flush=True)
                tally.refused[next(iter(parity.failed(verdict.levels)), "error")] += 1
            for name, level in verdict.levels.items() if verdict.passed else ():
                if level.tolerance:
                    tally.worst[name] = max(tally.worst.get(name, 0.0), (level.error or 0) / level.tolerance)
        checker._references.clear()
        if (seed + 1) % RENEW == 0:
            for _, _, tally in tallies:
                tally.worker.end()
                print(f"after {seed + 1 - asked.first} stacks, {tally.line()}", file=sys.stderr)
    for _, _, tally in tallies:
        tally.worker.end()
        print(tally.line())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small nets; more threads would wait for each other
    main()
