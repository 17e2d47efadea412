"""The PaddlePaddle backend: `paddle.nn` layers under a plain training loop, or under `paddle.jit.to_static`.

In `graph` one graph gathers the mini-batch, runs forward and computes the loss, and another one the gradients; the
optimizer's step is outside of both, as in Paddle's own tutorials.
"""

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Read by CUDA's libraries when they start: Paddle has no switch of its own for products in TF32.
os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
os.environ.setdefault("GLOG_minloglevel", "2")  # errors only

with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
    # It warns of a missing ccache, and says that more than one thread was not wise.
    warnings.simplefilter("ignore")
    import paddle

from paddle.jit.dy2static.program_translator import ProgramTranslator  # no public name says whether `to_static` is on

from backends.paddle import DEVICES, nets
from backends.paddle.boltzmann import PaddleBoltzmann
from backends.paddle.optimizers import Updater
from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Device, DeviceMemory, Split, Trap
from harness.language import Sentence, Words, noop
from harness.model import is_trained, takes_tokens
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task


class PaddleProgram:
    """One task on one device."""

    def __init__(self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays) -> None:
        self.device = device
        self.types = {
            "x": np.int32 if takes_tokens(task) else np.float32,
            "y": np.int32 if task.loss == "softmax_cross_entropy" else np.float32,
        }
        self.net = nets.model(task, weights)
        self.tensors = nets.named_tensors(self.net, tuple(weights))
        trained = [tensor for name, tensor in self.tensors.items() if is_trained(name)]
        self.updater = Updater(optimizer, trained)
        known = set(map(id, trained))
        self.untrained = [p for p in self.net.parameters() if id(p) not in known]  # they get gradients all the same
        self.objective: Any = nets.objective(self.net, task.loss)
        self.forward: Any = nets.forward(self.net)
        if mode == "graph":
            self.objective, self.forward = nets.compiled(self.objective), nets.compiled(self.forward)
            self.forward.eval()
        self.data: dict[str, Any] = {}
        self.last_losses: list[Any] = []

    def load(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            self.data[name] = paddle.to_tensor(np.array(array, self.types[name[-1]]))

    def train(self, order: NDArray[np.int32]) -> None:
        self.net.train()
        x, y = self.data["train_x"], self.data["train_y"]
        self.last_losses = []
        for indices in paddle.unbind(paddle.to_tensor(order)):
            loss = self.objective(x, y, indices)
            loss.backward()
            self.updater.update()
            self.forget_gradients()
            self.last_losses.append(loss.detach())  # not its number, which would wait for the device in every step

    def forget_gradients(self) -> None:
        """Let go of the gradients, which else would be added to."""
        self.updater.native.clear_grad(set_to_zero=False)
        for parameter in self.untrained:
            parameter.clear_gradient(set_to_zero=False)

    def synchronize(self) -> None:
        if self.device != "cpu":  # where Paddle computes before it returns, and refuses to be asked (3.3.1)
            paddle.device.synchronize()

    def losses(self) -> NDArray[np.float32]:
        return np.asarray(paddle.stack(self.last_losses).numpy())

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        self.net.train()
        self.objective(self.data["train_x"], self.data["train_y"], paddle.to_tensor(indices)).backward()
        found = {
            name: nets.crossing(self.net, name, tensor.grad.numpy())
            for name, tensor in self.tensors.items()
            if is_trained(name)
        }
        self.forget_gradients()
        return found

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        self.net.eval()
        with paddle.no_grad():
            return self.forward(self.data[f"{split}_x"], paddle.to_tensor(indices))

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.asarray(outputs.numpy())

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        return {name: nets.crossing(self.net, name, tensor.numpy()) for name, tensor in self.tensors.items()}

    def device_memory(self) -> DeviceMemory:
        if self.device == "cpu":
            return DeviceMemory(
                reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="Paddle")
            )
        return DeviceMemory(peak_bytes=paddle.device.max_memory_allocated())


