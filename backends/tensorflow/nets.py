"""A task's layers and loss as Keras layers and TensorFlow kernels, and the border between the layouts.

Images are `(B, H, W, C)` inside. `Flatten` then lays features out with the channel fastest, where the task has it
slowest: instead of moving data in every step, whatever depends on the order of the features is permuted once, up to
and including the next `Dense` or `Maxout`. A `Flatten` that no such layer follows moves the data.
"""

import math
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from msgspec import Struct
from numpy.typing import NDArray

from backends.tensorflow import recurrent
from harness.contract import Arrays
from harness.layers import (
    GRU,
    LSTM,
    Activation,
    AvgPool2d,
    BatchNorm,
    Branches,
    Conv2d,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    Maxout,
    MaxPool2d,
    Positions,
    PReLU,
    Residual,
    SelfAttention,
    SimpleRNN,
    Upsample2d,
)
from harness.model import NamedLayer, layer_parameters, leaves, named_layers, takes_tokens
from harness.spec import Loss, Mode, Task

WRAPPED: dict[Mode, weakref.WeakSet[Any]] = {"graph": weakref.WeakSet(), "xla": weakref.WeakSet()}
"""The functions of the programs that are alive, by what compiles them: asked how often they were traced."""

PARTS = {
    "weight": "kernel",
    "batchnorm.weight": "gamma",
    "batchnorm.bias": "beta",
    "batchnorm.mean": "moving_mean",
    "batchnorm.variance": "moving_variance",
    "prelu.weight": "alpha",
    "embedding.weight": "embeddings",
    "layernorm.weight": "gamma",
    "layernorm.bias": "beta",
    "positions.weight": "rows",
}
"""What Keras calls the parts of a parameter's name; the others have the same name there."""

AXES: dict[int, tuple[int, ...]] = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
"""The task's axes in Keras' order, by rank: vectors, `(out, in)` to `(in, out)`, OIHW to HWIO."""


class Layout(Struct, frozen=True, kw_only=True):
    """How one parameter crosses the border.

    `order[j]` is the task's number of the feature that is `j` inside, on the first axis there; `gates` says the same
    of a recurrent layer's gates, on the last.
    """

    axes: tuple[int, ...]
    order: NDArray[np.intp] | None = None
    gates: NDArray[np.intp] | None = None

    def inside(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of the task's layout in Keras' layout."""
        array = array.transpose(self.axes)
        array = array if self.gates is None else array[..., self.gates]
        return array if self.order is None else array[self.order]

    def outside(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of Keras' layout in the task's layout, contiguous."""
        if self.order is not None:
            array = array[np.argsort(self.order)]
        if self.gates is not None:
            array = array[..., np.argsort(self.gates)]
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
        # not `reduce_max`, which shares the gradient out among equal pieces
        winner = tf.one_hot(tf.argmax(z, axis=-1), self.pieces)
        return tf.reduce_sum(z * winner, axis=-1)


class MaxPoolLayer(keras.layers.Layer):  # type: ignore[misc]
    """A maximum over windows with places around the image that are never the maximum; Keras knows only "same".

    TensorFlow's kernel takes such places too, but XLA does not (2.21.0).
    """

    def __init__(self, layer: MaxPool2d, **options: Any) -> None:
        super().__init__(**options)
        self.size, self.apart = layer.size, layer.stride or layer.size
        self.around = [[0, 0], [layer.padding] * 2, [layer.padding] * 2, [0, 0]]

    def call(self, inputs: Any) -> Any:
        padded = tf.pad(inputs, self.around, constant_values=inputs.dtype.min)
        return tf.nn.max_pool2d(padded, self.size, self.apart, "VALID")


class LocalResponseNormLayer(keras.layers.Layer):  # type: ignore[misc]
    """TensorFlow's own kernel, whose alpha is the task's."""

    def __init__(self, layer: LocalResponseNorm, **options: Any) -> None:
        super().__init__(**options)
        self.numbers = {"depth_radius": layer.size // 2, "bias": layer.k, "alpha": layer.alpha, "beta": layer.beta}

    def call(self, inputs: Any) -> Any:
        return tf.nn.local_response_normalization(inputs, **self.numbers)


class PositionsLayer(keras.layers.Layer):  # type: ignore[misc]
    """A trained row is added at each place of a sequence."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.rows = self.add_weight(shape=input_shape[1:], name="rows")

    def call(self, inputs: Any) -> Any:
        return inputs + self.rows


class SelfAttentionLayer(keras.layers.Layer):  # type: ignore[misc]
    """Multi-head self-attention of four dense layers; Keras' own cuts its weights into heads."""

    def __init__(self, features: int, layer: SelfAttention, **options: Any) -> None:
        super().__init__(**options)
        self.heads, self.causal, self.width = layer.heads, layer.causal, features // layer.heads
        self.query, self.key, self.value, self.output_map = (keras.layers.Dense(features) for _ in range(4))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for dense in (self.query, self.key, self.value, self.output_map):
            dense.build(input_shape)

    def call(self, inputs: Any) -> Any:
        length = inputs.shape[1]

        def split(dense: Any) -> Any:
            return tf.transpose(tf.reshape(dense(inputs), (-1, length, self.heads, self.width)), (0, 2, 1, 3))

        q, k, v = split(self.query), split(self.key), split(self.value)
        scores = tf.matmul(q, k, transpose_b=True) * self.width**-0.5
        if self.causal:
            scores = tf.where(np.tri(length, dtype=bool), scores, float("-inf"))
        y = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), (0, 2, 1, 3))
        return self.output_map(tf.reshape(y, (-1, length, self.heads * self.width)))


