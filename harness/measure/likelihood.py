"""How probable a large Boltzmann machine finds the data: log Z by annealed importance sampling, and a lower bound.

An estimate of log Z can be far out and look like any other number. So it is made twice, from two different starts, and
is called reliable only if enough runs carry weight in both and both agree.
"""

from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.language import Sentence, Words, noop
from harness.measure.exact import (
    Doubles,
    Floats,
    Model,
    Sides,
    deep,
    free_energy,
    log_sum_exp,
    sides,
    sigmoid,
    softplus,
)

LEAST_SAMPLE_SIZE = 20
MOST_NATS_APART = 1.0
CLIPPED_MEANS = 0.01, 0.99
"""The means of a base are clipped to these: a pixel that is always white would have a bias of minus infinity."""
MEAN_FIELD_STEPS = 50
ROWS = 1000
"""Examples at a time."""

Singles = NDArray[np.float32]


class Ais(Struct, frozen=True):
    """An estimate of log Z by annealed importance sampling, and how far to trust it."""

    log_z: float
    effective_sample_size: float
    """`sum(w)**2 / sum(w**2)`: the number of runs if all weigh the same, 1 if one of them outweighs the rest."""
    log_weight_deviation: float


class Base(Struct, frozen=True):
    """Independent units that annealing starts from, by the logits of their means."""

    outer: Singles
    """Of the pixels and of h2, `(V + H2,)`."""
    middle: Singles
    """Of h1, `(H1,)`."""


class LogZ(Struct, frozen=True):
    """log Z as estimated from two bases."""

    value: float
    """The larger of the two, so that a bound on the likelihood errs low.

    Such an estimate hardly ever errs by much upwards (its exponential is unbiased, so Markov's inequality holds), but
    falls far below where the runs miss a mode.
    """
    uniform: Ais
    rates: Ais
    reason: Words | None
    """Why the value is not to be relied upon; none if it is."""

    @property
    def reliable(self) -> bool:
        """Whether enough runs carried weight from both bases, and both agree."""
        return self.reason is None


def log_z_of(model: Model, v: Floats, temperatures: int, runs: int, seed: int) -> LogZ:
    """Estimate log Z of an RBM or a deep machine from both bases, and judge the estimates; for v see `rates_of`."""
    uniform = ais(model, None, temperatures=temperatures, runs=runs, seed=seed)
    # Other random numbers, so that agreement is no echo.
    rates = ais(model, rates_of(model, v), temperatures=temperatures, runs=runs, seed=seed + 1)
    larger = max(uniform.log_z, rates.log_z)
    return LogZ(larger, uniform, rates, why_unreliable(uniform, rates))


@np.errstate(over="ignore", invalid="ignore")  # of a model that diverged
def rates_of(model: Model, v: Floats) -> Base:
    """Return the base whose units have the means that those of the model have given pictures v `(B, V)`.

    Pixels alone, as Salakhutdinov & Murray 2008 have it, leave the hidden units at a half: far from where they are in a
    deep machine, and the runs then weigh next to nothing.
    """
    m1, m2 = mean_field(model, v, MEAN_FIELD_STEPS)
    outer, middle = np.concatenate([v.mean(axis=0), m2.mean(axis=0)]), m1.mean(axis=0)
    return Base(_logits(outer), _logits(middle))


def _logits(means: Floats) -> Singles:
    clipped = np.clip(means, *CLIPPED_MEANS)
    return np.log(clipped / (1 - clipped)).astype(np.float32)


def why_unreliable(uniform: Ais, rates: Ais) -> Words | None:
    """Return what speaks against a pair of estimates of the same log Z, if anything does."""
    for start, estimate in ((noop("uniform"), uniform), (noop("base-rate"), rates)):
        if not np.isfinite(estimate.log_z):
            return Sentence(
                "From the {kind} start, log Z is not a finite number: the model has probably diverged.", kind=start
            )
        if estimate.effective_sample_size < LEAST_SAMPLE_SIZE:
            return Sentence(
                "From the {kind} start, all runs weigh no more than {count:.1f} equal ones (at least {least} are "
                "expected): log Z needs more temperatures, or more runs.",
                kind=start,
                count=estimate.effective_sample_size,
                least=LEAST_SAMPLE_SIZE,
            )
    if (apart := abs(uniform.log_z - rates.log_z)) > MOST_NATS_APART:
        return Sentence(
            "log Z is {uniform:.2f} from the uniform start and {base:.2f} from the base-rate start, {apart:.2f} nats "
            "apart (at most {most:g} are expected): it needs more temperatures.",
            uniform=uniform.log_z,
            base=rates.log_z,
            apart=apart,
            most=MOST_NATS_APART,
        )
    return None


