"""Runs inside a backend's interpreter: `python rbm_worker.py JOB`, answers on standard output. See `rbm.py`.

`train` makes a few updates to get warm, times a block, and answers its seconds; `multiply` times the products of
one update and one large product, and answers the seconds of each in the order of `products.py`, the large one last.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from benchmarks.products import LARGE_PRODUCT, Repeated, products, repeated
from harness.boltzmann import Rbm, Stage, State, initial_state
from harness.contract import Backend
from harness.measure.clock import Trainable, time_block
from harness.registry import entry, resolve
from harness.spec import Mode
from harness.worker.jobs import DescribeJob
from harness.worker.process import bind

BY_HAND = " by hand"
RUN_UP = 16
"""Updates before each timed block: they fill the caches and wake the threads that were stopped."""


class RbmJob(Struct, frozen=True, kw_only=True):
    """What one worker is to train, all paths absolute."""

    program: str
    """A backend's name, one followed by ` by hand`, or `scikit-learn fit` or `scikit-learn partial_fit`."""
    mode: Mode
    stage: Stage
    updates: int
    """Of one timed block."""
    per_epoch: int
    pixels: str
    """The .npy file of the training pictures, (N, V)."""
    order: str
    """The .npy file of the mini-batches, (updates, B)."""
    cores: tuple[int, ...]


class ScikitLearn:
    """BernoulliRBM by public calls; the pixels are as they are, not made binary, and gathered outside of the clock.

    `fit` draws new weights at each call and keeps the pixels' float32; `partial_fit` goes on from mini-batch to
    mini-batch, but turns everything into float64 (seen in 1.9.1), and gets it so from the start.
    """

    def __init__(self, stage: Rbm, pixels: NDArray[np.float32], order: NDArray[np.int32], *, partial: bool) -> None:
        from sklearn.neural_network import BernoulliRBM

        self.batch = order.shape[1]
        self.partial = partial
        self.rows = np.ascontiguousarray(pixels[order.ravel()], np.float64 if partial else np.float32)
        self.machine = BernoulliRBM(
            n_components=stage.hidden,
            batch_size=self.batch,
            learning_rate=stage.learning_rate,
            n_iter=1,
            random_state=0,
        )

    def train(self, order: NDArray[np.int32]) -> None:
        """Train on the first rows, as many as the order has: which ones they are makes no difference to the clock."""
        rows = self.rows[: order.size]
        if not self.partial:
            self.machine.fit(rows)
            return
        for start in range(0, len(rows), self.batch):
            self.machine.partial_fit(rows[start : start + self.batch])

    def synchronize(self) -> None:
        """Do nothing: NumPy computes before it returns."""

    def losses(self) -> NDArray[np.float32]:
        """Return nothing: scikit-learn keeps no errors."""
        return np.zeros(0, np.float32)


def first_state(job: RbmJob, batch: int) -> State:
    """Return a state to start from; what would come from earlier stages is drawn like the weights of an RBM."""
    state = initial_state(job.stage, batch, 0)
    draw = np.random.default_rng(1)
    for name in ("weight1", "weight2", "below.weight"):
        if name in state:
            state[name] = draw.normal(0, 0.05, state[name].shape).astype(np.float32)
    return state


def build(job: RbmJob, order: NDArray[np.int32]) -> tuple[Trainable, dict[str, str]]:
    """Return what is to be timed, ready, and the versions below it."""
    pixels = np.load(job.pixels, mmap_mode="r", allow_pickle=False)
    if job.program.startswith("scikit-learn"):
        import sklearn  # type: ignore[import-untyped, unused-ignore]

        if not isinstance(job.stage, Rbm):
            raise ValueError("scikit-learn has no deep machine")
        partial = job.program.endswith("partial_fit")
        versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__}
        return ScikitLearn(job.stage, pixels, order[: job.updates], partial=partial), versions
    from harness.worker.stages import StageProgram

    name = job.program.removesuffix(BY_HAND)
    backend: Backend = resolve(entry(name).adapter)()
    state = first_state(job, order.shape[1])
    if name != job.program:
        loop: Trainable = importlib.import_module(f"benchmarks.loops.on_{name}.machine").HandWritten(
            job.stage, pixels, state
        )
        return loop, backend.versions()
    program = backend.build_boltzmann(job.stage, device="cpu", mode=job.mode, state=state, seed=0)
    program.load({"train_x": pixels, "test_x": pixels[:1]})
    program.synchronize()
    return StageProgram(job.stage, program, per_epoch=job.per_epoch, update=0), backend.versions()


def blocks(job: RbmJob, order: NDArray[np.int32], program: Trainable) -> Callable[[], float]:
    """Return the function that trains the next block and returns its seconds."""
    place = 0

    def next_block() -> float:
        nonlocal place
        rows = np.take(order, np.arange(place, place + RUN_UP + job.updates), axis=0, mode="wrap")
        place += len(rows)
        time_block(program, rows[:RUN_UP], "calibration")
        return time_block(program, rows[RUN_UP:], "steady").seconds

    return next_block


def main(argument: str) -> None:
    job = msgspec.json.decode(argument, type=RbmJob)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a framework prints goes to the standard error
    bind(DescribeJob(adapter="", out="", cores=job.cores))
    order: NDArray[np.int32] = np.load(job.order, allow_pickle=False)
    program, versions = build(job, order)
    train = blocks(job, order, program)
    counts = products(job.stage, order.shape[1], job.stage.gibbs_steps_at(0))
    multiplied: list[Repeated] = []
    for line in sys.stdin:
        answer: dict[str, Any]
        match line.strip():
            case "versions":
                answer = {"versions": versions}
            case "train":
                answer = {"seconds": train()}
            case _:
                multiplied = multiplied or [repeated(job.program, job.mode, p) for p in (*counts, LARGE_PRODUCT)]
                answer = {"seconds": [product.seconds() for product in multiplied]}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
