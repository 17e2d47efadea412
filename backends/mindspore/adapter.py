"""The MindSpore backend: `mindspore.nn` cells in PyNative mode (`eager`), or whole steps under `mindspore.jit`."""

import ctypes
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("GLOG_v", "3")  # errors only, read at import: probing an absent device logs warnings

import mindspore as ms
import numpy as np
from mindspore import ops
from mindspore.graph.api import ms_compile_cache  # the phases that the graph compiler was asked for, in 2.10.0
from numpy.typing import NDArray

from backends.mindspore import DEVICES, nets
from backends.mindspore.boltzmann import GraphBoltzmann, MindSporeBoltzmann
from backends.mindspore.knobs import LAUNCH_VARIABLE, STATED, STEPS_VARIABLE
from backends.mindspore.optimizers import Updater, step_numbers
from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Device, DeviceMemory, Split, Trap
from harness.language import Sentence, Words, noop
from harness.model import takes_tokens
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task

STEPS_PER_CALL = int(os.environ.get(STEPS_VARIABLE, "64"))
"""How many steps one call of the compiled loop makes at most; its inputs always have this many rows, so that
another number of steps does not compile it anew."""


class MindSporeProgram:
    """One task on one device in PyNative mode; `GraphProgram` compiles the same functions."""

    def __init__(self, task: Task, optimizer: Optimizer, *, device: DeviceKind, weights: Arrays) -> None:
        self.task = task
        self.device = device
        self.net = nets.model(task, weights)
        self.loss = nets.loss_module(task.loss)
        self.names = tuple(weights)
        self.definition = optimizer
        trained = self.net.trainable_params()
        self.updater = Updater(optimizer, trained)
        self.loss_and_gradients = ms.value_and_grad(self.mean_loss, None, ms.ParameterTuple(trained))
        self.step = 0
        self.data: dict[str, Any] = {}
        self.last_losses: list[tuple[Any, int]] = []
        """Losses as one call left them, and how many of them count: the rest made up the rows of a compiled loop."""
        self.run_gradients: Any = self.batch_gradients
        self.run_forward: Any = self.forward

    def mean_loss(self, x: Any, y: Any) -> Any:
        return self.loss(self.net(x), y)

    def batch_gradients(self, x: Any, y: Any, indices: Any) -> Any:
        return self.loss_and_gradients(ops.gather(x, indices, 0), ops.gather(y, indices, 0))[1]

    def forward(self, x: Any, indices: Any) -> Any:
        return self.net(ops.gather(x, indices, 0))

    def load(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            labels = name.endswith("_y") and self.task.loss == "softmax_cross_entropy"
            tokens = name.endswith("_x") and takes_tokens(self.task)
            self.data[name] = ms.Tensor(np.array(array, np.int32 if labels or tokens else np.float32))

    def train(self, order: NDArray[np.int32]) -> None:
        self.net.set_train(True)
        x, y = self.data["train_x"], self.data["train_y"]
        self.last_losses = []
        numbers, scalars = None, (None, None)
        for indices in map(ms.Tensor, order):
            loss, gradients = self.loss_and_gradients(ops.gather(x, indices, 0), ops.gather(y, indices, 0))
            # The left side is still the step before: tensors are made anew only where the numbers have changed.
            if numbers != (numbers := step_numbers(self.definition, self.step)):
                scalars = (ms.Tensor(numbers[0], ms.float32), ms.Tensor(numbers[1], ms.float32))
            self.updater(*scalars, *gradients)
            self.last_losses.append((loss, 1))
            self.step += 1

    def synchronize(self) -> None:
        wait_for(self.device)

    def losses(self) -> NDArray[np.float32]:
        return np.concatenate([losses.asnumpy().reshape(-1)[:count] for losses, count in self.last_losses])

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        self.net.set_train(True)
        found = self.run_gradients(self.data["train_x"], self.data["train_y"], ms.Tensor(indices))
        # by identity, since `==` between parameters compares what they hold
        by_parameter = {id(p): g for p, g in zip(self.updater.weights, found, strict=True)}
        named = nets.named_tensors(self.net, self.names)
        return {name: by_parameter[id(p)].asnumpy() for name, p in named.items() if id(p) in by_parameter}

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        self.net.set_train(False)
        return self.run_forward(self.data[f"{split}_x"], ms.Tensor(indices))

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.asarray(outputs.asnumpy())

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        return {name: p.asnumpy().copy() for name, p in nets.named_tensors(self.net, self.names).items()}

    def device_memory(self) -> DeviceMemory:
        if self.device == "cpu":
            return DeviceMemory(
                reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="MindSpore")
            )
        return DeviceMemory(peak_bytes=ms.runtime.max_memory_allocated())


