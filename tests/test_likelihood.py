"""Exact likelihoods against brute force, and their estimates and bounds against what is exact."""

import numpy as np
import pytest

from harness.measure import exact, likelihood
from harness.measure.exact import Doubles
from harness.measure.likelihood import Ais, Base

Machine = dict[str, Doubles]


def dbm(visible: int, hidden1: int, hidden2: int, *, deviation: float = 1.0, seed: int = 0) -> Machine:
    """Draw all weights and biases from one normal distribution."""
    shapes: dict[str, tuple[int, ...]] = {
        "weight1": (visible, hidden1),
        "weight2": (hidden1, hidden2),
        "visible_bias": (visible,),
        "hidden1_bias": (hidden1,),
        "hidden2_bias": (hidden2,),
    }
    random = np.random.default_rng(seed)
    return {name: random.normal(0, deviation, shape) for name, shape in shapes.items()}


def rbm(visible: int, hidden: int, *, deviation: float = 1.0, seed: int = 0) -> Machine:
    drawn = dbm(visible, hidden, 0, deviation=deviation, seed=seed)
    return {"weight": drawn["weight1"], "visible_bias": drawn["visible_bias"], "hidden_bias": drawn["hidden1_bias"]}


MACHINES = {
    "deep": dbm(6, 5, 4),
    "deep, wide in the middle": dbm(4, 9, 2),
    "rbm": rbm(7, 6),
    "rbm, wide": rbm(5, 8),
}


def pictures(units: int) -> Doubles:
    """Return all states of so many units."""
    return np.array(np.meshgrid(*[[0.0, 1.0]] * units)).reshape(units, -1).T


