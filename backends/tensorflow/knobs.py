"""What `evenbench tune` may turn for TensorFlow, the most promising first.

Every one was seen to do what it says with 2.21.0, on two cores with AVX-512.
"""

from harness.knobs import Knob

STATED = ("XLA_FLAGS", "TF_XLA_FLAGS")
"""What may change the speed too and is not searched: free text, which the adapter's settings state where it is set."""

KNOBS = (
    Knob(
        name="oneDNN",
        variable="TF_ENABLE_ONEDNN_OPTS",
        values=("0",),
        meaning="Eigen's kernels in place of oneDNN's; the adapter's settings state it.",
    ),
    Knob(
        name="oneDNN instruction set",
        variable="ONEDNN_MAX_CPU_ISA",
        values=("AVX2",),
        meaning="oneDNN leaves AVX-512 alone; `ONEDNN_VERBOSE=1` names the instruction set.",
        cpu_flag="avx512f",
    ),
    Knob(
        name="threads of an operation",
        variable="TF_NUM_INTRAOP_THREADS",
        values=("1", "2", "4", "8", "16", "32"),
        meaning="Threads that share one operation; the process then has as many threads fewer.",
        counts_cores=True,
    ),
    Knob(
        name="operations at a time",
        variable="TF_NUM_INTEROP_THREADS",
        values=("1", "2", "4", "8", "16", "32"),
        meaning="Threads that run operations side by side; the process then has as many threads fewer.",
        counts_cores=True,
    ),
)
