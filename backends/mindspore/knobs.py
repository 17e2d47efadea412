"""What `evenbench tune` may turn for MindSpore, the most promising first.

Every one was seen to do what it says with 2.10.0, on two cores with AVX-512.
"""

from harness.knobs import Knob

STEPS_VARIABLE = "EVENBENCH_STEPS_PER_CALL"
"""How many steps one call of the compiled loop makes at most, 64 if it is unset."""
LAUNCH_VARIABLE = "MS_DEV_LAUNCH_BLOCKING"
STATED = (LAUNCH_VARIABLE, "MS_DEV_RUNTIME_CONF")
"""What may change the speed and is stated by the adapter's settings where it is set; the second is free text, and not
searched."""

KNOBS = (
    Knob(
        name="oneDNN instruction set",
        variable="ONEDNN_MAX_CPU_ISA",
        values=("AVX2",),
        meaning=(
            "oneDNN leaves AVX-512 alone, for which it takes slow kernels for small convolutions; `ONEDNN_VERBOSE=1` "
            "names instruction set and kernels."
        ),
        cpu_flag="avx512f",
    ),
    Knob(
        name="blocking launch",
        variable=LAUNCH_VARIABLE,
        values=("1",),
        meaning=(
            "Operations run in the thread that calls them, without three threads that wait by spinning; the process "
            "then has three threads fewer, and the adapter's settings state it."
        ),
        modes=("eager",),
    ),
    Knob(
        name="threads",
        variable="OMP_NUM_THREADS",
        values=("1", "2", "4", "8", "16", "32"),
        meaning="Threads of a kernel; the process then has as many threads fewer.",
        counts_cores=True,
    ),
    Knob(
        name="steps per call",
        variable=STEPS_VARIABLE,
        values=("256", "16"),
        meaning="Steps that the compiled loop makes before it comes back to Python; the adapter's settings state it.",
        modes=("graph",),
    ),
)
