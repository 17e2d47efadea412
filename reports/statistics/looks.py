"""Two rows that took turns: one number a round, looks at the rounds so far, and an end that keeps its promise.

In a round the workers of both rows are alive at once, as new processes, and take turns block by block. So what the
machine does meets both, and cancels out in the difference of the logarithms of a turn's two times. A round gives one
number, the mean of the middle 60 % of its turns' differences: rounds, with their new processes, are the independent
sample, turns are not. Student's t looks at them after 3, 5, 7 and 10 rounds, spending a tenth, a tenth, a fifth and
three fifths of the level (Bonferroni in time; what was shown at a look stays shown), and Holm's method then looks at
all pairs. That holds for any rule by which a study ends and for rows that leave it earlier, since over the looks k
P(min p_k / w_k <= u) <= sum w_k u = u, whatever their dependence. The interval is the repeated confidence interval of
Jennison & Turnbull 1984, which covers at whatever look it is read.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.measure.probe import QUIET, SLOW
from reports.statistics.methods import ALPHA, FEWEST, POWER, Difference, mean_difference, power_of

LOOKS = {3: 0.1, 5: 0.1, 7: 0.2, 10: 0.6}
"""After how many rounds is looked, and the share of the level that each look spends."""
MOST_ROUNDS = max(LOOKS)
MIDDLE = 0.6
"""Share of a round's turns that are read, around their middle: a wild turn moves a mean, but not far."""
WITHIN = 0.05
"""Rows whose ratio is shown to lie within this share of 1 are called equal."""
MOST_ROUNDS_NEEDED = 100
"""More are not counted: nobody runs them."""
FEWEST_OF_STATE = 12
"""Turns of a state of the machine, quiet or busy."""
FEWEST_TURNS = 6
"""Of a round; one with fewer says nothing."""


class Turn(NamedTuple):
    """One block of a row."""

    seconds: float
    """Logarithm of the seconds per example."""
    disturbed: bool = False
    """By the noise guard's rule."""
    probe_s: float | None = None
    """What the probe took right before."""


Turns = Mapping[int, Turn]
"""By the number of the turn."""


class Seen(NamedTuple):
    """What the looks have shown of the mean difference of two rows, a minus b."""

    found: Difference
    """At the last look; its interval is the repeated confidence interval, its p that of Student's t alone."""
    q: float
    """Adjusted for the looks: the smallest p over its weight so far, at most 1."""
    rounds: int
    """That the last look has seen."""
    equal: bool
    """At a look the whole interval lay within the margin; the intervals of all looks cover together."""


def middle_mean(values: Sequence[float]) -> float:
    """Return the mean of the middle `MIDDLE` of some values, of which there is at least one."""
    cut = int(len(values) * (1 - MIDDLE) / 2)
    return float(np.mean(sorted(values)[cut : len(values) - cut]))


def differences(a: Turns, b: Turns) -> list[float]:
    """Return the differences, a minus b, of the turns that are read: those that nobody disturbed, if they are half.

    On a machine on which something else runs all the time it is all of them. What runs there meets both rows.
    """
    shared = [number for number in a if number in b]
    clean = [number for number in shared if not (a[number].disturbed or b[number].disturbed)]
    read = clean if len(clean) >= max(FEWEST_TURNS, len(shared) / 2) else shared
    return [a[number].seconds - b[number].seconds for number in read]


def by_state(a: Mapping[str, Turns], b: Mapping[str, Turns]) -> tuple[float, float] | None:
    """Return the mean differences of the quiet and of the busy turns, by the probe; None where they are one.

    Turns are busy whose probe took `SLOW` times the quiet one's time. They are two where there are `FEWEST_OF_STATE` of
    each, and their means lie further apart than `WITHIN` and than three standard errors of single turns.
    """
    shared = [(a[r][n], b[r][n]) for r in a if r in b for n in a[r] if n in b[r]]
    probes = [(one.seconds - other.seconds, one.probe_s) for one, other in shared if one.probe_s is not None]
    if not probes:
        return None
    limit = SLOW * float(np.quantile([probe for _, probe in probes], QUIET))
    quiet = [found for found, probe in probes if probe <= limit]
    busy = [found for found, probe in probes if probe > limit]
    if min(len(quiet), len(busy)) < FEWEST_OF_STATE:
        return None
    apart = abs(float(np.mean(quiet) - np.mean(busy)))
    error = math.sqrt(float(np.var(quiet, ddof=1)) / len(quiet) + float(np.var(busy, ddof=1)) / len(busy))
    return (float(np.mean(quiet)), float(np.mean(busy))) if apart > max(math.log1p(WITHIN), 3 * error) else None


def of_rounds(a: Mapping[str, Turns], b: Mapping[str, Turns]) -> list[float]:
    """Return one number for every round that two rows shared, in the order of `a`'s rounds."""
    shared = (differences(a[name], b[name]) for name in a if name in b)
    return [middle_mean(found) for found in shared if len(found) >= FEWEST_TURNS]


def look(found: Sequence[float], looks: Mapping[int, float] = LOOKS, within: float = WITHIN) -> Seen | None:
    """Return what the looks so far have shown of the rounds' differences; None before the first look.

    Args:
        found: one difference a round, in the order of the rounds; those after the last look reached are not read yet.
        looks: numbers of rounds, ascending, and the share of the level that each look spends; they sum to at most 1.
        within: share of 1 within which ratios are called equal.
    """
    seen = {n: mean_difference(found[:n], 1 - weight * ALPHA) for n, weight in looks.items() if n <= len(found)}
    if not seen:
        return None
    *_, last = seen
    q = min(1.0, *(one.p / looks[n] for n, one in seen.items()))
    return Seen(seen[last], q, last, any(is_equal(one.low, one.high, within) for one in seen.values()))


def is_equal(low: float, high: float, within: float = WITHIN) -> bool:
    """Return whether an interval of a difference of logarithms shows that the ratio lies within a share of 1."""
    margin = math.log1p(within)
    return -margin < low and high < margin


def level(rounds: int, open_pairs: int) -> float:
    """Return the level that a pair faces at the look after so many rounds, while so many pairs are not yet shown."""
    return LOOKS[rounds] * ALPHA / max(1, open_pairs)


def rounds_needed(spread: float, ratio: float, alpha: float, power: float = POWER) -> int | None:
    """Return how many rounds would show a true ratio of two rows, by a paired test; None for more than a hundred.

    Args:
        spread: standard deviation of a round's difference of logarithms.
        ratio: of the rows' seconds.
        alpha: level of the two-sided test.
        power: share of the studies that would show it.
    """
    shift = abs(math.log(ratio))
    needed = (
        n
        for n in range(FEWEST, MOST_ROUNDS_NEEDED + 1)
        if spread == 0 or power_of(shift * math.sqrt(n) / spread, n - 1, alpha) >= power
    )
    return next(needed, None)


def turn_spread(a: Mapping[str, Turns], b: Mapping[str, Turns]) -> float | None:
    """Return the standard deviation of a turn's difference inside a round, of all rounds; None where none has two."""
    rounds = [found for name in a if name in b and len(found := differences(a[name], b[name])) > 1]
    if not rounds:
        return None
    squares = sum(float(np.var(found, ddof=1)) * (len(found) - 1) for found in rounds)
    return math.sqrt(squares / sum(len(found) - 1 for found in rounds))
