"""The variables of a worker's environment that tune the libraries below the frameworks: recorded, never set here."""

import os
from collections.abc import Iterable

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
