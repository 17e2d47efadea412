"""TensorFlow by hand: one step in a call, many steps in a call, around any Keras classifier; and Keras `fit`."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.loops.case import Case
from harness.optimizers import Adam, Momentum


def loss_and_optimizer(case: Case) -> tuple[Any, Any]:
    """Return Keras' own loss and optimizer of a task's, without its penalties and schedules."""
    clip = {"global_clipnorm": case.optimizer.clip_norm}
    match case.optimizer:
        case Momentum(learning_rate=rate, momentum=momentum):
            optimizer = keras.optimizers.SGD(rate, momentum=momentum, **clip)
        case Adam(learning_rate=rate, epsilon=epsilon):
            optimizer = keras.optimizers.Adam(rate, epsilon=epsilon, **clip)
        case other:
            raise TypeError(f"these loops have SGD with momentum and Adam, but got {other}")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer


class OneStepACall:
    """A custom training loop as the guides write it, one call of the compiled step for each mini-batch."""

    def __init__(self, case: Case, net: Any, x: Any) -> None:
        self.x, self.y = tf.constant(x), tf.constant(case.y)
        self.loss: Any = None
        loss_of, optimizer = loss_and_optimizer(case)
        optimizer.build(net.trainable_variables)

        def step(indices: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(tf.gather(self.y, indices), net(tf.gather(self.x, indices), training=True))
            # Of the slices of an embedding's gradient Keras would clip by another norm: that of each place by itself.
            gradients = map(tf.convert_to_tensor, tape.gradient(loss, net.trainable_variables))
            optimizer.apply_gradients(zip(gradients, net.trainable_variables, strict=True))
            return loss

        self.compiled = case.mode != "eager"
        self.step = tf.function(step, jit_compile=case.mode == "xla") if self.compiled else step

    def train(self, order: Any) -> None:
        for indices in tf.constant(order):
            self.loss = self.step(indices)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()

    def last_loss(self) -> float:
        """Return the loss of the last step."""
        return float(self.loss)


class ManyStepsACall(OneStepACall):
    """The same step in a loop that is compiled with it."""

    def __init__(self, case: Case, net: Any, x: Any) -> None:
        super().__init__(case, net, x)

        def loop(order: Any) -> Any:
            loss = tf.zeros(())
            for indices in order:
                loss = self.step(indices)
            return loss

        self.loop = tf.function(loop, input_signature=[tf.TensorSpec((None, case.batch_size), tf.int32)])

    def train(self, order: Any) -> None:
        self.loss = self.loop(tf.constant(order))


class Fit:
    """`Model.fit` over the same examples in the same order; of words it clips by another norm."""

    def __init__(self, case: Case, net: Any, x: Any) -> None:
        self.x, self.y, self.net = x, case.y, net
        loss_of, optimizer = loss_and_optimizer(case)
        net.compile(optimizer=optimizer, loss=loss_of, jit_compile=case.mode == "xla", run_eagerly=case.mode == "eager")

    def train(self, order: Any) -> None:
        rows, how = order.ravel(), {"epochs": 1, "shuffle": False, "verbose": 0}
        self.net.fit(self.x[rows], self.y[rows], batch_size=order.shape[1], **how)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()


def all_three(case: Case, make: Callable[[], Any], x: Any) -> dict[str, Any]:
    """Return the loops around nets of one kind; op by op there is nothing that many steps could share."""
    found: dict[str, Any] = {"by hand, one step a call": OneStepACall(case, make(), x)}
    if case.mode != "eager":
        found["by hand, many steps a call"] = ManyStepsACall(case, make(), x)
    return found | {"Keras fit": Fit(case, make(), x)}


def fill(made: Sequence[Any], case: Case) -> None:
    """Give Keras layers, in the order of the task's, the task's weights."""
    variables = [variable for layer in made for variable in layer.trainable_weights]
    for variable, weight in zip(variables, case.turned(), strict=True):
        inside = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight
        variable.assign(np.reshape(inside, variable.shape))  # Keras cuts the matrices of its attention into heads
