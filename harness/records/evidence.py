"""What a run leaves beside its record of what its net learned: outputs on a plane, answers, scenes, a written text.

One JSON file per completed run, `<run_id>.evidence/evidence.json` in the study's folder. The worker makes it
(`harness/worker/evidence.py`), the parent puts it there (`harness/runs/execute.py`), reports read it. All of it is
checked when it is read, for it may come from anybody; nothing is ever unpickled. Needs msgspec alone.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from harness.language import Sentence

FILE = "evidence.json"
SCHEMA = 2
"""The number of the file's form. 1: the first. 2: with scenes and written texts."""
MOST_BYTES = 1_000_000
"""What a reader accepts; a worker's file has about a tenth of it."""
MOST_EXAMPLES = 10_000
"""Of a larger test split, answers are not listed one by one."""
MOST_CLASSES = 100
MOST_MISTAKES = 12
MOST_TEXTS = 6
LONGEST_TEXT = 300
"""Characters of one text, a user's too, that are kept."""
LARGEST_SIDE = 32
"""Pixels of a picture that is kept."""
SURFACE_SIDE = 41
MOST_SCENES = 3
MOST_LINES = 4
NO_CLASS = 255
"""Of a pixel whose outputs were not finite."""

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = Annotated[float, Meta(ge=-1e39, le=1e39)]
"""Any finite float32."""
Coordinate = Annotated[float, Meta(ge=-1e9, le=1e9)]
Pair = tuple[Coordinate, Coordinate]


class _Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frozen, validated, and strict about unknown fields."""


class Point(_Data, frozen=True, kw_only=True):
    """An example of the test split with two numbers and one label."""

    x: Pair
    y: Number


class Surface(_Data, frozen=True, kw_only=True):
    """The outputs of a net with two inputs and one output, on a square grid of inputs."""

    low: Pair
    """The smallest value of either input."""
    high: Pair
    outputs: Annotated[tuple[tuple[Number | None, ...], ...], Meta(min_length=2, max_length=201)]
    """Rows by the second input, columns by the first, both rising in equal steps; null where it is not finite. Of a
    net that is trained as a classifier these are logits."""
    points: Annotated[tuple[Point, ...], Meta(max_length=200)] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.outputs) for row in self.outputs):
            raise ValueError("the rows of a surface must be as long as it has rows")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("a surface must have an extent")


class Example(_Data, frozen=True, kw_only=True):
    """One example of the test split and what the net said of it."""

    index: Count
    """Its place in the test split."""
    label: Count
    predicted: Count
    probability: Share
    """What the net gave the class that it predicted (softmax of its outputs)."""
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)] = ""
    """The last words as the net read them, parted by blanks; of a longer text the first ones are cut off."""
    picture: Annotated[bytes, Meta(max_length=3 * LARGEST_SIDE**2)] = b""
    """Grey pixels, row by row, or red, green and blue after each other for every pixel."""

    @property
    def is_right(self) -> bool:
        """Whether the class that was predicted is the example's."""
        return self.label == self.predicted


Examples = Annotated[tuple[Example, ...], Meta(max_length=MOST_MISTAKES)]


class Answers(_Data, frozen=True, kw_only=True):
    """What a classifier answered on the test split, by the outputs that the run's quality was computed from."""

    counts: Annotated[tuple[tuple[Count, ...], ...], Meta(min_length=1, max_length=MOST_CLASSES)]
    """How many examples of a label (row) were taken for a class (column)."""
    unanswered: tuple[Count, ...]
    """By label, the examples whose outputs were not finite; they count as wrong and stand in no column."""
    names: Annotated[tuple[str, ...], Meta(max_length=MOST_CLASSES)] = ()
    """Of the classes, where the data have names for them."""
    predicted: Annotated[tuple[int, ...], Meta(max_length=MOST_EXAMPLES)] = ()
    """The class of every test example in its order, -1 where the outputs were not finite."""
    probabilities: Annotated[tuple[Share, ...], Meta(max_length=MOST_EXAMPLES)] = ()
    """What it was given, to three decimals."""
    wrong: Examples = ()
    """The surest wrong answers, surest first."""
    right: Examples = ()
    """The surest right answers, surest first; of texts only."""
    picture_shape: tuple[Count, Count, Count] | None = None
    """Height, width and channels of the pictures of `wrong`."""

    def __post_init__(self) -> None:
        classes = len(self.counts)
        if any(len(row) != classes for row in self.counts) or len(self.unanswered) != classes:
            raise ValueError("a confusion matrix must be square, with one more count for every label")
        if self.names and len(self.names) != classes:
            raise ValueError("every class must have a name, or none")
        if any(max(item.label, item.predicted) >= classes for item in (*self.wrong, *self.right)):
            raise ValueError("an example must have a label and an answer that the confusion matrix knows")
        if any(item.is_right for item in self.wrong) or not all(item.is_right for item in self.right):
            raise ValueError("wrong answers must be wrong, and right ones right")
        height, width, channels = self.picture_shape or (0, 0, 0)
        if any(len(item.picture) not in (0, height * width * channels) for item in self.wrong):
            raise ValueError("a picture must have the size that is said")

    @property
    def examples(self) -> int:
        """How many examples the test split has."""
        return sum(map(sum, self.counts)) + sum(self.unanswered)

    @property
    def hits(self) -> int:
        """How many answers were right."""
        return sum(row[label] for label, row in enumerate(self.counts))

    def name(self, number: int) -> str:
        """Return what a class is called."""
        return self.names[number] if self.names else str(number)