class GraphProgram(MindSporeProgram):
    """The same, compiled: gather, forward, backward, update and the loop over the steps are one graph.

    A loop inside the graph halves the time of a small step (xor: 0.22 ms instead of 0.43 ms with 2.10.0 on two cores)
    and is not slower for LeNet. Its bound is a tensor, so it stays a loop instead of being unrolled.
    """

    def __init__(self, task: Task, optimizer: Optimizer, *, device: DeviceKind, weights: Arrays) -> None:
        super().__init__(task, optimizer, device=device, weights=weights)
        self.run_loop = ms.jit(self.loop)
        self.run_gradients = ms.jit(self.batch_gradients)
        self.run_forward = ms.jit(self.forward)

    def loop(self, x: Any, y: Any, order: Any, rates: Any, epsilons: Any, count: Any) -> Any:
        losses = ops.zeros_like(rates)
        step = ops.zeros_like(count)
        while step < count:
            indices = order[step]
            loss, gradients = self.loss_and_gradients(ops.gather(x, indices, 0), ops.gather(y, indices, 0))
            self.updater(rates[step], epsilons[step], *gradients)
            losses[step] = loss
            step = step + 1
        return losses

    def train(self, order: NDArray[np.int32]) -> None:
        self.net.set_train(True)
        self.last_losses = []
        for start in range(0, len(order), STEPS_PER_CALL):
            rows = order[start : start + STEPS_PER_CALL]
            padded = np.zeros((STEPS_PER_CALL, order.shape[1]), np.int32)
            padded[: len(rows)] = rows
            numbers = [step_numbers(self.definition, self.step + i) for i in range(STEPS_PER_CALL)]
            rates, epsilons = np.array(numbers, np.float32).T.copy()
            inputs = (padded, rates, epsilons, np.array(len(rows), np.int32))
            losses = self.run_loop(self.data["train_x"], self.data["train_y"], *map(ms.Tensor, inputs))
            self.last_losses.append((losses, len(rows)))
            self.step += len(rows)


