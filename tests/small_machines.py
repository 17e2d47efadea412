"""A Deep Boltzmann Machine of a few units with its files, small enough that a whole run takes a second."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import stage_sequence
from harness.boltzmann import Joint, Rbm, Stage
from harness.data import prepare
from harness.layers import Activation, Dense
from harness.model import initial_weights
from harness.optimizers import Adam
from harness.spec import Boltzmann, Preset, RunSpec, Task
from harness.worker.jobs import RunJob

PIXELS, FIRST, SECOND, CLASSES = 16, 6, 5, 2
BATCH, TRAIN, TEST = 10, 40, 20
PER_EPOCH = TRAIN // BATCH
SIGMOID = Activation(kind="sigmoid")

BOTTOM = Rbm(
    name="bottom", epochs=3, learning_rate=0.05, weight_decay=1e-3, visible=PIXELS, hidden=FIRST, doubled="visible"
)
TOP = Rbm(
    name="top", epochs=2, learning_rate=0.05, weight_decay=1e-3,
    visible=FIRST, hidden=SECOND, doubled="hidden", recognise=PIXELS,
)  # fmt: skip
JOINT = Joint(
    name="joint", epochs=2, learning_rate=1e-3, weight_decay=2e-4,
    visible=PIXELS, hidden1=FIRST, hidden2=SECOND, chains=8, gibbs_steps=1,
)  # fmt: skip
STAGES: tuple[Stage, ...] = (BOTTOM, TOP, JOINT)


def machine_task(stages: tuple[Stage, ...] = STAGES, **more: Any) -> Task:
    """Return a task with one preset, `only`, of the given stages; `more` goes to the description of the machine."""
    boltzmann = Boltzmann(stages=stages, probe_epochs=3, probe=Adam(learning_rate=0.01), fewest_updates=5, **more)
    preset = Preset(
        dataset="none",
        epochs=2,
        batch_size=BATCH,
        optimizer=Adam(learning_rate=0.01),
        measure_s=0.01,
        boltzmann=boltzmann,
    )
    return Task(
        name="small-machine",
        version=1,
        summary="a small machine",
        input_shape=(PIXELS,),
        layers=(Dense(units=FIRST), SIGMOID, Dense(units=SECOND), SIGMOID, Dense(units=CLASSES)),
        loss="softmax_cross_entropy",
        datasets=("none",),
        presets={"only": preset},
        parity_batch=8,
    )


def pictures_of(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return pictures whose left half is bright in one class and whose upper half is in the other."""
    random = np.random.default_rng(seed)
    y = np.arange(count) % CLASSES
    bright = np.zeros((CLASSES, 4, 4))
    bright[0, :, :2] = bright[1, :2, :] = 0.8
    return (bright[y].reshape(count, PIXELS) + random.uniform(0, 0.2, (count, PIXELS))).astype(np.float32), y.astype(
        np.int32
    )


def run_job(folder: Path, task: Task, *, seed: int = 0) -> RunJob:
    """Write the files of a run into `folder` and return its job for the reference."""
    preset = task.preset("only")
    (folder / "out").mkdir(parents=True)
    arrays = dict(zip(("train_x", "train_y"), pictures_of(TRAIN, 0), strict=True))
    arrays |= dict(zip(("test_x", "test_y"), pictures_of(TEST, 1), strict=True))
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "order.npy", prepare.batch_order(TRAIN, batch_size=BATCH, epochs=preset.order_epochs, seed=seed))
    weights = initial_weights(task, seed) | stage_sequence.drawn_states(preset, seed)
    np.savez(folder / "weights.npz", allow_pickle=False, **weights)
    return RunJob(
        adapter="backends.numpy.adapter:backend",
        out=str(folder / "out"),
        cores=(0,),
        spec=RunSpec(
            task=task.name,
            task_version=1,
            backend="numpy",
            mode="eager",
            preset="only",
            dataset="none",
            seed=seed,
            repeat=0,
            timeout_s=60,
        ),
        task=task,
        preset=preset,
        arrays={name: str(folder / f"{name}.npy") for name in arrays},
        order=str(folder / "order.npy"),
        weights=str(folder / "weights.npz"),
        checkpoint=str(folder / "kept" / "checkpoint.npz"),
        machines=str(folder / "kept" / "machines"),
    )
