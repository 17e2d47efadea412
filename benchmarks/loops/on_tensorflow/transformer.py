"""TensorFlow by hand: a Transformer's encoder over words on Keras' `MultiHeadAttention`, and three loops."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from benchmarks.loops.case import Case
from benchmarks.loops.on_tensorflow.plain import all_three, fill


class WordsAndPlaces(layers.Layer):  # type: ignore[misc]
    """The layer of Keras' example of text classification with a Transformer."""

    def __init__(self, vocabulary: int, length: int, features: int) -> None:
        super().__init__()
        self.words = layers.Embedding(vocabulary, features)
        self.places = layers.Embedding(length, features)
        self.numbers = tf.range(length)

    def call(self, x: Any) -> Any:
        return self.words(x) + self.places(self.numbers)


def classifier(case: Case) -> Any:
    sizes = case.encoder()
    inputs = keras.Input((sizes.length,), dtype="int32")
    made: list[Any] = [WordsAndPlaces(sizes.vocabulary, sizes.length, sizes.features)]
    x = made[0](inputs)
    for _ in range(sizes.blocks):
        norm1, norm2 = (layers.LayerNormalization(epsilon=1e-5) for _ in range(2))
        attention = layers.MultiHeadAttention(sizes.heads, sizes.features // sizes.heads)
        wide, narrow = layers.Dense(2 * sizes.features, activation="gelu"), layers.Dense(sizes.features)
        y = norm1(x)
        x = layers.add([x, attention(y, y)])
        x = layers.add([x, narrow(wide(norm2(x)))])
        made += [norm1, attention, norm2, wide, narrow]
    norm, dense = layers.LayerNormalization(epsilon=1e-5), layers.Dense(2)
    net = keras.Model(inputs, dense(layers.Flatten()(norm(x))))
    fill([*made, norm, dense], case)
    return net


def candidates(case: Case) -> dict[str, Any]:
    return all_three(case, lambda: classifier(case), case.x)
