"""The TensorFlow backend: Keras layers under an own training step; a block of steps is one loop in one `tf.function`.

`eager` is the plain step with a gradient tape; `graph` runs the loop in TensorFlow's runtime; in `xla` the single
step is compiled by XLA and called from that loop, so that another number of steps compiles nothing anew.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Device, DeviceMemory, Split, Trap
from harness.language import Sentence, Words, noop
from harness.model import is_trained, label_shape, named_layers, takes_tokens
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task

# All three are read at import.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = (
    "true"  # else it takes nearly all of the memory at once, and no peak says much
)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

import keras
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port  # no public name says whether oneDNN is on

from backends.tensorflow import DEVICES, nets
from backends.tensorflow.boltzmann import TensorflowBoltzmann
from backends.tensorflow.knobs import STATED
from backends.tensorflow.optimizers import Updater, step_numbers


class TensorflowProgram:
    """One task on one device; every whole number that the device sees is int64, since int32 stays on the host."""

    def __init__(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> None:
        self.task = task
        self.kind = device
        self.mode = mode
        self.device = DEVICES[device]
        self.definition = optimizer
        self.layouts = nets.layouts(task)
        # Keras looks neither at the device nor at the compiler (seen in 3.15.1): with a GPU present its "auto" takes
        # cuDNN for a model on the CPU too, and XLA has no kernel for it.
        cudnn = device == "gpu" and mode != "xla"
        self.labels = task.loss == "softmax_cross_entropy"
        self.types = {"x": np.int64 if takes_tokens(task) else np.float32, "y": np.int64 if self.labels else np.float32}
        with tf.device(self.device):
            self.net = nets.model(task, weights, seed=seed, cudnn=cudnn)
            self.tensors = nets.named_tensors(self.net, tuple(weights))
            self.trained = [tensor for name, tensor in self.tensors.items() if is_trained(name)]
            self.updater = Updater(optimizer, self.trained)
        self.step = 0
        self.data: dict[str, Any] = {}
        self.last_losses: Any = np.zeros(0, np.float32)
        self.run_block: Any = self.block
        self.run_step: Any = self.one_step
        self.run_gradients: Any = self.loss_and_gradients
        self.run_forward: Any = self.forward
        if mode != "eager":
            self.compile()

    def compile(self) -> None:
        """Wrap the functions with one signature each, so that no batch size and no number of steps traces again."""
        last = named_layers(self.task)[-1].output_shape
        x = tf.TensorSpec((None, *nets.inside_shape(self.task.input_shape)), self.types["x"])
        y = tf.TensorSpec((None, *(label_shape(last) if self.labels else nets.inside_shape(last))), self.types["y"])
        scalar = tf.TensorSpec((), tf.float32)
        indices, order = tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None, None), tf.int64)
        rates = tf.TensorSpec((None, 2), tf.float32)
        xla = self.mode == "xla"

        if xla:
            self.run_step = nets.wrapped(self.one_step, x, y, scalar, scalar, xla=True)
        self.run_gradients = nets.wrapped(self.loss_and_gradients, x, y, xla=xla)
        self.run_forward = nets.wrapped(self.forward, x, indices, xla=xla)
        # never by XLA, which would compile the loop anew for every number of steps
        self.run_block = nets.wrapped(self.loop, x, y, order, rates)

    def loss_and_gradients(self, x: Any, y: Any) -> tuple[Any, list[Any]]:
        """Return the mean loss of a mini-batch and its gradients, in training mode.

        An embedding's gradient comes as the rows in use, one by one, and is summed to the whole array, since the task's
        optimizers move all rows; `tf.linalg.global_norm` would count repeated rows wrongly (seen in 2.21.0).
        """
        with tf.GradientTape() as tape:
            loss = nets.loss(self.task.loss, self.net(x, training=True), y)
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, self.trained)]

    def one_step(self, x: Any, y: Any, rate: Any, epsilon: Any) -> Any:
        """Make one optimizer step on a mini-batch and return the loss before it."""
        loss, gradients = self.loss_and_gradients(x, y)
        self.updater.update(gradients, rate, epsilon)
        return loss

    def block(self, x: Any, y: Any, order: Any, rates: Any) -> Any:
        """Make the steps of a block from Python."""
        columns = (tf.unstack(column) for column in tf.unstack(rates, axis=1))
        losses = [
            self.run_step(tf.gather(x, indices), tf.gather(y, indices), rate, epsilon)
            for indices, rate, epsilon in zip(tf.unstack(order), *columns, strict=True)
        ]
        return tf.stack(losses)

    def loop(self, x: Any, y: Any, order: Any, rates: Any) -> Any:
        """Make the steps of a block in TensorFlow's runtime."""

        def body(i: Any, losses: Any) -> tuple[Any, Any]:
            indices = tf.gather(order, i)
            rate, epsilon = tf.unstack(tf.gather(rates, i))
            loss = self.run_step(tf.gather(x, indices), tf.gather(y, indices), rate, epsilon)
            return i + 1, losses.write(i, loss)

        count = tf.shape(order)[0]
        losses = tf.TensorArray(tf.float32, size=count)
        return tf.while_loop(lambda i, _: i < count, body, (0, losses))[1].stack()

    def forward(self, x: Any, indices: Any) -> Any:
        """Run forward only on some examples."""
        return self.net(tf.gather(x, indices), training=False)

    def load(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            inside = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
            with tf.device(self.device):
                self.data[name] = tf.constant(np.array(inside, self.types[name[-1]], order="C"))

    def train(self, order: NDArray[np.int32]) -> None:
        rates = step_numbers(self.definition, range(self.step, self.step + len(order)))
        with tf.device(self.device):
            block = tf.constant(order, tf.int64), tf.constant(rates)
            self.last_losses = self.run_block(self.data["train_x"], self.data["train_y"], *block)
        self.step += len(order)

    def synchronize(self) -> None:
        tf.test.experimental.sync_devices()

    def losses(self) -> NDArray[np.float32]:
        return np.asarray(self.last_losses)

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        with tf.device(self.device):
            batch = tf.constant(indices, tf.int64)
            x, y = (tf.gather(self.data[name], batch) for name in ("train_x", "train_y"))
            values = self.run_gradients(x, y)[1]
        names = filter(is_trained, self.tensors)
        return {name: self.layouts[name].outside(g.numpy()) for name, g in zip(names, values, strict=True)}

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        with tf.device(self.device):
            return self.run_forward(self.data[f"{split}_x"], tf.constant(indices, tf.int64))

    def host(self, outputs: Any) -> NDArray[np.float32]:
        array = outputs.numpy()
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        return {name: self.layouts[name].outside(tensor.numpy()) for name, tensor in self.tensors.items()}

    def device_memory(self) -> DeviceMemory:
        if self.kind == "cpu":
            return DeviceMemory(
                reason=Sentence(
                    "{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="TensorFlow"
                )
            )
        return DeviceMemory(peak_bytes=tf.config.experimental.get_memory_info("GPU:0")["peak"])


class TensorflowBackend:
    """TensorFlow on the CPU and on CUDA (`gpu`)."""

    name = "tensorflow"
    default_mode: Mode = "graph"

    def __init__(self) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(False)
        keras.config.set_floatx("float32")
        keras.config.set_image_data_format("channels_last")

    def versions(self) -> dict[str, str]:
        found = {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
        built = tf.sysconfig.get_build_info()
        if built["is_cuda_build"]:
            found["cuda"] = built["cuda_version"]
            found["cudnn"] = built["cudnn_version"]
        return found

    def settings(self) -> dict[str, str]:
        tiny = tf.constant([1e-30])  # times 1e-10 it is below float32's smallest normal number
        found = {
            "intra_op_threads": threads(tf.config.threading.get_intra_op_parallelism_threads()),
            "inter_op_threads": threads(tf.config.threading.get_inter_op_parallelism_threads()),
            "onednn": "on" if _pywrap_util_port.IsMklEnabled() else "off",
            "tensor_float_32": "on" if tf.config.experimental.tensor_float_32_execution_enabled() else "off",
            "denormals": "computed" if float((tiny * 1e-10)[0]) else "flushed to zero",
            "gpu_memory": "allocated as needed",
            "steps_per_call": "all of a block (eager: 1)",
        }
        return found | {name: os.environ[name] for name in STATED if name in os.environ}

    def devices(self) -> tuple[Device, ...]:
        found = [Device(kind="cpu", name="cpu")]
        for gpu in tf.config.list_physical_devices("GPU"):
            facts = tf.config.experimental.get_device_details(gpu)
            found.append(Device(kind="gpu", name=facts.get("device_name", gpu.name)))
        return tuple(found)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager", "graph", "xla")

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        if mode not in self.modes():
            return Sentence(
                "TensorFlow has no {mode} mode: its modes are {modes}", mode=mode, modes=", ".join(self.modes())
            )
        if device == "gpu" and not tf.config.list_physical_devices("GPU"):
            if not tf.test.is_built_with_cuda():
                return Sentence(
                    "this TensorFlow {version} is a build for the CPU only: install tensorflow[and-cuda]",
                    version=tf.__version__,
                )
            cuda = tf.sysconfig.get_build_info()["cuda_version"]
            return Sentence(
                "TensorFlow {version} (CUDA {cuda}) finds no NVIDIA GPU, driver or CUDA libraries here: install "
                "tensorflow[and-cuda]",
                version=tf.__version__,
                cuda=cuda,
            )
        if device == "npu":
            return Sentence(
                "TensorFlow {version} does not reach Ascend: Huawei's plug-in is for 1.15 and 2.6.5 only",
                version=tf.__version__,
            )
        return None

    def traps(self) -> tuple[Trap, ...]:
        # Nothing here of NVIDIA_TF32_OVERRIDE and ONEDNN_DEFAULT_FPMATH_MODE (2.21.0 did not follow the latter): no
        # worker inherits them.
        found = []
        if tf.config.list_physical_devices("GPU") and tf.config.experimental.tensor_float_32_execution_enabled():
            sentence = noop("float32 products are computed as TF32: call enable_tensor_float_32_execution(False)")
            found.append(Trap(name="reduced precision", sentence=sentence))
        if "tf_xla_auto_jit" in os.environ.get("TF_XLA_FLAGS", "") or tf.config.optimizer.get_jit():
            sentence = noop(
                "XLA compiles parts of graph mode too, which is then no longer what it says: unset TF_XLA_FLAGS"
            )
            found.append(Trap(name="automatic XLA", sentence=sentence))
        return tuple(found)

    def compiled(self) -> dict[Mode, int]:
        return {mode: sum(f.experimental_get_tracing_count() for f in found) for mode, found in nets.WRAPPED.items()}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> TensorflowProgram:
        return TensorflowProgram(task, optimizer, device=device, mode=mode, weights=weights, seed=seed)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> TensorflowBoltzmann:
        return TensorflowBoltzmann(stage, state, device=device, mode=mode, seed=seed)

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        with tf.device(DEVICES[device]):
            a, b = tf.ones((side, side)), tf.ones((side, side))

        def product() -> None:
            with tf.device(DEVICES[device]):
                tf.linalg.matmul(a, b)
            tf.test.experimental.sync_devices()

        return product

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        with tf.device(DEVICES[device]):
            source = tf.ones(numbers)

        def copy() -> None:
            with tf.device(DEVICES[device]):
                tf.raw_ops.DeepCopy(x=source)  # tf.identity copies nothing
            tf.test.experimental.sync_devices()

        return copy


def threads(number: int) -> str:
    """Return a thread setting in words."""
    return str(number) if number else "0 (automatic: one per core that the process may use when TensorFlow starts)"


def backend() -> Backend:
    return TensorflowBackend()
