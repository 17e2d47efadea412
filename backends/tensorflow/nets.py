"""A task's layers, loss and optimizer as Keras layers and TensorFlow kernels, and the border between the layouts.

Images are `(B, H, W, C)` inside. `Flatten` then lays features out with the channel fastest, where the task has it
slowest: instead of moving data in every step, whatever depends on the order of the features is permuted once, up to
and including the next `Dense` or `Maxout`. A `Flatten` that no such layer follows moves the data.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from msgspec import Struct
from numpy.typing import NDArray

from harness.contract import Arrays
from harness.layers import (
    Activation,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Maxout,
    MaxPool2d,
    PReLU,
)
from harness.model import NamedLayer, is_penalised, layer_parameters, named_layers
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop
from harness.spec import Loss, Task

PARTS = {
    "weight": "kernel",
    "batchnorm.weight": "gamma",
    "batchnorm.bias": "beta",
    "batchnorm.mean": "moving_mean",
    "batchnorm.variance": "moving_variance",
    "prelu.weight": "alpha",
}
"""What Keras calls the parts of a parameter's name; the others have the same name there."""

AXES: dict[int, tuple[int, ...]] = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
"""The task's axes in Keras' order, by rank: vectors, `(out, in)` to `(in, out)`, OIHW to HWIO."""

Update = Callable[[list[Any], Any, Any], None]
"""Moves the trained parameters by one step, given their gradients, the learning rate and the epsilon."""


