"""TensorFlow by hand on XOR: one step in a call, many steps in a call; and Keras `fit`."""

from typing import Any

import keras
import tensorflow as tf

from benchmarks.loops.case import Case


def net_of() -> Any:
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])


class OneStepACall:
    """A custom training loop as the guides write it, one call of the compiled step for each mini-batch."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = tf.constant(case.x), tf.constant(case.y.astype("float32").reshape(-1, 1))
        net, optimizer = net_of(), keras.optimizers.Adam(case.optimizer.learning_rate)
        loss_of = keras.losses.BinaryCrossentropy(from_logits=True)
        optimizer.build(net.trainable_variables)

        def step(indices: Any) -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(tf.gather(self.y, indices), net(tf.gather(self.x, indices), training=True))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables, strict=True)
            )

        self.compiled = case.mode != "eager"
        self.step = tf.function(step, jit_compile=case.mode == "xla") if self.compiled else step

    def train(self, order: Any) -> None:
        for indices in tf.constant(order):
            self.step(indices)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()


class ManyStepsACall(OneStepACall):
    """The same step in a loop that is compiled with it."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)

        def loop(order: Any) -> None:
            for indices in order:
                self.step(indices)

        signature = [tf.TensorSpec((None, case.batch_size), tf.int32)]
        self.loop = tf.function(loop, input_signature=signature) if self.compiled else loop

    def train(self, order: Any) -> None:
        self.loop(tf.constant(order))


class Fit:
    """`Model.fit` over the same examples in the same order."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = case.x, case.y.astype("float32").reshape(-1, 1)
        self.net = net_of()
        self.net.compile(
            optimizer=keras.optimizers.Adam(case.optimizer.learning_rate),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=case.mode == "xla",
            run_eagerly=case.mode == "eager",
        )

    def train(self, order: Any) -> None:
        rows = order.ravel()
        self.net.fit(self.x[rows], self.y[rows], batch_size=order.shape[1], epochs=1, shuffle=False, verbose=0)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()


def candidates(case: Case) -> dict[str, Any]:
    return {
        "by hand, one step a call": OneStepACall(case),
        "by hand, many steps a call": ManyStepsACall(case),
        "Keras fit": Fit(case),
    }
