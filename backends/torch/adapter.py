"""The PyTorch backend: `torch.nn` modules under a plain training loop, or under `torch.compile`.

One module per kind of device, `torch.cpu`, `torch.cuda` or `torch.npu`, answers the same calls.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from backends.torch import DEVICES, nets
from backends.torch.boltzmann import TorchBoltzmann
from backends.torch.knobs import FLUSH_VARIABLE, FUSED_VARIABLE, LAYOUT_VARIABLE
from backends.torch.optimizers import Updater
from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Device, DeviceMemory, Split, Trap
from harness.language import Sentence, Words, noop
from harness.layers import Recurrent
from harness.model import leaves, named_layers
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task

COMPILE_OPTIONS: dict[str, Any] = {"reorder_for_peak_memory": False}
"""Seen with 2.13.0 on the CPU: with this inductor pass on, as it is by default, the compiled backward pass of LeNet-5
gives zero gradients for both convolutions, without a word, and only the dense layers learn. Can go when `evenbench
parity --backend torch --mode graph` passes without it."""
AS_GIVEN: dict[str, Any] = {"layout_optimization": False}
"""Leaves pictures in the layout they have, where the compiler would set their channels last. Seen with 2.13.0 on a CPU
without AVX-512: there oneDNN's backward pass of a strided 1 x 1 convolution of few channels (2 to 6, not 8) writes
beyond its memory, and the process dies of it sooner or later (docs/findings.md)."""

NO_COMPILING = ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE", "TORCH_COMPILE_OVERRIDE_BACKENDS")
"""Variables of the shell that turn the compiler off, or put another in its place."""


def switched_off() -> tuple[str, ...]:
    """Return the variables of the shell that keep torch.compile from compiling here."""
    return tuple(name for name in NO_COMPILING if os.environ.get(name, "0") not in ("", "0"))


def options(net: nn.Module, device: torch.device) -> dict[str, Any]:
    """Return the options that a net is compiled with."""
    narrow = device.type == "cpu" and any(
        isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.stride != (1, 1) and part.in_channels % 8
        for part in net.modules()
    )
    return COMPILE_OPTIONS | AS_GIVEN if narrow else COMPILE_OPTIONS


class TorchProgram:
    """One task on one device; `compiled` is the model itself in eager mode."""

    def __init__(self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays) -> None:
        self.task = task
        self.device = torch.device(DEVICES[device])
        self.module = torch.get_device_module(self.device)
        layout = torch.channels_last if os.environ.get(LAYOUT_VARIABLE) == "1" else torch.contiguous_format
        self.layout: dict[str, Any] = {"memory_format": layout}
        self.net = nets.model(task, weights).to(self.device, **self.layout)
        self.compiled: Any = self.net
        if mode == "graph":
            nets.compile_or_raise()
            # whole, or an error; where a variable turns it off, that nothing was compiled is said of what comes out
            whole = not switched_off()
            self.compiled = torch.compile(self.net, fullgraph=whole, options=options(self.net, self.device))
        self.names = tuple(weights)
        self.updater = Updater(optimizer, self.net)
        self.data: dict[str, Tensor] = {}
        self.last_losses = torch.zeros(0)

    def load(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            tensor = torch.from_numpy(np.array(array))  # a copy in memory: the given arrays may be files
            labels = name.endswith("_y") and self.task.loss == "softmax_cross_entropy"
            pictures = self.layout if tensor.dim() == 4 else {}  # torch refuses the layout for any other rank
            self.data[name] = (tensor.long() if labels else tensor).to(self.device, **pictures)

    def train(self, order: NDArray[np.int32]) -> None:
        self.net.train()
        x, y = self.data["train_x"], self.data["train_y"]
        losses = []
        for indices in torch.from_numpy(order).to(self.device):
            self.updater.zero_grad()
            loss = nets.loss(self.task.loss, self.compiled(x[indices]), y[indices])
            loss.backward()
            self.updater.update()
            losses.append(loss.detach())  # not `item()`, which would wait for the device in every step
        self.last_losses = torch.stack(losses)

    def synchronize(self) -> None:
        self.module.synchronize()

    def losses(self) -> NDArray[np.float32]:
        return np.asarray(self.last_losses.cpu().numpy())

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        self.net.train()
        self.net.zero_grad()
        batch = torch.from_numpy(indices).to(self.device)
        nets.loss(self.task.loss, self.compiled(self.data["train_x"][batch]), self.data["train_y"][batch]).backward()
        tensors = nets.named_tensors(self.net, self.names)
        return {name: t.grad.cpu().numpy() for name, t in tensors.items() if t.grad is not None}

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Tensor:
        self.net.eval()
        with torch.inference_mode():
            outputs: Tensor = self.compiled(self.data[f"{split}_x"][torch.from_numpy(indices).to(self.device)])
        return outputs

    def host(self, outputs: Tensor) -> NDArray[np.float32]:
        return np.asarray(outputs.cpu().numpy())

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        tensors = nets.named_tensors(self.net, self.names)
        return {name: t.detach().cpu().numpy().copy() for name, t in tensors.items()}

    def device_memory(self) -> DeviceMemory:
        if self.device.type == "cpu":
            return DeviceMemory(
                reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="torch")
            )
        return DeviceMemory(peak_bytes=self.module.max_memory_allocated())


class TorchBackend:
    """PyTorch on the CPU, on CUDA (`gpu`) and on Ascend (`npu`)."""

    name = "torch"
    default_mode: Mode = "eager"

    def __init__(self) -> None:
        torch.set_flush_denormal(os.environ.get(FLUSH_VARIABLE) == "1")

    def versions(self) -> dict[str, str]:
        found = {"torch": str(torch.__version__), "numpy": np.__version__}
        if torch.version.cuda:
            found["cuda"] = torch.version.cuda
            found["cudnn"] = str(torch.backends.cudnn.version())
        return found

    def settings(self) -> dict[str, str]:
        return {
            "threads": str(torch.get_num_threads()),
            "matmul_precision": torch.get_float32_matmul_precision(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "memory_layout": "channels last" if os.environ.get(LAYOUT_VARIABLE) == "1" else "as given",
            "optimizer_kernels": "fused" if os.environ.get(FUSED_VARIABLE) == "1" else "torch's choice",
            "flush_denormals": "on" if flushes_denormals() else "off",
            "compile_options": f"{COMPILE_OPTIONS}, for narrow strided 1 x 1 convolutions on the CPU {AS_GIVEN} too",
            "steps_per_call": "1",
        }

    def devices(self) -> tuple[Device, ...]:
        found = [Device(kind="cpu", name="cpu")]
        if torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                facts = torch.cuda.get_device_properties(index)
                found.append(Device(kind="gpu", name=facts.name, memory_bytes=facts.total_memory))
        if npu_is_available():
            npu = torch.get_device_module("npu")
            found += [Device(kind="npu", name=npu.get_device_name(i)) for i in range(npu.device_count())]
        return tuple(found)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager", "graph")

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        if mode not in self.modes():
            return Sentence("PyTorch has no {mode} mode here: its modes are eager and graph (torch.compile)", mode=mode)
        if device == "gpu" and not torch.cuda.is_available():
            if torch.version.cuda is None:
                return Sentence(
                    "this PyTorch {version} is a build for the CPU only: install one with CUDA for gpu",
                    version=torch.__version__,
                )
            return Sentence(
                "PyTorch {version} (CUDA {cuda}) finds no NVIDIA GPU or driver here",
                version=torch.__version__,
                cuda=torch.version.cuda,
            )
        if device == "npu" and not npu_is_available():
            return noop(
                "PyTorch reaches Ascend through the torch_npu plug-in, which finds no device or is not installed"
            )
        if mode == "graph" and any(isinstance(leaf.layer, Recurrent) for leaf in leaves(named_layers(task))):
            return noop(
                "torch.compile compiles nothing of a net with a recurrent layer (seen with 2.13.0), which then runs "
                "op by op"
            )
        if mode == "graph" and device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
            return noop("torch.compile needs a C++ compiler on the CPU and finds none: install g++")
        return blank_for_compiler() if mode == "graph" and device == "cpu" else None

    def traps(self) -> tuple[Trap, ...]:
        found = []
        if torch.get_float32_matmul_precision() != "highest":
            sentence = noop(
                "float32 products are computed in a lower precision: call set_float32_matmul_precision('highest')"
            )
            found.append(Trap(name="reduced precision", sentence=sentence))
        if not flushes_denormals():
            sentence = noop(
                "denormal numbers are computed, not flushed to zero as TensorFlow and MindSpore do by themselves; "
                "a recurrent net can run far slower for it (seen with 2.13.0): EVENBENCH_FLUSH_DENORMALS=1 flushes"
            )
            found.append(Trap(name="denormals", sentence=sentence, harmful=False))
        for name in switched_off():
            why = Sentence(
                "{variable} turns torch.compile off, so that graph mode computes op by op: unset it", variable=name
            )
            found.append(Trap(name="no compiling", sentence=str(why), said=why))
        if blank := blank_for_compiler():
            found.append(Trap(name="blank in a path", sentence=str(blank), said=blank, harmful=False))
        return tuple(found)

    def compiled(self) -> dict[Mode, int]:
        # What inductor has loaded, be it compiled just now or taken from its cache. Dynamo's own counters do not tell:
        # with TORCH_COMPILE_OVERRIDE_BACKENDS=0-99:eager it captures graphs, and runs them op by op.
        inductor = sys.modules.get("torch._inductor.codecache")
        return {"graph": len(inductor.PyCodeCache.modules) if inductor else 0}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> TorchProgram:
        torch.manual_seed(seed)
        use_full_precision()
        return TorchProgram(task, optimizer, device=device, mode=mode, weights=weights)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> TorchBoltzmann:
        use_full_precision()
        return TorchBoltzmann(stage, state, device=device, mode=mode, seed=seed)

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        use_full_precision()
        a, b, c = (torch.ones(side, side, device=DEVICES[device]) for _ in range(3))

        def product() -> None:
            torch.matmul(a, b, out=c)
            torch.get_device_module(a.device).synchronize()

        return product

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        source, target = (torch.ones(numbers, device=DEVICES[device]) for _ in range(2))

        def copy() -> None:
            target.copy_(source)
            torch.get_device_module(source.device).synchronize()

        return copy


def use_full_precision() -> None:
    """Switch every reduced precision of float32 off."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False  # convolutions have a switch of their own, which is on by default


