"""PaddlePaddle. `gpu` is CUDA, `npu` is Ascend through the `paddle-custom-npu` plug-in.

The plug-in has no pins here: its published wheels are for Python 3.10 and older, so that it has to be built by hand.

Where it differs from its twins: a Boltzmann machine's update is a function from tensors to tensors, since what
`paddle.jit.to_static` makes of one must not write into tensors that it was not given; and leaky ReLU, maxout, batch
normalisation's running variance and RMSprop follow the task's definitions, where Paddle's own differ from them.
"""

from harness.spec import DeviceKind

DEVICES: dict[DeviceKind, str] = {"cpu": "cpu", "gpu": "gpu", "npu": "npu"}
"""What Paddle calls each kind of device."""
