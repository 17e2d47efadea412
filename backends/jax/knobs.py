"""What `evenbench tune` may turn for JAX, the most promising first."""

from harness.knobs import Knob

STATED = ("XLA_FLAGS", "NPROC")
"""What may change the speed too: the first is free text and not searched; the adapter's settings state both."""
LOOP_VARIABLE = "EVENBENCH_CONVOLUTIONS_IN_LOOP"
"""Set to 1, graph mode makes many steps in one call where there are convolutions, too."""

KNOBS = (
    Knob(
        name="convolutions in a loop",
        variable=LOOP_VARIABLE,
        values=("1",),
        meaning="Many steps of a net with convolutions are one call, as of others; the adapter's settings state it.",
        devices=("cpu", "gpu"),
        modes=("graph",),
    ),
    Knob(
        name="threads",
        variable="NPROC",
        values=("1", "2", "4", "8", "16", "32"),
        meaning="Threads of XLA's pools on the CPU; with 1 instead of 2 the process has two fewer (seen with 0.10.2).",
        counts_cores=True,
    ),
)
