"""The gate before any ranking: does a backend compute what the reference computes?

Both get the same weights, mini-batches and labels, drawn here. Six levels are compared (the seventh, for the stages of
a Boltzmann machine, is in `harness/parity/stages.py`), each with the task's own
tolerance. The error of a level is the largest absolute difference of an array from the float64 reference, divided by
the largest magnitude in the reference's array, and the largest of that over the level's arrays. Two divisors have a
floor, since float32 cannot resolve less: for `gradients` a hundredth of the largest gradient of all (a bias before a
batch normalisation has a gradient of exactly zero), and for `update`, which is divided by how far the parameter moved,
a thousandth of the parameter's magnitude. The update is not compared where the gradient is not resolved.

What float32 can resolve of a sum hangs on how much cancels in it: the gradient of a bias before a batch normalisation
is a sum of terms that cancel to nothing. So the reference computes its outputs and gradients in float32 too, and what
these lie apart from float64, times `ROUNDING`, is allowed in any case. It is some 1e-7 of a well-conditioned array, far
below the tolerances.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.language import Sentence, Words, noop
from harness.layers import Activation, BatchNorm, Dense, Embedding, LayerNorm, Maxout, Positions, PReLU
from harness.model import (
    channel_axis,
    cuts,
    is_penalised,
    is_trained,
    label_shape,
    layer_parameters,
    leaves,
    named_layers,
    parameter_shapes,
    takes_tokens,
)
from harness.optimizers import Optimizer
from harness.parity import stages as parity_stages
from harness.record import LevelName
from harness.spec import DeviceKind, Mode, Preset, Task

STEPS = 20
GRADIENT_FLOOR = 1e-2
UPDATE_FLOOR = 1e-3
ROUNDING = 20.0
"""How many times further from float64 than the reference in float32 a framework may lie: sums of another order."""
NUDGE = 1e-5
"""By which share of itself a weight is moved, to see how fast the losses of a net part by themselves."""
NUDGES = 3
"""How often they are moved."""
LOSSES_APART = 10.0
"""How many times further from the reference's losses a framework's may lie than those of a nudged net."""
Arrays = Mapping[str, NDArray[Any]]
LEVELS: tuple[LevelName, ...] = get_args(LevelName)


class Level(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one level of the comparison showed; `error` is null where it is not finite or shapes differ."""

    error: float | None
    tolerance: float
    passed: bool
    where: str = ""
    """The array with the largest error."""


