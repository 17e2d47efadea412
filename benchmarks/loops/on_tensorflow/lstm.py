"""TensorFlow by hand: a step under `tf.function` in a Python loop over a Keras text classifier; and Keras `fit`."""

from typing import Any

import keras
import tensorflow as tf

from benchmarks.loops.case import Case


def classifier(case: Case) -> Any:
    vocabulary, width, units, rate = case.sizes()
    first, second = ([keras.layers.Dropout(rate)] if rate else [] for _ in range(2))
    return keras.Sequential(
        [
            keras.Input(case.x.shape[1:], dtype="int32"),
            keras.layers.Embedding(vocabulary, width),
            *first,
            keras.layers.LSTM(units),
            *second,
            keras.layers.Dense(2),
        ]
    )


def adam(case: Case) -> Any:
    return keras.optimizers.Adam(case.optimizer.learning_rate, global_clipnorm=case.optimizer.clip_norm)


class HandWritten:
    """A custom training loop as the guides write it, one call of the compiled step for each mini-batch."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = tf.constant(case.x), tf.constant(case.y)
        net, optimizer = classifier(case), adam(case)
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer.build(net.trainable_variables)

        def step(xb: Any, yb: Any) -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(yb, net(xb, training=True))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables, strict=True)
            )

        self.step = step if case.mode == "eager" else tf.function(step, jit_compile=case.mode == "xla")

    def train(self, order: Any) -> None:
        for indices in order:
            self.step(tf.gather(self.x, indices), tf.gather(self.y, indices))

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()


class Fit:
    """`Model.fit` over the same examples in the same order."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = case.x, case.y
        self.net = classifier(case)
        self.net.compile(
            optimizer=adam(case),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=case.mode == "xla",
            run_eagerly=case.mode == "eager",
        )

    def train(self, order: Any) -> None:
        rows = order.ravel()
        self.net.fit(self.x[rows], self.y[rows], batch_size=order.shape[1], epochs=1, shuffle=False, verbose=0)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case), "Keras fit": Fit(case)}