class Scene(_Data, frozen=True, kw_only=True):
    """A picture of the test split with its classes and the net's answers, pixel by pixel and row by row."""

    index: Count
    """Its place in the test split."""
    picture: Annotated[bytes, Meta(max_length=3 * LARGEST_SIDE**2)]
    """Grey pixels, or red, green and blue after each other for every pixel."""
    truth: Annotated[bytes, Meta(max_length=LARGEST_SIDE**2)]
    answer: Annotated[bytes, Meta(max_length=LARGEST_SIDE**2)]


class Segmentation(_Data, frozen=True, kw_only=True):
    """What a net that names every pixel answered on the first pictures of the test split."""

    shape: tuple[Count, Count, Count]
    """Height, width and channels of the pictures."""
    classes: Annotated[int, Meta(ge=2, le=MOST_CLASSES)]
    scenes: Annotated[tuple[Scene, ...], Meta(min_length=1, max_length=MOST_SCENES)]

    def __post_init__(self) -> None:
        height, width, channels = self.shape
        pixels = height * width
        if channels not in (1, 3):
            raise ValueError("a picture must be grey or of three colours")
        for scene in self.scenes:
            if (len(scene.picture), len(scene.truth), len(scene.answer)) != (pixels * channels, pixels, pixels):
                raise ValueError("a scene must have the size that is said")
            if not pixels or max(scene.truth) >= self.classes:
                raise ValueError("a scene must have classes that are known")
            if any(self.classes <= number < NO_CLASS for number in scene.answer):
                raise ValueError("an answer must be a known class, or none")


class Line(_Data, frozen=True, kw_only=True):
    """Characters that a net wrote one after the other."""

    drawn: bool
    """Whether each was drawn by the net's probabilities, not the likeliest one taken."""
    numbers: Annotated[tuple[Count, ...], Meta(max_length=LONGEST_TEXT)]
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)] = ""


class Written(_Data, frozen=True, kw_only=True):
    """How a net of characters goes on after the first ones of the test split."""

    given: Annotated[tuple[Count, ...], Meta(max_length=LONGEST_TEXT)]
    given_text: Annotated[str, Meta(max_length=LONGEST_TEXT)] = ""
    lines: Annotated[tuple[Line, ...], Meta(max_length=MOST_LINES)]


class Evidence(_Data, frozen=True, kw_only=True):
    """All that one run leaves."""

    schema: int = SCHEMA
    started_at: str = ""
    """That of the record that it belongs to."""
    reason: str = ""
    """Why there is none."""
    said: Sentence | None = None
    """What `reason` was made of, where it has fields."""
    surface: Surface | None = None
    answers: Answers | None = None
    segmentation: Segmentation | None = None
    written: Written | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be shown."""
        return not (self.surface or self.answers or self.segmentation or self.written)


def encode(found: Evidence) -> bytes:
    """Return the bytes of a file."""
    return msgspec.json.encode(found) + b"\n"


def decode(content: bytes) -> Evidence:
    """Return what stands in a file.

    Raises:
        MsgspecError: it is no evidence, or does not hold together.
    """
    return msgspec.json.decode(content, type=Evidence)


def path(folder: Path, run_id: str) -> Path:
    """Return where a study's folder keeps the evidence of a run."""
    return folder / f"{run_id}.evidence" / FILE
