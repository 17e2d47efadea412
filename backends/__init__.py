"""Who computes: one folder per framework, the same files in each, and exact pins in `requirements.txt`.

`adapter` keeps the contract, with the methods in its order; `nets` has the layers and the loss, `recurrent` the
recurrent layers, `optimizers` the `Updater`, `boltzmann` the programs of Boltzmann machines, `knobs` what may be turned
for speed and `mistakes` one step as the framework's tutorial has it. The folder itself has `DEVICES`, and its docstring
says where it differs from its twins.

`TABLE` names them all; to add a backend, write its folder and its entry. The parent process never imports an adapter:
what it needs to plan stands here, and a test compares it with what the adapter says.
"""

from harness.contract import Entry

TABLE = {
    "torch": Entry(
        adapter="backends.torch.adapter:backend",
        framework="torch",
        modes=("eager", "graph"),
        default_mode="eager",
        knobs="backends.torch.knobs:KNOBS",
        mistakes="backends.torch.mistakes:STEP",
        variables=("ATEN_", "PYTORCH_", "TORCH"),
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
    ),
    "mindspore": Entry(
        adapter="backends.mindspore.adapter:backend",
        framework="mindspore",
        modes=("eager", "graph"),
        default_mode="eager",
        knobs="backends.mindspore.knobs:KNOBS",
        mistakes="backends.mindspore.mistakes:STEP",
        variables=("MS_", "GLOG"),
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
    "paddle": Entry(
        adapter="backends.paddle.adapter:backend",
        framework="paddle",
        package="paddlepaddle",
        modes=("eager", "graph"),
        default_mode="eager",
        knobs="backends.paddle.knobs:KNOBS",
        mistakes="backends.paddle.mistakes:STEP",
        variables=("FLAGS_", "PADDLE_", "CINN_"),
        not_inherited=("FLAGS_use_onednn", "FLAGS_use_mkldnn"),
    ),
    "numpy": Entry(adapter="backends.numpy.adapter:backend", framework="numpy", modes=("eager",), default_mode="eager"),
}

REFERENCE = "numpy"
"""The backend that parity compares with. It runs in the interpreter of the command line and is not run by default."""
