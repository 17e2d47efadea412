"""Where a step hangs on rounding it is not compared, and everywhere else it is."""

import numpy as np

from harness.optimizers import SGD, Adam, Optimizer
from harness.parity.levels import unresolved
from harness.parity.zoo import case, dense_net

TASK = case("any", dense_net(), SGD(learning_rate=0.1), loss="softmax_cross_entropy")
GRADIENT = np.array([[1e-2, -3e-3], [1e-5, 0.0]])
BEFORE = np.array([[0.1, -0.2], [-0.3, 0.4]])


def left_out(optimizer: Optimizer, gradient: np.ndarray = GRADIENT, norm: float = 0.01) -> list[list[bool]]:
    found: list[list[bool]] = unresolved(gradient, BEFORE, TASK, optimizer, norm).tolist()
    return found


def test_a_gradient_far_above_epsilon_is_compared_and_so_is_one_of_exactly_zero() -> None:
    assert left_out(Adam(learning_rate=0.1)) == [[False, False], [False, False]]


def test_a_gradient_below_what_its_level_resolves_is_left_out() -> None:
    assert left_out(SGD(learning_rate=0.1), GRADIENT * [[1, 1], [1e-2, 1]]) == [[False, False], [True, False]]


def test_a_gradient_near_epsilon_is_left_out() -> None:
    assert left_out(Adam(learning_rate=0.1, epsilon=1e-6)) == [[False, False], [True, False]]


def test_a_penalty_that_cancels_the_gradient_is_seen() -> None:
    assert left_out(Adam(learning_rate=0.1, l2=0.99e-5 / 0.3)) == [[False, False], [True, False]]


def test_clipping_brings_gradients_down_to_epsilon() -> None:
    assert left_out(Adam(learning_rate=0.1, clip_norm=1e-4), norm=1.0) == [[False, True], [True, False]]
