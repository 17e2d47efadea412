"""How the steps of a block are made: by one compiled call for many of them, by one for each, or op by op.

A step is a pure function from state, data and one row of numbers to the next state and a report. `graph` loops over
the rows within XLA, in calls of one shape, so that another number of steps compiles nothing anew. Where there is a
convolution it calls a compiled step instead: within a loop XLA's convolutions run on one thread of the CPU (seen with
0.10.2: 50 ms instead of 17 ms for a step of LeNet-5).
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from numpy.typing import NDArray

from harness.spec import Mode

Rows = dict[str, Any]
"""What each step of a block gets, one row of every array."""
Step = Callable[[Any, Any, Rows], tuple[Any, Any]]

LONGEST = 1024
"""Steps in one call; the rows of a shorter one are filled up with zeros that nobody reads."""
JITTED: list[Any] = []
"""All functions given to `jax.jit`: asked how often each was compiled. They hold no arrays."""


def jitted(function: Callable[..., Any], **options: Any) -> Any:
    """Return a function compiled by XLA, once for every shape of its arguments."""
    found = jax.jit(function, **options)
    JITTED.append(found)
    return found


class Blocks:
    """Makes the steps of a block; `looped` says that a call of graph mode makes many of them."""

    def __init__(self, step: Step, mode: Mode, *, looped: bool) -> None:
        self.looped = looped and mode == "graph"
        self.step = step
        if mode == "graph":
            self.step = jitted(loop_of(step) if self.looped else step, donate_argnums=0)

    def run(self, state: Any, data: Any, rows: Rows) -> tuple[Any, list[Any]]:
        """Make one step for every row and return the last state and the reports, still on the device."""
        count = len(rows["indices"])
        reports = []
        if self.looped:
            longest = count if "tape" in rows else LONGEST
            for start in range(0, count, longest):
                part = jax.tree.map(lambda row, start=start: filled_up(row[start : start + longest], longest), rows)
                state, report = self.step(state, data, part | {"count": min(longest, count - start)})
                reports.append(report)
        else:
            for n in range(count):
                state, report = self.step(state, data, jax.tree.map(lambda row, n=n: row[n], rows))
                reports.append(report[None])
        return state, reports


def loop_of(step: Step) -> Step:
    """Return the function that makes the first `count` steps of its rows, one after the other."""

    def loop(state: Any, data: Any, rows: Rows) -> tuple[Any, Any]:
        rows = dict(rows)
        count = rows.pop("count")

        def row(n: Any) -> Rows:
            return jax.tree.map(lambda all_rows: all_rows[n], rows)

        def body(n: Any, carried: tuple[Any, Any]) -> tuple[Any, Any]:
            state, reports = carried
            state, report = step(state, data, row(n))
            return state, reports.at[n].set(report)

        like = jax.eval_shape(step, state, data, row(0))[1]
        reports = jax.numpy.zeros((len(rows["indices"]), *like.shape), like.dtype)
        return lax.fori_loop(0, count, body, (state, reports))

    return loop


def filled_up(rows: NDArray[Any], length: int) -> NDArray[Any]:
    """Return rows with zeros behind them, so many in all."""
    if len(rows) == length:
        return rows
    found = np.zeros((length, *rows.shape[1:]), rows.dtype)
    found[: len(rows)] = rows
    return found


def reported(reports: list[Any], count: int) -> NDArray[np.float32]:
    """Return a host copy of what the first `count` steps reported, (N, ...)."""
    return np.concatenate([np.asarray(report) for report in reports])[:count].astype(np.float32)
