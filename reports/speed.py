"""Steady blocks become a speed: seconds are summed before anything is divided. Needs no pandas."""

from collections.abc import Iterable

from harness.record import Block


def steady(blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks that throughput is computed from."""
    return [block for block in blocks if block.kind == "steady" and block.steps > 0 and block.seconds > 0]


def examples_per_s(blocks: Iterable[Block], batch_size: int) -> float | None:
    """Return batch size times steps over seconds of the steady blocks, None where there is no such number."""
    read = steady(blocks)
    if not read or batch_size < 1:
        return None
    return batch_size * sum(block.steps for block in read) / sum(block.seconds for block in read)
