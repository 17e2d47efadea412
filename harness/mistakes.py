"""Students' typical mistakes: what each hands to a framework, and the rule by which what was said of it is judged.

Every backend has one training step of a small LeNet, written as its own tutorials write it (`backends/<name>/
mistakes.py`). The mistake is in the arrays that the step is given, the same ones for all; and one rule reads all
messages: does the text hold what was expected, and what came?
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import unknown_name
from harness.language import noop
from harness.record import Mistake
from harness.spec import DeviceKind

BATCH, SIDE, CLASSES = 11, 32, 10
"""Images and labels that the net takes; the numbers that the mistakes bring are different ones."""
WRONG_SIDE, WRONG_LABEL = 28, 17
MOST_CHARACTERS = 1000
"""Of a message that are kept, half from its start and half from its end; it is judged as a whole."""
SAME_LOSS = 1e-5
"""Losses that differ by less, relatively, are the same: the framework took the input as it was meant."""
PLACES = re.compile(r'File "[^"\n]*", line \d+.*|[\w./-]+\.(?:py|cc|cpp|cu|h):\d+')
"""Places in the code, whose numbers say nothing of the mistake."""

Ending = Literal["named", "unclear", "silent", "as meant", "died", "not observed"]
"""named: the message holds what it must. unclear: something else was said. silent: nothing was, and the loss is another
one. as meant: the framework converted the input, and the loss is that of the right one. died: the process ended or
hung."""

Array = NDArray[Any]
Train = Callable[[Array, Array, DeviceKind], float]


class Step(NamedTuple):
    """A backend's training step, with the arrays that its users are told to hand to it."""

    train: Train
    """Make a net from the same start as ever, train it for one step on images and labels, and return the loss."""
    channel_axis: int
    """Where the images hold their one channel: 1 or -1."""
    labels: str
    """NumPy's name of the type of the labels: int64 or int32."""


class Blunder(NamedTuple):
    """One mistake and what a message must hold to have named it."""

    name: str
    title: str
    """For a table's heading, in the language of the code."""
    plant: Callable[[Array, Array], tuple[Array, Array]]
    """From the right images (N, 32, 32) without the channel axis, and labels, to the wrong ones."""
    expected: str
    """Pattern of what the framework expected."""
    given: str
    """Pattern of what it was given."""
    needs_both: bool
    has_channel: bool = True
    convertible: bool = False
    """The input can be taken as it was meant, so that saying nothing does no harm if the loss is the right one."""


BLUNDERS = (
    Blunder(
        name="input size",
        title=noop("wrong input size"),
        plant=lambda x, y: (x[:, :WRONG_SIDE, :WRONG_SIDE], y),
        expected=r"(?<!\d)32\D{1,4}32(?!\d)|(?<!\d)400(?!\d)",  # the side, or the 400 numbers that the net flattens to
        given=r"(?<!\d)28\D{1,4}28(?!\d)|(?<!\d)256(?!\d)",
        needs_both=True,
    ),
    Blunder(
        name="channel axis",
        title=noop("missing channel axis"),
        plant=lambda x, y: (x, y),
        expected=r"(?<![\w.])4-?[dD]?(?![\w]|\.\d)|(?<!\d)1 channel",  # four axes, or one channel
        given=r"(?<![\w.])3-?[dD]?(?![\w]|\.\d)|(?<!\d)11 channels|(?<!\d)11\D{1,4}32\D{1,4}32(?!\d)",
        needs_both=True,
        has_channel=False,
        convertible=True,
    ),
    Blunder(
        name="label range",
        title=noop("label out of range"),
        plant=lambda x, y: (x, np.where(np.arange(len(y)) == 0, WRONG_LABEL, y).astype(y.dtype)),
        expected=r"(?<![\w.])10(?![\w]|\.\d)|(?<!\d)0\D{1,6}9(?!\d)",
        given=r"(?<![\w.])17(?![\w]|\.\d)",
        needs_both=False,
    ),
    Blunder(
        name="float labels",
        title=noop("float labels"),
        plant=lambda x, y: (x, y.astype(np.float32)),
        expected=r"\b[Ii]nt(?:8|16|32|64)?\b|\bLong\b|\b[Ii]nteger\b",
        given=r"\b[Ff]loat(?:32)?\b",
        needs_both=True,
        convertible=True,
    ),
    Blunder(
        name="input type",
        title=noop("wrong dtype (float64)"),
        plant=lambda x, y: (x.astype(np.float64), y),
        expected=r"\b[Ff]loat(?:32)?\b",
        given=r"\b[Ff]loat64\b|\b[Dd]ouble\b",
        needs_both=True,
        convertible=True,
    ),
    Blunder(
        name="NaN input",
        title=noop("NaN input"),
        plant=lambda x, y: (np.where(np.arange(len(x)) == 0, np.nan, x.T).T.astype(x.dtype), y),  # the first image
        expected=r"(?i)\bfinite\b",
        given=r"(?i)\bnans?\b|not a number|non-?finite",
        needs_both=False,
    ),
)
"""In the order of the tables."""
NAMES = tuple(blunder.name for blunder in BLUNDERS)


