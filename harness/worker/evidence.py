"""A worker's evidence of what its net learned, made when its result is written and nothing is measured any more.

Classifiers and nets that name pixels are shown by the outputs that their quality was computed from, put aside in a file
at that evaluation. A net of two inputs and one output is asked on a grid, and one of characters goes on writing: after
training proper it was trained on for the clock's sake, so its parameters are put aside at the evaluation, and the
framework builds the net from them once more, or for a text the reference.
"""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract import Backend, Program
from harness.measure.quality import outputs
from harness.model import named_layers, takes_tokens
from harness.records.evidence import (
    FILE,
    LARGEST_SIDE,
    MOST_CLASSES,
    MOST_EXAMPLES,
    MOST_MISTAKES,
    MOST_SCENES,
    MOST_TEXTS,
    SURFACE_SIDE,
    Answers,
    Evidence,
    Example,
    Point,
    Surface,
    encode,
)
from harness.spec import Task
from harness.worker.evidence_places import names_pixels, segmentation_of, writes, written_of
from harness.worker.jobs import RunJob

MOST_POINTS = 100

Arrays = dict[str, NDArray[Any]]


def is_classifier(task: Task) -> bool:
    """Return whether a task's outputs are one number per class, not per class and place."""
    return task.loss == "softmax_cross_entropy" and len(named_layers(task)[-1].output_shape) == 1


def has_surface(task: Task) -> bool:
    """Return whether a task's net maps a plane to numbers."""
    return task.input_shape == (2,) and bool(task.layers) and named_layers(task)[-1].output_shape == (1,)


def put_aside(job: RunJob, program: Program, evaluated: NDArray[np.float32], *, number: int) -> None:
    """Write what evidence is made of at an evaluation, outside the clock.

    In files, for what is held in memory would count as the training's. A full disk is found out when they are missing.
    """
    with suppress(OSError):
        if is_classifier(job.task):
            np.save(_outputs(job, number), evaluated)
        elif names_pixels(job.task):
            np.save(_outputs(job, number), evaluated[:MOST_SCENES])
        elif has_surface(job.task) or writes(job.task):
            # Without `allow_pickle`, which MindSpore's NumPy 1.26 takes for an array.
            np.savez(_parameters(job, number), **program.parameters())  # type: ignore[arg-type, unused-ignore]


def leave(job: RunJob, backend: Backend, arrays: Arrays, *, number: int) -> None:
    """Write the evidence of a completed run; of a task that has none, nothing.

    Args:
        job: what was done.
        backend: who did it, to be asked once more.
        arrays: the data.
        number: of the evaluation whose quality is the run's.
    """
    if job.preset.boltzmann is not None:
        return  # its pictures are its evidence
    if is_classifier(job.task):
        evaluated = np.load(_outputs(job, number), allow_pickle=False)
        write(job.out, Evidence(answers=answers_of(job.task, evaluated, arrays)))
    elif names_pixels(job.task):
        evaluated = np.load(_outputs(job, number), allow_pickle=False)
        pictures, _shape = pictures_of(job.task, arrays["test_x"], np.arange(len(evaluated)))
        write(job.out, Evidence(segmentation=segmentation_of(evaluated, pictures, arrays["test_y"])))
    elif has_surface(job.task) or writes(job.task):
        with np.load(_parameters(job, number), allow_pickle=False) as file:
            weights = dict(file)
        if writes(job.task):
            write(job.out, Evidence(written=written_of(job, arrays, weights=weights)))
        else:
            write(job.out, Evidence(surface=surface_of(job, backend, arrays, weights=weights)))


def give_up(job: RunJob, error: Exception) -> None:
    """Write why there is no evidence."""
    first_line = (str(error).strip().splitlines() or [""])[0][:300]
    write(job.out, Evidence(reason=f"{type(error).__name__}: {first_line}"))


def write(folder: str, found: Evidence) -> None:
    """Write the file of the answer that the parent looks for."""
    Path(folder, FILE).write_bytes(encode(found))


def _outputs(job: RunJob, number: int) -> Path:
    return Path(job.out, f"test_outputs-{number}.npy")


def _parameters(job: RunJob, number: int) -> Path:
    return Path(job.out, f"parameters-{number}.npz")


