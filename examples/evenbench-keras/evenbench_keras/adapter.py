"""Keras 3 as people write it, `compile` and `fit`, on the engine that KERAS_BACKEND names before it is imported.

Keras defines every optimizer but SGD otherwise than Evenbench: the rate is inside the velocity, and Adam, RMSprop and
Adagrad have their epsilon elsewhere (3.15.1). So the definitions are written with `keras.ops`, as an optimizer of one's
own is. With EVENBENCH_KERAS_OPTIMIZERS=own Keras' own are taken, and `evenbench conformance` says where they differ.
"""

import os
import weakref
from importlib.metadata import version
from typing import Any

import numpy as np

from harness.contract import Backend, Device, DeviceMemory, Trap
from harness.language import Sentence, noop
from harness.layers import LSTM, Activation, AvgPool2d, Conv2d, Dense, Dropout, Embedding, Flatten, MaxPool2d, SimpleRNN
from harness.model import is_penalised, layer_parameters, named_layers, takes_tokens
from harness.optimizers import AdaGrad, Adam, Momentum, Nesterov, RMSprop

LAYERS = (Activation, AvgPool2d, Conv2d, Dense, Dropout, Embedding, Flatten, LSTM, MaxPool2d, SimpleRNN)
AXES = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
PARTS = {"weight": "kernel", "input_weight": "kernel", "state_weight": "recurrent_kernel", "bias": "bias"}
OPTIMIZERS = "EVENBENCH_KERAS_OPTIMIZERS"


def layers_of(named: Any, seed: int) -> list[Any]:
    """Return the Keras layers that compute one layer, channels last."""
    import keras

    k, name = keras.layers, named.name
    match named.layer:
        case Dense(units=units, bias=bias):
            return [k.Dense(units, use_bias=bias, name=name)]
        case Conv2d(filters=filters, kernel=kernel, stride=stride, padding=padding, bias=bias):
            return [k.ZeroPadding2D(padding), k.Conv2D(filters, kernel, stride, use_bias=bias, name=name)]
        case MaxPool2d(size=size):
            return [k.MaxPooling2D(size)]
        case AvgPool2d(size=size):
            return [k.AveragePooling2D(size)]
        case Flatten():
            return [k.Permute((3, 1, 2)), k.Flatten()] if len(named.input_shape) == 3 else [k.Flatten()]
        case Dropout(rate=rate):
            return [k.Dropout(rate, seed=seed)]
        case Embedding(vocabulary=vocabulary, units=units):
            return [k.Embedding(vocabulary, units, name=name)]
        case LSTM(units=units) as layer:
            one = k.LSTM(units, return_sequences=layer.sequence, use_bias=layer.bias, name=name)
        case SimpleRNN(units=units, kind=kind) as layer:
            one = k.SimpleRNN(units, kind, return_sequences=layer.sequence, use_bias=layer.bias, name=name)
        case Activation(kind="leaky_relu", slope=slope):
            return [k.LeakyReLU(slope)]
        case Activation(kind=kind):
            return [k.Activation(kind)]
    return [k.Bidirectional(one, name=name) if layer.bidirectional else one]


def variables_of(net: Any, task: Any) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return each parameter's variable, and the task's axes in Keras' order."""
    found = {}
    for named in named_layers(task):
        for full, shape in layer_parameters(named).items():
            layer, part = net.get_layer(named.name), full.rpartition(".")[2]
            if hasattr(layer, "forward_layer"):
                layer = layer.backward_layer if part.startswith("reverse_") else layer.forward_layer
            if isinstance(named.layer, Embedding):
                found[full] = (layer.embeddings, (0, 1))
            else:
                found[full] = (
                    getattr(getattr(layer, "cell", layer), PARTS[part.removeprefix("reverse_")]),
                    AXES[len(shape)],
                )
    return found


