"""What `evenbench tune` may turn for PyTorch, the most promising first.

Every one was seen to do what it says with 2.13.0, on two cores with AVX-512.
"""

from harness.knobs import Knob

FLUSH_VARIABLE = "EVENBENCH_FLUSH_DENORMALS"
"""Set to 1, it makes torch flush denormal numbers to zero, as TensorFlow and MindSpore do by themselves."""
LAYOUT_VARIABLE = "EVENBENCH_CHANNELS_LAST"
"""Set to 1, pictures and convolutions lie in memory with the channels last; what is computed stays the same."""
FUSED_VARIABLE = "EVENBENCH_FUSED_OPTIMIZER"
"""Set to 1, an optimizer updates all parameters in one kernel (`fused=True`); RMSprop has none (seen with 2.13.0)."""

KNOBS = (
    Knob(
        name="flush denormals",
        variable=FLUSH_VARIABLE,
        values=("1",),
        meaning="Denormal numbers become zero (`torch.set_flush_denormal`); the adapter's settings state it.",
    ),
    Knob(
        name="threads",
        variable="OMP_NUM_THREADS",
        values=("1", "2", "4", "8", "16", "32"),
        meaning="Threads of OpenMP, and so of an operation; `torch.get_num_threads()` follows it.",
        counts_cores=True,
    ),
    Knob(
        name="waiting threads",
        variable="OMP_WAIT_POLICY",
        values=("PASSIVE",),
        meaning="OpenMP's threads sleep while they wait, instead of spinning; `OMP_DISPLAY_ENV=true` shows it.",
    ),
    Knob(
        name="memory layout",
        variable=LAYOUT_VARIABLE,
        values=("1",),
        meaning="Pictures and convolutions in `torch.channels_last` order; the adapter's settings state it.",
    ),
    Knob(
        name="fused optimizer",
        variable=FUSED_VARIABLE,
        values=("1",),
        meaning=(
            "One kernel updates all parameters (`fused=True` of torch.optim), where the optimizer has it; torch's "
            "profiler shows `aten::_fused_sgd_`, and the adapter's settings state it."
        ),
    ),
    Knob(
        name="allocator",
        variable="GLIBC_TUNABLES",
        values=(
            "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824",
            "glibc.malloc.hugetlb=1",
        ),
        meaning=(
            "malloc keeps freed memory, or asks for huge pages: a step of a small convolutional net then makes 0 or 2 "
            "page faults instead of 500."
        ),
        systems=("Linux",),
    ),
    Knob(
        name="oneDNN instruction set",
        variable="ONEDNN_MAX_CPU_ISA",
        values=("AVX2",),
        meaning="oneDNN leaves AVX-512 alone; `ONEDNN_VERBOSE=1` names the instruction set.",
        cpu_flag="avx512f",
    ),
    Knob(
        name="ATen instruction set",
        variable="ATEN_CPU_CAPABILITY",
        values=("avx2",),
        meaning="PyTorch's own kernels leave AVX-512 alone; `torch.backends.cpu.get_cpu_capability()` says so.",
        cpu_flag="avx512f",
    ),
    Knob(
        name="affinity",
        variable="OMP_PROC_BIND",
        values=("TRUE",),
        meaning="OpenMP's threads stay on their cores; `OMP_DISPLAY_ENV=true` shows it.",
    ),
)
