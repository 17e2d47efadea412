"""What one library reaches on this machine: a large float32 product and a large copy, the fastest of several.

A product of N x N matrices is `2 N**3` operations; a copy of n numbers reads and writes 4 n bytes each. Both are
computed as the framework itself does it, in eager mode, where one call is long enough that its start does not count.
"""

from harness.contract import Backend
from harness.jobs import CeilingJob
from harness.measure import fewest_seconds
from harness.record import Ceiling
from harness.registry import resolve

SIDES = (512, 1024, 2048, 4096, 8192)
LONG_S = 0.05
"""A product that takes as long is large enough: larger ones would only take time."""
PRODUCT_BUDGET_S = 0.3
COPY_BUDGET_S = 0.3
COPIED_NUMBERS = 2**25
"""128 MiB to be read and as much to be written, more than the caches of most processors hold."""


def ceiling(job: CeilingJob) -> Ceiling:
    """Measure the two rates of a backend's library on a device; takes about a second beside the import."""
    backend: Backend = resolve(job.adapter)()
    best = 0.0
    for side in SIDES:
        seconds = fewest_seconds(backend.product_probe(job.device, side), budget_s=PRODUCT_BUDGET_S)
        best = max(best, 2 * side**3 / seconds)
        if seconds >= LONG_S:
            break
    copied = fewest_seconds(backend.copy_probe(job.device, COPIED_NUMBERS), budget_s=COPY_BUDGET_S)
    return Ceiling(library=job.library, matmul_flops_per_s=best, copy_bytes_per_s=2 * 4 * COPIED_NUMBERS / copied)