class MindSporeBackend:
    """MindSpore on the CPU, on Ascend (`npu`) and, where an old CUDA is installed, on NVIDIA (`gpu`)."""

    name = "mindspore"
    default_mode: Mode = "eager"
    """MindSpore 2.10 starts in PyNative mode (its default context), and its tutorials train in it."""

    def versions(self) -> dict[str, str]:
        found = {"mindspore": ms.__version__, "numpy": np.__version__}
        cann = cann_version()
        return found | ({"cann": cann} if cann else {})

    def settings(self) -> dict[str, str]:
        return {
            "threads": str(ms.get_context("runtime_num_threads")),
            "jit_level": "O0",
            "steps_per_call": f"{STEPS_PER_CALL} (eager: 1)",
            "tf32": "off",
            "hf32": "off",
        } | {name: os.environ[name] for name in STATED if name in os.environ}

    def devices(self) -> tuple[Device, ...]:
        found = [Device(kind="cpu", name="cpu")]
        for kind in ("gpu", "npu"):
            count = device_count(kind)
            found += [Device(kind=kind, name=ms.hal.get_device_name(i, DEVICES[kind])) for i in range(count)]
        return tuple(found)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager", "graph")

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        if mode not in self.modes():
            return Sentence(
                "MindSpore has no {mode} mode: its modes are eager (PyNative) and graph (mindspore.jit)", mode=mode
            )
        if device == "gpu" and not device_count("gpu"):
            driver = cuda_driver_version()
            found: Words = noop("there is no NVIDIA driver here")
            if driver:
                found = Sentence("this driver offers {version}", version=driver)
            return Sentence(
                "MindSpore {version}'s wheel has GPU plug-ins for CUDA 11.1 and 11.6 only; {reason}",
                version=ms.__version__,
                reason=found,
            )
        if device == "npu" and not device_count("npu"):
            return Sentence(
                "MindSpore {version} finds no Ascend device here, or no CANN that its plug-in can load",
                version=ms.__version__,
            )
        return None

    def traps(self) -> tuple[Trap, ...]:
        found = []
        if int(np.__version__.partition(".")[0]) >= 2:
            sentence = noop("MindSpore 2.10 is compiled against NumPy 1.x and fails with NumPy 2: install 'numpy<2'")
            found.append(Trap(name="numpy 2", sentence=sentence))
        # Nothing here of ONEDNN_DEFAULT_FPMATH_MODE, which MindSpore follows (BF16: an error of 0.27 in a product of
        # 512x512, seen with 2.10.0): no worker inherits it, and the doctor speaks of it for all backends.
        if has_avx512() and "ONEDNN_MAX_CPU_ISA" not in os.environ:
            sentence = noop(
                "MindSpore's oneDNN takes slow kernels for small convolutions on a CPU with AVX-512 (seen with "
                "2.10.0): with ONEDNN_MAX_CPU_ISA=AVX2 in the environment LeNet trains several times faster"
            )
            found.append(Trap(name="slow convolutions", sentence=sentence, harmful=False))
        if (os.cpu_count() or 1) <= 4 and not os.environ.get(LAUNCH_VARIABLE):
            sentence = noop(
                "eager mode passes each operation through three threads that wait by spinning, so that few cores are "
                "busy with waiting (seen with 2.10.0): MS_DEV_LAUNCH_BLOCKING=1 makes it up to ten times faster"
            )
            found.append(Trap(name="spinning threads", sentence=sentence, harmful=False))
        if os.environ.get("MS_JIT") == "0":
            sentence = noop("MS_JIT=0 turns mindspore.jit off, so that graph mode computes op by op: unset it")
            found.append(Trap(name="no compiling", sentence=sentence))
        return tuple(found)

    def compiled(self) -> dict[Mode, int]:
        # Without the optimizer's update, which is compiled in both modes, as MindSpore's own optimizers are.
        return {"graph": sum(not phase.startswith(Updater.__module__) for phase in ms_compile_cache)}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> MindSporeProgram:
        prepare(device)
        ms.set_seed(seed)
        program = GraphProgram if mode == "graph" else MindSporeProgram
        return program(task, optimizer, device=device, weights=weights)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> MindSporeBoltzmann:
        prepare(device)
        ms.set_seed(seed)
        program = GraphBoltzmann if mode == "graph" else MindSporeBoltzmann
        return program(stage, state, device=device, seed=seed)

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        prepare(device)
        a, b = (ms.Tensor(np.ones((side, side), np.float32)) for _ in range(2))

        def product() -> None:
            ops.matmul(a, b)
            wait_for(device)

        return product

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        prepare(device)
        source, target = (ms.Tensor(np.ones(numbers, np.float32)) for _ in range(2))

        def copy() -> None:
            target.copy_(source)
            wait_for(device)

        return copy


def wait_for(device: DeviceKind) -> None:
    """Return only when all queued work is done."""
    if device == "cpu":
        # ms.runtime.synchronize() logs an error and returns at once at its first call on the CPU (seen with
        # 2.10.0: a host copy afterwards took 1.4 s); its deprecated twin waits. It can go when that is mended.
        ms.hal.synchronize()
    else:
        ms.runtime.synchronize()


@functools.cache
def prepare(device: DeviceKind) -> None:
    """Choose the process's device and switch reduced precision off; MindSpore refuses to be told most of it twice."""
    ms.set_device(DEVICES[device])
    if device == "gpu":
        ms.device_context.gpu.op_precision.matmul_allow_tf32(False)
        ms.device_context.gpu.op_precision.conv_allow_tf32(False)
    if device == "npu":
        ms.device_context.ascend.op_precision.precision_mode("must_keep_origin_dtype")
        ms.device_context.ascend.op_precision.matmul_allow_hf32(False)
        ms.device_context.ascend.op_precision.conv_allow_hf32(False)


def device_count(kind: DeviceKind) -> int:
    """Return how many devices of a kind MindSpore can use now; 0 where its plug-in for them does not load."""
    context = ms.device_context.gpu if kind == "gpu" else ms.device_context.ascend
    return int(context.device_count()) if context.is_available() else 0


def cuda_driver_version() -> str | None:
    """Return the newest CUDA version that the installed NVIDIA driver offers, or None without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")  # the driver's own, there without any CUDA toolkit
    except OSError:
        return None
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def cann_version() -> str | None:
    """Return the version of Ascend's toolkit, if its environment is set."""
    path = Path(os.environ.get("ASCEND_HOME_PATH", "/nonexistent"), "compiler", "version.info")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((line.partition("=")[2] for line in lines if line.startswith("Version=")), None)


def has_avx512() -> bool:
    """Return whether Linux says that this CPU has AVX-512; False where nothing can be read."""
    facts = Path("/proc/cpuinfo")
    return facts.is_file() and "avx512f" in facts.read_text()


def backend() -> Backend:
    return MindSporeBackend()
