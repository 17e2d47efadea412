"""What the hand-written loops get: the data, and what the harness trains on them."""

from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from harness.layers import LSTM, Conv2d, Dropout, Embedding, Residual, SelfAttention
from harness.model import Weights, is_trained
from harness.optimizers import Optimizer
from harness.spec import Mode, Task


class Encoder(Struct, frozen=True, kw_only=True):
    """The sizes of a Transformer's encoder."""

    vocabulary: int
    length: int
    features: int
    heads: int
    blocks: int


class Case(Struct, frozen=True, kw_only=True):
    """One task in one mode of a framework."""

    task: Task
    optimizer: Optimizer
    mode: Mode
    weights: Weights
    """The initial ones, by the task's names."""
    batch_size: int
    x: NDArray[Any]
    y: NDArray[Any]

    def sizes(self) -> tuple[int, int, int, float]:
        """Return vocabulary, width of the embedding, units and dropout rate of a text classifier with one LSTM."""
        vocabulary, width, units, rate = 0, 0, 0, 0.0
        for layer in self.task.layers:
            match layer:
                case Embedding():
                    vocabulary, width = layer.vocabulary, layer.units
                case LSTM():
                    units = layer.units
                case Dropout():
                    rate = layer.rate
        return vocabulary, width, units, rate

    def blocks(self) -> list[tuple[int, int]]:
        """Return the filters and the stride of every block of a residual net."""
        firsts = [layer.layers[0] for layer in self.task.layers if isinstance(layer, Residual)]
        return [(first.filters, first.stride) for first in firsts if isinstance(first, Conv2d)]

    def encoder(self) -> Encoder:
        """Return the sizes of a Transformer's encoder without dropout.

        Raises:
            ValueError: it has dropout, which these loops have not.
        """
        words, residuals = self.task.layers[0], [la for la in self.task.layers if isinstance(la, Residual)]
        inside = [layer for residual in residuals for layer in residual.layers]
        attentions = [layer for layer in inside if isinstance(layer, SelfAttention)]
        if not isinstance(words, Embedding) or any(isinstance(layer, Dropout) for layer in inside):
            raise ValueError("these loops have words, and no dropout: take the preset quick")
        return Encoder(
            vocabulary=words.vocabulary,
            length=self.task.input_shape[0],
            features=words.units,
            heads=attentions[0].heads,
            blocks=len(attentions),
        )

    def trained(self) -> list[NDArray[Any]]:
        """Return the initial weights that training moves, in the order of the layers."""
        return [value for name, value in self.weights.items() if is_trained(name)]

    def turned(self) -> list[NDArray[Any]]:
        """Return the same with matrices `(in, out)`, but for the rows of words and places."""
        rows = ("embedding1.weight", "positions1.weight")
        return [
            value.T if value.ndim == 2 and name not in rows else value
            for name, value in self.weights.items()
            if is_trained(name)
        ]
