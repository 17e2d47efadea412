"""Paddle's recurrent layers with the one bias of the task, giving the last state or all of them."""

from typing import Any

import paddle
from paddle import nn

from harness.layers import GRU, LSTM, Recurrent, SimpleRNN

PARTS = {"input_weight": "weight_ih_l0", "state_weight": "weight_hh_l0", "bias": "bias_ih_l0"}
"""What Paddle calls the parts of a parameter's name; those of the second direction end in `_reverse`."""


class RecurrentLayer(nn.Layer):  # type: ignore[misc]
    """A layer from `(B, T, I)` to its last state or all of them.

    Paddle has two biases, which are added up: training both would double their learning rate. The second one stays at
    zero, and so does the first of a layer without bias, because no optimizer gets them. With 3.3.1 on the CPU they can
    be neither frozen ("Required tensor shall not be nullptr" in the backward pass) nor left out (`bias_hh_attr=False`
    ends the process with a segmentation fault).
    """

    def __init__(self, layer: Recurrent, inputs: int) -> None:
        super().__init__()
        self.rnn = recurrent_module(layer, inputs)
        self.units = layer.units
        self.sequence = layer.sequence
        self.bidirectional = layer.bidirectional
        with paddle.no_grad():
            for name, parameter in self.rnn.named_parameters():
                if "bias" in name:
                    parameter.zero_()

    def forward(self, x: Any) -> Any:
        states = self.rnn(x)[0]
        if self.sequence:
            return states
        if not self.bidirectional:
            return states[:, -1]
        # Each direction ends where it has read everything: the reverse one at the first step.
        return paddle.concat([states[:, -1, : self.units], states[:, 0, self.units :]], axis=1)

    def parameter(self, part: str) -> Any:
        """Return the parameter that the task calls by this name."""
        plain = part.removeprefix("reverse_")
        return getattr(self.rnn, PARTS[plain] + ("" if plain == part else "_reverse"))


def recurrent_module(layer: Recurrent, inputs: int) -> Any:
    """Return Paddle's own layer."""
    direction = "bidirect" if layer.bidirectional else "forward"
    match layer:
        case LSTM():
            return nn.LSTM(inputs, layer.units, direction=direction)
        case GRU():
            return nn.GRU(inputs, layer.units, direction=direction)
        case SimpleRNN(kind=kind):
            return nn.SimpleRNN(inputs, layer.units, direction=direction, activation=kind)