@np.errstate(over="ignore", invalid="ignore")  # of a model that diverged: the estimate is then not a number
def ais(model: Model, base: Base | None, *, temperatures: int, runs: int, seed: int) -> Ais:
    """Estimate log Z by annealed importance sampling (Salakhutdinov & Murray 2008), with h1 as the state.

    The other layers are summed out: with o the outer layers (v, h2), and p and q the logits of the base,

        log p_beta(h1) = (beta b + (1 - beta) q)'h1 + sum(softplus(beta (W h1 + bias of o) + (1 - beta) p))

    beta goes from 0 to 1 in equal steps.

    Only the logarithms of the runs' weights are float64. All else is float32: rounding differs from unit to unit and
    from temperature to temperature, so that little adds up (in 784-500-1000 units at 3,000 temperatures: 2e-4 nats).

    Args:
        model: An RBM or a deep machine.
        base: None is the one whose units are all fair coins.
        temperatures: How many values beta takes, both ends included.
        runs: How many independent estimates the mean is taken of.
        seed: The same one gives the same estimate, on the same processor and threads.
    """
    if temperatures < 2 or runs < 1:
        raise ValueError(f"Expected at least 2 temperatures and 1 run. Received: {temperatures} and {runs}")
    two = sides(model, np.float32)
    if base is None:
        base = Base(np.zeros_like(two.outer_bias), np.zeros_like(two.middle_bias))
    random = np.random.default_rng([seed, 8])
    h1 = _draw(np.tile(base.middle, (runs, 1)), random)
    log_w = np.zeros(runs)
    # Python's own numbers: NumPy's float64 would make the arrays float64 (NEP 50).
    betas = np.linspace(0, 1, temperatures).astype(np.float32).tolist()
    for colder, warmer in pairwise(betas):
        inputs = h1 @ two.weight.T + two.outer_bias - base.outer
        before, after = colder * inputs + base.outer, warmer * inputs + base.outer
        log_w += (softplus(after) - softplus(before)).sum(axis=1, dtype=np.float64)
        log_w += (warmer - colder) * (h1 @ (two.middle_bias - base.middle))
        h1 = gibbs_step(two, after, warmer, random, base.middle)
    return _estimate(log_w, sum(softplus(logits.astype(np.float64)).sum() for logits in (base.outer, base.middle)))


def gibbs_step(
    two: Sides, outer_inputs: Floats, beta: float, random: np.random.Generator, base: Floats | float = 0.0
) -> Singles:
    """Draw the outer layers from their inputs, and h1 from the outer layers; `base` are the logits of h1 at beta 0."""
    outer = _draw(outer_inputs, random)
    return _draw(beta * (outer @ two.weight + two.middle_bias) + (1 - beta) * base, random)


def _draw(inputs: Floats, random: np.random.Generator) -> Singles:
    return np.less(random.random(inputs.shape, np.float32), sigmoid(inputs)).astype(np.float32)


def _estimate(log_w: Doubles, base_log_z: float) -> Ais:
    if not np.isfinite(log_w).all():
        return Ais(float("nan"), 0.0, float("nan"))
    total = log_sum_exp(log_w)
    return Ais(
        float(base_log_z + total - np.log(len(log_w))),
        float(np.exp(2 * total - log_sum_exp(2 * log_w))),  # by logarithms, for the weights themselves overflow
        float(log_w.std()),
    )


def mean_field(model: Model, v: Floats, steps: int) -> tuple[Floats, Floats]:
    """Return the means of both hidden layers given v `(B, V)`, after so many steps of `harness/boltzmann.py`."""
    return next(islice(_mean_field(deep(model), v), steps, None))


