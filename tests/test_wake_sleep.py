"""Wake-sleep against every state of a small net: the gradients that it follows, and what they do to the bound."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from test_boltzmann_learning import bars_and_stripes, flat, gradient_of, random_state

from backends.numpy.boltzmann import NumpyBoltzmann
from harness.boltzmann import State, WakeSleep
from harness.measure import exact, likelihood
from harness.measure.exact import Doubles, Model
from harness.model import initial_weights
from harness.registry import task
from harness.stage_sequence import net_weights, untied

STAGE = WakeSleep(name="w", epochs=1, learning_rate=1, weight_decay=0, visible=4, hidden1=3, hidden2=2, gibbs_steps=50)
RECOGNISED = ("recognition", "recognition_bias")


def every(units: int) -> Doubles:
    return np.array(list(product((0.0, 1.0), repeat=units)))


def log_bernoulli(x: Doubles, inputs: Doubles) -> Doubles:
    """Return log p(x), summed over the last axis, of units with p = s(inputs)."""
    found: Doubles = (x * inputs - np.logaddexp(0, inputs)).sum(axis=-1)
    return found


def log_top(w: Model) -> Doubles:
    """Return log p of every state of the first hidden layer, by the machine on top."""
    machine = {"weight": w["weight2"], "visible_bias": w["hidden1_bias"], "hidden_bias": w["hidden2_bias"]}
    return exact.log_probability(machine, every(w["weight2"].shape[0]))


def bound(w: Model, x: Doubles) -> float:
    """Return the mean over pictures x of `E_q[log p(v, h) - log q(h)]`, by all states h."""
    h = every(w["weight2"].shape[0])
    log_q = log_bernoulli(h[None], (x @ w["recognition"] + w["recognition_bias"])[:, None])
    log_v = log_bernoulli(x[:, None], (h @ w["generation"].T + w["visible_bias"])[None])
    return float((np.exp(log_q) * (log_v + log_top(w)[None] - log_q)).sum(axis=1).mean())


def dreamt(w: Model, _x: Doubles) -> float:
    """Return `E[log q(h given v)]` over what the net dreams, by all states."""
    h, v = every(w["weight2"].shape[0]), every(w["generation"].shape[0])
    log_p = log_top(w)[:, None] + log_bernoulli(v[None], (h @ w["generation"].T + w["visible_bias"])[:, None])
    log_q = log_bernoulli(h[:, None], (v @ w["recognition"] + w["recognition_bias"])[None])
    return float((np.exp(log_p) * log_q).sum())


def slopes(of: Callable[[Model, Doubles], float], w: State, names: tuple[str, ...], x: Doubles) -> dict[str, Doubles]:
    found = {}
    for name in names:
        found[name] = np.zeros(w[name].shape)
        for place in np.ndindex(w[name].shape):
            moved = []
            for sign in (1, -1):
                value = w[name].astype(np.float64)
                value[place] += sign * 1e-5
                moved.append(of({**w, name: value}, x))
            found[name][place] = (moved[0] - moved[1]) / 2e-5
    return found


def test_its_phases_follow_the_exact_gradients() -> None:
    """Wake and the machine on top climb the bound; sleep climbs the likelihood of recognition in dreams."""
    x = np.tile(bars_and_stripes(2), (50, 1))
    w = random_state(STAGE, len(x), deviation=1)
    exactly = x[: len(bars_and_stripes(2))].astype(np.float64)
    awake = tuple(name for name in w if not name.startswith(("velocity", "recognition")))
    expected = slopes(bound, w, awake, exactly) | slopes(dreamt, w, RECOGNISED, exactly)
    found = np.array([flat(gradient_of(STAGE, w, x, gibbs_steps=50, seed=seed)) for seed in range(60)])
    errors = (found.mean(axis=0) - flat(expected)) / (found.std(axis=0, ddof=1) / np.sqrt(len(found)))
    assert np.abs(errors).max() < 5
    assert np.abs(found.mean(axis=0) - flat(expected)).max() < 0.02 < np.abs(flat(expected)).max()


def test_it_raises_the_bound_of_a_net_that_was_trained_greedily() -> None:
    x = bars_and_stripes(3)
    random = np.random.default_rng(0)
    stage = WakeSleep(name="w", epochs=1, learning_rate=1, weight_decay=0, visible=9, hidden1=8, hidden2=6)
    bottom, top = (
        {
            "weight": random.normal(0, 0.3, (below, above)).astype(np.float32),
            "visible_bias": np.zeros(below, np.float32),
            "hidden_bias": np.zeros(above, np.float32),
        }
        for below, above in ((9, 8), (8, 6))
    )
    state = random_state(stage, len(x), deviation=0.0) | untied(bottom, top)
    program = NumpyBoltzmann(stage, state, seed=0)
    program.load({"train_x": x})
    pictures = x.astype(np.float64)
    before = bound(program.state(), pictures)
    updates = 4000
    rates = np.stack([np.full(updates, 0.05), np.zeros(updates)], axis=1).astype(np.float32)
    program.train(np.tile(np.arange(len(x), dtype=np.int32), (updates, 1)), rates, gibbs_steps=3)
    after = bound(program.state(), pictures)
    assert before < -6
    assert after > before + 1.5


def test_the_bound_that_is_drawn_is_the_exact_one_on_average() -> None:
    x = bars_and_stripes(2)
    w = random_state(STAGE, len(x), deviation=1)
    log_z = exact.log_z(likelihood.top_of(w))
    found = [likelihood.belief_elbo(w, x, log_z, np.random.default_rng(seed)).mean() for seed in range(2000)]
    deviation = np.std(found, ddof=1) / np.sqrt(len(found))
    assert deviation < 0.02
    assert abs(np.mean(found) - bound(w, x.astype(np.float64))) < 4 * deviation


def test_the_net_above_begins_with_what_recognises() -> None:
    made = task("wake-sleep-mnist")
    machine = made.preset("smoke").boltzmann
    assert machine is not None
    stages = machine.stages
    done = {stage.name: random_state(stage, 2, deviation=0.1, seed=number) for number, stage in enumerate(stages)}
    weights = net_weights(made, stages, done, initial_weights(made, 0))
    assert np.array_equal(weights["dense1.weight"], done["up-down"]["recognition"].T)
    assert np.array_equal(weights["dense2.bias"], done["up-down"]["hidden2_bias"])


@pytest.mark.parametrize("name", ["recognition", "generation"])
def test_both_directions_begin_as_the_first_machine(name: str) -> None:
    bottom, top = ({"weight": np.eye(2), "visible_bias": np.arange(2), "hidden_bias": np.ones(2)} for _ in range(2))
    assert np.array_equal(untied(bottom, top)[name], np.eye(2))  # type: ignore[arg-type]
