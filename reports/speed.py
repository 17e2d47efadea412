"""Steady blocks become a speed: seconds are summed before anything is divided. Needs no pandas."""

from collections.abc import Iterable

from harness.record import Block

SHORTEST_S, LONGEST_S = 1e-9, 1e9
"""No clock gives less, and nobody waits for longer: other seconds are those of a damaged record."""


def is_time(seconds: float) -> bool:
    """Return whether a block or a call can have taken so long; the arithmetic of reports relies on it."""
    return SHORTEST_S <= seconds <= LONGEST_S


def steady(blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks that throughput is computed from."""
    return [
        block
        for block in blocks
        if block.kind == "steady" and block.steps > 0 and SHORTEST_S <= block.seconds <= LONGEST_S
    ]


def examples_per_s(blocks: Iterable[Block], batch_size: int) -> float | None:
    """Return batch size times steps over seconds of the steady blocks, None where there is no such number."""
    read = steady(blocks)
    if not read or batch_size < 1:
        return None
    return batch_size * sum(block.steps for block in read) / sum(block.seconds for block in read)
