"""Where a step hangs on rounding it is not compared, nor are losses that part by themselves; all else is."""

import numpy as np

from backends.numpy.adapter import NumpyBackend
from harness import registry
from harness.layers import Activation, BatchNorm, Dense
from harness.optimizers import SGD, AdaGrad, Adam, Optimizer
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


def test_an_exact_zero_is_left_out_where_float32_has_another_number() -> None:
    rounded = np.array([[1e-2, -3e-3], [1e-5, 1e-9]])
    found = unresolved(GRADIENT, BEFORE, TASK, Adam(learning_rate=0.1), 0.01, rounded)
    assert found.tolist() == [[False, False], [False, True]]


def trained(
    task: Task, given: dict[str, np.ndarray], order: np.ndarray, dtype: type = np.float64
) -> dict[str, np.ndarray]:
    """Return the losses of the reference's training in some order of the mini-batches."""
    program = NumpyBackend(dtype).build(
        task,
        next(iter(task.presets.values())).optimizer,
        device="cpu",
        mode="eager",
        weights={name.removeprefix("weights/"): value for name, value in given.items() if name.startswith("weights/")},
        seed=0,
    )
    program.load({name: given[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    program.train(order)
    return {"losses/all": program.losses()}


def apart(task: Task, given: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> np.ndarray:
    """Return how far the losses part by themselves."""
    moved = [trained(task, levels.nudged(given, n), given["order"], np.float32)["losses/all"] for n in (1, 2, 3)]
    return levels.apart(reference["losses/all"], np.stack(moved))


def test_losses_may_lie_apart_as_far_as_a_trifle_takes_them_and_a_wrong_order_lies_further() -> None:
    task = registry.task("resnet").at("quick")
    given = levels.inputs(task, task.preset("quick"))
    reference = trained(task, given, given["order"])
    found = apart(task, given, reference)
    assert found[0] < 1e-5 < 1e-3 < found[-1], "the net does not part by itself: take another for this test"
    other = trained(task, levels.nudged(given, 4), given["order"])
    assert not np.allclose(other["losses/all"], reference["losses/all"], atol=0, rtol=1e-4)
    assert levels.losses_level(reference, other, 1e-4, found).passed
    late = given["order"].copy()
    late[[3, 4]] = late[[4, 3]]
    level = levels.losses_level(reference, trained(task, given, late), 1e-4, found)
    assert not level.passed
    assert level.where == "losses/all"


def test_losses_may_lie_apart_as_far_as_steps_along_rounding_take_them() -> None:
    kink = Activation(kind="leaky_relu", slope=0.1)
    layers = (Dense(units=6), kink, Dense(units=5), BatchNorm(), Dense(units=3))
    task = case("steps along rounding", layers, AdaGrad(learning_rate=0.02), loss="softmax_cross_entropy")
    given = levels.inputs(task, task.presets["only"], 1)
    reference = trained(task, given, given["order"])
    single = trained(task, given, given["order"], np.float32)
    assert not np.allclose(single["losses/all"], reference["losses/all"], atol=0, rtol=1e-3)
    nudged = trained(task, levels.nudged(given, 1), given["order"])
    assert np.allclose(nudged["losses/all"], reference["losses/all"], atol=0, rtol=1e-5), "float64 feels it too"
    found = apart(task, given, reference)
    assert levels.losses_level(reference, single, 1e-4, found).passed
    late = given["order"].copy()
    late[[3, 4]] = late[[4, 3]]
    assert not levels.losses_level(reference, trained(task, given, late, np.float32), 1e-4, found).passed
