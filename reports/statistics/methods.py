"""The statistics of a comparison: differences with intervals, p-values, verdicts, equivalence, and what could be shown.

The sample is the process: every number that comes in here is one process's own. Seconds are compared as logarithms,
so that a difference is a ratio, and a half counts as much as a double. Sources: Welch 1947 for the interval and its
degrees of freedom, Holm 1979 for many comparisons, Schuirmann 1987 for equivalence.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr, stdtr, stdtrit

ALPHA = 0.05
"""A verdict of this study is wrong, where there is no difference, in at most this share of the studies."""
CONFIDENCE = 0.95
POWER = 0.8
MARGIN = 0.01
"""Accuracies that differ by less are equivalent."""
FEWEST = 2
"""Processes of a row without which its spread is not known."""
MOST_REPEATS = 10_000
"""More are not counted: nobody runs them."""
ROUNDING = 1e-12
"""Logarithms and accuracies that differ by less are equal but for rounding."""
QUANTILES = 1000
"""Of a standard error's distribution, over which the power is averaged."""

Verdict = Literal["faster", "slower", "equal", "no difference shown", "not comparable"]
EQUAL: Verdict = "equal"
Equivalence = Literal["equivalent", "different", "not shown", "not comparable"]


class Difference(NamedTuple):
    """The difference of two means, a minus b."""

    difference: float
    low: float
    high: float
    """The ends of the interval."""
    p: float
    """Two-sided, for no difference."""
    error: float
    """Standard error of the difference."""
    freedom: float
    """Degrees of freedom."""


class Interval(NamedTuple):
    """A mean and the ends of its interval."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of n >= 2 values with Student's interval.

    Raises:
        ValueError: there are fewer than two values.
    """
    _check(values)
    mean, half = float(np.mean(values)), _t(len(values) - 1, confidence) * math.sqrt(_variance(values) / len(values))
    return Interval(mean, mean - half, mean + half)


def welch(a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE) -> Difference:
    """Return the difference of two means by Welch's test, whose sides may spread differently (Welch 1947).

    Two sides that do not spread at all differ for certain, or not at all.

    Raises:
        ValueError: a side has fewer than two values.
    """
    _check(a, b)
    difference = float(np.mean(a) - np.mean(b))
    parts = _variance(a) / len(a), _variance(b) / len(b)
    error = math.sqrt(sum(parts))
    if error <= ROUNDING:
        same = abs(difference) <= ROUNDING
        return Difference(difference, difference, difference, float(same), 0.0, float(len(a) + len(b) - 2))
    shares = [part / sum(parts) for part in parts]
    freedom = 1 / sum(share**2 / (len(side) - 1) for share, side in zip(shares, (a, b), strict=True))
    half = _t(freedom, confidence) * error
    p = 2 * float(stdtr(freedom, -abs(difference) / error))
    return Difference(difference, difference - half, difference + half, p, error, freedom)


def paired(a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE) -> Difference:
    """Return the mean difference of values that belong together by Student's paired test, a minus b.

    Raises:
        ValueError: there are fewer than two pairs, or a value without its partner.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values cannot be paired")
    return mean_difference([one - other for one, other in zip(a, b, strict=True)], confidence)


def mean_difference(differences: Sequence[float], confidence: float = CONFIDENCE) -> Difference:
    """Return the mean of differences by Student's test that it is zero; those without any spread are certain.

    Raises:
        ValueError: there are fewer than two.
    """
    mean, low, high = mean_interval(differences, confidence)
    error = math.sqrt(_variance(differences) / len(differences))
    freedom = float(len(differences) - 1)
    if error <= ROUNDING:
        return Difference(mean, mean, mean, float(abs(mean) <= ROUNDING), 0.0, freedom)
    return Difference(mean, low, high, 2 * float(stdtr(freedom, -abs(mean) / error)), error, freedom)


def not_equivalent_p(found: Difference, margin: float = MARGIN) -> float:
    """Return the p-value of two one-sided tests (Schuirmann 1987): small where two means lie within the margin."""
    if found.error == 0:
        return float(abs(found.difference) >= margin)
    above, below = (found.difference + margin) / found.error, (found.difference - margin) / found.error
    return max(float(stdtr(found.freedom, -above)), float(stdtr(found.freedom, below)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being so many (Holm 1979), in their order."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):  # statsmodels does the same, but takes a second to import and collects garbage
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = largest
    return adjusted


def logarithms(seconds: Iterable[float]) -> list[float]:
    """Return the natural logarithms of what is compared as ratios."""
    return [math.log(value) for value in seconds]


def ratio_of(difference: float) -> float:
    """Return the ratio that a difference of logarithms is, cut where a float ends."""
    return math.exp(min(max(difference, -700.0), 700.0))


def verdict(difference: float, p_adjusted: float) -> Verdict:
    """Return what a difference of logarithms of seconds, a minus b, says of a."""
    if p_adjusted >= ALPHA:
        return "no difference shown"
    return "slower" if difference > 0 else "faster"


def equivalence(p_not_equivalent: float, p_adjusted: float) -> Equivalence:
    """Return what is shown of two accuracies: a difference within the margin is none that matters, even where shown."""
    if p_not_equivalent < ALPHA:
        return "equivalent"
    return "different" if p_adjusted < ALPHA else "not shown"


def strictest(comparisons: int) -> float:
    """Return the level at which Holm's method judges the smallest of so many p-values."""
    return ALPHA / max(1, comparisons)