def make_optimizer(rule: Any) -> Any:
    """Return the task's optimizer, by its definition."""
    import keras

    rate: Any = rule.learning_rate
    if rule.schedule:
        rate = keras.optimizers.schedules.ExponentialDecay(
            rate, rule.schedule.every, rule.schedule.factor, staircase=True
        )
    if os.environ.get(OPTIMIZERS) == "own" and not (rule.l1 or rule.l2):
        return own_optimizer(rule, rate)

    class Defined(keras.optimizers.Optimizer):
        def build(self, variables: Any) -> None:
            if not self.built:
                super().build(variables)
                self.slots = [[self.add_variable_from_reference(v, n) for n in ("first", "second")] for v in variables]

        def update_step(self, g: Any, w: Any, rate: Any) -> None:
            ops = keras.ops
            first, second = self.slots[self._get_variable_index(w)]
            if is_penalised(w.shape):
                g = g + rule.l2 * w + rule.l1 * ops.sign(w)
            match rule:
                case Momentum(momentum=m):
                    self.assign(first, m * first + g)
                    step = first
                case Nesterov(momentum=m):
                    self.assign(first, m * first + g)
                    step = g + m * first
                case AdaGrad(epsilon=epsilon):
                    self.assign(first, first + g * g)
                    step = g / (ops.sqrt(first) + epsilon)
                case RMSprop(rho=rho, epsilon=epsilon):
                    self.assign(first, rho * first + (1 - rho) * g * g)
                    step = g / (ops.sqrt(first) + epsilon)
                case Adam(beta1=b1, beta2=b2, epsilon=epsilon):
                    t = ops.cast(self.iterations + 1, w.dtype)
                    self.assign(first, b1 * first + (1 - b1) * g)
                    self.assign(second, b2 * second + (1 - b2) * g * g)
                    step = first / (1 - b1**t) / (ops.sqrt(second / (1 - b2**t)) + epsilon)
                case _:
                    step = ops.convert_to_tensor(g)
            self.assign_sub(w, rate * step)

    return Defined(rate, global_clipnorm=rule.clip_norm)


def own_optimizer(rule: Any, rate: Any) -> Any:
    """Return what Keras calls by the same name."""
    from keras import optimizers as k

    match rule:
        case Momentum(momentum=m) | Nesterov(momentum=m):
            return k.SGD(rate, m, nesterov=isinstance(rule, Nesterov), global_clipnorm=rule.clip_norm)
        case AdaGrad(epsilon=epsilon):
            return k.Adagrad(rate, 0.0, epsilon, global_clipnorm=rule.clip_norm)
        case RMSprop(rho=rho, epsilon=epsilon):
            return k.RMSprop(rate, rho, epsilon=epsilon, global_clipnorm=rule.clip_norm)
        case Adam(beta1=b1, beta2=b2, epsilon=epsilon):
            return k.Adam(rate, b1, b2, epsilon, global_clipnorm=rule.clip_norm)
    return k.SGD(rate, global_clipnorm=rule.clip_norm)


