"""JAX, by plain `jax.numpy` and `jax.lax`. `gpu` is CUDA; there is no `npu`, see `why_not` in `adapter.py`.

Where it differs from its twins: a net is a pure function of its parameters, so that programs hold a state that every
step replaces, and `blocks.py` says how many steps one call makes. JAX's own layouts are the task's, so that nothing is
turned at the border. No Flax: its NNX took 17 to 22 ms for a step of LeNet-5 that takes 15.5 ms without (0.12, CPU).
"""

from harness.spec import DeviceKind

DEVICES: dict[DeviceKind, str] = {"cpu": "cpu", "gpu": "gpu"}
"""What JAX calls each kind of device."""