def all_log_weights(model: Machine) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Return every state of all three layers and -E of each, straight from the definition of the energy."""
    w = exact.deep(model)
    counts = [len(w[f"{layer}_bias"]) for layer in ("visible", "hidden1", "hidden2")]
    v, h1, h2 = np.split(pictures(sum(counts)), np.cumsum(counts)[:-1], axis=1)
    energy = -np.einsum("ni,ij,nj->n", v, w["weight1"], h1) - np.einsum("nj,jk,nk->n", h1, w["weight2"], h2)
    energy -= v @ w["visible_bias"] + h1 @ w["hidden1_bias"] + h2 @ w["hidden2_bias"]
    return v, h1, h2, -energy


@pytest.mark.parametrize("name", MACHINES)
def test_summing_layers_out_gives_what_the_sum_over_all_states_gives(name: str) -> None:
    model = MACHINES[name]
    v, _, _, log_weights = all_log_weights(model)
    assert exact.log_z(model) == pytest.approx(np.log(np.exp(log_weights).sum()), abs=1e-9)
    mine = (v == v[-1]).all(axis=1)
    log_p = np.log(np.exp(log_weights[mine]).sum() / np.exp(log_weights).sum())
    assert exact.log_probability(model, v[-1:])[0] == pytest.approx(log_p, abs=1e-9)


@pytest.mark.parametrize("name", MACHINES)
def test_the_probabilities_of_all_pictures_sum_to_one(name: str) -> None:
    model = MACHINES[name]
    log_p = exact.log_probability(model, pictures(len(model["visible_bias"])))
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)


def test_many_states_are_summed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, v = dbm(6, 5, 4), pictures(6)
    whole = exact.log_z(model), exact.log_probability(model, v)
    monkeypatch.setattr(exact, "CHUNK", 3)
    assert exact.log_z(model) == pytest.approx(whole[0], abs=1e-12)
    np.testing.assert_allclose(exact.log_probability(model, v), whole[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MACHINES)
def test_the_exact_gradient_is_that_of_finite_differences(name: str) -> None:
    model = {name: array.copy() for name, array in exact.deep(MACHINES[name]).items()}
    random = np.random.default_rng(1)
    v = random.integers(0, 2, (7, len(model["visible_bias"]))).astype(np.float64)
    step = 1e-5
    for parameter, gradient in exact.gradient(MACHINES[name], v).items():
        assert gradient.shape == model[parameter].shape
        for index in np.ndindex(gradient.shape):
            value, means = model[parameter][index], []
            for moved in (value - step, value + step):
                model[parameter][index] = moved
                means.append(exact.log_probability(model, v).mean())
            model[parameter][index] = value
            assert gradient[index] == pytest.approx((means[1] - means[0]) / (2 * step), abs=1e-8)


def test_the_bound_is_below_the_exact_likelihood_of_every_picture_and_near() -> None:
    model, v = dbm(6, 5, 4), pictures(6)
    gap = exact.log_probability(model, v) - likelihood.elbo(model, v, exact.log_z(model))
    assert gap.min() > 0
    assert gap.mean() < 0.5


def test_any_number_of_mean_field_steps_gives_a_bound() -> None:
    model, v = dbm(6, 5, 4), pictures(6)
    log_p, log_z = exact.log_probability(model, v), exact.log_z(model)
    gaps = [(log_p - likelihood.elbo(model, v, log_z, steps=steps)) for steps in (0, 1, 2, 50)]
    assert min(gap.min() for gap in gaps) > 0
    assert gaps[0].mean() > gaps[1].mean() > gaps[3].mean()


@pytest.mark.parametrize("model", [dbm(6, 5, 4) | {"weight2": np.zeros((5, 4))}, rbm(6, 5)], ids=["h2 apart", "rbm"])
def test_the_bound_is_the_likelihood_itself_where_the_hidden_units_are_independent(model: Machine) -> None:
    v = pictures(6)
    bound = likelihood.elbo(model, v, exact.log_z(model))
    np.testing.assert_allclose(bound, exact.log_probability(model, v), rtol=0, atol=1e-12)


def test_the_bound_of_certain_hidden_units_is_a_number() -> None:
    model = {name: 300 * array for name, array in dbm(6, 5, 4).items()}
    v = pictures(6)
    bound = likelihood.elbo(model, v, exact.log_z(model))
    assert np.isfinite(bound).all()
    assert (bound <= exact.log_probability(model, v) + 1e-9).all()


def test_the_bound_does_not_depend_on_how_many_examples_are_taken_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, v = dbm(6, 5, 4), pictures(6)
    whole = likelihood.elbo(model, v, 0.0)
    monkeypatch.setattr(likelihood, "ROWS", 7)
    np.testing.assert_allclose(likelihood.elbo(model, v, 0.0), whole, rtol=0, atol=1e-12)


def likely(model: Machine, *, pixels: int = 20, rows: int = 200) -> Doubles:
    """Return pictures (rows, pixels) near to what a machine shows, by some Gibbs steps from fair coins."""
    two, random = exact.sides(model, np.float32), np.random.default_rng(0)
    h1 = random.integers(0, 2, (rows, len(two.middle_bias))).astype(np.float32)
    for _ in range(50):
        h1 = likelihood.gibbs_step(two, h1 @ two.weight.T + two.outer_bias, 1.0, random)
    inputs = h1 @ two.weight.T + two.outer_bias
    return (random.random(inputs.shape) < exact.sigmoid(inputs)).astype(np.float64)[:, :pixels]


@pytest.mark.parametrize("base", ["uniform", "rates", "rates of other pictures"])
@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.0])
def test_annealed_importance_sampling_finds_the_exact_log_z(deviation: float, base: str) -> None:
    model = dbm(20, 15, 12, deviation=deviation, seed=3)
    v = likely(model) if base == "rates" else np.random.default_rng(0).integers(0, 2, (50, 20)).astype(np.float64)
    start = None if base == "uniform" else likelihood.rates_of(model, v)
    estimate = likelihood.ais(model, start, temperatures=1000, runs=100, seed=0)
    assert estimate.log_z == pytest.approx(exact.log_z(model), abs=0.1)
    assert estimate.effective_sample_size > 80
    assert 0 < estimate.log_weight_deviation < 0.5


def test_annealed_importance_sampling_of_an_rbm_is_as_good() -> None:
    model = rbm(20, 15, seed=3)
    estimate = likelihood.log_z_of(model, likely(model), temperatures=1000, runs=100, seed=0)
    assert estimate.reliable
    assert estimate.value == pytest.approx(exact.log_z(model), abs=0.1)


def test_a_base_that_is_the_model_gives_log_z_at_once() -> None:
    model = dbm(6, 5, 4) | {"weight1": np.zeros((6, 5)), "weight2": np.zeros((5, 4))}
    biases = np.concatenate([model["visible_bias"], model["hidden2_bias"]]).astype(np.float32)
    base = Base(biases, model["hidden1_bias"].astype(np.float32))
    estimate = likelihood.ais(model, base, temperatures=2, runs=10, seed=0)
    assert estimate.log_z == pytest.approx(exact.log_z(model), abs=1e-5)
    assert estimate.effective_sample_size == pytest.approx(10)


def test_the_base_of_the_rates_has_the_means_of_all_layers_given_the_pictures() -> None:
    model, v = dbm(6, 5, 4, deviation=0.5), pictures(6)[:9]
    base = likelihood.rates_of(model, v)
    m1, m2 = likelihood.mean_field(model, v, 50)
    means = np.clip(np.concatenate([v.mean(axis=0), m2.mean(axis=0)]), 0.01, 0.99)
    np.testing.assert_allclose(exact.sigmoid(base.outer), means, atol=1e-6)
    np.testing.assert_allclose(exact.sigmoid(base.middle), m1.mean(axis=0), atol=1e-6)


def test_a_base_that_knows_the_hidden_units_needs_fewer_temperatures() -> None:
    model = dbm(20, 15, 12, deviation=2.0, seed=5)
    model |= {"hidden1_bias": model["hidden1_bias"] - 8, "hidden2_bias": model["hidden2_bias"] - 8}
    rates = likelihood.rates_of(model, likely(model))
    pixels = Base(np.concatenate([rates.outer[:20], np.zeros(12, np.float32)]), np.zeros(15, np.float32))
    found = [likelihood.ais(model, base, temperatures=20, runs=200, seed=0) for base in (rates, pixels)]
    errors = [abs(estimate.log_z - exact.log_z(model)) for estimate in found]
    assert errors[0] < errors[1]
    assert found[0].effective_sample_size > 2 * found[1].effective_sample_size


def test_single_precision_gives_the_same_estimate() -> None:
    double = dbm(20, 15, 12, seed=3)
    single = {name: array.astype(np.float32) for name, array in double.items()}
    assert likelihood.ais(single, None, temperatures=50, runs=9, seed=1) == likelihood.ais(
        double, None, temperatures=50, runs=9, seed=1
    )


def test_too_few_temperatures_for_a_hard_model_are_called_unreliable() -> None:
    model = dbm(20, 15, 12, deviation=4.0, seed=3)
    estimate = likelihood.log_z_of(model, np.full((1, 20), 0.5), temperatures=10, runs=100, seed=0)
    assert not estimate.reliable
    assert "more temperatures" in str(estimate.reason)


def test_a_model_that_diverged_is_called_unreliable() -> None:
    for value in (np.nan, np.inf, 1e300):
        model = dbm(6, 5, 4) | {"weight1": np.full((6, 5), value)}
        estimate = likelihood.log_z_of(model, np.full((1, 6), 0.5), temperatures=10, runs=5, seed=0)
        assert "diverged" in str(estimate.reason)


@pytest.mark.parametrize(
    ("uniform", "rates", "reason"),
    [
        (Ais(100.0, 60, 1.0), Ais(100.9, 30, 1.0), None),
        (Ais(100.0, 60, 1.0), Ais(100.9, 19, 1.0), "base-rate start, all runs weigh no more than 19.0 equal ones"),
        (Ais(100.0, 19, 1.0), Ais(100.9, 60, 1.0), "uniform start, all runs weigh no more than 19.0 equal ones"),
        (Ais(100.0, 60, 1.0), Ais(98.9, 60, 1.0), "1.10 nats apart"),
    ],
)
def test_estimates_are_reliable_if_both_have_enough_runs_and_agree(
    uniform: Ais, rates: Ais, reason: str | None
) -> None:
    found = likelihood.why_unreliable(uniform, rates)
    assert found is None if reason is None else reason in str(found)


def test_the_larger_estimate_counts_so_that_a_bound_errs_low() -> None:
    model = dbm(20, 15, 12, deviation=3.0, seed=3)
    estimate = likelihood.log_z_of(model, np.full((1, 20), 0.5), temperatures=30, runs=20, seed=0)
    assert estimate.uniform.log_z != estimate.rates.log_z
    assert estimate.value == max(estimate.uniform.log_z, estimate.rates.log_z)


def test_sampling_without_two_temperatures_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 temperatures and 1 run. Received: 1 and 5"):
        likelihood.ais(dbm(6, 5, 4), None, temperatures=1, runs=5, seed=0)


def test_the_chains_of_the_sampler_settle_at_the_exact_marginals() -> None:
    model, chains = dbm(6, 5, 4), 20_000
    two, random = exact.sides(model, np.float32), np.random.default_rng(0)
    h1 = np.zeros((chains, 5), np.float32)
    for _ in range(60):
        h1 = likelihood.gibbs_step(two, h1 @ two.weight.T + two.outer_bias, 1.0, random)
    outer = exact.sigmoid(h1 @ two.weight.T + two.outer_bias)
    samples = np.concatenate([h1, outer], axis=1).astype(np.float64)
    v, all_h1, h2, log_weights = all_log_weights(model)
    marginals = exact.softmax(log_weights) @ np.concatenate([all_h1, v, h2], axis=1)
    errors = (samples.mean(axis=0) - marginals) / (samples.std(axis=0) / np.sqrt(chains))
    assert np.abs(errors).max() < 4.5


def test_mean_field_ends_where_another_step_changes_nothing() -> None:
    model, v = dbm(6, 5, 4), pictures(6)
    steps = likelihood.mean_field_iterations(model, v, tolerance=1e-7, at_most=500)
    assert 2 < steps < 500
    changes = [
        max(np.abs(new - old).mean() for new, old in zip(after, before, strict=True))
        for before, after in (
            (likelihood.mean_field(model, v, step - 1), likelihood.mean_field(model, v, step))
            for step in (steps - 1, steps, steps + 1)
        )
    ]
    assert changes[0] >= 1e-7 > changes[1] > changes[2]
    assert likelihood.mean_field_iterations(model, v, tolerance=1e-7, at_most=steps - 1) == steps - 1


def test_mean_field_starts_from_doubled_weights() -> None:
    model, v = dbm(6, 5, 4), pictures(6)
    m1, m2 = likelihood.mean_field(model, v, 0)
    np.testing.assert_allclose(m1, 1 / (1 + np.exp(-2 * v @ model["weight1"] - model["hidden1_bias"])))
    np.testing.assert_allclose(m2, 1 / (1 + np.exp(-m1 @ model["weight2"] - model["hidden2_bias"])))


def test_the_mean_field_of_an_rbm_is_exact_after_one_step() -> None:
    model, v = rbm(6, 5), pictures(6)
    m1, m2 = likelihood.mean_field(model, v, 1)
    np.testing.assert_allclose(m1, exact.sigmoid(v @ model["weight"] + model["hidden_bias"]))
    assert m2.shape == (64, 0)
    assert likelihood.mean_field_iterations(model, v, tolerance=1e-9, at_most=9) == 2


def test_the_pseudo_likelihood_is_that_of_the_exact_conditionals() -> None:
    model, rows = rbm(6, 5), 20_000
    v = np.array([[0.0, 1, 1, 0, 1, 0]])
    flipped = np.abs(v - np.eye(6))
    log_odds = exact.log_probability(model, v) - exact.log_probability(model, flipped)
    conditionals = -np.log1p(np.exp(-log_odds))
    many = np.repeat(v, rows, axis=0)
    estimate = likelihood.pseudo_log_likelihood(model, many, seed=0)
    assert abs(estimate - conditionals.sum()) < 4.5 * 6 * conditionals.std() / np.sqrt(rows)
    assert estimate == likelihood.pseudo_log_likelihood(model, many, seed=0)
    assert estimate != likelihood.pseudo_log_likelihood(model, many, seed=1)


def test_a_model_without_weights_is_uniform() -> None:
    nothing = rbm(6, 5, deviation=0.0)
    assert likelihood.pseudo_log_likelihood(nothing, pictures(6), seed=0) == pytest.approx(-6 * np.log(2))
    np.testing.assert_allclose(exact.log_probability(dbm(6, 5, 4, deviation=0.0), pictures(6)), -6 * np.log(2))
