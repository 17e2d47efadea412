"""Boltzmann machines on TensorFlow's tensors: the stages of `harness/boltzmann.py`, with no gradient tape.

As in the adapter, a block of updates is one loop in one `tf.function`, without a round trip to the host; in `xla` the
single update is compiled by XLA and called from that loop. Philox draws the random numbers, in every mode and on every
device; its counter is a variable, so that each call of `train` goes on where the last one ended.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backends.tensorflow import DEVICES, nets
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, draw_shapes, statistics_names
from harness.contract import Arrays, DeviceMemory, Split
from harness.language import Sentence
from harness.spec import DeviceKind, Mode

Tensors = dict[str, Any]
Draw = Callable[[str, Any], Any]
Update = tuple[Tensors, list[Any]]


def rbm_gradients(stage: Rbm, w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)` and its statistics; moves a kept chain."""
    up = 2 if stage.doubled == "visible" else 1
    down = 2 if stage.doubled == "hidden" else 1
    v0 = draw("picture", x)
    if stage.recognise:
        v0 = draw("below", hidden(v0, w["below.weight"], w["below.bias"], stage.recognise_copies))
    p0 = hidden(v0, w["weight"], w["hidden_bias"], up)
    h = w["chain"] if stage.persistent else draw("hidden0", p0)
    for k in range(1, steps + 1):
        v = draw(f"visible{k}", visible(h, w["weight"], w["visible_bias"], down))
        p = hidden(v, w["weight"], w["hidden_bias"], up)
        if k < steps or stage.persistent:
            h = draw(f"hidden{k}", p)
    if stage.persistent:
        w["chain"].assign(h)
    b = length(x)
    gradients = {
        "weight": products((v0, p0 / b), (v, p / -b)),
        "visible_bias": tf.reduce_mean(v0 - v, axis=0),
        "hidden_bias": tf.reduce_mean(p0 - p, axis=0),
    }
    return gradients, [tf.reduce_sum(tf.square(v0 - v)) / b]


def hidden(x: Any, weight: Any, bias: Any, copies: int = 1) -> Any:
    """Return `s(copies (x weight + bias))`."""
    inputs = tf.nn.bias_add(tf.matmul(x, weight), bias)
    return tf.sigmoid(inputs if copies == 1 else float(copies) * inputs)


def visible(h: Any, weight: Any, bias: Any, copies: int = 1) -> Any:
    """Return `s(copies (h weight' + bias))`."""
    inputs = tf.nn.bias_add(tf.matmul(h, weight, transpose_b=True), bias)
    return tf.sigmoid(inputs if copies == 1 else float(copies) * inputs)


def products(*pairs: tuple[Any, Any]) -> Any:
    """Return the sum of `left' right` over the pairs of matrices: one product, so that each weight is written once."""
    left, right = (tf.concat(side, axis=0) for side in zip(*pairs, strict=True))
    return tf.matmul(left, right, transpose_a=True)


def length(x: Any) -> Any:
    """Return how many rows x has, as a float."""
    return tf.cast(tf.shape(x)[0], x.dtype)


def mean_field(w: Tensors, v: Any, steps: int) -> tuple[Any, Any, Any]:
    """Return m1 `(B, H1)`, m2 `(B, H2)` and the mean absolute change of m1 in the last step."""
    from_below = tf.nn.bias_add(tf.matmul(v, w["weight1"]), w["hidden1_bias"])
    # 2 v W1 + b, from v W1 + b
    m1 = tf.sigmoid(2.0 * from_below - w["hidden1_bias"])
    m2 = hidden(m1, w["weight2"], w["hidden2_bias"])
    before = m1
    for _ in range(steps):
        before = m1
        m1 = tf.sigmoid(from_below + tf.matmul(m2, w["weight2"], transpose_b=True))
        m2 = hidden(m1, w["weight2"], w["hidden2_bias"])
    return m1, m2, tf.reduce_mean(tf.abs(m1 - before))


