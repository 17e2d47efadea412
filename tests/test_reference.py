"""The reference itself: every hand-written backward pass against finite differences, every optimizer by hand."""

import numpy as np
import pytest

from backends.numpy.adapter import backend
from backends.numpy.nets import Net, loss_and_slope
from backends.numpy.optimizers import Updater
from harness.layers import Dropout
from harness.model import initial_weights, parameter_count, parameter_shapes, takes_tokens
from harness.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop, StepSchedule
from harness.parity import levels
from harness.parity.golden import golden_cases
from harness.parity.zoo import case, dense_net, zoo
from harness.registry import task, task_names
from harness.spec import Task
from harness.worker.parity import without_dropout


def net_and_batch(of: Task) -> tuple[Net, np.ndarray, np.ndarray]:
    drawn = levels.inputs(of)
    weights = {name: drawn[f"weights/{name}"].astype(np.float64) for name in parameter_shapes(of)}
    first = drawn["order"][0][:5]
    return (
        Net(without_dropout(of), weights, seed=0),
        drawn["train_x"][first] if takes_tokens(of) else drawn["train_x"][first].astype(np.float64),
        drawn["train_y"][first],
    )


@pytest.mark.parametrize("of", [*zoo(), task("lenet-mnist"), task("xor")], ids=lambda of: of.name)
def test_every_gradient_is_the_slope_of_the_loss(of: Task) -> None:
    net, x, y = net_and_batch(of)
    _, gradients = net.loss_and_gradients(x, y)
    random = np.random.default_rng(0)
    h = 1e-6
    for name, gradient in gradients.items():
        for flat in random.choice(gradient.size, size=min(4, gradient.size), replace=False):
            place = np.unravel_index(flat, gradient.shape)
            losses = []
            for sign in (1, -1):
                net.parameters[name][place] += sign * h
                losses.append(net.loss_and_gradients(x, y)[0])
                net.parameters[name][place] -= sign * h
            slope = (losses[0] - losses[1]) / (2 * h)
            assert gradient[place] == pytest.approx(slope, rel=2e-5, abs=2e-8), (name, place)


@pytest.mark.parametrize("name", golden_cases())
def test_what_was_worked_out_by_hand_comes_out(name: str) -> None:
    golden = golden_cases()[name]
    weights = {part: value.astype(np.float64) for part, value in golden.weights.items()}
    came = Net(golden.task, weights, seed=0).forward(golden.x.astype(np.float64), training=False)[0].ravel()
    assert np.abs(came - golden.outputs).max() <= golden.tolerance


@pytest.mark.parametrize(
    ("optimizer", "path"),
    [
        (SGD(learning_rate=0.1), [0.9, 0.8, 0.7, 0.6]),
        (Momentum(learning_rate=0.1), [0.9, 0.71, 0.439, 0.0951]),
        (Nesterov(learning_rate=0.1), [0.81, 0.539, 0.1951, -0.21441]),
        (Momentum(learning_rate=0.1, schedule=StepSchedule(every=2, factor=0.1)), [0.9, 0.71, 0.6829, 0.64851]),
        (AdaGrad(learning_rate=0.1), [0.9, 0.829289, 0.771554, 0.721554]),
        (RMSprop(learning_rate=0.1, rho=0.75, epsilon=0.0), [0.8, 0.648814, 0.517295, 0.396346]),
        (Adam(learning_rate=0.1), [0.9, 0.8, 0.7, 0.6]),
        (SGD(learning_rate=0.1, l2=1.0), [0.8, 0.62, 0.458, 0.3122]),
        (SGD(learning_rate=0.1, l1=1.0), [0.8, 0.6, 0.4, 0.2]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Optimizer) else "",
)
def test_an_optimizer_walks_the_path_of_its_definition(optimizer: Optimizer, path: list[float]) -> None:
    """One weight from 1 with the gradient 1; the momentum rows are those that several libraries were seen to print."""
    updater, parameters = Updater(optimizer), {"w": np.ones((1, 1))}
    walked = []
    for _ in path:
        updater.update(parameters, {"w": np.ones((1, 1))})
        walked.append(float(parameters["w"][0, 0]))
    assert walked == pytest.approx(path, abs=1e-5)


def test_adam_adds_its_epsilon_after_the_bias_correction() -> None:
    parameters = {"w": np.zeros((1, 1))}
    Updater(Adam(learning_rate=1e-3)).update(parameters, {"w": np.full((1, 1), 1e-8)})
    assert parameters["w"][0, 0] == pytest.approx(-5e-4)


def test_penalties_leave_biases_alone() -> None:
    parameters = {"b": np.ones(3)}
    Updater(SGD(learning_rate=0.1, l1=1.0, l2=1.0)).update(parameters, {"b": np.zeros(3)})
    assert parameters["b"].tolist() == [1, 1, 1]


def test_losses_are_means_over_the_mini_batch() -> None:
    logits = np.array([[0.0, 0.0], [0.0, 0.0]])
    assert loss_and_slope("softmax_cross_entropy", logits, np.array([0, 1]))[0] == pytest.approx(np.log(2))
    assert loss_and_slope("sigmoid_cross_entropy", logits, np.ones((2, 2)))[0] == pytest.approx(np.log(2))
    assert loss_and_slope("mean_squared_error", logits, np.full((2, 2), 3.0))[0] == 9


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[1e4, -1e4]])
    assert loss_and_slope("softmax_cross_entropy", logits, np.array([1]))[0] == pytest.approx(2e4)
    assert loss_and_slope("sigmoid_cross_entropy", logits, np.array([[0.0, 1.0]]))[0] == pytest.approx(1e4)


def test_dropout_keeps_the_mean_and_rests_outside_of_training() -> None:
    dropped = case("dropped", (Dropout(rate=0.25),), SGD(learning_rate=0.1), loss="mean_squared_error")
    net = Net(dropped, {}, seed=0)
    x = np.ones((2000, 6))
    y = net.forward(x, training=True)[0]
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert (net.forward(x, training=False)[0] == x).all()


def test_lenet_has_the_published_number_of_parameters() -> None:
    assert parameter_count(task("lenet-mnist")) == 61_706


@pytest.mark.parametrize("name", task_names())
def test_initial_weights_depend_on_the_seed_alone(name: str) -> None:
    first, again, other = (initial_weights(task(name), seed) for seed in (0, 0, 1))
    assert all(np.array_equal(first[n], again[n]) for n in first)
    assert not all(np.array_equal(first[n], other[n]) for n in first)
    assert {n: w.shape for n, w in first.items()} == parameter_shapes(task(name))


def test_the_reference_learns_xor() -> None:
    xor = task("xor")
    program = backend().build(
        xor, xor.preset("quick").optimizer, device="cpu", mode="eager", weights=initial_weights(xor, 0), seed=0
    )
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    program.load({"train_x": x, "train_y": np.array([[0], [1], [1], [0]], np.float32)})
    program.train(np.tile(np.arange(4, dtype=np.int32), (500, 1)))
    assert (program.predict("train", np.arange(4, dtype=np.int32)).ravel() > 0).tolist() == [False, True, True, False]


def test_dense_net_is_what_the_zoo_says() -> None:
    assert parameter_count(case("n", dense_net(), SGD(learning_rate=1.0), loss="mean_squared_error")) == 6 * 8 + 8 + 27
