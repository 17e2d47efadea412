"""PyTorch's recurrent layers with the one bias of the task, giving the last state or all of them."""

import torch
from torch import Tensor, nn

from harness.layers import GRU, LSTM, Recurrent, SimpleRNN

PARTS = {"input_weight": "weight_ih_l0", "state_weight": "weight_hh_l0", "bias": "bias_ih_l0"}
"""What torch calls the parts of a parameter's name; those of the second direction end in `_reverse`."""


class RecurrentLayer(nn.Module):
    """A layer from `(B, T, I)` to its last state or all of them.

    Torch has two biases, which are added up: training both would double their learning rate, so the second one is
    held at zero.
    """

    def __init__(self, layer: Recurrent, inputs: int) -> None:
        super().__init__()
        self.rnn = recurrent_module(layer, inputs)
        self.units = layer.units
        self.sequence = layer.sequence
        self.bidirectional = layer.bidirectional
        for name, bias in self.rnn.named_parameters():
            if name.startswith("bias_hh"):
                bias.requires_grad_(False).zero_()

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.rnn(x)[0]
        if self.sequence:
            return states
        if not self.bidirectional:
            return states[:, -1]
        # Each direction ends where it has read everything: the reverse one at the first step.
        return torch.cat([states[:, -1, : self.units], states[:, 0, self.units :]], dim=1)

    def parameter(self, part: str) -> Tensor:
        """Return the parameter that the task calls by this name."""
        plain = part.removeprefix("reverse_")
        found: Tensor = getattr(self.rnn, PARTS[plain] + ("" if plain == part else "_reverse"))
        return found


def recurrent_module(layer: Recurrent, inputs: int) -> nn.RNNBase:
    """Return torch's own layer."""
    options = {"bias": layer.bias, "batch_first": True, "bidirectional": layer.bidirectional}
    match layer:
        case LSTM():
            return nn.LSTM(inputs, layer.units, **options)
        case GRU():
            return nn.GRU(inputs, layer.units, **options)
        case SimpleRNN(kind=kind):
            return nn.RNN(inputs, layer.units, nonlinearity=kind, **options)
