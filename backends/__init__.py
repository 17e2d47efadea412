"""Who computes: one folder per framework, the same files in each, and exact pins in `requirements.txt`.

`adapter` keeps the contract, with the methods in its order; `nets` has the layers and the loss, `recurrent` the
recurrent layers, `optimizers` the `Updater`, `boltzmann` the programs of Boltzmann machines, `knobs` what may be turned
for speed and `mistakes` one step as the framework's tutorial has it. The folder itself has `DEVICES`, and its docstring
says where it differs from its twins.

`TABLE` names them all; to add a backend, write its folder and its entry. The parent process never imports an adapter:
what it needs to plan stands here, and a test compares it with what the adapter says.
"""

from harness.contract import Entry
from harness.language import noop

TABLE = {
    "torch": Entry(
        adapter="backends.torch.adapter:backend",
        framework="torch",
        modes=("eager", "graph"),
        default_mode="eager",
        knobs="backends.torch.knobs:KNOBS",
        mistakes="backends.torch.mistakes:STEP",
        variables=("ATEN_", "PYTORCH_", "TORCH"),
        aliases=("pytorch", "pt"),
        builds={
            noop("PyTorch for the CPU"): 961_000_000,
            noop("PyTorch with CUDA, as PyPI has it for Linux"): 5_800_000_000,
        },  # of 2.13.0, on x86-64, with pip
        mode_aliases={"compile": "graph", "compiled": "graph", "torch.compile": "graph", "inductor": "graph"},
        caches=("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"),
    ),
    "tensorflow": Entry(
        adapter="backends.tensorflow.adapter:backend",
        framework="tensorflow",
        modes=("eager", "graph", "xla"),
        default_mode="graph",
        knobs="backends.tensorflow.knobs:KNOBS",
        mistakes="backends.tensorflow.mistakes:STEP",
        variables=("TF_", "XLA_", "KERAS_"),
        aliases=("tf", "tf2", "keras"),
        mode_aliases={"function": "graph", "tf.function": "graph", "jit": "xla", "jit_compile": "xla"},
    ),
    "mindspore": Entry(
        adapter="backends.mindspore.adapter:backend",
        framework="mindspore",
        modes=("eager", "graph"),
        default_mode="eager",
        knobs="backends.mindspore.knobs:KNOBS",
        mistakes="backends.mindspore.mistakes:STEP",
        variables=("MS_", "GLOG"),
        aliases=("ms", "mind-spore"),
        mode_aliases={"pynative": "eager", "pynative_mode": "eager", "graph_mode": "graph", "jit": "graph"},
        not_inherited=("MS_COMPILER_CACHE_ENABLE", "MS_DEV_FORCE_USE_COMPILE_CACHE"),
        memory_words=(
            "memory not enough",
            "allocate memory failed",
            "malloc memory failed",
            "memory malloc failed",
            "device memory failed",
            "output memory failed",
            "workspace memory failed",
            "device mem failed",
            "tensor mem failed",
        ),  # those of 2.10, whose errors are RuntimeErrors like all others'
    ),
    "jax": Entry(
        adapter="backends.jax.adapter:backend",
        framework="jax",
        modes=("eager", "graph"),
        default_mode="graph",
        mode_aliases={"jit": "graph"},
        knobs="backends.jax.knobs:KNOBS",
        mistakes="backends.jax.mistakes:STEP",
        variables=("JAX_", "XLA_", "LIBTPU_"),
        # the cache of compiled code is off unless somebody names its folder; the others are 64 bits and a CPU hidden
        not_inherited=("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_X64", "JAX_PLATFORMS", "JAX_PLATFORM_NAME"),
    ),
    "paddle": Entry(
        adapter="backends.paddle.adapter:backend",
        framework="paddle",
        package="paddlepaddle",
        modes=("eager", "graph"),
        default_mode="eager",
        aliases=("paddlepaddle", "pd"),
        mode_aliases={"dygraph": "eager", "to_static": "graph", "static": "graph"},
        knobs="backends.paddle.knobs:KNOBS",
        mistakes="backends.paddle.mistakes:STEP",
        variables=("FLAGS_", "PADDLE_", "CINN_"),
        not_inherited=("FLAGS_use_onednn", "FLAGS_use_mkldnn"),
    ),
    "numpy": Entry(
        adapter="backends.numpy.adapter:backend",
        framework="numpy",
        modes=("eager",),
        default_mode="eager",
        aliases=("np", "reference"),
    ),
}

MAIN = ("torch", "tensorflow", "mindspore")
"""The frameworks whose environments are made where none is named; the others count where they have been made."""

REFERENCE = "numpy"
"""The backend that parity compares with. It runs in the interpreter of the command line and is not run by default."""
