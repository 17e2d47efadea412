"""Level 7 of the gate: are a Boltzmann machine's updates those of the reference, with the same numbers drawn?

A stage is compared at a small size, where every state can be drawn alike: 30 pixels, two layers of 20 and 14 units.
Four updates are made from a state in which nothing is zero, on a tape of uniform numbers that the reference has cleared
of ties. The error is the largest absolute difference of an array, divided by the largest magnitude in the reference's
array, but no less than a hundredth of the largest magnitude in the stage's state.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, draw_shapes, rates, state_shapes
from harness.contract import Arrays, BoltzmannProgram

UPDATES = 4
BATCH = 10
PICTURES = 3 * BATCH
FEATURE_STEPS = 3
FLOOR = 1e-2
SIZES = (30, 20, 14)


def small(stage: Stage) -> Stage:
    """Return a stage with few units and chains and all else as it is."""
    v, h1, h2 = SIZES
    match stage:
        case Rbm(recognise=0):
            return msgspec.structs.replace(stage, visible=v, hidden=h1)
        case Rbm():
            return msgspec.structs.replace(stage, recognise=v, visible=h1, hidden=h2)
        case Joint():
            return msgspec.structs.replace(stage, visible=v, hidden1=h1, hidden2=h2, chains=BATCH + 2)
        case WakeSleep():
            return msgspec.structs.replace(stage, visible=v, hidden1=h1, hidden2=h2)


def inputs(stage: Stage, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Draw what both sides start from: pictures, order, `state/...` and `tape/...`, for a small stage."""
    random = np.random.default_rng([seed, 7])
    pixels = stage.recognise or stage.visible if isinstance(stage, Rbm) else stage.visible
    found: dict[str, NDArray[Any]] = {
        "pictures": random.uniform(0, 1, (PICTURES, pixels)).astype(np.float32),
        "order": np.stack([random.permutation(PICTURES)[:BATCH] for _ in range(UPDATES)]).astype(np.int32),
    }
    for name, shape in state_shapes(stage, BATCH).items():
        deviation = 0.01 if name.startswith("velocity.") else 0.3
        value = random.normal(0, deviation, shape)
        if name == "chain":
            value = (
                random.integers(0, 2, shape).astype(float) if isinstance(stage, Rbm) else random.uniform(0, 1, shape)
            )
        found[f"state/{name}"] = value.astype(np.float32)
    for name, shape in draw_shapes(stage, BATCH, stage.gibbs_steps).items():
        found[f"tape/{name}"] = random.uniform(0, 1, (UPDATES, *shape)).astype(np.float32)
    return found


def under(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays whose name starts with `prefix/`, without it."""
    return {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}


def trace(stage: Stage, program: BoltzmannProgram, given: Arrays) -> dict[str, NDArray[Any]]:
    """Make the updates on a program built from the given state and return all that is compared, and the tape."""
    program.load({"train_x": given["pictures"], "test_x": given["pictures"]})
    tape = under("tape", given)
    program.train(given["order"], rates(stage, 0, UPDATES, 2), gibbs_steps=stage.gibbs_steps, tape=tape)
    found = {f"statistics/{name}": value for name, value in program.statistics().items()}
    found |= {f"state/{name}": value for name, value in program.state().items()}
    features = program.features("test", np.arange(BATCH, dtype=np.int32), steps=FEATURE_STEPS)
    return found | {"features": program.host(features)} | {f"tape/{name}": value for name, value in tape.items()}


def largest_error(reference: Arrays, candidate: Arrays) -> tuple[float | None, str]:
    """Return the largest error of a trace and where it is; None where something is missing, misshapen or not finite."""
    names = [name for name in reference if not name.startswith("tape/")]
    floor = FLOOR * max(float(np.abs(reference[name]).max()) for name in names if name.startswith("state/"))
    largest, where = 0.0, ""
    for name in names:
        expected, came = reference[name], candidate.get(name)
        if came is None or came.shape != expected.shape or not np.isfinite(came).all():
            return None, name
        error = float(np.abs(came - expected).max() / max(float(np.abs(expected).max()), floor))
        if error > largest:
            largest, where = error, name
    return largest, where
