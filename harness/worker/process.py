"""The worker's ways to the outside: bound to its cores and limits before anything heavy comes in, answers by rename.

And the variables of its environment that tune the libraries below the frameworks: recorded, never set here.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.worker.jobs import Job, Result

RESULT = "result.json"


def bind(job: Job) -> None:
    """Bind this process to the job's cores and memory limit, and make it die with its parent.

    Must come before the framework's import: thread pools are sized by the cores that are seen then.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job.cores)
    if job.memory_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory_limit_bytes, job.memory_limit_bytes))


def write_result(folder: str, result: Result) -> None:
    """Write `result.json` so that a reader sees the whole of it or the one before."""
    temporary = Path(folder, f"{RESULT}.new")
    temporary.write_bytes(msgspec.json.encode(result))
    temporary.replace(Path(folder, RESULT))


def read_result(folder: Path) -> Result | None:
    """Return the last answer of a worker, or None if it never wrote one."""
    try:
        return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)
    except FileNotFoundError:
        return None


PREFIXES = (
    "ONEDNN_",
    "DNNL_",
    "OMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "CUDA_",
    "NVIDIA_",
    "ASCEND_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_",
    "ATEN_",
    "LD_PRELOAD",
    "EVENBENCH_FLUSH_DENORMALS",
    "EVENBENCH_CHANNELS_LAST",
    "EVENBENCH_FUSED_OPTIMIZER",
    "EVENBENCH_STEPS_PER_CALL",
)


def shell_settings(tuned: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that may change speed or rounding, and whatever else a profile has `tuned`.

    The number of threads is left out unless it is tuned: else the harness sets it.
    """
    names = dict.fromkeys([*(k for k in os.environ if k.startswith(PREFIXES) and k != "OMP_NUM_THREADS"), *tuned])
    return {f"env {name}": os.environ.get(name, "") for name in names}