def flushes_denormals() -> bool:
    """Return whether a product of 1e-40, which is below float32's smallest normal number, comes out as zero."""
    return not (torch.tensor([1e-20]) * torch.tensor([1e-20])).any()


def blank_for_compiler() -> Sentence | None:
    """Return which blank in a path breaks `torch.compile` on the CPU, None where there is none.

    Seen with 2.13.0: it gives g++ its paths unquoted, which ends as "C++ compile error" without a word of the blank
    ("input file is the same as output file", "cannot find -ltorch"). Can go when a compile in such a folder works.
    """
    places = (
        ("TMPDIR", tempfile.gettempdir()),  # where a run keeps what it compiles
        ("EVENBENCH_HOME", os.environ.get("TORCHINDUCTOR_CACHE_DIR", "")),  # where all others keep it
        ("EVENBENCH_HOME", os.path.dirname(torch.__file__)),  # where the environment lies
    )
    for name, path in places:
        if any(character.isspace() for character in path):
            return Sentence(
                "torch.compile ends with a C++ compile error where the compiler's paths hold a blank (seen with "
                "2.13.0), as {path!r} does: let {variable} name a folder without one",
                path=path,
                variable=name,
            )
    return None


def npu_is_available() -> bool:
    """Return whether the Ascend plug-in is installed and finds a device."""
    if importlib.util.find_spec("torch_npu") is None:
        return False
    import torch_npu  # noqa: F401  (its import registers the device)

    return bool(torch.get_device_module("npu").is_available())


def backend() -> Backend:
    return TorchBackend()