def blunder(name: str) -> Blunder:
    """Return the mistake of that name.

    Raises:
        UsageError: there is none.
    """
    for found in BLUNDERS:
        if found.name == name:
            return found
    raise unknown_name("mistake", name, NAMES)


def right_arrays(step: Step) -> tuple[Array, Array]:
    """Return what the step expects: float32 images of N(0, 1) pixels and labels from 0 to 9, the same every time."""
    x, y = _plain(step)
    return np.expand_dims(x, step.channel_axis), y


def wrong_arrays(step: Step, wanted: Blunder) -> tuple[Array, Array]:
    """Return the same with the mistake planted."""
    x, y = wanted.plant(*_plain(step))
    return np.ascontiguousarray(np.expand_dims(x, step.channel_axis) if wanted.has_channel else x), y


def _plain(step: Step) -> tuple[Array, Array]:
    x = np.random.default_rng(0).standard_normal((BATCH, SIDE, SIDE)).astype(np.float32)
    return x, (np.arange(BATCH) % CLASSES).astype(step.labels)


def names(wanted: Blunder, message: str) -> tuple[bool, bool]:
    """Return whether a message holds what was expected, and what was given."""
    text = PLACES.sub("", message)
    return re.search(wanted.expected, text) is not None, re.search(wanted.given, text) is not None


def cut(message: str) -> str:
    """Return what is kept of a message; a long one loses its middle, for the sentence that counts may stand last."""
    if len(message) <= MOST_CHARACTERS:
        return message
    gap = " [...] "
    half = (MOST_CHARACTERS - len(gap)) // 2
    return f"{message[:half]}{gap}{message[-half:]}"


def ending(mistake: Mistake) -> Ending:
    """Return in one word what became of a mistake."""
    if mistake.died:
        return "died"
    if mistake.reason:
        return "not observed"
    made = blunder(mistake.name)
    named = (mistake.names_expected, mistake.names_given)
    if all(named) if made.needs_both else any(named):
        return "named"
    if mistake.error_type is not None:
        return "unclear"
    return "as meant" if made.convertible and _same(mistake.loss, mistake.right_loss) else "silent"


def clarity(mistakes: Sequence[Mistake]) -> float | None:
    """Return the share of the mistakes whose message named what it must, of those that did harm; None without any."""
    endings = [ending(mistake) for mistake in mistakes if mistake.name in NAMES]
    judged = [found for found in endings if found not in ("as meant", "not observed")]
    return judged.count("named") / len(judged) if judged else None


def _same(loss: float | None, right: float | None) -> bool:
    return loss is not None and right is not None and math.isclose(loss, right, rel_tol=SAME_LOSS)
