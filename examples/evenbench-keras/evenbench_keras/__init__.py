"""The light half of the plug-in: one entry for each engine of Keras."""

from harness.contract import Entry
from harness.spec import Mode

CONTRACT = 1


def _entry(engine: str, modes: tuple[Mode, ...], default_mode: Mode) -> Entry:
    return Entry(
        adapter=f"evenbench_keras.adapter:{engine}",
        framework="keras",
        modes=modes,
        default_mode=default_mode,
        variables=("KERAS_", "TF_", "XLA_", "JAX_", "TORCH"),
        pins=f"pins/{engine}",
    )


JAX = _entry("jax", ("graph",), "graph")
TORCH = _entry("torch", ("eager",), "eager")
TENSORFLOW = _entry("tensorflow", ("graph",), "graph")