def mean_field_iterations(model: Model, v: Floats, tolerance: float, at_most: int) -> int:
    """Return the first step whose mean absolute change is below the tolerance in both layers, or `at_most`."""
    means = islice(_mean_field(deep(model), v), at_most + 1)
    for step, layers in enumerate((zip(*pair, strict=True) for pair in pairwise(means)), start=1):
        # An RBM's h2 has no units, and the mean of none is NaN.
        if all(np.abs(new - old).mean() < tolerance for old, new in layers if new.size):
            return step
    return at_most


def _mean_field(model: Model, v: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the start, with the weights doubled for want of h2, and what every further step makes of it."""
    below = v @ model["weight1"]
    m1 = sigmoid(2 * below + model["hidden1_bias"])
    while True:
        m2 = sigmoid(m1 @ model["weight2"] + model["hidden2_bias"])
        yield m1, m2
        m1 = sigmoid(below + m2 @ model["weight2"].T + model["hidden1_bias"])


def elbo(model: Model, v: Floats, log_z: float, *, steps: int = MEAN_FIELD_STEPS) -> Doubles:
    """Return a lower bound of log p for every row of v `(B, V)`, which holds zeros and ones.

    It is the variational bound with the hidden units independent given v, at their mean-field means: for an RBM, log p
    itself. Any means give a bound, so those are found at the model's precision and only the bound is float64.
    """
    model = deep(model)
    return np.concatenate([_bound(model, v[i : i + ROWS], steps) for i in range(0, len(v), ROWS)]) - log_z


def belief_elbo(net: Model, v: Floats, log_z: float, random: np.random.Generator) -> Doubles:
    """Return an estimate of a lower bound of log p for every row of v `(B, V)`, of a belief net that is untied.

    The bound is `E_q[log p(v | h) - F(h)] - log Z + H(q)` with q as recognition has it, and F and log Z those of the
    machine on top (Hinton, Osindero & Teh 2006, section 3); one h is drawn for each row, so that the mean is unbiased.
    """
    inputs = v @ net["recognition"] + net["recognition_bias"]
    means: Doubles = sigmoid(inputs).astype(np.float64)
    h = _draw(inputs, random)
    generated = (h @ net["generation"].T + net["visible_bias"]).astype(np.float64)
    log_v = (v * generated - softplus(generated)).sum(axis=1)
    bound: Doubles = log_v - free_energy(top_of(net), h) + _entropy(means) - log_z
    return bound


def top_of(net: Model) -> Model:
    """Return the machine on top of a belief net."""
    return {"weight": net["weight2"], "visible_bias": net["hidden1_bias"], "hidden_bias": net["hidden2_bias"]}


def _bound(model: Model, v: Floats, steps: int) -> Doubles:
    v, m1, m2 = (array.astype(np.float64) for array in (v, *mean_field(model, v, steps)))
    bound: Doubles = ((v @ model["weight1"] + model["hidden1_bias"]) * m1).sum(axis=1) + v @ model["visible_bias"]
    bound += ((m1 @ model["weight2"] + model["hidden2_bias"]) * m2).sum(axis=1)
    return bound + _entropy(m1) + _entropy(m2)


def _entropy(means: Doubles) -> Doubles:
    """Return the entropy of every row of independent units, in nats, where 0 log 0 is 0."""
    both = np.stack([means, 1 - means])
    entropy: Doubles = -(both * np.log(np.maximum(both, np.finfo(np.float64).tiny))).sum(axis=(0, 2))
    return entropy


def pseudo_log_likelihood(model: Model, v: Floats, seed: int) -> float:
    """Estimate the mean, over the rows of v `(B, V)`, of an RBM's sum of log p(a pixel | all the others).

    One pixel of every row stands for all V: the seed says which.
    """
    rows, pixels = v.shape
    chosen = np.arange(rows), np.random.default_rng([seed, 9]).integers(pixels, size=rows)
    flipped = v.copy()
    flipped[chosen] = 1 - v[chosen]
    return float(-pixels * softplus(free_energy(model, v) - free_energy(model, flipped)).mean())