class CompositionLayer(keras.layers.Layer):  # type: ignore[misc]
    """The sum, or the joint outputs, of several paths; an empty one is the input itself."""

    def __init__(self, named: NamedLayer, *, seed: int, cudnn: bool, **options: Any) -> None:
        super().__init__(**options)
        self.is_sum = isinstance(named.layer, Residual)
        # inside, the channels are last
        self.order = [name for name, _of in named.paths]
        self.paths = {
            name: sequence(of, inside_shape(named.input_shape), seed=own_seed(seed, number), cudnn=cudnn)
            for number, (name, of) in enumerate(named.paths)
            if of
        }

    def call(self, inputs: Any, training: bool = False) -> Any:
        outputs = [self.paths[n](inputs, training=training) if n in self.paths else inputs for n in self.order]
        return tf.add_n(outputs) if self.is_sum else tf.concat(outputs, axis=-1)


def selu(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return selu and its gradient, at exactly zero the left-hand one; TensorFlow's is the right-hand one (2.21.0)."""
    y = tf.nn.selu(x)
    # SeluGrad looks at the sign of the output: moved by what no other number notices, zero is on the left.
    return y, lambda dy: tf.raw_ops.SeluGrad(gradients=dy, outputs=y - 1e-30)


def layer_modules(named: NamedLayer, *, reorder: bool, seed: int, cudnn: bool) -> list[Any]:
    """Return the Keras layers that compute one layer, the one with the parameters last.

    `reorder` says that a `Flatten` has to move the data itself, `cudnn` that recurrent layers may run on cuDNN.
    """
    name = named.name.rpartition(".")[2]
    match named.layer:
        case Residual() | Branches():
            return [CompositionLayer(named, seed=seed, cudnn=cudnn, name=name)]
        case Dense(units=units, bias=bias):
            return [keras.layers.Dense(units, use_bias=bias, name=name)]
        case Conv2d() as layer:
            return convolution(layer, name)
        case MaxPool2d(size=size, stride=stride, padding=padding) as pool:
            return [MaxPoolLayer(pool) if padding else keras.layers.MaxPooling2D(size, stride or size)]
        case GlobalAvgPool2d():
            return [keras.layers.GlobalAveragePooling2D()]
        case Upsample2d(size=size):
            return [keras.layers.UpSampling2D(size)]
        case LayerNorm(epsilon=epsilon):
            return [keras.layers.LayerNormalization(epsilon=epsilon, name=name)]
        case LocalResponseNorm() as norm:
            return [LocalResponseNormLayer(norm)]
        case Positions():
            return [PositionsLayer(name=name)]
        case SelfAttention() as attention:
            return [SelfAttentionLayer(named.input_shape[1], attention, name=name)]
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
        case Embedding(vocabulary=vocabulary, units=units):
            return [keras.layers.Embedding(vocabulary, units, name=name)]
        case SimpleRNN() | LSTM() | GRU() as layer:
            return [recurrent.recurrent_module(layer, name, cudnn=cudnn)]


def convolution(layer: Conv2d, name: str) -> list[Any]:
    """Return a convolution; "same" is used where it means the task's padding, since a layer of zeros costs time."""
    same = layer.padding > 0 and layer.stride == 1 and 2 * layer.padding == layer.kernel - 1
    padding = "same" if same else "valid"
    options = {"strides": layer.stride, "padding": padding, "use_bias": layer.bias, "groups": layer.groups}
    conv = keras.layers.Conv2D(layer.filters, layer.kernel, name=name, **options)
    return [conv] if same or layer.padding == 0 else [keras.layers.ZeroPadding2D(layer.padding), conv]


def activation_module(layer: Activation) -> Any:
    """Return the Keras layer of an element-wise function."""
    match layer.kind:
        case "leaky_relu":
            return keras.layers.LeakyReLU(negative_slope=layer.slope)
        case "selu":
            return keras.layers.Activation(tf.custom_gradient(selu))
        case "gelu":
            return keras.layers.Activation(exact_gelu)
        case kind:
            return keras.layers.Activation(kind)


def exact_gelu(x: Any) -> Any:
    """Return `x Phi(x)`."""
    return tf.nn.gelu(x, approximate=False)


def inside_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without batch axis as it is inside: `(C, H, W)` becomes `(H, W, C)`."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def model(task: Task, weights: Arrays, *, seed: int, cudnn: bool) -> Any:
    """Return the task's model, holding the given weights; `seed` feeds the dropout.

    `cudnn` lets recurrent layers run on cuDNN.
    """
    numbers = "int64" if takes_tokens(task) else "float32"
    shape = inside_shape(task.input_shape)
    net = sequence(named_layers(task), shape, seed=seed, cudnn=cudnn, numbers=numbers, follows=task.layers)
    crossing = layouts(task)
    for name, variable in named_tensors(net, tuple(weights)).items():
        variable.assign(crossing[name].inside(weights[name]))
    return net


def sequence(
    layers: tuple[NamedLayer, ...],
    shape: tuple[int, ...],
    *,
    seed: int,
    cudnn: bool,
    numbers: str = "float32",
    follows: tuple[Layer, ...] = (),
) -> Any:
    """Return the model of layers one after the other on inputs of a shape inside.

    `follows` are the task's own layers, whose weights can absorb a permutation; within a composition none does.
    """
    net = keras.Sequential([keras.Input(shape, dtype=numbers)])
    for position, one in enumerate(layers):
        reorder = len(one.input_shape) == 3 and not takes_features(follows[position + 1 :])
        for module in layer_modules(one, reorder=reorder, seed=own_seed(seed, position), cudnn=cudnn):
            net.add(module)
    return net


def own_seed(seed: int, position: int) -> int:
    """Return a seed of a layer's own, else two dropouts of one width would drop the same units."""
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


def takes_features(layers: tuple[Layer, ...]) -> bool:
    """Return whether a layer with a weight per feature and unit, whose rows can absorb a permutation, comes next.

    A composition on the way sees its features in the order in which they are.
    """
    for layer in layers:
        if isinstance(layer, Dense | Maxout | Residual | Branches):
            return isinstance(layer, Dense | Maxout)
    return False


def layouts(task: Task) -> dict[str, Layout]:
    """Return how each parameter of a task crosses the border, by its name."""
    found = {}
    order: NDArray[np.intp] | None = None
    for position, top in enumerate(named_layers(task)):
        takes = takes_features((top.layer,))
        for named in leaves((top,)):
            for name, shape in layer_parameters(named).items():
                per_feature = not takes or len(shape) == 2
                # rows of words and of places are rows on both sides; every other matrix lies the other way around
                axes = (0, 1) if isinstance(named.layer, Embedding | Positions) else AXES[len(shape)]
                gates = recurrent.gate_order(named.layer)
                found[name] = Layout(axes=axes, order=order if per_feature else None, gates=gates)
        if takes:
            order = None
        elif isinstance(top.layer, Flatten) and len(top.input_shape) == 3:
            numbers = np.arange(math.prod(top.input_shape)).reshape(top.input_shape)
            order = numbers.transpose(1, 2, 0).ravel() if takes_features(task.layers[position + 1 :]) else None
    return found


def named_tensors(net: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's `tf.Variable`s under the task's parameter names."""
    found = {}
    for full in names:
        path, _, part = full.rpartition(".")
        first, *inner = path.split(".")
        module, layer = net.get_layer(first), path.rpartition(".")[2]
        for branch, name in zip(inner[::2], inner[1::2], strict=True):
            module = module.paths[branch].get_layer(name)
        kind = layer.rstrip("0123456789")
        if kind == "selfattention":
            of, _, part = part.partition("_")
            dense = module.output_map if of == "output" else getattr(module, of)
            found[full] = getattr(dense, PARTS.get(part, part)).value
        elif kind in ("simplernn", "lstm", "gru"):
            found[full] = recurrent.parameter(module, part).value
        else:
            attribute = PARTS.get(f"{kind}.{part}", PARTS.get(part, part))
            found[full] = getattr(module, attribute).value
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


def wrapped(function: Any, *signature: Any, xla: bool = False) -> Any:
    """Return a `tf.function` with one signature, so that no batch size and no number of steps traces again.

    With `xla` it must be compiled by XLA: TensorFlow raises where it cannot.
    """
    # Autograph cannot convert `match` (seen in 2.21.0), and no loop or branch depends on a tensor.
    found = tf.function(function, input_signature=signature, jit_compile=xla, autograph=False)
    WRAPPED["xla" if xla else "graph"].add(found)
    return found
