"""Recurrent layers as Keras layers, on cuDNN where the caller allows it, and where each keeps its parameters."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from harness.layers import GRU, LSTM, Layer, Recurrent, SimpleRNN

PARTS = {"input_weight": "kernel", "state_weight": "recurrent_kernel", "bias": "bias"}
"""What a Keras cell calls the parts of a parameter's name."""


@keras.saving.register_keras_serializable(package="evenbench")  # type: ignore[untyped-decorator]
class OneBiasGRU(keras.layers.GRU):  # type: ignore[misc]
    """Keras' layer with one trained bias of shape `(3 * units,)`.

    Keras trains two, for the input and for the state, in one variable of shape `(2, 3 * units)` (seen in 3.15.1). Here
    that variable stays zero and untrained, and only lends its second row. The layer is registered since `Bidirectional`
    makes its two directions anew from a layer's configuration.
    """

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        if self.use_bias:
            self.cell.bias.assign(tf.zeros_like(self.cell.bias.value))
            self.cell.bias.trainable = False
            self.input_bias = self.add_weight(shape=(3 * self.units,), name="input_bias")

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run through time; the two biases are joined outside of the loop, since in every step it costs 5 %."""
        if not self.use_bias:
            return super().inner_loop(sequences, initial_state, mask, training)
        own = self.cell.bias
        self.cell.bias = tf.stack([self.input_bias.value, own.value[1]])
        try:
            return super().inner_loop(sequences, initial_state, mask, training)
        finally:
            self.cell.bias = own


def recurrent_module(layer: Recurrent, name: str, *, cudnn: bool) -> Any:
    """Return the Keras layer that computes a recurrent layer; `cudnn` lets Keras use cuDNN where it can."""
    options = {"return_sequences": layer.sequence, "use_bias": layer.bias, "name": name}
    fused = {"use_cudnn": "auto" if cudnn else False}
    match layer:
        case SimpleRNN(units=units, kind=kind):
            one = keras.layers.SimpleRNN(units, activation=kind, **options)
        case LSTM(units=units):
            one = keras.layers.LSTM(units, **fused, **options)
        case GRU(units=units):
            one = OneBiasGRU(units, **fused, **options)
    return keras.layers.Bidirectional(one, name=name) if layer.bidirectional else one


def parameter(module: Any, part: str) -> Any:
    """Return the Keras variable that holds a part of a recurrent layer, such as `reverse_bias`."""
    one = module
    if isinstance(module, keras.layers.Bidirectional):
        one = module.backward_layer if part.startswith("reverse_") else module.forward_layer
    plain = part.removeprefix("reverse_")
    if plain == "bias" and isinstance(one, OneBiasGRU):
        return one.input_bias
    return getattr(one.cell, PARTS[plain])


def gate_order(layer: Layer) -> NDArray[np.intp] | None:
    """Return the task's numbers of the rows of all gates in Keras' order, z, r, n for the GRU; None if it is the same.

    The LSTM's i, f, c, o are the task's i, f, g, o.
    """
    if not isinstance(layer, GRU):
        return None
    reset, update, new = np.arange(3 * layer.units).reshape(3, layer.units)
    return np.concatenate([update, reset, new])
