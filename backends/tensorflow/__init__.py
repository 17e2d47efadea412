"""TensorFlow with Keras 3 layers. `gpu` is CUDA; there is no `npu`, see `why_not` in `adapter.py`."""

from harness.spec import DeviceKind

DEVICES: dict[DeviceKind, str] = {"cpu": "/device:CPU:0", "gpu": "/device:GPU:0"}
"""What TensorFlow calls the first device of each kind."""
