"""The contract of a backend: what an author must write, on two screens.

A backend is a folder `backends/<name>/` whose `adapter.py` ends with `def backend() -> Backend`, so that mypy checks
it against this file. Importing the adapter imports the framework; nothing else in Evenbench does.

Arrays that cross this border are NumPy arrays in the task's own layout: images `(B, C, H, W)`, `Dense.weight`
`(out, in)`, `Conv2d.weight` `(filters, channels, height, width)`. Whatever layout a framework prefers, it converts
inside, outside the clock.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.boltzmann import Stage
from harness.language import Sentence, Words
from harness.optimizers import Optimizer
from harness.spec import DeviceKind, Mode, Task

CONTRACT = 1
"""The version of this contract, that a plug-in has to name. Raised by whatever makes an adapter or a task that kept it
break it; what an adapter may leave out is no new version.

1: the classes below, `Entry`, and the words of `spec`, `layers`, `optimizers` and `boltzmann`, as of Evenbench 0.2.
"""

Arrays = Mapping[str, NDArray[Any]]
Split = str
"""`train` or `test`: the arrays of a split are `<split>_x` and `<split>_y`."""


class Device(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place where a backend can compute, by the name that the whole of Evenbench uses for it."""

    kind: DeviceKind
    name: str
    memory_bytes: int | None = None


class Trap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something about a framework that spoils a comparison on this machine, and the sentence that mends it."""

    name: str
    sentence: str
    harmful: bool = True
    """False: worth knowing and recorded, but the numbers stay right."""
    said: Sentence | None = None
    """What `sentence` was made of, where it has fields."""


class DeviceMemory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Peak bytes by the framework's own allocator, or None with the reason."""

    peak_bytes: int | None = None
    reason: Words | None = None


