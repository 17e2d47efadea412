"""The worker's ways to the outside: bound to its cores and limits before anything heavy comes in, answers by rename."""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from harness.language import Sentence, told
from harness.record import Outcome
from harness.whole_files import UNREADABLE, is_locked, write_whole
from harness.worker.jobs import Job, Result

RESULT = "result.json"
LOCK = ".lock"
"""In the folder above `out`, held by the parent as long as it lives."""


def bind(job: Job) -> None:
    """Bind this process to the job's cores and memory limit, and make it die with its parent.

    Must come before the framework's import: thread pools are sized by the cores that are seen then.
    """
    die_with_parent()
    if (lock := Path(job.out).parent / LOCK).exists() and not is_locked(lock):
        os._exit(1)  # it has died already, while this interpreter started
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job.cores)
    if job.memory_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory_limit_bytes, job.memory_limit_bytes))


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies, however that was."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1  # from <sys/prctl.h>, for Python has no name for it
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def write_result(folder: str, result: Result) -> None:
    """Write `result.json` so that a reader sees the whole of it or the one before."""
    write_whole(Path(folder, RESULT), msgspec.json.encode(result))


def read_result(folder: Path) -> Result | None:
    """Return the last answer of a worker, or None if it never wrote one; one that nobody can read is a crash."""
    try:
        return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        why = Sentence("the worker's answer cannot be read: {error}", error=error)
        return Result(outcome=Outcome(status="crashed", **told(why)))
