"""What decided between the first two of a choice, of all that is known of both, and what would change who leads.

How far one weight would have to move is exact, for the scores are linear in the weights. With values V (candidates,
criteria) and weights w, a candidate's score is `sum_k w_k V_ck / sum_k w_k`; the sign of a difference of two scores
does not depend on the sum. The leader a and another c meet where `w_k = w_k(now) - margin / (V_ak - V_ck)`, and
`margin = sum_j w_j (V_aj - V_cj)`. Criteria are independent of each other: one weight moves, the others keep their
proportions.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from reports.choose import tasks as choice_tasks
from reports.choose.choice import SAME_SCORE, Deciding, Move
from reports.choose.criteria import Criterion
from reports.choose.draws import Values
from reports.choose.known import Candidate, shares
from reports.choose.needs import Needs

Array = NDArray[np.float64]


def raw(criterion: Criterion, candidate: Candidate, tasks: Sequence[str], needs: Needs) -> float | None:
    """Return a candidate's number as it is shown: its mean over processes and tasks, geometric on a scale of ratios.

    As in its value, a task counts by its weight, which its cells share.
    """
    readings = candidate.readings[criterion.name]
    known = [task for task in tasks if readings[task].values]
    if not known:
        return None
    ratio = criterion.scale == "ratio"
    means = [np.mean(np.log(readings[task].values) if ratio else readings[task].values) for task in known]
    mean = np.average(means, weights=shares(known, needs.weight_of_task))
    found = float(np.exp(mean) if ratio else mean)
    return 1 / found if criterion.inverted else found / criterion.shown_per


def deciding(
    mean: Array,
    weight: Array,
    order: Sequence[int],
    candidates: Sequence[Candidate],
    entered: Sequence[tuple[Criterion, Values]],
    needs: Needs,
) -> Deciding | None:
    """Return what decided between the first two of an order, of all that was measured for both."""
    lead, other = order[:2]
    first, second = candidates[lead], candidates[other]
    known = [choice_tasks.both_measured(criterion, first, second, values.tasks) for criterion, values in entered]
    among = [place for place, cells in enumerate(known) if cells]
    if not among:
        return None
    place, adds = speaks_most(mean, list(weight), lead, other, among)
    totals = scores(mean, list(weight))
    margin = float(totals[lead] - totals[other])
    if adds <= SAME_SCORE:
        return None
    criterion, cells = entered[place][0], known[place]
    with_numbers = [c for c in cells if all(one.readings[criterion.name][c].values for one in (first, second))]
    shown = with_numbers or cells
    return Deciding(
        criterion=criterion.name,
        leader=raw(criterion, first, shown, needs),
        runner_up=raw(criterion, second, shown, needs),
        margin=margin,
        adds=adds,
        changes_the_order=adds >= margin - SAME_SCORE,
    )


def moves(mean: Array, weight: Array, labels: Sequence[str], names: Sequence[str]) -> tuple[Move, ...]:
    """Return every change of a single weight that changes who leads, the smallest first."""
    return tuple(
        Move(
            criterion=names[flip.criterion],
            weight=flip.weight,
            then=flip.then,
            share=flip.share,
            share_then=flip.share_then,
            winner=labels[flip.winner],
        )
        for flip in flips(mean, list(weight))
    )


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


def speaks_most(
    values: Array, weights: Sequence[float], leader: int, other: int, among: Sequence[int]
) -> tuple[int, float]:
    """Return which of some criteria speaks most for the leader against another, and what it adds to the margin.

    Put equal for both, the criterion takes that much of the margin away: no other one takes more.
    """
    now = np.asarray(weights, float)
    parts = now / now.sum() * (values[leader] - values[other])
    place = max(among, key=lambda k: float(parts[k]))
    return place, float(parts[place])
