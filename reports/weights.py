"""How far one weight would have to move to change the winner: exact, for the scores are linear in the weights.

With values V (candidates, criteria) and weights w, a candidate's score is `sum_k w_k V_ck / sum_k w_k`; the sign of a
difference of two scores does not depend on the sum. The leader a and another c meet where
`w_k = w_k(now) - margin / (V_ak - V_ck)`, and `margin = sum_j w_j (V_aj - V_cj)`. Criteria are independent of each
other: one weight moves, the others keep their proportions.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]
SAME = 1e-12
"""Differences below are rounding."""


class Flip(Struct, frozen=True, kw_only=True):
    """The point at which the leader changes when one weight moves; beyond it, `winner` leads."""

    criterion: int
    weight: float
    then: float
    """The weight at which both are equal."""
    share: float
    """Of the weight in the sum of all, now."""
    share_then: float
    winner: int

    def change(self) -> float:
        """Return how much of all the weight has to move."""
        return abs(self.share_then - self.share)


def scores(values: Array, weights: Sequence[float] | Array) -> Array:
    """Return the score of every candidate from values (candidates, criteria)."""
    found: Array = values @ np.asarray(weights, float) / float(np.sum(weights))
    return found


def flips(values: Array, weights: Sequence[float]) -> list[Flip]:
    """Return for every criterion the nearest change of its weight, upwards and downwards, that changes the leader."""
    now = np.asarray(weights, float)
    leader = int(np.argmax(scores(values, now)))
    found = []
    for k, weight in enumerate(now):
        crossings = [
            (weight - margin / step, c)
            for c in range(len(values))
            if c != leader
            and abs(step := float(values[leader, k] - values[c, k])) > SAME
            and (margin := float((values[leader] - values[c]) @ now)) > SAME
        ]
        above = min(((then, c) for then, c in crossings if then > weight), default=None)
        below = max(((then, c) for then, c in crossings if SAME < then < weight), default=None)
        rest = float(now.sum() - weight)
        for crossing in (above, below):
            if crossing is not None and rest > 0:
                then, winner = crossing
                found.append(
                    Flip(
                        criterion=k,
                        weight=float(weight),
                        then=float(then),
                        share=float(weight) / (rest + float(weight)),
                        share_then=float(then / (rest + then)),
                        winner=winner,
                    )
                )
    return sorted(found, key=Flip.change)


def deciding(
    values: Array, weights: Sequence[float], leader: int, other: int, among: Sequence[int]
) -> tuple[int, float]:
    """Return which of some criteria speaks most for the leader against another, and what it adds to the margin.

    Put equal for both, the criterion takes that much of the margin away: no other one takes more.
    """
    now = np.asarray(weights, float)
    parts = now / now.sum() * (values[leader] - values[other])
    place = max(among, key=lambda k: float(parts[k]))
    return place, float(parts[place])
