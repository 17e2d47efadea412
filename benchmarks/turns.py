"""Workers that take turns: each lives in its own interpreter from start to end, and only one of them ever runs.

A worker reads a word from its standard input, answers with one line of JSON, and is then stopped (SIGSTOP) with its
whole group until its next turn: threads that wait by spinning, as MindSpore's do, would take the cores from the others.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from harness.environments.machine import ROOT, available_cores
from harness.runs.launch import worker_environment, workplace

IDLE_S = 1.0


class Worker:
    """One process that waits for its turn, stopped."""

    def __init__(self, label: str, process: subprocess.Popen[str], stderr: Path) -> None:
        self.label = label
        self.process = process
        self.stderr = stderr

    def ask(self, word: str) -> dict[str, Any]:
        """Let the worker run, wait for its answer to a word, and stop it again."""
        os.killpg(self.process.pid, signal.SIGCONT)
        if self.process.stdin is None or self.process.stdout is None:
            raise ValueError("a worker is spoken to through pipes")
        with suppress(BrokenPipeError):
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.label} ended at {word!r}:\n{self.stderr.read_text(errors='replace')[-3000:]}")
        os.killpg(self.process.pid, signal.SIGSTOP)
        return dict(json.loads(line))

    def idle_percent(self) -> float:
        """Return how much of one core the worker takes if it is left to run with nothing to do, in percent."""
        os.killpg(self.process.pid, signal.SIGCONT)
        found = float(psutil.Process(self.process.pid).cpu_percent(interval=IDLE_S))
        os.killpg(self.process.pid, signal.SIGSTOP)
        return found


@contextmanager
def started(label: str, python: str, script: Path, job: str) -> Iterator[Worker]:
    """Start `python script JOB` as a worker and end it, with all that it started, at the end of the block."""
    with workplace() as place:
        stderr = place / "stderr"
        with stderr.open("wb") as errors:
            process = subprocess.Popen(
                [python, str(script), job],
                cwd=place / "empty",
                env=worker_environment(place, available_cores(), str(ROOT)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        try:
            yield Worker(label, process, stderr)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
