"""How good a Boltzmann machine is without labels: computed here, from its weights, once for all backends.

Likelihoods are those of test pictures made binary once, with one seed for all: the machine is one over binary pixels.
"""

import math

import numpy as np
from numpy.typing import NDArray

from harness import likelihood
from harness.boltzmann import Joint, Stage, State
from harness.exact import sigmoid

PICTURES = 1000
"""On how many test pictures it is taken."""
MOST_ITERATIONS = 200
CONVERGED = 1e-5


def of(
    stage: Stage,
    state: State,
    *,
    pixel_means: NDArray[np.float32],
    test: NDArray[np.float32],
    temperatures: int,
    runs: int,
    seed: int,
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the figures on a machine and remarks on them.

    An RBM gets the pseudo-log-likelihood (nats per picture) of its weights as a plain machine, whichever side was
    doubled in training. A joint stage gets the mean number of mean-field steps to a mean change below 1e-5 and, if
    `temperatures` is not 0, the variational bound (nats per picture) with the effective sample sizes behind it.
    """
    random = np.random.default_rng([seed, 8])
    v = (random.random(test.shape) < test).astype(np.float32)
    if not isinstance(stage, Joint):
        if stage.recognise:
            p = sigmoid(stage.recognise_copies * (v @ state["below.weight"] + state["below.bias"]))
            v = (random.random(p.shape) < p).astype(np.float32)
        return {"pseudo_log_likelihood": _finite(likelihood.pseudo_log_likelihood(state, v, seed))}, {}
    found: dict[str, float | None] = {
        "mean_field_iterations": likelihood.mean_field_iterations(state, v, CONVERGED, MOST_ITERATIONS)
    }
    if not temperatures:
        return found, {"bound": "it was not computed: the preset has no temperatures for annealed importance sampling"}
    estimate = likelihood.log_z_of(state, pixel_means, temperatures, runs, seed)
    found |= {
        "bound": _finite(float(likelihood.elbo(state, v, estimate.value).mean())),
        "bound_is_reliable": float(estimate.reliable),
        "log_z": _finite(estimate.value),
        "sample_size_uniform": _finite(estimate.uniform.effective_sample_size),
        "sample_size_rates": _finite(estimate.rates.effective_sample_size),
    }
    both = f"log Z is {estimate.uniform.log_z:.2f} from the uniform and {estimate.rates.log_z:.2f} from the rates' base"
    return found, {"log_z": both} | ({"bound": estimate.reason} if estimate.reason else {})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
