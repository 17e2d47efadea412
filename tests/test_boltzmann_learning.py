"""The reference's Boltzmann machines learn what they should, measured by exact gradients and exact likelihoods."""

import numpy as np
import pytest
from numpy.typing import NDArray

from backends.numpy.boltzmann import NumpyBoltzmann
from harness.boltzmann import Joint, Rbm, Stage, State, initial_state, parameter_shapes
from harness.measure import exact
from harness.measure.exact import Doubles

Singles = NDArray[np.float32]
NAMES = {"weight": "weight1", "hidden_bias": "hidden1_bias"}
"""What the deep machine calls the parameters of an RBM."""


def bars_and_stripes(size: int) -> Singles:
    """Return every picture whose rows are all alike, and every one whose columns are: black and white come twice."""
    lines = np.array(np.meshgrid(*[[0, 1]] * size)).reshape(size, -1).T
    return np.concatenate([np.tile(lines, size), np.repeat(lines, size, axis=1)]).astype(np.float32)


def random_state(stage: Stage, batch: int, *, deviation: float, seed: int = 0) -> State:
    """Return a first state whose weights and biases are all drawn."""
    random = np.random.default_rng(seed)
    drawn = {name: random.normal(0, deviation, shape) for name, shape in parameter_shapes(stage).items()}
    return initial_state(stage, batch, seed) | {name: array.astype(np.float32) for name, array in drawn.items()}


def gradient_of(stage: Stage, state: State, x: Singles, *, gibbs_steps: int, seed: int) -> dict[str, Doubles]:
    """Return the gradient that one update follows, by the names of the deep machine."""
    program = NumpyBoltzmann(stage, state, seed)
    program.load({"train_x": x})
    rate_and_momentum = np.array([[1, 0]], np.float32)
    program.train(np.arange(len(x), dtype=np.int32)[None], rate_and_momentum, gibbs_steps=gibbs_steps)
    after = program.state()
    return {NAMES.get(name, name): after[name] - state[name] for name in parameter_shapes(stage)}


def flat(gradient: dict[str, Doubles]) -> Doubles:
    return np.concatenate([gradient[name].ravel() for name in sorted(gradient)])


@pytest.mark.parametrize("persistent", [False, True])
def test_contrastive_divergence_with_many_steps_follows_the_exact_gradient(persistent: bool) -> None:
    x = np.tile(bars_and_stripes(2), (50, 1))
    stage = Rbm(name="rbm", epochs=1, learning_rate=1, weight_decay=0, visible=4, hidden=3, persistent=persistent)
    state = random_state(stage, len(x), deviation=1)
    expected = exact.gradient(state, x.astype(np.float64))
    expected = {name: expected[name] for name in ("weight1", "visible_bias", "hidden1_bias")}
    found = np.array([flat(gradient_of(stage, state, x, gibbs_steps=50, seed=seed)) for seed in range(40)])
    errors = (found.mean(axis=0) - flat(expected)) / (found.std(axis=0, ddof=1) / np.sqrt(len(found)))
    assert np.abs(errors).max() < 5
    assert np.abs(found.mean(axis=0) - flat(expected)).max() < 0.01 < np.abs(flat(expected)).max()


def test_a_joint_update_with_many_chains_points_along_the_exact_gradient() -> None:
    x = np.tile(bars_and_stripes(2), (10, 1))
    stage = Joint(
        name="joint", epochs=1, learning_rate=1, weight_decay=0, visible=4, hidden1=5, hidden2=3,
        chains=10_000, sparsity_cost=0,
    )  # fmt: skip
    state = random_state(stage, len(x), deviation=0.5)
    expected = flat(exact.gradient(state, x.astype(np.float64)))
    found = flat(gradient_of(stage, state, x, gibbs_steps=50, seed=0))
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.99
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(expected), rel=0.1)


def test_a_deep_machine_learns_bars_and_stripes() -> None:
    """Near the optimum of -2.5993 nats, which a machine that gives the 14 pictures their shares and no other any has.

    A uniform distribution has -6.238 nats. After 12,000 updates the reference was at -2.73, -2.71 and -2.72 nats (three
    seeds).
    """
    x, updates = bars_and_stripes(3), 12_000
    stage = Joint(
        name="joint", epochs=1, learning_rate=0.05, weight_decay=0, visible=9, hidden1=12, hidden2=8,
        chains=200, mean_field_steps=10, sparsity_cost=0,
    )  # fmt: skip
    state = initial_state(stage, len(x), seed=0)
    random = np.random.default_rng(0)
    for name in ("weight1", "weight2"):
        state[name] = random.normal(0, 0.1, state[name].shape).astype(np.float32)
    program = NumpyBoltzmann(stage, state, seed=0)
    program.load({"train_x": x})
    assert exact.log_probability(program.state(), x).mean() < -6
    rates = np.stack([np.linspace(0.05, 0.0025, updates), np.zeros(updates)], axis=1).astype(np.float32)
    order = np.tile(np.arange(len(x), dtype=np.int32), (updates, 1))
    program.train(order, rates, gibbs_steps=5)
    assert -2.85 < exact.log_probability(program.state(), x).mean() < -2.5993
