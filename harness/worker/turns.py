"""A worker's side of the turns: it waits for a word, times one block, says whether it was disturbed, and waits again.

The parent stops it (SIGSTOP) with its whole group between its turns, so that threads that wait by spinning do not.
"""

import os
from collections.abc import Callable, Mapping

from harness.measure.noise import disturbances
from harness.record import Block
from harness.worker.jobs import RunJob

READY, END, GOOD, DISTURBED = "ready", "end", "good", "disturbed"
Timed = Callable[[int], Block]


def take(job: RunJob, blocks: Mapping[str, Timed]) -> None:
    """Say that this worker is ready, and time a block for every line `WORD NUMBER`, until `END` or the parent is gone.

    Args:
        job: with the descriptors of both pipes.
        blocks: what times a block, by its word; it is given the number of the turn.
    """
    if job.turns is None:
        raise ValueError("this worker takes no turns")
    with os.fdopen(job.turns[0], "r") as words, os.fdopen(job.turns[1], "w", buffering=1) as answers:
        answers.write(f"{READY}\n")
        for line in words:
            word, _, number = line.strip().partition(" ")
            if word == END:
                return
            block = blocks[word](int(number))
            answers.write(f"{DISTURBED if disturbances(block, len(job.cores)) else GOOD}\n")
