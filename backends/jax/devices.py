"""JAX's devices: which there are, how arrays get onto them, and the memory that was taken there."""

from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import NDArray

from backends.jax import DEVICES
from harness.contract import DeviceMemory
from harness.language import Sentence
from harness.spec import DeviceKind


def present(kind: DeviceKind) -> list[Any]:
    """Return the devices of a kind, none where JAX has no platform for it here."""
    try:
        return list(jax.devices(DEVICES[kind])) if kind in DEVICES else []
    except RuntimeError:  # "Unknown backend" or "... failed to initialize": there is no question that JAX answers
        return []


def device_of(kind: DeviceKind) -> Any:
    """Return the first device of a kind."""
    return jax.devices(DEVICES[kind])[0]


def copy_to(device: Any, array: NDArray[Any]) -> Any:
    """Return an array on a device that shares no memory with the given one, as `jnp.asarray` may on the CPU."""
    return jnp.array(array, copy=True, device=device)


def peak_memory(device: Any) -> DeviceMemory:
    """Return the peak bytes of JAX's own allocator, or why there are none."""
    stats = device.memory_stats()
    if stats is None or "peak_bytes_in_use" not in stats:
        return DeviceMemory(
            reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="JAX")
        )
    return DeviceMemory(peak_bytes=int(stats["peak_bytes_in_use"]))
