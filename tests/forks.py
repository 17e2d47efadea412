"""Workers that begin where a framework is imported already: `python forks.py MODULE ...` imports, then forks per job.

Importing takes seconds, a job of a small task hundredths of one. Each job still has a process of its own, so that what
one changes in the framework's modules does not reach the next. Nothing is computed before a fork, for threads do not
survive it.
"""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.worker.__main__ import main
from harness.worker.jobs import Job
from harness.worker.process import read_result

if TYPE_CHECKING:
    from harness.runs.launch import Ended

HERE = str(Path(__file__).parent)
JOB, STDERR = "job.json", "stderr"


class Forks:
    """A process that has imported a framework; `launch` stands in for `harness.runs.launch.launch`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def launch(self, place: Path, job: Job, python: str, *, timeout_s: float, path: str | None = None) -> "Ended":
        """Do one job in a child of the process and return how it ended."""
        from harness.runs.launch import Ended  # here, for it needs more than a backend's interpreter has

        (place / JOB).write_bytes(msgspec.json.encode(job))
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{timeout_s:.0f} {place}\n")
        stdin.flush()
        returncode = int(stdout.readline())
        return Ended(
            result=read_result(place / "out"),
            returncode=returncode,
            interrupted=False,
            stderr_tail=(place / STDERR).read_text(),
            kernel_killed_for_memory=False,
        )


@contextmanager
def forks(python: str, *modules: str, settings: Mapping[str, str] | None = None) -> Iterator[Forks]:
    """Start a process that imports `modules` in a backend's interpreter, with `settings`, and waits for jobs."""
    from harness.environments.machine import available_cores
    from harness.runs.launch import worker_environment, workplace

    with (
        workplace() as place,
        subprocess.Popen(
            [python, str(Path(__file__)), *modules],
            cwd=place / "empty",
            env=worker_environment(place, available_cores(), HERE) | dict(settings or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        yield Forks(process)
        process.communicate()


def serve() -> None:
    """Do the jobs that stdin names, one after the other, and print the return code of each."""
    for line in sys.stdin:
        timeout_s, _, place = line.strip().partition(" ")
        child = os.fork()
        if child == 0:
            signal.alarm(int(timeout_s))
            os.dup2(os.open(Path(place, STDERR), os.O_WRONLY | os.O_CREAT), 2)
            os.dup2(2, 1)
            os._exit(main(str(Path(place, JOB))))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for module in sys.argv[1:]:
        importlib.import_module(module)
    serve()
