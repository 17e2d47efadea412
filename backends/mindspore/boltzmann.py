"""The programs of a Boltzmann machine's stages in MindSpore: update by update, or a block of them in one graph."""

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import ops
from numpy.typing import NDArray

from backends.mindspore.machines import Draws, JointMachine, Machine, RbmMachine, WakeSleepMachine
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, draw_shapes, statistics_names
from harness.contract import Arrays, DeviceMemory, Split
from harness.language import Sentence
from harness.spec import DeviceKind

UPDATES_PER_CALL = 64
"""How many updates one call of the compiled loop makes at most; its inputs always have this many rows, so that another
number of updates does not compile it anew."""


class MindSporeBoltzmann:
    """One stage on one device in PyNative mode; `GraphBoltzmann` compiles the same cells."""

    def __init__(self, stage: Stage, state: Arrays, *, device: DeviceKind, seed: int) -> None:
        self.stage = stage
        self.device = device
        self.seed = seed
        self.parameters = {
            name: ms.Parameter(ms.Tensor(np.array(value, np.float32)), name=name, requires_grad=False)
            for name, value in state.items()
        }
        self.data: dict[str, Any] = {}
        self.machines: dict[tuple[int, int], Machine] = {}
        self.rows: list[tuple[Any, int]] = []

    def machine(self, batch: int, gibbs_steps: int) -> Machine:
        """Return the update of such mini-batches; each kind has random numbers of its own, and is made once."""
        key = batch, gibbs_steps
        if key not in self.machines:
            places = len(draw_shapes(self.stage, batch, gibbs_steps))
            draws = Draws(places, self.device, (self.seed, *key))
            match self.stage:
                case Rbm() as rbm:
                    self.machines[key] = RbmMachine(rbm, self.parameters, draws, gibbs_steps)
                case Joint() as joint:
                    self.machines[key] = JointMachine(joint, self.parameters, draws, gibbs_steps)
                case WakeSleep() as untied:
                    self.machines[key] = WakeSleepMachine(untied, self.parameters, draws, gibbs_steps)
        return self.machines[key]

    def load(self, arrays: Arrays) -> None:
        self.data = {name: ms.Tensor(np.array(array, np.float32)) for name, array in arrays.items()}

    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        machine = self.machine(order.shape[1], gibbs_steps)
        self.rows = []
        for n, indices in enumerate(order):
            x = ops.gather(self.data["train_x"], ms.Tensor(indices), 0)
            numbers = (ms.Tensor(rates[n, 0]), ms.Tensor(rates[n, 1]))
            uniform = self.taped(order.shape[1], gibbs_steps, tape)
            self.rows.append((machine(x, *numbers, *(ms.Tensor(values[n]) for values in uniform)), 1))

    def taped(self, batch: int, gibbs_steps: int, tape: Arrays | None) -> list[NDArray[Any]]:
        """Return the tape's arrays in the order in which they are used; none without a tape."""
        return [] if tape is None else [tape[name] for name in draw_shapes(self.stage, batch, gibbs_steps)]

    def synchronize(self) -> None:
        if self.device == "cpu":
            ms.hal.synchronize()  # not ms.runtime.synchronize(), see `wait_for` in `adapter.py`
        else:
            ms.runtime.synchronize()

    def statistics(self) -> dict[str, NDArray[np.float32]]:
        names = statistics_names(self.stage)
        table = np.concatenate([rows.asnumpy().reshape(-1, len(names))[:count] for rows, count in self.rows])
        return dict(zip(names, table.T, strict=True))

    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Any:
        return self.machine(len(indices), 1).features(self.data[f"{split}_x"], ms.Tensor(indices), steps)

    def host(self, outputs: Any) -> NDArray[np.float32]:
        return np.asarray(outputs.asnumpy())

    def state(self) -> dict[str, NDArray[np.float32]]:
        return {name: parameter.asnumpy().copy() for name, parameter in self.parameters.items()}

    def device_memory(self) -> DeviceMemory:
        if self.device == "cpu":
            return DeviceMemory(
                reason=Sentence("{framework}'s CPU allocator keeps no peak; see host_peak_bytes", framework="MindSpore")
            )
        return DeviceMemory(peak_bytes=ms.runtime.max_memory_allocated())


class Loop:
    """The updates of one block on one machine, as one compiled graph; another number of updates compiles nothing."""

    def __init__(self, machine: Machine, statistics: int) -> None:
        self.machine = machine
        self.statistics = statistics
        self.compiled_updates = ms.jit(self.updates)
        self.compiled_features = ms.jit(machine.features)

    def updates(self, x: Any, order: Any, rates: Any, momenta: Any, count: Any, *tape: Any) -> Any:
        # The bound of the loop is a tensor, so it stays a loop instead of being unrolled.
        rows = ops.zeros((UPDATES_PER_CALL, self.statistics), ms.float32)
        step = ops.zeros_like(count)
        while step < count:
            uniform: tuple[Any, ...] = ()
            for values in tape:
                uniform = (*uniform, values[step])
            pictures = ops.gather(x, order[step], 0)
            rows[step] = self.machine(pictures, rates[step], momenta[step], *uniform)
            step = step + 1
        return rows


class GraphBoltzmann(MindSporeBoltzmann):
    """The same, compiled: gather, draws, gradients, moves and the loop over the updates are one graph.

    The steps of the chains and of the mean field are unrolled in it; the loop over the updates stays one.
    """

    def __init__(self, stage: Stage, state: Arrays, *, device: DeviceKind, seed: int) -> None:
        super().__init__(stage, state, device=device, seed=seed)
        self.loops: dict[tuple[int, int], Loop] = {}

    def loop(self, batch: int, gibbs_steps: int) -> Loop:
        key = batch, gibbs_steps
        if key not in self.loops:
            self.loops[key] = Loop(self.machine(*key), len(statistics_names(self.stage)))
        return self.loops[key]

    def train(
        self, order: NDArray[np.int32], rates: NDArray[np.float32], *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        loop = self.loop(order.shape[1], gibbs_steps)
        arrays = (order, rates[:, 0], rates[:, 1])
        uniform = self.taped(order.shape[1], gibbs_steps, tape)
        self.rows = []
        for start in range(0, len(order), UPDATES_PER_CALL):
            count = min(UPDATES_PER_CALL, len(order) - start)
            inputs = [ms.Tensor(padded(array[start : start + count])) for array in arrays]
            numbers = [ms.Tensor(padded(values[start : start + count])) for values in uniform]
            rows = loop.compiled_updates(self.data["train_x"], *inputs, ms.Tensor(count, ms.int32), *numbers)
            self.rows.append((rows, count))

    def features(self, split: Split, indices: NDArray[np.int32], *, steps: int) -> Any:
        loop = self.loop(len(indices), 1)
        return loop.compiled_features(self.data[f"{split}_x"], ms.Tensor(indices), steps)


def padded(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the rows followed by as many zeros as make up the rows of one call."""
    found = np.zeros((UPDATES_PER_CALL, *rows.shape[1:]), rows.dtype)
    found[: len(rows)] = rows
    return found
