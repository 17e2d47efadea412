"""Where a step hangs on rounding it is not compared, nor are losses that part by themselves; all else is."""

import numpy as np

from backends.numpy.adapter import NumpyBackend
from harness import registry
from harness.optimizers import SGD, Adam, Optimizer
from harness.parity import levels
from harness.parity.levels import unresolved
from harness.parity.zoo import case, dense_net
from harness.spec import Task

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


def trained(task: Task, given: dict[str, np.ndarray], order: np.ndarray) -> dict[str, np.ndarray]:
    """Return the losses of the reference's training in some order of the mini-batches."""
    program = NumpyBackend().build(
        task,
        task.preset("quick").optimizer,
        device="cpu",
        mode="eager",
        weights={name.removeprefix("weights/"): value for name, value in given.items() if name.startswith("weights/")},
        seed=0,
    )
    program.load({name: given[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    program.train(order)
    return {"losses/all": program.losses()}


def test_losses_may_lie_apart_as_far_as_a_trifle_takes_them_and_a_wrong_order_lies_further() -> None:
    task = registry.task("resnet").at("quick")
    given = levels.inputs(task, task.preset("quick"))
    reference = trained(task, given, given["order"])
    moved = [trained(task, levels.nudged(given, number), given["order"])["losses/all"] for number in (1, 2, 3)]
    apart = np.maximum.accumulate(np.max([np.abs(losses - reference["losses/all"]) for losses in moved], axis=0))
    assert apart[0] < 1e-5 < 1e-3 < apart[-1], "the net does not part by itself: take another for this test"
    other = trained(task, levels.nudged(given, 4), given["order"])
    assert not np.allclose(other["losses/all"], reference["losses/all"], atol=0, rtol=1e-4)
    assert levels.losses_level(reference, other, 1e-4, apart).passed
    late = given["order"].copy()
    late[[3, 4]] = late[[4, 3]]
    found = levels.losses_level(reference, trained(task, given, late), 1e-4, apart)
    assert not found.passed
    assert found.where == "losses/all"