class Layout(Struct, frozen=True, kw_only=True):
    """How one parameter crosses the border; `order[j]` is the task's number of the feature that is `j` inside."""

    axes: tuple[int, ...]
    order: NDArray[np.intp] | None = None

    def inside(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of the task's layout in Keras' layout."""
        array = array.transpose(self.axes)
        return array if self.order is None else array[self.order]

    def outside(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of Keras' layout in the task's layout, contiguous."""
        if self.order is not None:
            array = array[np.argsort(self.order)]
        return np.ascontiguousarray(array.transpose(np.argsort(self.axes)))


class BatchNormLayer(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' layer on TensorFlow's fused kernel, whose running variance is the unbiased one.

    Keras itself moves it by the biased variance (seen in 3.15.1), and `tf.nn.fused_batch_norm` silently raises
    an epsilon of 1e-5 to 1.001e-5 (seen in 2.21.0), so the kernel is called without it.
    """

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        image = inputs if len(inputs.shape) == 4 else inputs[:, None, None, :]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=image,
            scale=self.gamma,
            offset=self.beta,
            mean=self.moving_mean,
            variance=self.moving_variance,
            epsilon=self.epsilon,
            exponential_avg_factor=1 - self.momentum if training else 1.0,
            data_format="NHWC",
            is_training=training,
        )
        if training:
            self.moving_mean.assign(mean)
            self.moving_variance.assign(variance)
        return outputs if len(inputs.shape) == 4 else outputs[:, 0, 0, :]


class PReLULayer(keras.layers.Layer):  # type: ignore[misc]
    """One slope per channel; the gradient of Keras' own is 0 instead of the slope at exactly zero (seen in 3.15.1)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.alpha = self.add_weight(shape=input_shape[-1:], name="alpha")

    def call(self, inputs: Any) -> Any:
        return tf.where(inputs > 0, inputs, self.alpha * inputs)


class MaxoutLayer(keras.layers.Dense):  # type: ignore[misc]
    """The largest of `pieces` affine maps per unit; among equal ones the first gets the gradient."""

    def __init__(self, units: int, pieces: int, **options: Any) -> None:
        super().__init__(units * pieces, **options)
        self.pieces = pieces

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.units // self.pieces)

    def call(self, inputs: Any, training: bool = False) -> Any:
        z = tf.reshape(super().call(inputs), (-1, self.units // self.pieces, self.pieces))
        winner = tf.one_hot(tf.argmax(z, axis=-1), self.pieces)
        return tf.reduce_sum(z * winner, axis=-1)


def selu(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return selu and its gradient, at exactly zero the left-hand one; TensorFlow's is the right-hand one (2.21.0)."""
    y = tf.nn.selu(x)
    return y, lambda dy: tf.raw_ops.SeluGrad(gradients=dy, outputs=y - 1e-30)


def layer_modules(named: NamedLayer, *, reorder: bool, seed: int) -> list[Any]:
    """Return the Keras layers that compute one layer, the one with the parameters last.

    `reorder` says that a `Flatten` has to move the data itself.
    """
    name = named.name
    match named.layer:
        case Dense(units=units, bias=bias):
            return [keras.layers.Dense(units, use_bias=bias, name=name)]
        case Conv2d() as layer:
            return convolution(layer, name)
        case MaxPool2d(size=size):
            return [keras.layers.MaxPooling2D(size)]
        case AvgPool2d(size=size):
            return [keras.layers.AveragePooling2D(size)]
        case Flatten():
            flatten = keras.layers.Flatten()
            return [keras.layers.Permute((3, 1, 2)), flatten] if reorder else [flatten]
        case Dropout(rate=rate):
            return [keras.layers.Dropout(rate, seed=seed)]
        case BatchNorm(momentum=momentum, epsilon=epsilon):
            return [BatchNormLayer(momentum=momentum, epsilon=epsilon, name=name)]
        case PReLU():
            return [PReLULayer(name=name)]
        case Maxout(units=units, pieces=pieces):
            return [MaxoutLayer(units, pieces, name=name)]
        case Activation() as activation:
            return [activation_module(activation)]


def convolution(layer: Conv2d, name: str) -> list[Any]:
    """Return a convolution; "same" is used where it means the task's padding, since a layer of zeros costs time."""
    same = layer.padding > 0 and layer.stride == 1 and 2 * layer.padding == layer.kernel - 1
    padding = "same" if same else "valid"
    options = {"strides": layer.stride, "padding": padding, "use_bias": layer.bias, "name": name}
    conv = keras.layers.Conv2D(layer.filters, layer.kernel, **options)
    return [conv] if same or layer.padding == 0 else [keras.layers.ZeroPadding2D(layer.padding), conv]


def activation_module(layer: Activation) -> Any:
    """Return the Keras layer of an element-wise function."""
    match layer.kind:
        case "leaky_relu":
            return keras.layers.LeakyReLU(negative_slope=layer.slope)
        case "selu":
            return keras.layers.Activation(tf.custom_gradient(selu))
        case kind:
            return keras.layers.Activation(kind)


def inside_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without batch axis as it is inside: `(C, H, W)` becomes `(H, W, C)`."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def model(task: Task, weights: Arrays, seed: int) -> Any:
    """Return the task's model, holding the given weights; `seed` feeds the dropout."""
    named = named_layers(task)
    net = keras.Sequential([keras.Input(inside_shape(task.input_shape))])
    for position, one in enumerate(named):
        reorder = len(one.input_shape) == 3 and not takes_features(task.layers[position + 1 :])
        own_seed = int(np.random.SeedSequence([seed, position]).generate_state(1)[0])
        for module in layer_modules(one, reorder=reorder, seed=own_seed):
            net.add(module)
    crossing = layouts(task)
    for name, variable in named_tensors(net, tuple(weights)).items():
        variable.assign(crossing[name].inside(weights[name]))
    return net


def takes_features(layers: tuple[Layer, ...]) -> bool:
    """Return whether one of these layers has a weight per feature and unit, whose rows can absorb a permutation."""
    return any(isinstance(layer, Dense | Maxout) for layer in layers)


def layouts(task: Task) -> dict[str, Layout]:
    """Return how each parameter of a task crosses the border, by its name."""
    found = {}
    order: NDArray[np.intp] | None = None
    for position, named in enumerate(named_layers(task)):
        takes = takes_features((named.layer,))
        for name, shape in layer_parameters(named).items():
            per_feature = not takes or len(shape) == 2
            found[name] = Layout(axes=AXES[len(shape)], order=order if per_feature else None)
        if takes:
            order = None
        elif isinstance(named.layer, Flatten) and len(named.input_shape) == 3:
            numbers = np.arange(math.prod(named.input_shape)).reshape(named.input_shape)
            order = numbers.transpose(1, 2, 0).ravel() if takes_features(task.layers[position:]) else None
    return found


def named_tensors(net: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's `tf.Variable`s under the task's parameter names."""
    found = {}
    for full in names:
        layer, _, part = full.partition(".")
        kind = layer.rstrip("0123456789")
        attribute = PARTS.get(f"{kind}.{part}", PARTS.get(part, part))
        found[full] = getattr(net.get_layer(layer), attribute).value
    return found


def loss(kind: Loss, outputs: Any, y: Any) -> Any:
    """Return the mean loss of a mini-batch, a scalar."""
    match kind:
        case "softmax_cross_entropy":
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs))
        case "sigmoid_cross_entropy":
            return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=outputs))
        case "mean_squared_error":
            return tf.reduce_mean(tf.math.squared_difference(outputs, y))


def rates_of(optimizer: Optimizer, steps: range) -> NDArray[np.float32]:
    """Return the learning rate and the epsilon of each step, `(N, 2)`.

    Adam's bias corrections are moved into both (Kingma & Ba 2015, end of section 2), in float64 and for the betas
    as float32 has them, since the kernel computes with `1 - beta`.
    """
    rates = np.array([optimizer.rate_at(step) for step in steps])
    epsilons = np.full(len(rates), getattr(optimizer, "epsilon", 0.0))
    if isinstance(optimizer, Adam):
        t = np.arange(steps.start, steps.stop) + 1
        first, second = (1 - float(np.float32(beta)) ** t for beta in (optimizer.beta1, optimizer.beta2))
        rates *= np.sqrt(second) / first
        epsilons *= np.sqrt(second)
    return np.stack([rates, epsilons], axis=1).astype(np.float32)


def optimizer_for(optimizer: Optimizer, variables: list[Any]) -> Update:
    """Return the update whose arithmetic is the definition of `harness/optimizers.py`.

    Not `keras.optimizers`, of which only plain SGD agrees: there the learning rate is inside the velocity, Adam and
    RMSprop have the epsilon elsewhere, Adagrad starts at 0.1 (seen in Keras 3.15.1). TensorFlow's own training
    kernels, one per variable and step, compute the definitions, RMSprop's excepted.
    """
    count = {AdaGrad: 1, Momentum: 1, Nesterov: 1, RMSprop: 1, Adam: 2}.get(type(optimizer), 0)
    slots = [[tf.Variable(tf.zeros_like(w), trainable=False) for _ in range(count)] for w in variables]

    def update(gradients: list[Any], rate: Any, epsilon: Any) -> None:
        for w, own, g in zip(variables, slots, gradients, strict=True):
            if is_penalised(w.shape) and optimizer.l2:
                g = g + optimizer.l2 * w
            if is_penalised(w.shape) and optimizer.l1:
                g = g + optimizer.l1 * tf.sign(w)
            apply(optimizer, w, own, g, rate, epsilon)

    return update


def apply(optimizer: Optimizer, w: Any, slots: list[Any], g: Any, rate: Any, epsilon: Any) -> None:
    """Move one variable and its accumulators by one step."""
    ops = tf.raw_ops
    first, second = ([slot.handle for slot in slots] + [None, None])[:2]
    common = {"var": w.handle, "grad": g, "lr": rate}
    match optimizer:
        case Momentum(momentum=m):
            ops.ResourceApplyMomentum(accum=first, momentum=m, **common)
        case Nesterov(momentum=m):
            ops.ResourceApplyMomentum(accum=first, momentum=m, use_nesterov=True, **common)
        case AdaGrad():
            ops.ResourceApplyAdagradV2(accum=first, epsilon=epsilon, **common)
        case RMSprop(rho=rho):
            s = slots[0].assign(rho * slots[0] + (1 - rho) * tf.square(g))
            w.assign_sub(rate * g / (tf.sqrt(s) + epsilon))
        case Adam(beta1=beta1, beta2=beta2):
            corrected = {"beta1_power": 0.0, "beta2_power": 0.0, "epsilon": epsilon}
            ops.ResourceApplyAdam(m=first, v=second, beta1=beta1, beta2=beta2, **corrected, **common)
        case _:
            ops.ResourceApplyGradientDescent(var=w.handle, alpha=rate, delta=g)
