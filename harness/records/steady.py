"""The steady state of a run: which of its steady blocks are read, decided at report time from what was recorded.

Three stated rules, the same for every backend. First, blocks that the noise guard calls disturbed are left out. Then
changepoints of the logarithm of the seconds per step are looked for with PELT (Killick et al. 2012; `ruptures`), at the
penalty 15 log n after Barrett et al. 2017, "Virtual Machine Warmup Blows Hot and Cold", section 4, on data divided by a
robust estimate of their noise. Last, everything before the last state is discarded as warm-up.
The seconds of what is left are summed before anything is divided. Needs no pandas.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.measure.noise import disturbances
from harness.record import Block

Outcome = Literal["settled", "never settled", "too few blocks to tell", "too noisy to say", ""]
"""Empty: there is no steady block at all."""

TOO_NOISY: Outcome = "too noisy to say"

SMALLEST_CLEAN_SHARE = 0.5
"""With a smaller share of undisturbed blocks a run is too noisy to say anything."""
FEWEST_BLOCKS = 8
"""With fewer undisturbed blocks a warm-up cannot be told from chance."""
PENALTY = 15.0
"""Times log n: what a changepoint must explain, in units of the noise's variance (Barrett et al. 2017, section 4)."""
SMALLEST_NOISE = 0.005
"""The noise is taken to be at least this, as a share of the step's seconds: smaller changes are of no interest."""
TOLERANCE = 0.02
"""Levels that differ by less than this share, or by less than the noise, are one state."""
LONGEST_INTERRUPTION = 2
"""A segment of so few blocks is no state, unless it is the first one."""
SHORTEST_STATE_SHARE = 0.5
"""The last state must hold this share of the blocks, or the run never settled: a slow drift is a stair of states."""
DRIFT_P = 0.001
"""Kendall's test of the last state against its order below this, with a move of more than `TOLERANCE`, is a drift."""


class Reading(Struct, frozen=True, kw_only=True):
    """What is read of a run's steady blocks, and why."""

    outcome: Outcome
    blocks: tuple[Block, ...]
    """Those that are read. Of a run that never settled the last half; of one that is too noisy, all."""
    recorded: int
    """All steady blocks."""
    discarded: int
    """Undisturbed blocks before those that are read."""
    disturbed: int
    causes: tuple[str, ...] = ()
    """What disturbed, most often first."""

    def seconds(self) -> float:
        """Return the seconds in the blocks that are read."""
        return sum(block.seconds for block in self.blocks)

    def median_step_s(self) -> float | None:
        """Return the median over the blocks of their seconds per optimizer step, None without blocks."""
        return statistics.median(block.seconds / block.steps for block in self.blocks) if self.blocks else None


class State(NamedTuple):
    """Where the last state of a series starts, and whether it holds."""

    start: int
    holds: bool


def read(blocks: Iterable[Block], cores: int) -> Reading:
    """Return which steady blocks of a run are read.

    Args:
        blocks: all blocks of the run, in their order; those that are not steady are not looked at.
        cores: how many processors the worker was allowed to use.
    """
    found = steady(blocks)
    cores = max(1, cores)
    causes = [disturbances(block, cores) for block in found]
    clean = tuple([block for block, why in zip(found, causes, strict=True) if not why]) if any(causes) else tuple(found)
    outcome, start = _judge(clean, len(found))
    return Reading(
        outcome=outcome,
        blocks=tuple(found) if outcome == TOO_NOISY else clean[start:],
        recorded=len(found),
        discarded=start,
        disturbed=len(found) - len(clean),
        causes=tuple(_by_frequency(name for why in causes for name in why)),
    )


def undisturbed(blocks: Iterable[Block], cores: int) -> list[Block]:
    """Return the steady blocks that nobody disturbed."""
    return [block for block in steady(blocks) if not disturbances(block, max(1, cores))]