class PaddleBackend:
    """PaddlePaddle on the CPU, on CUDA (`gpu`) and on Ascend (`npu`)."""

    name = "paddle"
    default_mode: Mode = "eager"

    def __init__(self) -> None:
        # said by Paddle of Paddle, wherever a graph has a backward pass
        warnings.filterwarnings("ignore", "Tensor do not have 'place' interface for pir graph mode")

    def versions(self) -> dict[str, str]:
        found = {"paddle": paddle.__version__, "numpy": np.__version__}
        if paddle.is_compiled_with_cuda():
            found |= {"cuda": paddle.version.cuda(), "cudnn": paddle.version.cudnn()}
        return found

    def settings(self) -> dict[str, str]:
        return {
            "threads": os.environ["OMP_NUM_THREADS"],  # Paddle itself sets it when it starts: to 1, if it is not there
            "onednn": "on" if flag("FLAGS_use_onednn") else "off",
            "cinn": "on" if paddle.is_compiled_with_cinn() else "not in this build",
            "denormals": "computed" if denormals_are_computed() else "flushed to zero",
            "tf32": "off",
            "steps_per_call": "1",
        }

    def devices(self) -> tuple[Device, ...]:
        found = [Device(kind="cpu", name="cpu")]
        if device_count("gpu"):
            for index in range(device_count("gpu")):
                facts = paddle.device.cuda.get_device_properties(index)
                found.append(Device(kind="gpu", name=facts.name, memory_bytes=facts.total_memory))
        found += [Device(kind="npu", name=f"npu:{index}") for index in range(device_count("npu"))]
        return tuple(found)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager", "graph")

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        if mode not in self.modes():
            return Sentence(
                "PaddlePaddle has no {mode} mode: its modes are eager and graph (paddle.jit.to_static)", mode=mode
            )
        if device == "gpu" and not device_count("gpu"):
            if not paddle.is_compiled_with_cuda():
                return Sentence(
                    "this PaddlePaddle {version} is a build for the CPU only: install paddlepaddle-gpu",
                    version=paddle.__version__,
                )
            return Sentence(
                "PaddlePaddle {version} (CUDA {cuda}) finds no NVIDIA GPU or driver here",
                version=paddle.__version__,
                cuda=paddle.version.cuda(),
            )
        if device == "npu" and not device_count("npu"):
            return noop(
                "PaddlePaddle reaches Ascend through the paddle-custom-npu plug-in, which finds no device or is not "
                "installed"
            )
        return None

    def traps(self) -> tuple[Trap, ...]:
        found = []
        if not ProgramTranslator.get_instance().enable_to_static:
            sentence = noop(
                "paddle.jit.enable_to_static(False) turns paddle.jit.to_static off, so that graph mode computes op by "
                "op: remove it from what Python runs when it starts"
            )
            found.append(Trap(name="no compiling", sentence=sentence))
        if denormals_are_computed():
            sentence = noop(
                "denormal numbers are computed, not flushed to zero as TensorFlow and MindSpore do by themselves, and "
                "Paddle has no switch for it (seen with 3.3.1): a recurrent net can run far slower for it"
            )
            found.append(Trap(name="denormals", sentence=sentence, harmful=False))
        return tuple(found)

    def compiled(self) -> dict[Mode, int]:
        return {"graph": sum(static.get_traced_count() for static in nets.COMPILED)}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> PaddleProgram:
        paddle.set_device(DEVICES[device])
        paddle.seed(seed)
        return PaddleProgram(task, optimizer, device=device, mode=mode, weights=weights)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> PaddleBoltzmann:
        paddle.set_device(DEVICES[device])
        paddle.seed(seed)
        return PaddleBoltzmann(stage, state, device=device, mode=mode)

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        paddle.set_device(DEVICES[device])
        a, b = (paddle.ones([side, side]) for _ in range(2))

        def product() -> None:
            paddle.matmul(a, b)
            if device != "cpu":
                paddle.device.synchronize()

        return product

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        paddle.set_device(DEVICES[device])
        source, target = (paddle.ones([numbers]) for _ in range(2))

        def copy() -> None:
            paddle.assign(source, target)
            if device != "cpu":
                paddle.device.synchronize()

        return copy


def flag(name: str) -> Any:
    """Return what one of Paddle's flags is set to."""
    return paddle.get_flags(name)[name]


def denormals_are_computed() -> bool:
    """Return whether a product of 1e-40, which is below float32's smallest normal number, comes out as such."""
    tiny = paddle.to_tensor([1e-20], place=paddle.CPUPlace())
    return bool((tiny * tiny).item())


def device_count(kind: DeviceKind) -> int:
    """Return how many devices of a kind Paddle can use now."""
    if kind == "gpu":
        return int(paddle.device.cuda.device_count()) if paddle.is_compiled_with_cuda() else 0
    return sum(name.partition(":")[0] == DEVICES[kind] for name in paddle.device.get_available_custom_device() or ())


def backend() -> Backend:
    return PaddleBackend()
