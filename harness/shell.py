"""The variables of the user's shell that tune the libraries below the frameworks: recorded, never set."""

import os

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
    "LD_PRELOAD",
    "EVENBENCH_FLUSH_DENORMALS",
)


def shell_settings() -> dict[str, str]:
    """Return the variables that may change speed or rounding, but for the number of threads, which the harness sets."""
    return {f"env {k}": v for k, v in os.environ.items() if k.startswith(PREFIXES) and k != "OMP_NUM_THREADS"}
