"""Under which conditions a run is made: what must be equal for two runs to be repeats of one measurement.

One definition for all who ask. A study that is gone on with says what is different now, runs under different conditions
stand in rows of their own, a proof of parity is remembered under them, and `compare` names what differs. They are the
processor, which processors are used, and the variables of the environment that may change speed or rounding; these are
recorded, never set here. (Versions, the task and the profile are told apart by their own names.)
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping

from harness import registry
from harness.language import noop
from harness.record import Machine, Record

PROCESSOR, FLAGS, USED = noop("processor"), noop("processor flags"), noop("processors used")
SHELL = "env "
"""What the name of a variable begins with among the settings of a record."""

PREFIXES = (
    "ONEDNN_",
    "DNNL_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "BLIS_",
    "CUDA_",
    "CUDNN_",
    "CUBLAS_",
    "NVIDIA_",
    "NCCL_",
    "ASCEND_",
    "HCCL_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
)
"""What variables of the libraries below the frameworks begin with; a backend names its own in its entry and knobs."""
CACHES = ("CUDA_CACHE_PATH", "ASCEND_CACHE_PATH")
"""Where the drivers' compilers keep what they have compiled; a backend names its own in its entry."""

NOT_INHERITED = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "KMP_AFFINITY",
    "GOMP_CPU_AFFINITY",
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "LANGUAGE",
)
"""Variables of the user's shell that would quietly change a framework's arithmetic or placement, the two that
scikit-learn sets when this process imports it, which it does in one study and not in the next, and the language that
this process speaks: records are in English. A backend names its own in its entry."""


OTHERS = ("TF_VAR_", "TF_TOKEN_", "TF_CLI_", "TF_LOG")
"""Terraform's, whose variables begin as TensorFlow's do."""
SECRET = re.compile("TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|WEBHOOK", re.IGNORECASE)
"""What names hold whose values are nobody's business: records are handed on."""


def shell_settings(tuned: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that may change speed or rounding, and whatever else a profile has `tuned`.

    The number of threads and the compilers' folders are left out unless they are tuned: else the harness sets them.
    What no worker takes over changes nothing.
    """
    prefixes = (*PREFIXES, *registry.variables())
    ours = {"OMP_NUM_THREADS", *CACHES, *registry.caches(), *not_inherited()}
    found = (k for k in os.environ if k.startswith(prefixes) and not k.startswith(OTHERS) and not SECRET.search(k))
    names = dict.fromkeys([*(k for k in found if k not in ours), *tuned])
    return {f"{SHELL}{name}": os.environ.get(name, "") for name in names}


def not_inherited() -> tuple[str, ...]:
    """Return the variables that no worker takes over from the shell of the user."""
    return (*NOT_INHERITED, *registry.not_inherited())


def here(machine: Machine, cores: tuple[int, ...], shell: Mapping[str, str]) -> dict[str, str]:
    """Return the conditions on a machine, on some of its processors, with what `shell_settings` said."""
    flags = hashlib.sha256(" ".join(sorted(machine.cpu_flags)).encode()).hexdigest()[:12]
    used = f"{len(cores)}: {', '.join(map(str, cores))}"
    return {PROCESSOR: machine.cpu, FLAGS: flags, USED: used, **dict(sorted(shell.items()))}


def of(record: Record) -> dict[str, str]:
    """Return the conditions of a run, without the variables where it ended before it could tell them."""
    tuned = {f"{SHELL}{name}" for name in record.tuned_settings}
    told = record.measured.settings.items()
    shell = {name: value for name, value in told if name.startswith(SHELL) and name not in tuned}
    return here(record.machine, record.affinity, shell)


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the conditions that two have not in common, by name; empty where a variable is not set."""
    pairs = {name: (one.get(name, ""), other.get(name, "")) for name in dict.fromkeys((*one, *other))}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