class Parity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verdict on one task, backend, device and mode."""

    task: str
    backend: str
    device: DeviceKind
    mode: Mode
    passed: bool
    levels: dict[LevelName, Level]
    versions: dict[str, str] = {}
    failure: Words = ""
    """Why nothing could be compared: the backend refused, crashed or took too long."""
    refused: bool = False
    """Whether it refused the task in this mode, with a sentence: nothing is proven, and nothing is wrong."""
    first_layer: str | None = None
    """The first layer whose output differs, where the forward pass does."""
    hint: Words = ""
    remark: Words = ""
    """What is to be said of a verdict that passed."""

    def largest(self) -> float | None:
        """Return the largest error of any level as a multiple of its tolerance."""
        errors = [level.error / level.tolerance for level in self.levels.values() if level.error is not None]
        return max(errors, default=None)

    def summary(self) -> Words:
        """Return one sentence for a report: what failed and what to look at, or the remark on what passed."""
        if self.failure:
            return self.failure
        if not (names := failed(self.levels)):
            return self.remark
        level = self.levels[names[0]]
        place = self.first_layer or level.where
        found = Sentence(
            "differs from the reference in {what} ({kind}, allowed {allowed:.0e})",
            what=Sentence("{what} at {place}", what=names[0], place=place) if place else names[0],
            kind=noop("not comparable") if level.error is None else f"{level.error:.1e}",
            allowed=level.tolerance,
        )
        return (
            Sentence("{reason}. {hint}", reason=found, hint=self.hint)
            if self.hint
            else Sentence("{reason}.", reason=found)
        )


def failed(levels: Mapping[LevelName, Level]) -> list[LevelName]:
    """Return the names of the levels that did not pass, in their order."""
    return [name for name in LEVELS if name in levels and not levels[name].passed]


def worst(draws: Sequence[Mapping[LevelName, Level]]) -> dict[LevelName, Level]:
    """Return every level with its largest error over several draws that passed."""
    return {name: max((found[name] for found in draws), key=lambda level: level.error or 0.0) for name in draws[0]}


def inputs(task: Task, preset: Preset | None = None, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Draw what is handed to both sides: data, labels, the order of 20 mini-batches, and weights.

    Every parameter is away from zero, biases too: a bias that a backend lacks cannot hide. For nets without
    convolution or pooling, a last mini-batch of inputs of 1e-6 makes gradients so small that an optimizer's epsilon
    decides the step. If the preset has the stages of a Boltzmann machine, theirs are drawn too.
    """
    random = np.random.default_rng([seed, 3])
    batch = task.parity_batch
    n = 5 * batch
    out = named_layers(task)[-1].output_shape
    x: NDArray[Any] = random.standard_normal((n + batch, *task.input_shape)).astype(np.float32)
    x[n:] *= 1e-6
    if takes_tokens(task):
        x = _tokens(task, n + batch, random)
    y: NDArray[Any]
    if task.loss == "softmax_cross_entropy":
        y = random.integers(0, out[channel_axis(out)], (n + batch, *label_shape(out))).astype(np.int32)
    elif task.loss == "sigmoid_cross_entropy":
        y = random.integers(0, 2, (n + batch, *out)).astype(np.float32)
    else:
        y = random.standard_normal((n + batch, *out)).astype(np.float32)
    order = np.stack([random.permutation(n)[:batch] for _ in range(STEPS)]).astype(np.int32)
    found = {"train_x": x, "train_y": y, "test_x": x[:batch], "test_y": y[:batch], "order": order}
    if all(isinstance(layer, Dense | Activation | PReLU | Maxout) for layer in task.layers):
        found["tiny_order"] = np.arange(n, n + batch, dtype=np.int32)[None]
    for stage in preset.boltzmann.stages if preset and preset.boltzmann else ():
        given = parity_stages.inputs(parity_stages.small(stage), seed)
        found |= {f"stages/{stage.name}/{name}": value for name, value in given.items()}
    return found | {f"weights/{name}": value for name, value in _weights(task, random).items()}


def _tokens(task: Task, examples: int, random: np.random.Generator) -> NDArray[np.int32]:
    """Draw sequences of words, all but the first padded in front with zeros, each to a length of its own."""
    vocabulary = next(layer.vocabulary for layer in task.layers if isinstance(layer, Embedding))
    x = random.integers(0, vocabulary, (examples, *task.input_shape)).astype(np.int32)
    padding = random.integers(0, task.input_shape[0], examples)
    padding[0] = 0
    x[np.arange(task.input_shape[0]) < padding[:, None]] = 0
    return x


