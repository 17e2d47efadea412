"""Cases worked out by hand in the lecture notes: the outputs are known, and every backend must give them."""

import numpy as np
from msgspec import Struct

from harness.contract import Arrays
from harness.layers import LSTM, Activation, Dense, Layer, SimpleRNN
from harness.optimizers import SGD
from harness.parity.zoo import case
from harness.spec import Task


class Golden(Struct, frozen=True, kw_only=True):
    """A model, its weights, one example per row of `x`, and what must come out."""

    task: Task
    weights: Arrays
    x: np.ndarray
    outputs: list[float]
    tolerance: float


def golden_cases() -> dict[str, Golden]:
    """Return the cases by name."""
    return {"xor": xor(), "rnn of ones": rnn_of_ones(), "lstm set by hand": lstm_set_by_hand()}


def _task(layers: tuple[Layer, ...], shape: tuple[int, ...]) -> Task:
    return case("golden", layers, SGD(learning_rate=0.1), shape=shape, loss="mean_squared_error")


def _floats(**arrays: object) -> dict[str, np.ndarray]:
    return {name.replace("__", "."): np.array(array, np.float32) for name, array in arrays.items()}


def prefixes(sequence: np.ndarray) -> np.ndarray:
    """Return the first step, the first two and so on, `(T, T, F)`, padded in front: so last states are all states."""
    length = len(sequence)
    found = np.zeros((length, *sequence.shape), np.float32)
    for end in range(1, length + 1):
        found[end - 1, length - end :] = sequence[:end]
    return found


def xor() -> Golden:
    """The analytic ReLU solution of XOR (Goodfellow et al. 2016, section 6.1)."""
    return Golden(
        task=_task((Dense(units=2), Activation(kind="relu"), Dense(units=1)), (2,)),
        weights=_floats(
            dense1__weight=np.ones((2, 2)), dense1__bias=[0, -1], dense2__weight=[[1, -2]], dense2__bias=[0]
        ),
        x=np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32),
        outputs=[0, 1, 1, 0],
        tolerance=0.0,
    )


def rnn_of_ones() -> Golden:
    """A ReLU network whose weights are all one, without biases; every value stays positive."""
    return Golden(
        task=_task((SimpleRNN(units=2, kind="relu", bias=False), Dense(units=2, bias=False)), (3, 2)),
        weights=_floats(
            simplernn1__input_weight=np.ones((2, 2)),
            simplernn1__state_weight=np.ones((2, 2)),
            dense1__weight=np.ones((2, 2)),
        ),
        x=prefixes(np.array([[1, 1], [1, 1], [2, 2]])),
        outputs=[4, 4, 12, 12, 32, 32],
        tolerance=0.0,
    )


def lstm_set_by_hand() -> Golden:
    """A cell with saturated gates: it adds x1 when x2 = 1, forgets when x2 = -1 and tells its sum when x3 = 1.

    x1 is a thousandth of what it stands for, where tanh is a straight line to seven digits.
    """
    x1 = np.array([1, 3, 2, 4, 2, 1, 3, 6, 1]) / 1000
    x2 = [0, 1, 0, 1, 0, 0, -1, 1, 0]
    x3 = [0, 0, 0, 0, 0, 1, 0, 0, 1]
    return Golden(
        task=_task((LSTM(units=1), Dense(units=1, bias=False)), (9, 3)),
        weights=_floats(
            lstm1__input_weight=[[0, 100, 0], [0, 100, 0], [1, 0, 0], [0, 0, 100]],
            lstm1__state_weight=np.zeros((4, 1)),
            lstm1__bias=[-20, 20, 0, -20],
            dense1__weight=[[1000]],
        ),
        x=prefixes(np.stack([x1, x2, x3], axis=1)),
        outputs=[0, 0, 0, 0, 0, 7, 0, 0, 6],
        tolerance=1e-3,
    )
