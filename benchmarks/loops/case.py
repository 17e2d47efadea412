"""What the hand-written loops get: the data, and what the harness trains on them."""

from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from harness.layers import LSTM, Dropout, Embedding
from harness.model import Weights
from harness.optimizers import Optimizer
from harness.spec import Mode, Task


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
