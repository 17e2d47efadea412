"""What follows from a tuple of layers, and what is refused because it would mean another thing in each framework."""

import re

import pytest

from harness.errors import UsageError
from harness.layers import (
    LSTM,
    Activation,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    Maxout,
    MaxPool2d,
    PReLU,
)
from harness.model import initial_weights, named_layers, parameter_shapes
from harness.optimizers import SGD
from harness.parity.zoo import case
from harness.spec import Task

WORDS, IMAGE = (7,), (2, 9, 8)
READ = (Embedding(vocabulary=20, units=5), LSTM(units=6, sequence=True))


def task_of(*layers: Layer, shape: tuple[int, ...]) -> Task:
    return case("odd", layers, SGD(learning_rate=0.1), shape=shape, loss="softmax_cross_entropy")


@pytest.mark.parametrize(
    ("layers", "shape", "sentence"),
    [
        ((*READ, BatchNorm()), WORDS, "layer batchnorm1 expects an input of 1 or 3 axes, but gets shape (7, 6)"),
        ((*READ, PReLU()), WORDS, "layer prelu1 expects an input of 1 or 3 axes, but gets shape (7, 6)"),
        ((BatchNorm(),), (4, 3), "layer batchnorm1 expects an input of 1 or 3 axes, but gets shape (4, 3)"),
        ((*READ, Maxout(units=2)), WORDS, "layer maxout1 expects an input of 1 axes, but gets shape (7, 6)"),
        ((Dense(units=2),), IMAGE, "layer dense1 expects an input of 1 or 2 axes, but gets shape (2, 9, 8)"),
        ((LSTM(units=2), LSTM(units=2)), (7, 5), "layer lstm2 expects an input of 2 axes, but gets shape (2,)"),
        ((Embedding(vocabulary=9, units=2),), (7, 5), "layer embedding1 expects an input of 1 axes"),
        ((Flatten(), MaxPool2d()), IMAGE, "layer maxpool1 expects an input of 3 axes, but gets shape (144,)"),
        ((Conv2d(filters=2, kernel=10),), IMAGE, "layer conv1 is larger than its input of shape (2, 9, 8)"),
    ],
)
def test_a_layer_that_does_not_fit_is_one_sentence(
    layers: tuple[Layer, ...], shape: tuple[int, ...], sentence: str
) -> None:
    task = task_of(*layers, shape=shape)
    for use in (named_layers, parameter_shapes, lambda of: initial_weights(of, 0)):
        with pytest.raises(UsageError, match=re.escape(f"task odd: {sentence}")):
            use(task)


def test_what_works_element_by_element_takes_a_sequence() -> None:
    task = task_of(*READ, Dropout(rate=0.5), Activation(kind="tanh"), LSTM(units=3), BatchNorm(), shape=WORDS)
    assert [named.output_shape for named in named_layers(task)] == [(7, 5), (7, 6), (7, 6), (7, 6), (3,), (3,)]
    assert parameter_shapes(task)["batchnorm1.weight"] == (3,)


def test_of_an_image_the_first_axis_is_that_of_the_channels() -> None:
    shapes = parameter_shapes(task_of(BatchNorm(), PReLU(), shape=IMAGE))
    assert set(shapes.values()) == {(2,)}
