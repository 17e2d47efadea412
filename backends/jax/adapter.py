"""The JAX backend: pure functions of a state, compiled with many steps in one call, or op by op.

Nothing waits for the device but `synchronize`: JAX returns early on the CPU too.
"""

import importlib.util
import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Read when the first device is asked for: else the GPU's memory is taken at once, and no peak says much.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

import jax
import jax.numpy as jnp
import jaxlib

from backends.jax import nets
from backends.jax.blocks import JITTED, LONGEST, Blocks, Rows, jitted, reported
from backends.jax.boltzmann import JaxBoltzmann
from backends.jax.devices import copy_to, device_of, peak_memory, present
from backends.jax.knobs import LOOP_VARIABLE, STATED
from backends.jax.optimizers import Updater
from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Device, DeviceMemory, Split, Trap
from harness.language import Sentence, Words, noop
from harness.model import NamedLayer, is_trained, named_layers, takes_tokens
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Loss, Mode, Task

Layers = tuple[NamedLayer, ...]

DEBUGGING = ("jax_debug_nans", "jax_debug_infs", "jax_check_tracer_leaks")
"""Switches that make JAX look at every result, or trace anew."""


class JaxProgram:
    """One task on one device; what training changes is one state, which every step replaces."""

    def __init__(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> None:
        self.device = device_of(device)
        labels = task.loss == "softmax_cross_entropy"
        self.types = {"x": np.int32 if takes_tokens(task) else np.float32, "y": np.int32 if labels else np.float32}
        self.updater = Updater(optimizer)
        self.names = tuple(weights)
        w = {name: copy_to(self.device, np.asarray(value, np.float32)) for name, value in weights.items()}
        trained = {name: value for name, value in w.items() if is_trained(name)}
        running = {name: value for name, value in w.items() if not is_trained(name)}
        self.state = {"trained": trained, "running": running, "slots": self.updater.slots(trained)}
        self.key = jax.device_put(jax.random.key(seed), self.device)
        self.step = 0
        self.draws = 0
        self.data: dict[str, Any] = {}
        self.reports: list[Any] = []
        self.pending: list[Any] = []
        self.count = 0
        layers = named_layers(task)
        looped = convolutions_loop() or not nets.has_convolution(layers)
        self.functions = functions_of(layers, task.loss, optimizer, mode, looped=looped)

    def load(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            self.data[name] = copy_to(self.device, np.asarray(array, self.types[name[-1]]))

    def drawn(self, count: int) -> NDArray[np.int32]:
        """Return numbers that no step before had, of which each step's random numbers are made."""
        self.draws += count
        return np.arange(self.draws - count, self.draws, dtype=np.int32)

    def train(self, order: NDArray[np.int32]) -> None:
        numbers = self.updater.numbers(range(self.step, self.step + len(order)))
        self.step += len(order)
        rows: Rows = {"indices": order, "numbers": numbers, "draw": self.drawn(len(order))}
        data = {"x": self.data["train_x"], "y": self.data["train_y"], "key": self.key}
        self.state, self.reports = self.functions.blocks.run(self.state, data, rows)
        self.count = len(order)

    def synchronize(self) -> None:
        jax.block_until_ready((self.state, self.reports, self.pending))
        self.pending = []

    def losses(self) -> NDArray[np.float32]:
        return reported(self.reports, self.count)

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        data = {"x": self.data["train_x"], "y": self.data["train_y"], "key": self.key}
        row = {"indices": indices, "draw": self.drawn(1)[0]}
        values = self.functions.gradients(self.state, data, row)[1]
        return {name: np.array(value) for name, value in values.items()}

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        w = self.state["trained"] | self.state["running"]
        outputs = self.functions.forward(w, self.data[f"{split}_x"], indices)
        self.pending.append(outputs)
        return outputs

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.array(outputs)  # a copy: `asarray` gives a view that cannot be written to

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        w = self.state["trained"] | self.state["running"]
        return {name: np.array(w[name]) for name in self.names}

    def device_memory(self) -> DeviceMemory:
        return peak_memory(self.device)


class Functions(NamedTuple):
    """What a program calls; in graph mode compiled."""

    blocks: Blocks
    gradients: Callable[..., Any]
    forward: Callable[..., Any]


@cache  # a net that is built again is not compiled again
def functions_of(layers: Layers, loss: Loss, optimizer: Optimizer, mode: Mode, *, looped: bool) -> Functions:
    """Return the functions of a net, which hold no arrays."""
    made = jitted if mode == "graph" else lambda function: function
    return Functions(
        Blocks(partial(one_step, layers, loss, Updater(optimizer)), mode, looped=looped),
        made(partial(loss_and_gradients, layers, loss)),
        made(partial(outputs_of, layers)),
    )


def outputs_of(layers: Layers, w: nets.Tensors, x: Any, indices: Any) -> Any:
    """Run forward only on some examples."""
    return nets.net(layers, w, x[indices])[0]


def loss_and_gradients(layers: Layers, loss: Loss, state: Any, data: Any, row: Rows) -> Any:
    """Return the mean loss with the running statistics that it leaves, and the gradients, in training mode."""
    x, y = data["x"][row["indices"]], data["y"][row["indices"]]
    key = jax.random.fold_in(data["key"], row["draw"])

    def mean_loss(w: nets.Tensors) -> Any:
        outputs, moved = nets.net(layers, w | state["running"], x, key)
        return nets.loss(loss, outputs, y), moved

    return jax.value_and_grad(mean_loss, has_aux=True)(state["trained"])


def one_step(layers: Layers, loss: Loss, updater: Updater, state: Any, data: Any, row: Rows) -> tuple[Any, Any]:
    """Return the state after one optimizer step, and the loss before it."""
    (value, moved), gradients = loss_and_gradients(layers, loss, state, data, row)
    trained, slots = updater.update(state["trained"], state["slots"], gradients, row["numbers"])
    return {"trained": trained, "running": state["running"] | moved, "slots": slots}, value


class JaxBackend:
    """JAX on the CPU and on CUDA (`gpu`)."""

    name = "jax"
    default_mode: Mode = "graph"

    def __init__(self) -> None:
        jax.config.update("jax_default_matmul_precision", "highest")  # else GPUs may take TF32; holds for convolutions

    def versions(self) -> dict[str, str]:
        found = {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "numpy": np.__version__}
        if gpus := present("gpu"):
            found["cuda"] = gpus[0].client.platform_version
        return found

    def settings(self) -> dict[str, str]:
        alone = "eager" if convolutions_loop() else "eager, and with convolutions"
        found = {
            "threads": f"XLA's own, one per core that the process may use when JAX starts: {os.cpu_count()} in all",
            "matmul_precision": str(jax.config.jax_default_matmul_precision),
            "jit": "off" if jax.config.jax_disable_jit else "on",
            "random_numbers": str(jax.config.jax_default_prng_impl),
            "compilation_cache": str(jax.config.jax_compilation_cache_dir or "off"),
            "gpu_memory": "allocated as needed",
            "steps_per_call": f"all of a block, at most {LONGEST} ({alone}: 1)",
        }
        return found | {name: os.environ[name] for name in STATED if name in os.environ}

    def devices(self) -> tuple[Device, ...]:
        found = [Device(kind="cpu", name="cpu")]
        for gpu in present("gpu"):
            memory = (gpu.memory_stats() or {}).get("bytes_limit")
            found.append(Device(kind="gpu", name=gpu.device_kind, memory_bytes=memory))
        return tuple(found)

    def modes(self) -> tuple[Mode, ...]:
        return ("eager", "graph")

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        if mode not in self.modes():
            return Sentence("JAX has no {mode} mode here: its modes are eager and graph (jax.jit)", mode=mode)
        if device == "gpu" and not present("gpu"):
            if not any(map(importlib.util.find_spec, ("jax_cuda12_plugin", "jax_cuda13_plugin"))):
                return Sentence(
                    "this JAX {version} is installed for the CPU only: install jax[cuda12]", version=jax.__version__
                )
            return Sentence("JAX {version} finds no NVIDIA GPU or driver here", version=jax.__version__)
        if device == "npu":
            return Sentence(
                "JAX {version} does not reach Ascend: its documentation names no plug-in", version=jax.__version__
            )
        return None

    def traps(self) -> tuple[Trap, ...]:
        found = []
        if jax.config.jax_disable_jit:
            why = Sentence(
                "{variable} turns jax.jit off, so that graph mode computes op by op: unset it",
                variable="JAX_DISABLE_JIT",
            )
            found.append(Trap(name="no compiling", sentence=str(why), said=why))
        if jax.config.jax_default_matmul_precision != "highest":
            sentence = noop("float32 products may be computed in a lower precision: unset JAX_DEFAULT_MATMUL_PRECISION")
            found.append(Trap(name="reduced precision", sentence=sentence))
        for name in (name for name in DEBUGGING if getattr(jax.config, name)):
            why = Sentence(
                "{variable} makes JAX look at every result, which costs time: unset it", variable=name.upper()
            )
            found.append(Trap(name="debugging", sentence=str(why), said=why))
        if "fast_math" in os.environ.get("XLA_FLAGS", ""):
            sentence = noop("XLA_FLAGS lets XLA compute less exactly (fast math): unset it")
            found.append(Trap(name="fast math", sentence=sentence))
        return tuple(found)

    def compiled(self) -> dict[Mode, int]:
        return {"graph": sum(function._cache_size() for function in JITTED)}

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> JaxProgram:
        return JaxProgram(task, optimizer, device=device, mode=mode, weights=weights, seed=seed)

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> JaxBoltzmann:
        return JaxBoltzmann(stage, state, device=device, mode=mode, seed=seed)

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        a, b = (jnp.ones((side, side), device=device_of(device)) for _ in range(2))

        def product() -> None:
            jnp.matmul(a, b).block_until_ready()

        return product

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        source = jnp.ones(numbers, device=device_of(device))

        def copy() -> None:
            jnp.copy(source).block_until_ready()

        return copy


def convolutions_loop() -> bool:
    """Return whether many steps are one call where there are convolutions, too."""
    return os.environ.get(LOOP_VARIABLE) == "1"


def backend() -> Backend:
    return JaxBackend()
