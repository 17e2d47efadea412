"""What `evenbench tune` may turn for PaddlePaddle, the most promising first."""

from harness.knobs import Knob

KNOBS: tuple[Knob, ...] = ()
