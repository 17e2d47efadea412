"""What a backend is and has on this machine, with two probes of its arithmetic that need nothing but the contract.

And what one library reaches here: a large float32 product and a large copy, the fastest of several. A product of N x N
matrices is `2 N**3` operations; a copy of n numbers reads and writes 4 n bytes each. Both are computed as the framework
itself does it, in eager mode, where one call is long enough that its start does not count.
"""

import platform
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from harness.contract import Backend
from harness.language import Sentence, joined, told
from harness.layers import Dense
from harness.measure.clock import Stopwatch, fewest_seconds, watched
from harness.measure.noise import AND, disturbances
from harness.optimizers import SGD
from harness.record import Ceiling
from harness.registry import resolve
from harness.spec import DeviceKind, Task
from harness.worker.jobs import CeilingJob, DescribeJob, Description


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


SIDES = (512, 1024, 2048, 4096, 8192)
LONG_S = 0.05
"""A product that takes as long is large enough: larger ones would only take time."""
PRODUCT_BUDGET_S = 0.3
COPY_BUDGET_S = 0.3
MOST_ATTEMPTS = 3
COPIED_NUMBERS = 2**25
"""128 MiB to be read and as much to be written, more than the caches of most processors hold."""


def ceiling(job: CeilingJob) -> Ceiling:
    """Measure the two rates of a backend's library on a device; takes about a second beside the import.

    A measurement that others disturbed is made again; the best of all attempts counts, and `reason` says so where none
    was quiet, for then the limits may be higher.
    """
    backend: Backend = resolve(job.adapter)()
    products: list[float] = []
    copies: list[float] = []

    def measure() -> None:
        products.append(product_rate(backend, job.device))
        copied = fewest_seconds(backend.copy_probe(job.device, COPIED_NUMBERS), budget_s=COPY_BUDGET_S)
        copies.append(2 * 4 * COPIED_NUMBERS / copied)

    while True:
        others = disturbances(watched(measure, job.cores), len(job.cores))
        if not others or len(products) == MOST_ATTEMPTS:
            break
    why = Sentence(
        "disturbed by {reason} in each of {attempts} attempts: it may be higher",
        reason=joined(others, AND),
        attempts=MOST_ATTEMPTS,
    )
    return Ceiling(
        library=job.library,
        matmul_flops_per_s=max(products),
        copy_bytes_per_s=max(copies),
        **told(why if others else ""),
    )


def product_rate(backend: Backend, device: DeviceKind) -> float:
    """Return the operations per second of the fastest product, the sizes growing until one is long enough."""
    best = 0.0
    for side in SIDES:
        seconds = fewest_seconds(backend.product_probe(device, side), budget_s=PRODUCT_BUDGET_S)
        best = max(best, 2 * side**3 / seconds)
        if seconds >= LONG_S:
            break
    return best
