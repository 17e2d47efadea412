"""The work of a step, against counts made by hand and published ones."""

import pytest

from harness.boltzmann import Joint, Rbm
from harness.layers import GRU, LSTM, Activation, BatchNorm, Conv2d, Dense, Embedding, Flatten, MaxPool2d, SimpleRNN
from harness.model import named_layers
from harness.optimizers import SGD, Adam, Momentum
from harness.parity.zoo import case
from harness.registry import task, task_names
from harness.spec import Task
from reports.frame.work import boltzmann_update, forward, multiply_adds, timed_step, training_step

LEARN = SGD(learning_rate=0.1)


def net(*layers: object, shape: tuple[int, ...]) -> Task:
    return case("counted", layers, LEARN, shape=shape, loss="mean_squared_error")  # type: ignore[arg-type]


def test_lenet_has_its_published_multiply_adds() -> None:
    """416,520 for 32x32 pictures: 117,600 and 240,000 in the convolutions, 48,000, 10,080 and 840 in the dense ones."""
    lenet = task("lenet-mnist")
    by_layer = {named.name: sum(multiply_adds(named)) for named in named_layers(lenet)}
    assert {name: count for name, count in by_layer.items() if count} == {
        "conv1": 117_600,
        "conv2": 240_000,
        "dense1": 48_000,
        "dense2": 10_080,
        "dense3": 840,
    }
    assert forward(lenet, 1).flops == 2 * 416_520
    assert forward(lenet, 64).flops == 64 * 2 * 416_520


def test_a_training_step_is_three_forward_passes_without_the_gradients_of_the_inputs() -> None:
    assert training_step(task("lenet-mnist"), LEARN, 64).flops == 64 * 2 * (3 * 416_520 - 117_600)


def test_a_dense_layer_worked_out_by_hand() -> None:
    one = net(Dense(units=5), shape=(3,))
    assert forward(one, 2).flops == 2 * 2 * 15
    assert forward(one, 2).least_bytes == 4 * (20 + 2 * (3 + 5))
    step = training_step(one, LEARN, 2)
    assert step.flops == 2 * 2 * 15 * 2, "the inputs are data and need no gradient"
    assert step.least_bytes == 4 * (4 * 20 + 2 * 3 + 2 * 2 * 5)
    assert training_step(one, Momentum(learning_rate=0.1), 2).least_bytes - step.least_bytes == 4 * 2 * 20
    assert training_step(one, Adam(learning_rate=0.1), 2).least_bytes - step.least_bytes == 4 * 4 * 20
    assert step.intensity == pytest.approx(120 / 424)


def test_layers_without_products_count_as_nothing_but_pass_gradients_on() -> None:
    plain = net(Conv2d(filters=4, kernel=3, padding=1), Flatten(), Dense(units=2), shape=(3, 6, 6))
    dressed = net(
        Conv2d(filters=4, kernel=3, padding=1), BatchNorm(), Activation(kind="relu"), Flatten(), Dense(units=2),
        shape=(3, 6, 6),
    )  # fmt: skip
    assert training_step(plain, LEARN, 7).flops == training_step(dressed, LEARN, 7).flops
    assert training_step(plain, LEARN, 7).flops == 2 * 7 * (2 * 4 * 36 * 27 + 3 * 144 * 2)
    strided = net(Conv2d(filters=4, kernel=3, stride=2), MaxPool2d(size=2), Flatten(), Dense(units=2), shape=(3, 9, 9))
    assert forward(strided, 1).flops == 2 * (4 * 16 * 27 + 16 * 2)


@pytest.mark.parametrize(("kind", "gates"), [(SimpleRNN, 1), (GRU, 3), (LSTM, 4)])
@pytest.mark.parametrize("directions", [1, 2])
def test_a_recurrent_layer_multiplies_inputs_and_states_at_every_step(kind: type, gates: int, directions: int) -> None:
    """T = 10 steps, I = 4 inputs, H = 6 units: T * gates * H * (I + H) multiply-adds in each direction."""
    one = net(kind(units=6, bidirectional=directions == 2), shape=(10, 4))
    of_inputs, of_states = 10 * gates * 6 * 4 * directions, 10 * gates * 6 * 6 * directions
    assert multiply_adds(named_layers(one)[0]) == (of_inputs, of_states)
    assert training_step(one, LEARN, 2).flops == 2 * 2 * (2 * of_inputs + 3 * of_states)


def test_an_embedding_multiplies_nothing_but_is_trained_and_moved() -> None:
    one = net(Embedding(vocabulary=100, units=4), LSTM(units=6), Dense(units=2), shape=(10,))
    products = 10 * 24 * 4 + 10 * 24 * 6 + 12
    assert forward(one, 3).flops == 2 * 3 * products
    step = training_step(one, LEARN, 3)
    assert step.flops == 3 * 2 * 3 * products, "the gradients of the embedding's rows are needed"
    parameters = 400 + 24 * 10 + 24 + 14
    assert step.least_bytes == 4 * (4 * parameters + 3 * (10 + 2 * (40 + 6 + 2)))


def test_an_update_of_an_rbm_has_two_products_per_gibbs_step_and_three_more() -> None:
    rbm = Rbm(name="r", epochs=1, learning_rate=0.1, weight_decay=0.0, visible=7, hidden=3)
    assert boltzmann_update(rbm, 10, 1).flops == 2 * 10 * 21 * 5
    assert boltzmann_update(rbm, 10, 4).flops == 2 * 10 * 21 * 11
    assert boltzmann_update(rbm, 10, 1).least_bytes == 4 * (4 * (21 + 7 + 3) + 70)
    upper = Rbm(
        name="u", epochs=1, learning_rate=0.1, weight_decay=0.0, visible=7, hidden=3, recognise=11, persistent=True
    )
    assert boltzmann_update(upper, 10, 1).flops == 2 * 10 * (21 * 5 + 77)
    assert boltzmann_update(upper, 10, 1).least_bytes == 4 * (4 * (21 + 7 + 3) + 77 + 110 + 2 * 30)


def test_an_update_of_a_joint_stage_worked_out_by_hand() -> None:
    joint = Joint(
        name="j", epochs=1, learning_rate=0.1, weight_decay=0.0,
        visible=5, hidden1=4, hidden2=3, chains=6, mean_field_steps=10,
    )  # fmt: skip
    w1, w2 = 20, 12
    mean_field = 2 * (w1 + w2 + 10 * 2 * w2)
    chains = 6 * (5 * (w2 + w1 + w1 + w2) + w2)
    gradients = 2 * (w1 + w2) + 6 * (w1 + w2)
    assert boltzmann_update(joint, 2, 5).flops == 2 * (mean_field + chains + gradients + 2 * w1)


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_work_to_do(name: str) -> None:
    found = task(name)
    for preset in found.presets:
        work = timed_step(found.at(preset), found.preset(preset))
        assert work.flops > 0
        assert 0 < work.intensity < 1000


def test_the_roof_is_the_smaller_of_the_two_limits() -> None:
    work = training_step(net(Dense(units=5), shape=(3,)), LEARN, 2)
    assert work.roofline(flops_per_s=1e9, bytes_per_s=1e12) == 1e9
    assert work.roofline(flops_per_s=1e12, bytes_per_s=1e9) == pytest.approx(work.intensity * 1e9)
