"""What a backend is and has on this machine, with two probes of its arithmetic that need nothing but the contract."""

import platform
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from harness.contract import Backend
from harness.jobs import DescribeJob, Description
from harness.layers import Dense
from harness.measure import Stopwatch
from harness.optimizers import SGD
from harness.registry import resolve
from harness.spec import DeviceKind, Task


def describe(job: DescribeJob) -> Description:
    """Import the backend and ask it everything."""
    watch = Stopwatch()
    backend: Backend = resolve(job.adapter)()
    import_s = watch.seconds()
    return Description(
        name=backend.name,
        python=platform.python_version(),
        versions=backend.versions(),
        settings=backend.settings(),
        devices=backend.devices(),
        modes=backend.modes(),
        default_mode=backend.default_mode,
        traps=backend.traps(),
        matmul_error=matmul_error(backend),
        flushes_denormals=flushes_denormals(backend),
        import_s=import_s,
        why_not={
            f"{task.name}/{device}/{mode}": reason
            for task in job.tasks
            for device in get_args(DeviceKind)
            for mode in backend.modes()
            if (reason := backend.why_not(task, device, mode)) is not None
        },
    )


def product(backend: Backend, x: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `x W'` as the backend's own dense layer computes it on the CPU, in its default mode."""
    task = Task(
        name="product",
        version=1,
        summary="One product of two matrices.",
        input_shape=x.shape[1:],
        layers=(Dense(units=len(weight), bias=False),),
        loss="mean_squared_error",
        datasets=(),
        presets={},
    )
    program = backend.build(
        task,
        SGD(learning_rate=0.1),
        device="cpu",
        mode=backend.default_mode,
        weights={"dense1.weight": weight},
        seed=0,
    )
    y = np.zeros((len(x), len(weight)), np.float32)
    program.load({"train_x": x, "train_y": y, "test_x": x[:1], "test_y": y[:1]})
    return program.host(program.predict("train", np.arange(len(x), dtype=np.int32)))


def matmul_error(backend: Backend) -> float:
    """Return the largest absolute error of a 512x512 product of N(0, 1) entries; bfloat16 makes it about 0.3."""
    random = np.random.default_rng(0)
    x, weight = random.standard_normal((2, 512, 512)).astype(np.float32)
    exact = x.astype(np.float64) @ weight.T.astype(np.float64)
    return float(np.abs(product(backend, x, weight) - exact).max())


def flushes_denormals(backend: Backend) -> bool:
    """Return whether a product of 1e-40 comes out as zero instead of as a denormal number."""
    tiny = np.full((64, 64), 1e-20, np.float32)
    return not product(backend, tiny, tiny * np.eye(64, dtype=np.float32)).any()
