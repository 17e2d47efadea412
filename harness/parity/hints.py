"""What a failed comparison most likely means: the known traps, each tested against the numbers that came.

A hint is a guess that the numbers support; where none fits, the level says where to look.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.language import Sentence, Words, noop
from harness.model import is_trained, parameter_shapes
from harness.optimizers import Adam, Nesterov
from harness.spec import Preset, Task

Arrays = Mapping[str, NDArray[Any]]

WHERE_TO_LOOK: dict[str, Words] = {
    "parameters": noop("Look at the names, shapes and layouts in parameters() and at how build() copies the weights"),
    "forward": noop(
        "Look at the layer's bias, padding, layout, activation, and at dropout or batch statistics in predict()"
    ),
    "loss": noop(
        "The outputs agree, the loss does not: look for a mean over something else or a softmax applied twice"
    ),
    "gradients": noop("The loss agrees, its gradients do not: look for a layer that is cut off from the loss"),
    "update": noop(
        "The gradients agree, the step does not: look at the optimizer's formula, its epsilon and its penalties"
    ),
    "stages": noop(
        "The states or weights differ with the same noise: look at the doubled sides and the order of the draws"
    ),
    "losses": noop("One step agrees, twenty do not: look at the order of the mini-batches and at the accumulators"),
}


def hint(task: Task, preset: Preset, level: str, reference: Arrays, candidate: Arrays, inputs: Arrays) -> Words:
    """Return one sentence on the first level that failed."""
    found = None
    match level:
        case "loss":
            found = _loss_hint(task, reference, candidate, inputs)
        case "gradients":
            found = _gradient_hint(task, reference, candidate)
        case "update":
            found = _update_hint(task, preset, reference, candidate, inputs)
    return found or WHERE_TO_LOOK[level]


def _ratio(candidate: float, reference: float) -> float:
    return candidate / reference if reference else math.nan


def _loss_hint(task: Task, reference: Arrays, candidate: Arrays, inputs: Arrays) -> Words | None:
    batch = inputs["order"].shape[1]
    came, expected = float(candidate["loss/first"][0]), float(reference["loss/first"][0])
    if math.isclose(_ratio(came, expected), batch, rel_tol=1e-3):
        return Sentence(
            "The loss is summed over the mini-batch instead of averaged (it is {batch} times too large)", batch=batch
        )
    if task.loss == "softmax_cross_entropy":
        logits = reference["forward/outputs"]
        labels = inputs["train_y"][inputs["order"][0]]
        if math.isclose(came, _cross_entropy(_softmax(logits), labels), rel_tol=1e-3):
            return noop("Softmax is applied twice: the loss wants logits, but gets probabilities")
    return None


def _softmax(x: NDArray[Any]) -> NDArray[Any]:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _cross_entropy(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    return float(-np.log(_softmax(logits))[np.arange(len(labels)), labels].mean())


def _gradient_hint(task: Task, reference: Arrays, candidate: Arrays) -> Words | None:
    names = [name for name in parameter_shapes(task) if is_trained(name)]
    missing = [name for name in names if f"gradients/{name}" not in candidate]
    if missing:
        return Sentence("There is no gradient for {name}", name=missing[0])
    for name in names:
        came, expected = candidate[f"gradients/{name}"], reference[f"gradients/{name}"]
        if came.ndim == 2 and came.shape == expected.T.shape and np.allclose(came, expected.T, rtol=1e-3, atol=1e-6):
            return Sentence("The gradient of {name} is transposed", name=name)
    return None


def _update_hint(task: Task, preset: Preset, reference: Arrays, candidate: Arrays, inputs: Arrays) -> Words | None:
    optimizer = preset.optimizer
    rate = optimizer.rate_at(0)
    name = next(name for name in parameter_shapes(task) if is_trained(name))
    group = "tiny" if isinstance(optimizer, Adam) and f"tiny/{name}" in reference else "update"
    before = inputs[f"weights/{name}"].astype(np.float64)
    step = before - candidate[f"{group}/{name}"]
    right = before - reference[f"{group}/{name}"]
    if isinstance(optimizer, Nesterov) and np.allclose(step * (1 + optimizer.momentum), right, rtol=1e-2, atol=1e-9):
        return noop("The first step is that of plain momentum: Nesterov is ignored")
    if isinstance(optimizer, Adam) and np.abs(right).max() < rate and not np.allclose(step, right, rtol=1e-2):
        return Sentence(
            "Where gradients are near epsilon ({epsilon:g}) the step differs: epsilon has another value or is added "
            "before the bias correction",
            epsilon=optimizer.epsilon,
        )
    if np.allclose(step, -right, rtol=1e-2, atol=1e-9):
        return noop("The step goes uphill: the sign is wrong")
    return None
