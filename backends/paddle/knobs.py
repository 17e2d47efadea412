"""What `evenbench tune` may turn for PaddlePaddle, the most promising first.

Each was seen to do what it says with 3.3.1, on two cores without AVX-512. `FLAGS_use_onednn` is none: with it eager
mode computes a convolution by oneDNN, and graph mode ends with a segmentation fault.
"""

from harness.knobs import Knob

KNOBS = (
    Knob(
        name="threads",
        variable="OMP_NUM_THREADS",
        values=("1", "2", "4", "8", "16", "32"),
        meaning="Threads of OpenMP, and so of an operation; the adapter's settings state it.",
        counts_cores=True,
    ),
    Knob(
        name="waiting threads",
        variable="OMP_WAIT_POLICY",
        values=("PASSIVE",),
        meaning="OpenMP's threads sleep while they wait, instead of spinning; `OMP_DISPLAY_ENV=true` shows it.",
    ),
)
