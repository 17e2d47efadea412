"""How the stages follow each other: nothing is halved or added twice, and the net above is one more mean-field step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from small_machines import BATCH, FIRST, JOINT, PIXELS, STAGES, machine_task, pictures_of

from backends.numpy.boltzmann import NumpyBoltzmann
from backends.numpy.nets import Net
from harness import stage_sequence
from harness.boltzmann import Rbm, Stage, State, initial_state, rates, state_shapes
from harness.measure import exact
from harness.model import Weights, initial_weights, parameter_shapes
from harness.spec import Task

TASK = machine_task()


def full(stage: Stage, seed: int) -> State:
    """Return a state in which nothing is zero."""
    random = np.random.default_rng(seed)
    return {n: random.normal(0, 0.5, shape).astype(np.float32) for n, shape in state_shapes(stage, BATCH).items()}


def forward(task: Task, weights: Weights, x: np.ndarray, *, layers: int) -> np.ndarray:
    """Return the output of the first layers of a net."""
    cut = replace(task, layers=task.layers[:layers])
    parameters = {name: weights[name].astype(np.float64) for name in parameter_shapes(cut)}
    return Net(cut, parameters, seed=0).forward(x.astype(np.float64), training=False)[0]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def test_the_composition_takes_the_weights_unchanged_and_adds_the_biases_of_the_shared_layer() -> None:
    bottom, top = full(STAGES[0], 0), full(STAGES[1], 1)
    made = stage_sequence.composition(bottom, top)
    np.testing.assert_array_equal(made["weight1"], bottom["weight"])
    np.testing.assert_array_equal(made["weight2"], top["weight"])
    np.testing.assert_array_equal(made["visible_bias"], bottom["visible_bias"])
    np.testing.assert_array_equal(made["hidden1_bias"], bottom["hidden_bias"] + top["visible_bias"])
    np.testing.assert_array_equal(made["hidden2_bias"], top["hidden_bias"])


def test_a_joint_stage_starts_from_the_composition_and_everything_else_as_it_was_drawn() -> None:
    drawn = stage_sequence.drawn_states(TASK.preset("only"), seed=3)
    done = {"bottom": full(STAGES[0], 0), "top": full(STAGES[1], 1)}
    state = stage_sequence.start(STAGES, 2, drawn, done)
    made = stage_sequence.composition(done["bottom"], done["top"])
    assert state.keys() == state_shapes(JOINT, BATCH).keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value, made.get(name, drawn[f"joint/{name}"]))


def test_a_machine_over_another_starts_with_that_ones_recognition() -> None:
    drawn = stage_sequence.drawn_states(TASK.preset("only"), seed=3)
    below = full(STAGES[0], 0)
    state = stage_sequence.start(STAGES, 1, drawn, {"bottom": below})
    np.testing.assert_array_equal(state["below.weight"], below["weight"])
    np.testing.assert_array_equal(state["below.bias"], below["hidden_bias"])
    np.testing.assert_array_equal(state["weight"], drawn["top/weight"])


def test_equal_seeds_draw_equal_states_and_no_two_stages_or_seeds_share_one() -> None:
    twins = (replace(STAGES[0], name="one"), replace(STAGES[0], name="two"))
    preset = machine_task(twins).preset("only")
    drawn, again, other = (stage_sequence.drawn_states(preset, seed) for seed in (0, 0, 1))
    assert all((drawn[name] == again[name]).all() for name in drawn)
    assert (drawn["one/weight"] != drawn["two/weight"]).any()
    assert (drawn["one/weight"] != other["one/weight"]).any()


def test_a_composition_of_halved_weights_is_a_far_worse_machine() -> None:
    """The classical slip: each machine was trained with one side doubled so that nothing needs to be halved."""
    lines = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T
    bars_and_stripes = np.concatenate([np.tile(lines, 4), np.repeat(lines, 4, axis=1)]).astype(np.float32)
    x = np.resize(bars_and_stripes, (320, PIXELS))
    bottom, top = (
        replace(stage, name=stage.name, epochs=60, learning_rate=0.1, weight_decay=0.0) for stage in STAGES[:2]
    )
    assert isinstance(bottom, Rbm)
    assert isinstance(top, Rbm)
    low = trained(bottom, initial_state(bottom, BATCH, 0), x)
    start = initial_state(top, BATCH, 1) | {"below.weight": low["weight"], "below.bias": low["hidden_bias"]}
    made = stage_sequence.composition(low, trained(top, start, x))
    halved = made | {"weight1": made["weight1"] / 2, "weight2": made["weight2"] / 2}
    right, wrong = (float(exact.log_probability(model, x).mean()) for model in (made, halved))
    assert right > wrong + 2, "nats per picture; -8.7 and -12.4 were seen"


def trained(stage: Rbm, state: State, x: np.ndarray) -> State:
    program = NumpyBoltzmann(stage, state, seed=0)
    program.load({"train_x": x})
    per_epoch = len(x) // BATCH
    for epoch in range(stage.epochs):
        order = np.random.default_rng(epoch).permutation(len(x)).reshape(-1, BATCH).astype(np.int32)
        program.train(order, rates(stage, epoch * per_epoch, per_epoch, per_epoch), gibbs_steps=1)
    return program.state()


def test_the_fine_tuned_net_starts_as_one_more_mean_field_step_of_the_machine() -> None:
    state = full(JOINT, 2)
    weights = stage_sequence.net_weights(TASK, STAGES, {"joint": state}, initial_weights(TASK, 0))
    task = stage_sequence.fine_tuned_task(TASK, JOINT)
    v, _ = pictures_of(7, 0)
    program = NumpyBoltzmann(JOINT, state, seed=0)
    program.load({"test_x": v})
    m1, m2 = np.hsplit(program.features("test", np.arange(7, dtype=np.int32), steps=2), [FIRST])
    next1, next2 = np.hsplit(program.features("test", np.arange(7, dtype=np.int32), steps=3), [FIRST])
    assert np.abs(next1 - m1).max() > 1e-3, "the machine has settled, nothing is compared"
    both = np.hstack([v, m2])
    by_hand = v @ state["weight1"] + m2 @ state["weight2"].T + state["hidden1_bias"]
    np.testing.assert_allclose(forward(task, weights, both, layers=1), by_hand, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(forward(task, weights, both, layers=2), next1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(forward(task, weights, both, layers=4), next2, rtol=1e-5, atol=1e-6)
    last = next2 @ weights["dense3.weight"].T + weights["dense3.bias"]
    np.testing.assert_allclose(forward(task, weights, both, layers=5), last, rtol=1e-5, atol=1e-6)
    assert {name: value.shape for name, value in weights.items()} == parameter_shapes(task)


def test_a_belief_nets_fine_tuning_starts_with_the_features_of_its_top() -> None:
    bottom = replace(STAGES[0], doubled="none")
    top = replace(STAGES[1], doubled="none", recognise_copies=1)
    low, high = full(bottom, 0), full(top, 1)
    high |= {"below.weight": low["weight"], "below.bias": low["hidden_bias"]}
    weights = stage_sequence.net_weights(TASK, (bottom, top), {"bottom": low, "top": high}, initial_weights(TASK, 0))
    program = NumpyBoltzmann(top, high, seed=0)
    v, _ = pictures_of(7, 0)
    program.load({"test_x": v})
    features = program.features("test", np.arange(7, dtype=np.int32), steps=1)
    assert stage_sequence.fine_tuned_task(TASK, top) == TASK
    np.testing.assert_allclose(forward(TASK, weights, v, layers=4), features, rtol=1e-5, atol=1e-6)


def test_layers_above_the_machine_keep_the_weights_that_were_drawn() -> None:
    drawn = initial_weights(TASK, 0)
    weights = stage_sequence.net_weights(
        TASK, STAGES, {"joint": full(JOINT, 2)}, drawn | {"joint/weight1": np.zeros(1, np.float32)}
    )
    np.testing.assert_array_equal(weights["dense3.weight"], drawn["dense3.weight"])
    assert not any("/" in name for name in weights)


def test_the_probe_is_softmax_regression_that_starts_from_zero() -> None:
    probe = stage_sequence.probe_task(TASK, 11)
    weights = stage_sequence.probe_weights(probe)
    assert {name: value.shape for name, value in weights.items()} == parameter_shapes(probe)
    assert probe.layers == TASK.layers[-1:]
    assert not any(value.any() for value in weights.values())


@given(labels=st.lists(st.integers(0, 4), min_size=40, max_size=60), count=st.integers(1, 10))
def test_chosen_examples_are_balanced_and_the_first_of_their_class(labels: list[int], count: int) -> None:
    y = np.array(labels + list(range(5)) * 2, np.int32)  # two of each at least
    chosen = stage_sequence.chosen_examples(y, count)
    counts = np.bincount(y[chosen], minlength=5)
    assert counts.sum() == len(set(chosen.tolist())) == count
    assert counts.max() - counts.min() <= 1
    for k in range(5):
        of_class = np.flatnonzero(y == k)
        np.testing.assert_array_equal(chosen[y[chosen] == k], of_class[: counts[k]])


@given(
    examples=st.sets(st.integers(0, 29), min_size=1),
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 10),
    fewest=st.integers(1, 40),
)
def test_an_order_over_some_examples_holds_no_other_and_makes_enough_updates(
    examples: set[int], epochs: int, batch_size: int, fewest: int
) -> None:
    random = np.random.default_rng(0)
    order = np.concatenate([random.permutation(30) for _ in range(epochs)]).reshape(-1, 10).astype(np.int32)
    some = np.array(sorted(examples), np.int32)
    found = stage_sequence.order_of(some, order, batch_size=batch_size, fewest_updates=fewest)
    assert set(found.ravel().tolist()) <= examples
    assert len(found) >= fewest
    assert found.shape[1] == min(batch_size, len(examples))
    assert found.dtype == np.int32
    visits = np.bincount(found.ravel(), minlength=30)[some]
    assert visits.max() - visits.min() <= 2, "some examples are trained on far more often than others"


@pytest.mark.parametrize("fewest", [1, 25])
def test_all_examples_in_the_order_of_the_whole_set_are_that_order(fewest: int) -> None:
    order = np.random.default_rng(0).permutation(100).reshape(-1, 10).astype(np.int32)
    found = stage_sequence.order_of(np.arange(100, dtype=np.int32), order, batch_size=10, fewest_updates=fewest)
    np.testing.assert_array_equal(found[:10], order)
    assert len(found) == max(10, fewest)
