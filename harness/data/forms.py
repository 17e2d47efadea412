"""The forms in which models get data: what a task's layers ask for, made of what a data set has.

A data set has arrays that are ready, grey images, or labelled texts. The form is read off the task: a first layer
`Embedding` asks for rows of numbers of words, or, where the outputs are one class for every place, of characters with
those that come next; an input of 784 values asks for the pixels of images, a class at every pixel for scenes of them,
and all other tasks get the plain form. Where the output has 784 values too and no class is asked for, an autoencoder, y
is x.
"""

from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from harness.data import scenes, texts
from harness.data.images import Images
from harness.data.texts import Corpus
from harness.errors import UsageError
from harness.layers import Embedding
from harness.model import named_layers
from harness.spec import Task

PIXELS = (784,)

Arrays = dict[str, NDArray[Any]]
Material = Arrays | Images | Corpus
"""What a data set is before a task says in which form it needs it."""


class Plain(Struct, frozen=True, kw_only=True):
    """Arrays as they are, images padded and normalised."""


class Pixels(Struct, frozen=True, kw_only=True):
    """Images as rows of 784 values from 0 to 1."""

    reconstructed: bool = False
    """Whether y is x, not the labels."""


class Tokens(Struct, frozen=True, kw_only=True):
    """Texts as rows of `length` numbers below `vocabulary`."""

    vocabulary: int
    length: int


class Characters(Struct, frozen=True, kw_only=True):
    """Texts as rows of `length` numbers of characters below `vocabulary`, y those of the characters that follow."""

    vocabulary: int
    length: int


class Scenes(Struct, frozen=True, kw_only=True):
    """Images put together to scenes, y the class at every pixel."""


Form = Plain | Pixels | Tokens | Characters | Scenes


def form_of(task: Task) -> Form:
    """Return the form in which a task needs its data.

    Raises:
        UsageError: the layers do not fit each other, or an embedding has no number of words to read.
    """
    first = task.layers[0] if task.layers else None
    if isinstance(first, Embedding):
        if len(task.input_shape) != 1:
            raise UsageError(
                "task {name} embeds words, so its input has one axis, but it is {input_shape}",
                name=task.name,
                input_shape=task.input_shape,
            )
        form = Characters if len(outputs(task)) > 1 else Tokens
        return form(vocabulary=first.vocabulary, length=task.input_shape[0])
    if task.input_shape == PIXELS:
        return Pixels(reconstructed=task.loss != "softmax_cross_entropy" and outputs(task) == PIXELS)
    return Scenes() if task.loss == "softmax_cross_entropy" and len(outputs(task)) == 3 else Plain()


def outputs(task: Task) -> tuple[int, ...]:
    """Return the shape of what a task's last layer gives."""
    return named_layers(task)[-1].output_shape if task.layers else task.input_shape


def suffix(form: Form) -> str:
    """Return what tells this form's arrays from others of the same data set, for names of folders."""
    match form:
        case Plain():
            return ""
        case Pixels():
            return "-pixels"
        case Scenes():
            return "-scenes"
        case Tokens():
            return f"-v{form.vocabulary}-t{form.length}"
        case Characters():
            return f"-characters{form.vocabulary}-t{form.length}"


def arrays(material: Material, form: Form, *, dataset: str) -> Arrays:
    """Return `train_x`, `train_y`, `test_x` and `test_y`; of texts the words are lost here.

    Raises:
        UsageError: the data set cannot be had in this form.
    """
    match material, form:
        case Images(), Plain():
            return material.normalised()
        case Images(), Pixels():
            return material.pixels()
        case Images(), Scenes():
            return scenes.arrays(material)
        case Corpus(), Tokens():
            return texts.arrays(material, vocabulary=form.vocabulary, length=form.length)[0]
        case Corpus(), Characters():
            return texts.characters(material, vocabulary=form.vocabulary, length=form.length)
        case dict(), Plain():
            return material
    has = "images" if isinstance(material, Images) else "texts" if isinstance(material, Corpus) else "numbers"
    wants = {Pixels: "784 pixels", Tokens: "words", Characters: "characters", Scenes: "images"}.get(
        type(form), "numbers or images"
    )
    raise UsageError(
        "the data set {dataset} holds {has}, but the task's model reads {wants}: choose another data set",
        dataset=dataset,
        has=has,
        wants=wants,
    )
