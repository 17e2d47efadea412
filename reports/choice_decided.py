"""What decided between the first two of a choice, of all that is known of both, and what would change who leads."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports import choice_tasks
from reports import weights as sensitivity
from reports.choice import SAME_SCORE, Deciding, Move
from reports.criteria import Criterion
from reports.draws import Values
from reports.needs import Needs
from reports.readings import Candidate, shares

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
    place, adds = sensitivity.deciding(mean, list(weight), lead, other, among)
    totals = sensitivity.scores(mean, list(weight))
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
        for flip in sensitivity.flips(mean, list(weight))
    )