def power_of(shift: float, freedom: float, alpha: float) -> float:
    """Return how often a two-sided t-test at `alpha` shows a true difference of `shift` standard errors.

    By the noncentral t distribution (Cohen 1988, section 2.3), as the mean over the estimated standard error, which is
    spread as a chi distribution is. SciPy's own noncentral t fails for few degrees of freedom and a strict level.
    """
    return _shown(shift, _hurdles(freedom, alpha))


def smallest_shown(found: Difference, alpha: float, power: float = POWER) -> float:
    """Return the smallest difference that a comparison of this error would show with this power, solved for by halving.

    Args:
        found: the comparison, for its standard error and degrees of freedom.
        alpha: level of the two-sided test.
        power: share of the studies that would show it.
    """
    hurdles = _hurdles(found.freedom, alpha)
    low, high = 0.0, 1.0
    while _shown(high, hurdles) < power:
        low, high = high, 2 * high
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _shown(middle, hurdles) < power else (low, middle)
    return high * found.error


def pooled_sd(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the standard deviation that two sides share, from n >= 2 values each.

    Raises:
        ValueError: a side has fewer than two values.
    """
    _check(a, b)
    squares = sum(_variance(side) * (len(side) - 1) for side in (a, b))
    return math.sqrt(squares / (len(a) + len(b) - 2))


def repeats_needed(sd_log: float, ratio: float, alpha: float, power: float = POWER) -> int | None:
    """Return how many processes each of two rows needs, so that a true ratio of their seconds is shown.

    Args:
        sd_log: standard deviation of the logarithm of a process's seconds, the same for both rows.
        ratio: of the rows' seconds; 1.05 and 1/1.05 need the same.
        alpha: level of the two-sided test.
        power: share of the studies that would show it.

    Returns:
        The number per row, at least 2, or None where more than `MOST_REPEATS` would be needed.
    """
    shift = abs(math.log(ratio))

    def enough(count: int) -> bool:
        error = sd_log * math.sqrt(2 / count)
        return error == 0 or (shift > 0 and power_of(shift / error, 2 * count - 2, alpha) >= power)

    low, high = FEWEST - 1, FEWEST
    while not enough(high):
        if high >= MOST_REPEATS:
            return None
        low, high = high, min(2 * high, MOST_REPEATS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _hurdles(freedom: float, alpha: float) -> NDArray[np.float64]:
    """Return quantiles of what a difference must exceed to be shown, in true standard errors."""
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    found: NDArray[np.float64] = np.sqrt(2 * gammaincinv(freedom / 2, middles) / freedom)
    return _t(freedom, 1 - alpha) * found


def _shown(shift: float, hurdles: NDArray[np.float64]) -> float:
    return float(np.mean(ndtr(shift - hurdles) + ndtr(-shift - hurdles)))


def _t(freedom: float, confidence: float) -> float:
    """Return the quantile of Student's t that leaves half of what is not covered above it."""
    return float(stdtrit(freedom, 0.5 + confidence / 2))


def _variance(values: Sequence[float]) -> float:
    return float(np.var(values, ddof=1))


def _check(*sides: Sequence[float]) -> None:
    if short := [len(side) for side in sides if len(side) < FEWEST]:
        raise ValueError(f"a side has {short[0]} values: expected at least {FEWEST}")
