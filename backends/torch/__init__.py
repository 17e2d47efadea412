"""PyTorch. `gpu` is CUDA, `npu` is Ascend through the `torch_npu` plug-in."""

from harness.spec import DeviceKind

DEVICES: dict[DeviceKind, str] = {"cpu": "cpu", "gpu": "cuda", "npu": "npu"}
"""What PyTorch calls each kind of device."""