class Program:
    """One task as a `keras.Sequential`, compiled and fitted."""

    def __init__(self, task: Any, rule: Any, weights: Any, seed: int) -> None:
        import keras

        keras.utils.set_random_seed(seed)
        shape = (*task.input_shape[1:], task.input_shape[0]) if len(task.input_shape) == 3 else task.input_shape
        self.net = keras.Sequential([keras.Input(shape, dtype="int32" if takes_tokens(task) else "float32")])
        for position, named in enumerate(named_layers(task)):
            for layer in layers_of(named, seed + position):
                self.net.add(layer)
        self.variables = variables_of(self.net, task)
        for name, (variable, axes) in self.variables.items():
            variable.assign(weights[name].transpose(axes))
        k = keras.losses
        loss: Any = {
            "softmax_cross_entropy": k.SparseCategoricalCrossentropy(from_logits=True),
            "sigmoid_cross_entropy": k.BinaryCrossentropy(from_logits=True),
            "mean_squared_error": k.MeanSquaredError(),
        }[task.loss]

        class Last(keras.metrics.Metric):  # what Keras logs by itself is the mean since the epoch began
            def __init__(self) -> None:
                super().__init__(name="last")
                self.value = self.add_variable((), "zeros", name="value")

            def update_state(self, y: Any, outputs: Any, sample_weight: Any = None) -> None:
                self.value.assign(loss(y, outputs))

            def result(self) -> Any:
                return keras.ops.convert_to_tensor(self.value)

        class Losses(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                found.append(logs["last"])

        class Kept(keras.optimizers.Optimizer):  # moves nothing, and keeps the gradients
            def build(self, variables: Any) -> None:
                if not self.built:
                    super().build(variables)
                    self.slots = [self.add_variable_from_reference(v, "kept") for v in variables]

            def update_step(self, g: Any, w: Any, rate: Any) -> None:
                self.assign(self.slots[self._get_variable_index(w)], g)

        self.found: list[Any] = []
        found, self.callback, self.kept = self.found, Losses(), Kept(1.0)
        self.net.compile(make_optimizer(rule), loss, metrics=[Last()])
        self.twin = keras.Model(self.net.inputs, self.net.outputs)
        self.twin.compile(self.kept, loss)
        MODELS.append(weakref.ref(self.net))

    def load(self, arrays: Any) -> None:
        self.data = {n: np.array(a.transpose(0, 2, 3, 1) if a.ndim == 4 else a) for n, a in arrays.items()}

    def train(self, order: Any) -> None:
        self.found.clear()
        x, y = (self.data[f"train_{part}"][order.ravel()] for part in "xy")
        self.net.fit(x, y, batch_size=order.shape[1], shuffle=False, verbose=0, callbacks=[self.callback])

    def synchronize(self) -> None:
        """Do nothing: the callback has read the loss of every step, and `fit` the parameters of the last."""

    def losses(self) -> Any:
        return np.array(self.found, np.float32)

    def gradients(self, indices: Any) -> Any:
        self.twin.train_on_batch(self.data["train_x"][indices], self.data["train_y"][indices])
        slots = dict(zip((v.path for v in self.twin.trainable_variables), self.kept.slots, strict=True))
        return {name: outside(slots[v.path], axes) for name, (v, axes) in self.variables.items()}

    def predict(self, split: str, indices: Any) -> Any:
        return self.net.predict_on_batch(self.data[f"{split}_x"][indices])

    def host(self, outputs: Any) -> Any:
        return np.array(outputs.transpose(0, 3, 1, 2) if outputs.ndim == 4 else outputs)

    def parameters(self) -> Any:
        return {name: outside(variable, axes) for name, (variable, axes) in self.variables.items()}

    def device_memory(self) -> DeviceMemory:
        return DeviceMemory(reason=noop("Keras does not say what its engine takes on the CPU; see host_peak_bytes"))


MODELS: list[Any] = []
"""The models that were compiled, asked afterwards for the graphs that their engine made."""


def graphs(net: Any) -> int:
    """Return how many graphs JAX or TensorFlow made of a model's training step, by its own count."""
    for cell in getattr(net.train_function, "__closure__", None) or ():
        for count in ("_cache_size", "experimental_get_tracing_count"):
            if hasattr(cell.cell_contents, count):
                return int(getattr(cell.cell_contents, count)())
    return 0


def outside(variable: Any, axes: Any) -> Any:
    """Return a copy of a variable in the task's layout."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable).transpose(np.argsort(axes)))


class Keras:
    """Keras on one engine, on the CPU."""

    def __init__(self, engine: str, modes: Any) -> None:
        os.environ["KERAS_BACKEND"] = engine
        import keras

        self.engine, self.keras = engine, keras
        self.name, self.own_modes, self.default_mode = f"keras-{engine}", modes, modes[-1]
        keras.config.set_image_data_format("channels_last")

    def versions(self) -> Any:
        return {"keras": self.keras.__version__, self.engine: version(self.engine), "numpy": np.__version__}

    def settings(self) -> Any:
        own = os.environ.get(OPTIMIZERS) == "own"
        return {"steps_per_call": "1", "optimizers": "Keras' own" if own else "Evenbench's definitions in keras.ops"}

    def devices(self) -> Any:
        return (Device(kind="cpu", name="cpu"),)

    def modes(self) -> Any:
        return self.own_modes

    def why_not(self, task: Any, device: Any, mode: Any) -> Any:
        if device != "cpu":
            return noop("this plug-in runs Keras on the CPU only, and was not tried elsewhere")
        if mode not in self.own_modes:
            return Sentence("Keras on {engine} has no {mode} mode in this plug-in", engine=self.engine, mode=mode)
        if any(preset.boltzmann for preset in task.presets.values()):
            return noop("Keras has no Boltzmann machines, which would be its engine's own code")
        if missing := [named.name for named in named_layers(task) if not isinstance(named.layer, LAYERS)]:
            names = ", ".join(missing)
            return Sentence("Keras has no such layer, or defines it otherwise than the task does: {names}", names=names)
        return None

    def traps(self) -> Any:
        sentence = noop("Keras' own optimizers are not Evenbench's: tasks with others than SGD are not comparable")
        return (Trap(name="optimizers", sentence=sentence),) if os.environ.get(OPTIMIZERS) == "own" else ()

    def compiled(self) -> Any:
        return {} if self.engine == "torch" else {"graph": sum(graphs(one()) for one in MODELS if one() is not None)}

    def build(self, task: Any, optimizer: Any, *, device: Any, mode: Any, weights: Any, seed: int) -> Any:
        return Program(task, optimizer, weights, seed)

    def build_boltzmann(self, stage: Any, *, device: Any, mode: Any, state: Any, seed: int) -> Any:
        raise NotImplementedError("refused by why_not")

    def product_probe(self, device: Any, side: int) -> Any:
        a = self.keras.ops.ones((side, side))
        return lambda: self.wait(self.keras.ops.matmul(a, a))

    def copy_probe(self, device: Any, numbers: int) -> Any:
        source = self.keras.ops.ones(numbers)
        return lambda: self.wait(self.keras.ops.copy(source))

    def wait(self, result: Any) -> None:
        """Return when a result is there, by reading one number of it."""
        self.keras.ops.convert_to_numpy(self.keras.ops.ravel(result)[:1])


def jax() -> Backend:
    """Return Keras on JAX."""
    return Keras("jax", ("graph",))


def torch() -> Backend:
    """Return Keras on PyTorch."""
    return Keras("torch", ("eager",))


def tensorflow() -> Backend:
    """Return Keras on TensorFlow."""
    return Keras("tensorflow", ("graph",))
