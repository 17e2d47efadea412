"""TensorFlow by hand: a short `tf.function` loop over a Keras model; and Keras' own `fit`."""

from typing import Any

import keras
import tensorflow as tf

from benchmarks.loops.case import Case


def lenet() -> Any:
    return keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            keras.layers.Conv2D(6, 5, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(16, 5, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(120, activation="relu"),
            keras.layers.Dense(84, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


class HandWritten:
    """A custom training loop as the guides write it, many steps in one `tf.function`."""

    def __init__(self, x: Any, y: Any, mode: str) -> None:
        self.x, self.y = tf.constant(x.transpose(0, 2, 3, 1).copy()), tf.constant(y.astype("int64"))
        net, optimizer = lenet(), keras.optimizers.SGD(0.01, momentum=0.9)
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer.build(net.trainable_variables)

        def step(xb: Any, yb: Any) -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(yb, net(xb, training=True))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables, strict=True)
            )

        one = tf.function(step, jit_compile=True) if mode == "xla" else step

        def loop(order: Any) -> None:
            for indices in tf.range(tf.shape(order)[0]):
                batch = order[indices]
                one(tf.gather(self.x, batch), tf.gather(self.y, batch))

        def plain(order: Any) -> None:
            for batch in order:
                step(tf.gather(self.x, batch), tf.gather(self.y, batch))

        signature = [tf.TensorSpec((None, 64), tf.int32)]
        self.loop = plain if mode == "eager" else tf.function(loop, input_signature=signature)

    def train(self, order: Any) -> None:
        self.loop(tf.constant(order))

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()


class Fit(HandWritten):
    """`Model.fit` over the same examples in the same order, gathered beforehand."""

    def __init__(self, x: Any, y: Any, mode: str) -> None:
        self.x, self.y = x.transpose(0, 2, 3, 1).copy(), y
        self.net = lenet()
        self.net.compile(
            optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=mode == "xla",
            run_eagerly=mode == "eager",
        )

    def train(self, order: Any) -> None:
        rows = order.ravel()
        self.net.fit(self.x[rows], self.y[rows], batch_size=order.shape[1], epochs=1, shuffle=False, verbose=0)


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case.x, case.y, case.mode), "Keras fit": Fit(case.x, case.y, case.mode)}
