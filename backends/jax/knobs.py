"""What `evenbench tune` may turn for JAX, the most promising first."""

from harness.knobs import Knob

STATED = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")

KNOBS: tuple[Knob, ...] = ()