def surface_of(job: RunJob, backend: Backend, arrays: Arrays, *, weights: Arrays) -> Surface:
    """Return the outputs of the evaluated net over the points of the test split and half their extent around them."""
    points = np.asarray(arrays["test_x"], np.float64)
    margin = 0.5 * np.maximum(np.ptp(points, axis=0), 1e-3)  # points on a line: a surface without extent is refused
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    across, up = (np.linspace(low[axis], high[axis], SURFACE_SIDE).round(6) for axis in (0, 1))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(np.float32)
    spec = job.spec
    program = backend.build(
        job.task, job.preset.optimizer, device=spec.device, mode=spec.mode, weights=weights, seed=spec.seed
    )
    shown = {"test_x": grid, "test_y": np.zeros((len(grid), 1), np.float32)}
    program.load({name: np.asarray(values) for name, values in arrays.items()} | shown)
    found = outputs(program, "test", np.arange(len(grid), dtype=np.int32)).reshape(SURFACE_SIDE, SURFACE_SIDE)
    labels = np.asarray(arrays["test_y"], np.float64).reshape(len(points))
    return Surface(
        low=(float(across[0]), float(up[0])),
        high=(float(across[-1]), float(up[-1])),
        outputs=tuple(tuple(shortest(value) for value in row) for row in found),
        points=tuple(
            Point(x=(float(x[0]), float(x[1])), y=float(y))
            for x, y in zip(points[:MOST_POINTS], labels[:MOST_POINTS], strict=True)
        ),
    )


def shortest(value: np.float32) -> float | None:
    """Return the decimal number of the fewest digits that is this float32, None where it is not finite."""
    return float(str(np.float32(value))) if math.isfinite(value) else None


def answers_of(task: Task, evaluated: NDArray[np.float32], arrays: Arrays) -> Answers:
    """Return a classifier's answers, given its outputs for the whole test split, (N, K)."""
    labels = np.asarray(arrays["test_y"]).astype(np.int64)
    classes = evaluated.shape[1]
    if classes > MOST_CLASSES:
        raise ValueError(f"a confusion matrix is kept of {MOST_CLASSES} classes at most, and there are {classes}")
    is_finite = np.asarray(np.isfinite(evaluated).all(axis=1))
    predicted = np.where(is_finite, evaluated.argmax(axis=1), -1)
    counts = np.zeros((classes, classes), np.int64)
    # `counts[...] += 1` counts a pair once, however often it occurs.
    np.add.at(counts, (labels[is_finite], predicted[is_finite]), 1)
    probabilities, surest = certainties(evaluated, is_finite)
    answered = surest[is_finite[surest]]
    is_right = (predicted == labels)[answered]
    is_text = takes_tokens(task)
    wrong, right = answered[~is_right][: MOST_TEXTS if is_text else MOST_MISTAKES], answered[is_right][:MOST_TEXTS]
    pictures, shape = pictures_of(task, arrays["test_x"], wrong)

    def example(index: int) -> Example:
        return Example(
            index=index,
            label=int(labels[index]),
            predicted=int(predicted[index]),
            probability=float(probabilities[index].round(6)),
            picture=pictures.get(index, b""),
        )

    is_listed = len(labels) <= MOST_EXAMPLES
    return Answers(
        counts=tuple(map(tuple, counts.tolist())),
        unanswered=tuple(np.bincount(labels[~is_finite], minlength=classes).tolist()),
        predicted=tuple(predicted.tolist()) if is_listed else (),
        probabilities=tuple(probabilities.round(3).tolist()) if is_listed else (),
        wrong=tuple(map(example, wrong.tolist())),
        right=tuple(map(example, right.tolist())) if is_text else (),
        picture_shape=shape,
    )


def certainties(evaluated: NDArray[np.float32], is_finite: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the probability of each example's answer, and the examples from the surest on.

    The order is by the logarithm, for probabilities near one are all the same float; equal ones keep their order.
    """
    logits = np.where(is_finite[:, None], evaluated, 0).astype(np.float64)
    others = logits - logits.max(axis=1, keepdims=True)
    others[np.arange(len(others)), others.argmax(axis=1)] = -np.inf
    doubt = np.log1p(np.exp(others).sum(axis=1))
    return np.where(is_finite, np.exp(-doubt), 0.0), np.argsort(doubt, kind="stable")


def pictures_of(
    task: Task, inputs: NDArray[Any], chosen: NDArray[np.int64]
) -> tuple[dict[int, bytes], tuple[int, int, int] | None]:
    """Return chosen examples as bytes, black and white at the ends of their values, where they are small pictures."""
    shape = task.input_shape
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    if len(shape) == 1 and not takes_tokens(task) and side**2 == shape[0] and side >= 8:
        shape = (1, side, side)
    if len(shape) != 3 or shape[0] not in (1, 3) or max(shape[1:]) > LARGEST_SIDE or not len(chosen):
        return {}, None
    values = np.asarray(inputs[chosen], np.float64).reshape(-1, *shape).transpose(0, 2, 3, 1)
    low, high = values.min(), values.max()
    # All pixels may be equal.
    scaled = (255 * (values - low) / max(high - low, 1e-12)).round().clip(0, 255).astype(np.uint8)
    found = {index: picture.tobytes() for index, picture in zip(chosen.tolist(), scaled, strict=True)}
    return found, (shape[1], shape[2], shape[0])
