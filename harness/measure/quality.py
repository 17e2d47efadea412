"""How good a trained model is: computed here, once for all backends, from a net's outputs or a machine's weights.

Likelihoods are those of test pictures made binary once, with one seed for all: the machine is one over binary pixels.
"""

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Joint, Rbm, Stage, State
from harness.contract import Split
from harness.language import Sentence, Words, noop
from harness.measure import likelihood
from harness.measure.exact import sigmoid
from harness.model import channel_axis
from harness.spec import Loss

CHUNK = 500
"""Examples per `predict` call. The last chunk is filled up, so that compiled modes see one shape only."""


class Predicting(Protocol):
    """What can be asked for its outputs: a `Program`, or a Boltzmann machine's features."""

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        """Run forward only on examples (B,); may return early."""

    def host(self, outputs: Any) -> NDArray[np.float32]:
        """Copy what `predict` returned to the host."""

    def synchronize(self) -> None:
        """Return only when all queued work is done."""


def outputs(program: Predicting, split: Split, examples: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the model's outputs for some examples of a split, `(examples, K)`, on the host."""
    parts = [program.host(program.predict(split, chunk))[:used] for chunk, used in chunks(examples)]
    return np.concatenate(parts)


def chunks(examples: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int32], int]]:
    """Cut indices into pieces of one size, the last filled up; each comes with the number of those that count."""
    size = min(CHUNK, len(examples))
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        yield np.resize(part, size).astype(np.int32), len(part)


def quality(loss: Loss, predicted: NDArray[np.float32], y: NDArray[np.float32]) -> dict[str, float | None]:
    """Return the metrics of a split.

    Classification gives `accuracy`, the share of examples (of sequences and images: of places) whose largest logit is
    that of their class (for a single logit: whose sign says the class); NaN outputs count as wrong. Of images there is
    `mean_iou` too, of sequences `bits_per_place`, the mean cross-entropy in bits. Regression gives
    `mean_squared_error`.
    """
    match loss:
        case "softmax_cross_entropy":
            logits = np.moveaxis(predicted, channel_axis(predicted.shape[1:]) + 1, -1)
            # Where there is a NaN, argmax names its place.
            answers = np.where(np.isfinite(logits).all(axis=-1), logits.argmax(axis=-1), -1)
            found: dict[str, float | None] = {"accuracy": float(np.mean(answers == y))}
            if predicted.ndim == 4:
                found["mean_iou"] = mean_iou(answers, y, classes=logits.shape[-1])
            if predicted.ndim == 3:
                found["bits_per_place"] = bits_per_place(logits, y)
            return found
        case "sigmoid_cross_entropy":
            # A NaN is not above zero, and would pass for class 0.
            right = ((predicted > 0) == (y > 0.5)) & np.isfinite(predicted)
            return {"accuracy": float(np.mean(right))}
        case "mean_squared_error":
            error = float(np.mean((predicted.astype(np.float64) - y) ** 2))
            return {"mean_squared_error": error if math.isfinite(error) else None}


def mean_iou(answers: NDArray[Any], y: NDArray[Any], *, classes: int) -> float:
    """Return the mean over the classes of intersection over union, over all places of all images together.

    A class that is neither there nor answered is left out (Everingham et al. 2015 take the mean over the classes).
    """
    shares = [np.mean(y[union] == answers[union]) for c in range(classes) if (union := (answers == c) | (y == c)).any()]
    return float(np.mean(shares))


def bits_per_place(logits: NDArray[np.float32], y: NDArray[Any]) -> float | None:
    """Return the mean cross-entropy of the classes y in bits, given logits of their shape and one axis more."""
    wide = logits.astype(np.float64)
    largest = wide.max(axis=-1, keepdims=True)  # so that no exponential overflows
    log_sums = largest[..., 0] + np.log(np.exp(wide - largest).sum(axis=-1))
    losses = log_sums - np.take_along_axis(wide, y[..., None].astype(int), axis=-1)[..., 0]
    return _finite(float(losses.mean()) / math.log(2))


PICTURES = 1000
"""On how many test pictures it is taken."""
MOST_ITERATIONS = 200
CONVERGED = 1e-5
NO_TEMPERATURES = noop("it was not computed: the preset has no temperatures for annealed importance sampling")


def of(
    stage: Stage,
    state: State,
    *,
    test: NDArray[np.float32],
    temperatures: int,
    runs: int,
    seed: int,
) -> tuple[dict[str, float | None], dict[str, Words]]:
    """Return the figures on a machine and remarks on them.

    An RBM gets the pseudo-log-likelihood (nats per picture) of its weights as a plain machine, whichever side was
    doubled in training. A joint stage gets the mean number of mean-field steps to a mean change below 1e-5. It and an
    untied net get the variational bound (nats per picture) with the effective sample sizes behind it, if `temperatures`
    is not 0.
    """
    random = np.random.default_rng([seed, 8])
    v = (random.random(test.shape) < test).astype(np.float32)
    if isinstance(stage, Rbm):
        if stage.recognise:
            p = sigmoid(stage.recognise_copies * (v @ state["below.weight"] + state["below.bias"]))
            v = (random.random(p.shape) < p).astype(np.float32)
        return {"pseudo_log_likelihood": _finite(likelihood.pseudo_log_likelihood(state, v, seed))}, {}
    found: dict[str, float | None] = {}
    if isinstance(stage, Joint):
        found["mean_field_iterations"] = likelihood.mean_field_iterations(state, v, CONVERGED, MOST_ITERATIONS)
    if not temperatures:
        return found, {"bound": NO_TEMPERATURES}
    if isinstance(stage, Joint):
        estimate = likelihood.log_z_of(state, v, temperatures, runs, seed)
        bound = likelihood.elbo(state, v, estimate.value)
    else:
        h = sigmoid(v @ state["recognition"] + state["recognition_bias"])
        estimate = likelihood.log_z_of(likelihood.top_of(state), h, temperatures, runs, seed)
        bound = likelihood.belief_elbo(state, v, estimate.value, random)
    found |= {
        "bound": _finite(float(bound.mean())),
        "bound_is_reliable": float(estimate.reliable),
        "log_z": _finite(estimate.value),
        "sample_size_uniform": _finite(estimate.uniform.effective_sample_size),
        "sample_size_rates": _finite(estimate.rates.effective_sample_size),
    }
    both = Sentence(
        "log Z is {uniform:.2f} from the uniform and {base:.2f} from the rates' base",
        uniform=estimate.uniform.log_z,
        base=estimate.rates.log_z,
    )
    return found, {"log_z": both} | ({"bound": estimate.reason} if estimate.reason else {})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
