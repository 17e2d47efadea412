"""A worker's evidence of nets that answer at every place: scenes with a class for each pixel, and a text written on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.layers import Embedding
from harness.measure.quality import outputs
from harness.model import named_layers
from harness.records.evidence import LARGEST_SIDE, MOST_CLASSES, NO_CLASS, Line, Scene, Segmentation, Written
from harness.registry import reference
from harness.spec import Task
from harness.worker.jobs import RunJob

GIVEN, WRITTEN = 16, 120
"""Characters that a net is given, and that it writes."""
DRAWN = 2
"""Lines whose characters are drawn, beside the one of the likeliest."""

Arrays = dict[str, NDArray[Any]]


def names_pixels(task: Task) -> bool:
    """Return whether a task's net names every pixel of small pictures."""
    if task.loss != "softmax_cross_entropy" or len(task.input_shape) != 3:
        return False
    channels, *sides = task.input_shape
    output = named_layers(task)[-1].output_shape
    is_small = channels in (1, 3) and max(sides) <= LARGEST_SIDE
    return is_small and len(output) == 3 and list(output[1:]) == sides and output[0] <= MOST_CLASSES


def writes(task: Task) -> bool:
    """Return whether a task's net says at every place which of its own characters comes next."""
    if task.loss != "softmax_cross_entropy" or not task.layers or not isinstance(task.layers[0], Embedding):
        return False
    return named_layers(task)[-1].output_shape == (*task.input_shape, task.layers[0].vocabulary)


def segmentation_of(evaluated: NDArray[np.float32], pictures: dict[int, bytes], labels: NDArray[Any]) -> Segmentation:
    """Return the answers to the first pictures of the test split.

    Args:
        evaluated: the net's outputs for them, (N, K, H, W).
        pictures: their bytes, by their number.
        labels: their classes, (N, H, W).
    """
    is_finite = np.isfinite(evaluated).all(axis=1)
    answers = np.where(is_finite, evaluated.argmax(axis=1), NO_CLASS).astype(np.uint8)
    height, width = answers.shape[1:]
    return Segmentation(
        shape=(height, width, len(pictures[0]) // (height * width)),
        classes=evaluated.shape[1],
        scenes=tuple(
            Scene(
                index=number,
                picture=pictures[number],
                truth=labels[number].astype(np.uint8).tobytes(),
                answer=answer.tobytes(),
            )
            for number, answer in enumerate(answers)
        ),
    )


def written_of(job: RunJob, arrays: Arrays, *, weights: Arrays) -> Written:
    """Return what the evaluated net writes after the first characters of the test split, computed by the reference.

    Each character is chosen by the outputs at the last place of what was written so far, of which no more is seen than
    the input holds: the likeliest, or one drawn with numbers that are the same for every backend. What follows that
    place in the input is number 0, and seen by none but a net that reads from the end. The reference computes it, for a
    program's data are loaded once, and here they change with every character.

    Raises:
        ValueError: an output is not finite.
    """
    own, length = reference(), job.task.input_shape[0]
    given = np.asarray(arrays["test_x"][0, :GIVEN])
    uniform = np.random.default_rng([job.spec.seed, 9]).random((WRITTEN, DRAWN))
    text = np.tile(given, (1 + DRAWN, 1))
    for numbers in uniform:
        seen = text[:, -length:]
        rows = np.zeros((len(text), length), np.int32)
        rows[:, : seen.shape[1]] = seen
        program = own.build(
            job.task, job.preset.optimizer, device="cpu", mode=own.default_mode, weights=weights, seed=job.spec.seed
        )
        program.load({"train_x": rows, "train_y": rows, "test_x": rows, "test_y": rows})
        logits = outputs(program, "test", np.arange(len(rows), dtype=np.int32))[:, seen.shape[1] - 1]
        text = np.column_stack([text, chosen(logits.astype(np.float64), numbers)])
    lines = text[:, len(given) :].tolist()
    return Written(
        given=tuple(given.tolist()),
        lines=tuple(Line(drawn=row > 0, numbers=tuple(line)) for row, line in enumerate(lines)),
    )


def chosen(logits: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the likeliest character by the first row of logits, and by each other row one drawn.

    A draw is the first character at which the sum of the probabilities exceeds the number from 0 to 1.

    Raises:
        ValueError: a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise ValueError("the net's outputs are not finite")
    sums = np.exp(logits[1:] - logits[1:].max(axis=1, keepdims=True)).cumsum(axis=1)
    drawn = (sums <= uniform[:, np.newaxis] * sums[:, -1:]).sum(axis=1)
    return np.append(logits[:1].argmax(axis=1), drawn).astype(np.int32)