def _judge(clean: Sequence[Block], recorded: int) -> tuple[Outcome, int]:
    """Return the outcome of a run and how many of its undisturbed blocks are discarded."""
    if not recorded:
        return "", 0
    if len(clean) < SMALLEST_CLEAN_SHARE * recorded:
        return TOO_NOISY, 0
    if len(clean) < FEWEST_BLOCKS:
        return "too few blocks to tell", 0
    state = last_state(np.log([block.seconds / block.steps for block in clean]))
    return ("settled", state.start) if state.holds else ("never settled", len(clean) // 2)


def last_state(values: NDArray[np.float64]) -> State:
    """Find the last state of a series of logarithms (n,), in the order of time.

    Going back from its last segment, equal segments and interruptions belong to it.
    """
    noise = _noise(values)
    edges = [0, *_changepoints(values / noise), len(values)]
    segments = list(pairwise(edges))
    states = [part for part in segments if part[0] == 0 or part[1] - part[0] > LONGEST_INTERRUPTION]
    level = _median(values[slice(*states[-1])])
    start = states[-1][0]
    for first, end in reversed(states[:-1]):
        if abs(_median(values[first:end]) - level) > max(TOLERANCE, noise):
            break
        start = first
    long_enough = len(values) - start >= SHORTEST_STATE_SHARE * len(values)
    return State(start=start, holds=long_enough and not _drifts(values[start:]))


def _noise(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of the noise: the median absolute difference of neighbours, as of a normal one."""
    differences = np.abs(values[1:] - values[:-1])
    # Of a normal one, the deviation is 1.4826 times the median distance; a difference of two has twice the variance.
    return max(SMALLEST_NOISE, 1.4826 * _median(differences) / math.sqrt(2))


def _median(values: NDArray[np.float64]) -> float:
    """Return the median of a few dozen numbers, for which NumPy's takes eight times as long."""
    return float(statistics.median(values.tolist()))


def _changepoints(scaled: NDArray[np.float64]) -> Sequence[int]:
    """Return the places (0 < i < n) at which a new level starts, of a series whose noise has a variance of one."""
    penalty = PENALTY * math.log(len(scaled))
    centred = scaled - scaled.sum() / len(scaled)
    if float(centred @ centred) <= penalty:
        return ()  # whatever levels explained could not be worth one changepoint
    # The last one is the length.
    return [int(place) for place in _kernel_cpd().fit(scaled.reshape(-1, 1)).predict(pen=penalty)[:-1]]


def prepare() -> None:
    """Import what finds changepoints, which takes half a second."""
    _kernel_cpd()


def _kernel_cpd() -> Any:
    """Return PELT with squared error around a mean: with the linear kernel it is the same cost, and written in C."""
    from ruptures import KernelCPD  # a second to import, and often not needed

    return KernelCPD(kernel="linear", min_size=1, jump=1)


def _drifts(values: NDArray[np.float64]) -> bool:
    third = len(values) // 3
    if third < 2 or abs(_median(values[-third:]) - _median(values[:third])) <= TOLERANCE:
        return False
    from scipy.stats import kendalltau

    return bool(kendalltau(np.arange(len(values)), values).pvalue < DRIFT_P)


def _by_frequency(names: Iterable[str]) -> list[str]:
    found = list(names)
    return sorted(dict.fromkeys(found), key=lambda name: -found.count(name))


SHORTEST_S, LONGEST_S = 1e-9, 1e9
"""No clock gives less, and nobody waits for longer: other seconds are those of a damaged record."""


def is_time(seconds: float) -> bool:
    """Return whether a block or a call can have taken so long; the arithmetic of reports relies on it."""
    return SHORTEST_S <= seconds <= LONGEST_S


def steady(blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks that throughput is computed from: those that were timed in turns, where there are any."""
    found = [
        block
        for block in blocks
        if block.kind == "steady" and block.steps > 0 and SHORTEST_S <= block.seconds <= LONGEST_S
    ]
    return [block for block in found if block.turn is not None] or found


def examples_per_s(blocks: Iterable[Block], batch_size: int) -> float | None:
    """Return batch size times steps over seconds of the steady blocks, None where there is no such number."""
    read = steady(blocks)
    if not read or batch_size < 1:
        return None
    return batch_size * sum(block.steps for block in read) / sum(block.seconds for block in read)