def joint_gradients(stage: Joint, w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)` and its statistics; moves chains and running means."""
    v = draw("picture", x)
    m1, m2, change = mean_field(w, v, stage.mean_field_steps)
    q1 = w["chain"]
    for k in range(1, steps + 1):
        h1 = draw(f"hidden1.{k}", q1)
        h2 = draw(f"hidden2.{k}", hidden(h1, w["weight2"], w["hidden2_bias"]))
        fantasy = draw(f"visible{k}", visible(h1, w["weight1"], w["visible_bias"]))
        from_below = tf.nn.bias_add(tf.matmul(fantasy, w["weight1"]), w["hidden1_bias"])
        q1 = tf.sigmoid(from_below + tf.matmul(h2, w["weight2"], transpose_b=True))
    q2 = hidden(q1, w["weight2"], w["hidden2_bias"])
    w["chain"].assign(q1)
    means = [tf.reduce_mean(units, axis=0) for units in (v, m1, m2)]
    e = []
    for name, mean, target in zip(("mean1", "mean2"), means[1:], stage.sparsity_targets, strict=True):
        w[name].assign(stage.sparsity_damping * w[name] + (1 - stage.sparsity_damping) * mean)
        e.append(stage.sparsity_cost * (w[name] - target))
    b, c = length(x), length(q1)
    below, middle, above = (mean[None] for mean in means)
    e1, e2 = (excess[None] for excess in e)
    gradients = {
        "weight1": products((v, m1 / b), (fantasy, q1 / -c), (below, -e1)),
        "weight2": products((m1, m2 / b), (q1, q2 / -c), (middle, -e2), (e1, -above)),
        "visible_bias": means[0] - tf.reduce_mean(fantasy, axis=0),
        "hidden1_bias": means[1] - tf.reduce_mean(q1, axis=0) - e[0],
        "hidden2_bias": means[2] - tf.reduce_mean(q2, axis=0) - e[1],
    }
    error = tf.reduce_sum(tf.square(v - visible(m1, w["weight1"], w["visible_bias"]))) / b
    return gradients, [error, change, *map(tf.reduce_mean, (fantasy, q1, q2))]


def wake_sleep_gradients(w: Tensors, x: Any, draw: Draw, steps: int) -> Update:
    """Return the uphill gradients of one mini-batch x `(B, V)` and its statistics."""
    v = draw("picture", x)
    h = draw("hidden1.0", hidden(v, w["recognition"], w["recognition_bias"]))
    p0 = hidden(h, w["weight2"], w["hidden2_bias"])
    g = draw("hidden2.0", p0)
    for k in range(1, steps + 1):
        n = draw(f"hidden1.{k}", visible(g, w["weight2"], w["hidden1_bias"]))
        p = hidden(n, w["weight2"], w["hidden2_bias"])
        if k < steps:
            g = draw(f"hidden2.{k}", p)
    dream = draw("dream", visible(n, w["generation"], w["visible_bias"]))
    missed = v - visible(h, w["generation"], w["visible_bias"])
    unseen = n - hidden(dream, w["recognition"], w["recognition_bias"])
    b = length(x)
    gradients = {
        "weight2": products((h, p0 / b), (n, p / -b)),
        "hidden1_bias": tf.reduce_mean(h - n, axis=0),
        "hidden2_bias": tf.reduce_mean(p0 - p, axis=0),
        "generation": products((missed, h / b)),
        "visible_bias": tf.reduce_mean(missed, axis=0),
        "recognition": products((dream, unseen / b)),
        "recognition_bias": tf.reduce_mean(unseen, axis=0),
    }
    return gradients, [tf.reduce_sum(tf.square(missed)) / b]


class TensorflowBoltzmann:
    """One stage on one device; every whole number that the device sees is int64."""

    def __init__(self, stage: Stage, state: Arrays, *, device: DeviceKind, mode: Mode, seed: int) -> None:
        self.stage = stage
        self.kind = device
        self.mode = mode
        self.device = DEVICES[device]
        with tf.device(self.device):
            self.random = tf.random.Generator.from_seed(seed, alg="philox")
            self.w = {name: tf.Variable(np.array(value, np.float32)) for name, value in state.items()}
        self.data: Tensors = {}
        self.rows: Any = np.zeros((0, len(statistics_names(stage))), np.float32)
        self.blocks: dict[tuple[int, bool], Any] = {}
        self.forwards: dict[int, Any] = {}

    def block_of(self, gibbs_steps: int, *, taped: bool) -> Any:
        """Return the function for a block of updates, built once for every way to call it."""
        key = gibbs_steps, taped
        if key not in self.blocks:
            self.blocks[key] = self.build_block(gibbs_steps, taped=taped)
        return self.blocks[key]

    def build_block(self, gibbs_steps: int, *, taped: bool) -> Any:
        """Wrap the block with one signature, so that neither a batch size nor a number of updates traces again."""
        update = partial(self.one_update, gibbs_steps)
        if self.mode == "eager":
            return partial(self.block, update)
        pixels = self.data["train_x"].shape[1]
        x, scalar = tf.TensorSpec((None, pixels), tf.float32), tf.TensorSpec((), tf.float32)
        shapes = draw_shapes(self.stage, 1, gibbs_steps) if taped else {}
        uniform = {name: tf.TensorSpec((None, units), tf.float32) for name, (_, units) in shapes.items()}
        tapes = {name: tf.TensorSpec((None, None, units), tf.float32) for name, (_, units) in shapes.items()}
        order, rates = tf.TensorSpec((None, None), tf.int64), tf.TensorSpec((None, 2), tf.float32)
        if self.mode == "xla":
            update = nets.wrapped(update, x, scalar, scalar, uniform, xla=True)
        return nets.wrapped(partial(self.loop, update), x, order, rates, tapes)

    def one_update(self, gibbs_steps: int, x: Any, rate: Any, momentum: Any, uniform: Tensors) -> Any:
        """Make one update on a mini-batch x `(B, V)` and return its statistics; draw what `uniform` does not have."""

        def draw(name: str, p: Any) -> Any:
            u = uniform[name] if uniform else self.random.uniform(tf.shape(p))
            return tf.cast(u < p, tf.float32)

        match self.stage:
            case Rbm() as rbm:
                gradients, row = rbm_gradients(rbm, self.w, x, draw, gibbs_steps)
            case Joint() as joint:
                gradients, row = joint_gradients(joint, self.w, x, draw, gibbs_steps)
            case WakeSleep():
                gradients, row = wake_sleep_gradients(self.w, x, draw, gibbs_steps)
        for name, gradient in gradients.items():
            w, velocity = self.w[name], self.w[f"velocity.{name}"]
            if len(w.shape) == 2:
                gradient -= self.stage.weight_decay * w
            # velocity = momentum velocity - lr grad; w += velocity: in one pass, where separate assignments take four.
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=w.handle, accum=velocity.handle, lr=-rate, grad=gradient, momentum=momentum
            )
        return tf.stack(row)

    def block(self, update: Any, x: Any, order: Any, rates: Any, tapes: Tensors) -> Any:
        """Make the updates of a block from Python."""
        return tf.stack(
            [
                update(tf.gather(x, indices), *tf.unstack(pair), {name: values[n] for name, values in tapes.items()})
                for n, (indices, pair) in enumerate(zip(tf.unstack(order), tf.unstack(rates), strict=True))
            ]
        )

    def loop(self, update: Any, x: Any, order: Any, rates: Any, tapes: Tensors) -> Any:
        """Make the updates of a block in TensorFlow's runtime."""

        def body(n: Any, rows: Any) -> tuple[Any, Any]:
            uniform = {name: tf.gather(values, n) for name, values in tapes.items()}
            row = update(tf.gather(x, tf.gather(order, n)), *tf.unstack(tf.gather(rates, n)), uniform)
            return n + 1, rows.write(n, row)

        count = tf.shape(order)[0]
        rows = tf.TensorArray(tf.float32, size=count, element_shape=(len(statistics_names(self.stage)),))
        return tf.while_loop(lambda n, _: n < count, body, (0, rows))[1].stack()

    def build_forward(self, steps: int, pixels: int) -> Any:
        """Wrap the pass for features with one signature."""
        run = partial(self.forward, steps)
        if self.mode == "eager":
            return run
        signature = tf.TensorSpec((None, pixels), tf.float32), tf.TensorSpec((None,), tf.int64)
        return nets.wrapped(run, *signature, xla=self.mode == "xla")

    def forward(self, steps: int, pictures: Any, indices: Any) -> Any:
        """Return what the machine makes of some pictures."""
        x = tf.gather(pictures, indices)
        match self.stage:
            case Joint():
                return tf.concat(mean_field(self.w, x, steps)[:2], axis=1)
            case WakeSleep():
                x = hidden(x, self.w["recognition"], self.w["recognition_bias"])
                return hidden(x, self.w["weight2"], self.w["hidden2_bias"])
            case Rbm(doubled=doubled, recognise=below, recognise_copies=copies):
                if below:
                    x = hidden(x, self.w["below.weight"], self.w["below.bias"], copies)
                return hidden(x, self.w["weight"], self.w["hidden_bias"], 2 if doubled == "visible" else 1)

    def load(self, arrays: Arrays) -> None:
        with tf.device(self.device):
            self.data = {name: tf.constant(array, tf.float32) for name, array in arrays.items()}

    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        run = self.block_of(gibbs_steps, taped=tape is not None)
        with tf.device(self.device):
            tapes = {name: tf.constant(values, tf.float32) for name, values in (tape or {}).items()}
            self.rows = run(self.data["train_x"], tf.constant(order, tf.int64), tf.constant(rates), tapes)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()

    def statistics(self) -> dict[str, NDArray[np.float32]]:
        return dict(zip(statistics_names(self.stage), np.asarray(self.rows).T, strict=True))

    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Any:
        with tf.device(self.device):
            x = self.data[f"{split}_x"]
            if steps not in self.forwards:
                self.forwards[steps] = self.build_forward(steps, x.shape[1])
            return self.forwards[steps](x, tf.constant(indices, tf.int64))

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.asarray(outputs)

    def state(self) -> dict[str, NDArray[np.float32]]:
        return {name: variable.numpy().copy() for name, variable in self.w.items()}

    def device_memory(self) -> DeviceMemory:
        if self.kind == "cpu":
            return DeviceMemory(
                reason=Sentence(
                    "{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="TensorFlow"
                )
            )
        return DeviceMemory(peak_bytes=tf.config.experimental.get_memory_info("GPU:0")["peak"])
