"""Who computes: one folder per framework, each with `adapter.py` and exact pins in `requirements.txt`.

`TABLE` names them all; to add a backend, write its folder and its line. The parent process never imports an adapter.
"""

TABLE = {
    "torch": "backends.torch.adapter:backend",
    "tensorflow": "backends.tensorflow.adapter:backend",
    "mindspore": "backends.mindspore.adapter:backend",
    "numpy": "backends.numpy.adapter:backend",
}

REFERENCE = "numpy"
"""The backend that parity compares with. It runs in the interpreter of the command line and is not run by default."""
