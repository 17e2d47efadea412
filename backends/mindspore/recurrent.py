"""MindSpore's recurrent layers with the one bias of the task, giving the last state or all of them.

With 2.10.0 `nn.LSTM` is one operator per direction on the CPU and on CUDA. On the CPU `nn.GRU` and `nn.RNN` are loops
over the time steps in Python, which the graph compiler unrolls: 200 steps of a GRU took it 20 s. On Ascend `nn.LSTM`
and `nn.GRU` compute in float16.
"""

from typing import Any

from mindspore import nn, ops

from harness.layers import GRU, LSTM, Recurrent, SimpleRNN


class RecurrentLayer(nn.Cell):  # type: ignore[misc]
    """A layer from `(B, T, I)` to its last state or all of them.

    MindSpore adds a second bias, to the product with the state. It stays at zero, or the bias would learn twice as
    fast.
    """

    def __init__(self, layer: Recurrent, inputs: int) -> None:
        super().__init__()
        self.rnn = recurrent_module(layer, inputs)
        self.is_lstm = isinstance(layer, LSTM)
        self.sequence = layer.sequence
        self.bidirectional = layer.bidirectional
        for bias in self.rnn.b_hh_list:
            bias.set_data(ops.zeros_like(bias))
            bias.requires_grad = False

    def construct(self, x: Any) -> Any:
        states, last = self.rnn(x)
        if self.sequence:
            return states
        h = last[0] if self.is_lstm else last  # the LSTM's last state is a pair, h and c
        if self.bidirectional:
            return ops.concat((h[0], h[1]), 1)
        return h[0]

    def parameter(self, part: str) -> Any:
        """Return the parameter that the task calls by this name."""
        both_ways = {
            "input_weight": self.rnn.w_ih_list,
            "state_weight": self.rnn.w_hh_list,
            "bias": self.rnn.b_ih_list,
        }[part.removeprefix("reverse_")]
        return both_ways[1 if part.startswith("reverse_") else 0]


def recurrent_module(layer: Recurrent, inputs: int) -> Any:
    """Return MindSpore's own layer."""
    options = {"has_bias": layer.bias, "batch_first": True, "bidirectional": layer.bidirectional}
    match layer:
        case LSTM():
            return nn.LSTM(inputs, layer.units, **options)
        case GRU():
            return nn.GRU(inputs, layer.units, **options)
        case SimpleRNN(kind=kind):
            return nn.RNN(inputs, layer.units, nonlinearity=kind, **options)
