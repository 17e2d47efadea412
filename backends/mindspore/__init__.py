"""MindSpore. `npu` is Ascend, for which it is made; `gpu` is CUDA, for which its wheel has plug-ins of old versions.

One file more than the others have: `machines.py` beside `boltzmann.py`. MindSpore keeps operators with a state of their
own, such as those that draw random numbers, and parameters in cells, which PyNative mode calls and `mindspore.jit`
compiles; PyTorch and TensorFlow make do with functions of tensors. So the arithmetic of a Boltzmann machine's update is
cells in `machines.py`, and `boltzmann.py` has the programs that call them, as the others' have.
"""

from harness.spec import DeviceKind

DEVICES: dict[DeviceKind, str] = {"cpu": "CPU", "gpu": "GPU", "npu": "Ascend"}
"""What MindSpore calls each kind of device."""
