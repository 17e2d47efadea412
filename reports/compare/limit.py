"""Is a row shown to be slower by more than a limit? The test behind `evenbench compare --fail-on-slower`.

Shown means: the 95 % interval of the ratio, adjusted by Holm's method for all rows of the comparison that have the
measure, lies wholly above 1 + limit. So with a limit of nothing it is the verdict "slower", and never more lenient.
"""

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct
from scipy.special import stdtr

from harness.language import noop
from reports.statistics import methods
from reports.statistics.methods import ALPHA, FEWEST, ROUNDING, Difference, ratio_of
from reports.statistics.verdicts import Sample

MEASURES = (noop("training"), noop("latency"), noop("inference"))


class Tested(Struct, frozen=True, kw_only=True):
    """One row and measure against the limit."""

    p_holm: float
    """Of the null that the ratio is at most 1 + limit: twice the one-sided p-value, so that 0.05 goes with the
    two-sided interval, adjusted for all rows."""
    shown: bool
    """The row is shown to be slower by more than the limit."""
    could_show: float
    """True ratio that would have been shown with 80 % power at Holm's strictest level."""


def beyond_p(found: Difference, limit: float) -> float:
    """Return twice the one-sided p-value of a ratio of at most 1 + limit, at most 1."""
    above = found.difference - math.log1p(limit)
    if found.error == 0:
        return float(above <= ROUNDING)
    return min(1.0, 2 * float(stdtr(found.freedom, -above / found.error)))


def tests(rows: Sequence[tuple[Sample, Sample] | None], limit: float) -> list[dict[str, Tested]]:
    """Return for every row its tests by measure; a measure with fewer than two processes on a side has none.

    Args:
        rows: of each the side of B and the side of A, None where they are not comparable.
        limit: share by which B may be slower, such as 0.05.
    """
    found = [_differences(*sides) if sides else {} for sides in rows]
    tested: list[dict[str, Tested]] = [{} for _row in rows]
    for measure in MEASURES:
        with_it = [(place, of_row[measure]) for place, of_row in enumerate(found) if measure in of_row]
        alpha = methods.strictest(len(with_it))
        adjusted = methods.holm([beyond_p(difference, limit) for _place, difference in with_it])
        for (place, difference), p_holm in zip(with_it, adjusted, strict=True):
            tested[place][measure] = Tested(
                p_holm=p_holm,
                shown=p_holm < ALPHA,
                could_show=(1 + limit) * ratio_of(methods.smallest_shown(difference, alpha)),
            )
    return tested


def _differences(b: Sample, a: Sample) -> dict[str, Difference]:
    sides = [_values(side) for side in (b, a)]
    found = {}
    for measure in MEASURES:
        logs = [methods.logarithms(side.get(measure, ())) for side in sides]
        if min(map(len, logs)) >= FEWEST:
            found[measure] = methods.welch(logs[0], logs[1])
    return found


def _values(side: Sample) -> Mapping[str, Sequence[float]]:
    return {"training": side.seconds_per_example, **side.inference}