def _weights(task: Task, random: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    weights = {}
    for named in leaves(named_layers(task)):
        for name, shape in layer_parameters(named).items():
            part = name.rpartition(".")[2]
            if isinstance(named.layer, BatchNorm | PReLU | LayerNorm):
                # A variance must be above zero, a scale away from it.
                low, high = (-0.5, 0.5) if part in ("bias", "mean") else (0.2, 1.5)
            else:
                kernel = next(iter(layer_parameters(named).values()))
                high = 0.5 if isinstance(named.layer, Embedding | Positions) else 1.0 / np.sqrt(np.prod(kernel[1:]))
                low = -high
            weights[name] = random.uniform(low, high, shape).astype(np.float32)
    return weights


def compare(
    task: Task, optimizer: Optimizer, reference: Arrays, candidate: Arrays, weights: Arrays
) -> dict[LevelName, Level]:
    """Return the levels of a candidate's trace against the reference's; `stages` only if the reference has them."""
    tolerances = task.tolerances
    levels: dict[LevelName, Level] = {"parameters": _parameters_level(task, candidate, weights)}
    names = [name for name in parameter_shapes(task) if is_trained(name)]
    levels["forward"] = _level(reference, candidate, ["forward/outputs"], tolerances.forward)
    levels["loss"] = _level(reference, candidate, ["loss/first"], tolerances.loss)
    gradients = [f"gradients/{name}" for name in names]
    floor = GRADIENT_FLOOR * max((float(np.abs(reference[name]).max()) for name in gradients), default=0.0)
    levels["gradients"] = _level(reference, candidate, gradients, tolerances.gradients, floor)
    levels["update"] = _update_level(task, optimizer, reference, candidate, weights)
    levels["losses"] = _level(reference, candidate, ["losses/all"], tolerances.losses)
    stages = dict.fromkeys(name.split("/")[1] for name in reference if name.startswith("stages/"))
    if stages:
        errors: dict[str, float | None] = {}
        for stage in stages:
            both = (parity_stages.under(f"stages/{stage}", trace) for trace in (reference, candidate))
            error, where = parity_stages.largest_error(*both)
            errors[f"{stage}, {where}"] = error
        levels["stages"] = _worst(errors, tolerances.stages)
    return levels


def nudged(given: Arrays, number: int) -> dict[str, NDArray[Any]]:
    """Return what is handed to both sides with every weight moved by up to `NUDGE` of itself, another way each time."""
    random = np.random.default_rng(number)
    return {
        name: (value * (1 + NUDGE * random.uniform(-1, 1, value.shape))).astype(np.float64)
        if name.startswith("weights/")
        else value
        for name, value in given.items()
    }


def apart(losses: NDArray[Any], moved: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far losses (steps,) part by themselves, up to each step, from those of nudged nets (nudges, steps).

    What is moved is trained in float32 too: where a gradient is zero by nature, as that of a bias in front of a batch
    normalisation, an optimizer that divides by its size makes whole steps of its rounding, which a kink may then feel.
    """
    away = np.abs(moved.astype(np.float64) - losses)
    return np.asarray(np.maximum.accumulate(np.where(np.isfinite(away), away, 0.0).max(axis=0)), np.float64)


def losses_level(reference: Arrays, candidate: Arrays, tolerance: float, apart: NDArray[np.float64]) -> Level:
    """Return the level of losses, where each may also lie as far from the reference's as rounding can take it there.

    `apart` (steps,) is how far the reference's own losses part by themselves, up to each step. While they have not
    parted, the tolerance holds: a fault of the schedule or of the order shows in the first steps.
    """
    expected, came = reference["losses/all"], candidate["losses/all"]
    scale = np.maximum(np.abs(expected).max(), LOSSES_APART * apart / tolerance)
    return _worst({"losses/all": float((np.abs(came - expected) / scale).max())}, tolerance)


def _parameters_level(task: Task, candidate: Arrays, weights: Arrays) -> Level:
    """Level 1: names and shapes are the task's, and the values are those that were handed in."""
    shapes = parameter_shapes(task)
    own = {
        name.removeprefix("parameters/"): value for name, value in candidate.items() if name.startswith("parameters/")
    }
    for name in sorted(shapes.keys() | own.keys()):
        if name not in own or name not in shapes or own[name].shape != shapes[name]:
            return Level(error=None, tolerance=0.0, passed=False, where=name)
    return _worst({name: _difference(weights[f"weights/{name}"], own[name]) for name in shapes}, 1e-6)


def rounding(reference: Arrays, name: str) -> float:
    """Return how far an array may lie from the reference for float32's rounding alone; 0 if nothing is known."""
    return _noise(reference[name], reference.get(f"single/{name}"))


def _noise(array: NDArray[Any], single: NDArray[Any] | None) -> float:
    if single is None or not np.isfinite(single).all():
        return 0.0
    return ROUNDING * float(np.abs(single.astype(np.float64) - array).max(initial=0.0))


def _update_level(task: Task, optimizer: Optimizer, reference: Arrays, candidate: Arrays, weights: Arrays) -> Level:
    errors: dict[str, float | None] = {}
    squares = (float(np.square(value).sum()) for name, value in reference.items() if name.startswith("gradients/"))
    norm = math.sqrt(sum(squares))
    first = next(iter(parameter_shapes(task)), "")  # only here are all gradients as small as the inputs
    for group in ("update", "tiny"):
        for name in parameter_shapes(task):
            key = f"{group}/{name}"
            if key not in reference or (group == "tiny" and name != first):
                continue
            before = weights[f"weights/{name}"]
            moved = float(np.abs(reference[key] - before).max())
            scale = max(moved, UPDATE_FLOOR * float(np.abs(before).max()))
            came = candidate.get(key)
            if group == "update" and is_trained(name) and came is not None and came.shape == before.shape:
                gradient, single = reference[f"gradients/{name}"], reference.get(f"single/gradients/{name}")
                same = unresolved(gradient, before, task, optimizer, norm, single)
                came = np.where(same, reference[key], came)
            errors[key] = _difference(reference[key], came, scale)
    return _worst(errors, task.tolerances.update)


def unresolved(
    gradient: NDArray[Any],
    before: NDArray[Any],
    task: Task,
    optimizer: Optimizer,
    norm: float,
    single: NDArray[Any] | None = None,
) -> NDArray[np.bool_]:
    """Return where an optimizer steps along a number that is too small to be known in float32, but not zero there.

    That number is the gradient, clipped and with its penalties (which may cancel it). It is too small where it is below
    the error that the level of gradients allows, below the array's rounding, known from the gradient in float32
    (`single`), or below a hundred times the optimizer's epsilon: an optimizer that divides by the gradient's own size
    makes a full step of it, or none, by its rounding.
    """
    clipped = gradient * min(1.0, optimizer.clip_norm / norm) if optimizer.clip_norm else gradient
    along = clipped
    if is_penalised(before.shape):
        along = along + optimizer.l2 * before + optimizer.l1 * np.sign(before)
    noise = _noise(gradient, single)
    allowed = max(task.tolerances.gradients * np.abs(clipped).max(initial=0.0), noise)
    size = np.abs(along)
    unknown = size < max(allowed, 100 * getattr(optimizer, "epsilon", 0.0))
    # an exact zero is that of a unit which nothing reaches, unless float32 has another (`single`) or all is rounding
    rounded = False if single is None else single != 0
    return np.asarray(unknown & ((size > 0) | rounded | bool(np.abs(clipped).max(initial=0.0) < noise)))


def _level(reference: Arrays, candidate: Arrays, names: list[str], tolerance: float, floor: float = 0.0) -> Level:
    largest = {name: float(np.abs(reference[name]).max(initial=0.0)) for name in names}
    scales = {name: max(largest[name], floor, rounding(reference, name) / tolerance) for name in names}
    return _worst({n: _difference(reference[n], candidate.get(n), scales[n]) for n in names}, tolerance)


def _worst(errors: Mapping[str, float | None], tolerance: float) -> Level:
    missing = [name for name, error in errors.items() if error is None]
    finite = {name: error for name, error in errors.items() if error is not None}
    where = missing[0] if missing else max(finite, key=finite.__getitem__, default="")
    error = None if missing else finite.get(where, 0.0)
    passed = error is not None and error <= tolerance
    return Level(error=error, tolerance=tolerance, passed=passed, where="" if passed else where)


def _difference(expected: NDArray[Any], came: NDArray[Any] | None, scale: float | None = None) -> float | None:
    """Return the error of one array, or None if it is missing, has another shape or is not finite."""
    if came is None or came.shape != expected.shape or not np.isfinite(came).all():
        return None
    largest = float(np.abs(expected).max(initial=0.0)) if scale is None else scale
    # Where zeros are expected, any other number is a large error.
    return float(np.abs(came.astype(np.float64) - expected).max(initial=0.0)) / max(largest, 1e-30)


def first_difference(task: Task, reference: Arrays, candidate: Arrays) -> str | None:
    """Return the name of the first layer whose output differs, from the traces of the cut-off models."""
    for cut in cuts(task):
        name = f"prefix/{cut.name}"
        error = _difference(reference[name], candidate.get(name))
        if error is None or error > task.tolerances.forward:
            return cut.name
    return None


def key(task: Task, preset: Preset, *facts: str) -> str:
    """Return a name for a verdict that changes with anything that could change it."""
    # A dict's order is no difference.
    text = msgspec.json.encode([task, preset.optimizer, preset.boltzmann, *facts], order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16]


def save_inputs(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the inputs where both sides can read them."""
    np.savez(path, allow_pickle=False, **arrays)
