"""One training step as TensorFlow's own quickstart writes it, for students' mistakes (`harness/mistakes.py`)."""

import keras
import tensorflow as tf
from keras import layers

from backends.tensorflow import DEVICES
from harness.mistakes import Array, Step
from harness.spec import DeviceKind


def train_one_step(images: Array, labels: Array, device: DeviceKind) -> float:
    with tf.device(DEVICES[device]):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input(shape=(32, 32, 1)),
                layers.Conv2D(6, 5, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(16, 5, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(120, activation="relu"),
                layers.Dense(84, activation="relu"),
                layers.Dense(10),
            ]
        )
        model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(images, labels, batch_size=len(images), epochs=1, verbose=0)
    return float(history.history["loss"][0])


STEP = Step(train=train_one_step, channel_axis=-1, labels="int64")
