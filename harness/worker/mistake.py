"""One student's mistake, made: a right training step first, then the wrong one, and all that was said of it.

Runs in the backend's interpreter, in a process of its own, without the backend's adapter: the framework is what a
student's script would find. The right step comes first, so that the seconds are those of the mistake and not of the
framework's first breath, and so that a framework that does not work here is not taken for one that refuses.
"""

import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from harness import mistakes
from harness.measure.clock import Stopwatch
from harness.mistakes import Step
from harness.record import Mistake
from harness.registry import resolve
from harness.worker.jobs import MistakeJob


def make(job: MistakeJob) -> Mistake:
    """Make the mistake and return what came of it."""
    step: Step = resolve(job.step)
    blunder = mistakes.blunder(job.name)
    right_loss = float(step.train(*mistakes.right_arrays(step), job.device))
    x, y = mistakes.wrong_arrays(step, blunder)
    loss, error = math.nan, None
    written: list[str] = []
    with _captured(written):
        watch = Stopwatch()
        try:
            loss = float(step.train(x, y, job.device))
        except Exception as raised:
            error = raised
        seconds = watch.seconds()
    message = (written[0] if error is None else str(error)).strip()
    expected, given = mistakes.names(blunder, message)
    return Mistake(
        name=job.name,
        mode=job.mode,
        error_type=None if error is None else type(error).__name__,
        message=mistakes.cut(message),
        characters=len(message),
        seconds=seconds,
        names_expected=expected,
        names_given=given,
        loss=loss if math.isfinite(loss) else None,
        right_loss=right_loss if math.isfinite(right_loss) else None,
    )


@contextmanager
def _captured(written: list[str]) -> Iterator[None]:
    """Append what this process writes to stdout and stderr meanwhile, by Python or below it, to `written`."""
    sys.stdout.flush()  # what was written so far does not belong to the mistake
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:  # not a pipe: nobody would read it before it is full
        kept = {number: os.dup(number) for number in (1, 2)}
        try:
            for number in kept:
                os.dup2(file.fileno(), number)
            yield
        finally:
            sys.stdout.flush()  # what Python still holds does belong to it
            sys.stderr.flush()
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            written.append(file.read().decode(errors="replace"))
