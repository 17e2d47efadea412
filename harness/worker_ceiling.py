"""What one library reaches on this machine: a large float32 product and a large copy, the fastest of several.

A product of N x N matrices is `2 N**3` operations; a copy of n numbers reads and writes 4 n bytes each. Both are
computed as the framework itself does it, in eager mode, where one call is long enough that its start does not count.
"""

from harness.contract import Backend
from harness.jobs import CeilingJob
from harness.measure import fewest_seconds, watched
from harness.noise import disturbances
from harness.record import Ceiling
from harness.registry import resolve
from harness.spec import DeviceKind

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
    reason = f"disturbed by {' and '.join(others)} in each of {MOST_ATTEMPTS} attempts: it may be higher"
    return Ceiling(
        library=job.library,
        matmul_flops_per_s=max(products),
        copy_bytes_per_s=max(copies),
        reason=reason if others else "",
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