class Program(Protocol):
    """One task, built natively by one framework, ready to train."""

    def load(self, arrays: Arrays) -> None:
        """Put the data set on the device, once: `train_x`, `train_y`, `test_x`, `test_y`."""

    def train(self, order: NDArray[np.int32]) -> None:
        """Make N optimizer steps on the training examples `order` of shape (N, B); may return early."""

    def synchronize(self) -> None:
        """Return only when all queued work is done."""

    def losses(self) -> NDArray[np.float32]:
        """Return a host copy of the mean losses of the last `train` call, before each update: (N,)."""

    def gradients(self, indices: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
        """Return the gradients of the mean loss of one training mini-batch (B,), without penalties.

        No parameter is updated; the running statistics of a batch normalisation may move, as in any training pass.
        """

    def predict(self, split: Split, indices: NDArray[np.int32]) -> Any:
        """Run forward only on examples (B,) and return the outputs on the device; may return early."""

    def host(self, outputs: Any) -> NDArray[np.float32]:
        """Copy what `predict` returned to the host, in the task's layout: (B, K) or (B, C, H, W)."""

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """Return host copies of all parameters under the names and shapes of `harness/model.py`."""

    def device_memory(self) -> DeviceMemory:
        """Return the peak bytes that the framework's own allocator handed out on the device."""


class BoltzmannProgram(Protocol):
    """One stage of a Boltzmann machine's training (see `harness/boltzmann.py`), built natively by one framework."""

    def load(self, arrays: Arrays) -> None:
        """Put the pictures on the device, once: `train_x` and `test_x`, (N, V) with values from 0 to 1."""

    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        """Make N updates on the pictures `order` (N, B); may return early.

        Args:
            order: the indices of each update's mini-batch.
            rates: learning rate and momentum of each update, (N, 2).
            gibbs_steps: k, the same for all of them.
            tape: for parity, the uniform numbers by the names of `draw_shapes`, each with N in front; without it the
                framework draws its own.
        """

    def synchronize(self) -> None:
        """Return only when all queued work is done."""

    def statistics(self) -> dict[str, NDArray[np.float32]]:
        """Return host copies of what the updates of the last `train` call reported, by name: (N,) each."""

    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Any:
        """Return what the machine makes of pictures (B,), on the device and without drawing; may return early.

        For a joint stage m1 and m2 side by side, (B, H1 + H2), after `steps` mean-field steps on the pixels as they
        are; for an RBM the probabilities of its hidden units, (B, H), through the machine below if there is one.
        """

    def host(self, outputs: Any) -> NDArray[np.float32]:
        """Copy what `features` returned to the host."""

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return host copies of the whole state under the names and shapes of `state_shapes`."""

    def device_memory(self) -> DeviceMemory:
        """Return the peak bytes that the framework's own allocator handed out on the device."""


class Backend(Protocol):
    """Who computes a task."""

    name: str
    default_mode: Mode

    def versions(self) -> dict[str, str]:
        """Return the versions of the framework and of the libraries below it that change its numbers or speed."""

    def settings(self) -> dict[str, str]:
        """Return what was set or found that changes speed or precision: threads, denormals, matmul precision."""

    def devices(self) -> tuple[Device, ...]:
        """Return the devices that are present and usable now."""

    def modes(self) -> tuple[Mode, ...]:
        """Return the modes that the framework has, wherever it runs."""

    def why_not(self, task: Task, device: DeviceKind, mode: Mode) -> Words | None:
        """Return the sentence that says why this task cannot run so, or None if it can: `Sentence` or `noop` of it."""

    def traps(self) -> tuple[Trap, ...]:
        """Return the known traps that apply on this machine right now."""

    def compiled(self) -> dict[Mode, int]:
        """Return how many graphs the framework itself has compiled or loaded in this process so far, by the mode.

        Of `eager` there are none. Asked after training: a mode that the environment has switched off shows here.
        """

    def build(
        self, task: Task, optimizer: Optimizer, *, device: DeviceKind, mode: Mode, weights: Arrays, seed: int
    ) -> Program:
        """Build the model natively with the given initial weights; `seed` feeds only what is random in training."""

    def build_boltzmann(
        self, stage: Stage, *, device: DeviceKind, mode: Mode, state: Arrays, seed: int
    ) -> BoltzmannProgram:
        """Build one stage of a Boltzmann machine natively; it goes on from `state` and draws from `seed`."""

    def product_probe(self, device: DeviceKind, side: int) -> Callable[[], None]:
        """Return what computes one float32 product of two matrices (side, side), and returns only when it is done."""

    def copy_probe(self, device: DeviceKind, numbers: int) -> Callable[[], None]:
        """Return what copies so many float32 numbers on the device, and returns only when it is done."""


class Entry(Struct, frozen=True, kw_only=True):
    """The light description of a backend beside its heavy adapter, joined by an import string."""

    adapter: str
    """`module:function` of the function that returns the Backend; only a worker may resolve it."""
    framework: str
    """The name under which the framework is imported."""
    package: str | None = None
    """The name under which it is installed, where that is another one; a build for GPUs may have `-gpu` behind it."""
    modes: tuple[Mode, ...]
    default_mode: Mode
    """The mode that the framework's own tutorial uses."""
    knobs: str | None = None
    """`module:name` of the tuple of `Knob` that `evenbench tune` searches; light enough for the parent to import."""
    mistakes: str | None = None
    """`module:name` of the `Step` that students' mistakes are planted in (see `harness/mistakes.py`)."""
    variables: tuple[str, ...] = ()
    """The beginnings of the environment variables that may change its speed or rounding, beside those of its knobs."""
    caches: tuple[str, ...] = ()
    """The environment variables that name the folders in which it keeps what it has compiled, from run to run."""
    not_inherited: tuple[str, ...] = ()
    """Environment variables with which it computes something else, which no worker takes over from the shell."""
    memory_words: tuple[str, ...] = ()
    """What it says where memory ran out, in small letters, beside the words of Python and of the libraries below."""
    aliases: tuple[str, ...] = ()
    """What people call it too, in small letters: `--backend` takes these names as well."""
    mode_aliases: Mapping[str, Mode] = {}
    """What the framework's users call its modes, in small letters: `--mode` takes these names as well."""
    builds: Mapping[str, int] = {}
    """Builds of the framework that people install, as the catalogue names them, with the bytes of an environment."""
    path: str | None = None
    """Folder to put on the worker's path, for an adapter that lives outside of Evenbench."""
    pins: str = "."
    """Of a plug-in: the folder of its `requirements*.txt`, from that of its adapter."""
