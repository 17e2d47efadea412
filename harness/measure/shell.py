"""The variables of this process's environment that may change speed or rounding: recorded, never set here."""

import os
from collections.abc import Iterable

from harness import registry

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
    "LD_PRELOAD",
)
"""What variables of the libraries below the frameworks begin with; a backend names its own in its entry and knobs."""


def shell_settings(tuned: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that may change speed or rounding, and whatever else a profile has `tuned`.

    The number of threads is left out unless it is tuned: else the harness sets it.
    """
    prefixes = (*PREFIXES, *registry.variables())
    names = dict.fromkeys([*(k for k in os.environ if k.startswith(prefixes) and k != "OMP_NUM_THREADS"), *tuned])
    return {f"env {name}": os.environ.get(name, "") for name in names}
