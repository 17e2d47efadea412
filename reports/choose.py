"""A choice by weighted needs over what a study measured: who is likely the best, by how much, and what decided it.

Nobody is called the winner whose probability of being the best is below `SURE`: then all that may well be the best are
called a tie, the smallest set whose probabilities add up to `SURE`. Modes and profiles of one backend do not compete
with each other: the one with the highest expected score stands for the backend.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from reports import weights as sensitivity
from reports.candidates import Field, field
from reports.criteria import CRITERIA, Criterion
from reports.draws import DRAWS, SEED, Values, values_of
from reports.frame import frame
from reports.needs import Needs
from reports.readings import Candidate, Reading
from reports.studies import Loaded
from reports.summary import summarize

SURE = 0.95
SAME_SCORE = 1e-9
"""Scores of one draw that differ by less are equal, and share being the best."""

Array = NDArray[np.float64]


class Scored(Struct, frozen=True, kw_only=True):
    """A candidate, judged."""

    label: str
    backend: str
    mode: str
    profile: str
    stands_for_backend: bool
    """It is compared; else another mode or profile of its backend has a higher expected score."""
    score: float
    """Expected, from 0 to 1."""
    score_low: float
    score_high: float
    """The middle 95 % of the draws."""
    probability_best: float | None
    """Share of the draws in which it has the highest score; null for one that does not stand for its backend."""
    values: dict[str, float]
    """Expected value by criterion."""
    raw: dict[str, float | None]
    """What people read, by criterion: the number, or its geometric mean over the tasks where it was measured."""
    readings: dict[str, dict[str, Reading]]
    """What all of it comes from."""
    remarks: tuple[tuple[str, str, str], ...]
    """Criterion, task and reason where a number is missing or failed; a task of no name is the whole."""
    one_process: tuple[str, ...]
    """Criteria with a number of one process alone."""


class Used(Struct, frozen=True, kw_only=True):
    """A criterion that entered."""

    name: str
    weight: float
    share: float
    """Of the sum of the weights that entered."""
    tasks: tuple[str, ...]


class Pair(Struct, frozen=True, kw_only=True):
    """Two candidates beside each other."""

    a: str
    b: str
    probability_a_better: float
    tie: bool
    """Neither is better with a probability of `SURE`."""


class Deciding(Struct, frozen=True, kw_only=True):
    """The measurement that speaks most for the leader against the runner-up."""

    criterion: str
    margin: float
    """The leader's expected score less the runner-up's."""
    adds: float
    """What this criterion adds to it."""
    changes_the_order: bool
    """Put equal for both, the runner-up would be at least as good."""


class Move(Struct, frozen=True, kw_only=True):
    """A change of one weight that changes the leader."""

    criterion: str
    weight: float
    then: float
    """Where both are equal; beyond it, `winner` leads."""
    share: float
    share_then: float
    winner: str


class Choice(Struct, frozen=True, kw_only=True):
    """The decision, with all that it rests on."""

    study: str
    needs: Needs
    verdict: Literal["winner", "tie", "only one", "none"]
    leader: str | None
    tied: tuple[str, ...]
    candidates: tuple[Scored, ...]
    """Best first."""
    excluded: tuple[tuple[str, str], ...]
    criteria: tuple[Used, ...]
    dropped: tuple[str, ...]
    """Criteria with a weight that nobody was measured by."""
    tasks: tuple[str, ...]
    pairs: tuple[Pair, ...]
    deciding: Deciding | None
    moves: tuple[Move, ...]
    """The smallest first."""
    draws: int = DRAWS
    seed: int = SEED

    def best(self) -> tuple[Scored, ...]:
        """Return the candidates that stand for their backends, best first."""
        return tuple(item for item in self.candidates if item.stands_for_backend)


def choose(loaded: Loaded, needs: Needs, draws: int = DRAWS) -> Choice:
    """Return the choice from a study."""
    runs = frame(loaded.records)
    return choose_from(field(loaded.records, runs, summarize(runs), needs), needs, study=loaded.name, draws=draws)


def choose_from(found: Field, needs: Needs, *, study: str, draws: int = DRAWS) -> Choice:
    """Return the choice from what was gathered of a study."""
    weighted = needs.weight_of()
    entered = {
        criterion: values
        for criterion in CRITERIA
        if found.candidates and (values := values_of(criterion, found.candidates, needs, draws)) is not None
    }
    dropped = tuple(c.name for c in CRITERIA if found.candidates and weighted[c.name] > 0 and c not in entered)
    total = sum(weighted[criterion.name] for criterion in entered)
    if not total:
        return _nothing(found, needs, study, dropped)
    weight = np.array([weighted[criterion.name] for criterion in entered])
    cube = np.stack([values.drawn for values in entered.values()], axis=2)
    scores = cube @ weight / total
    mean = cube.mean(axis=0)
    standing = _standing(found.candidates, scores.mean(axis=0))
    probability = dict(zip(standing, _best(scores[:, standing]), strict=True))
    scored = [
        _scored(candidate, place, scores[:, place], mean[place], probability.get(place), entered)
        for place, candidate in enumerate(found.candidates)
    ]
    order = sorted(standing, key=lambda place: (-scored[place].score, scored[place].label))
    verdict, tied = _verdict([(scored[place].label, probability[place]) for place in order])
    lead, other = order[0], order[1] if len(order) > 1 else None
    names = [criterion.name for criterion in entered]
    return Choice(
        study=study,
        needs=needs,
        verdict=verdict,
        leader=scored[lead].label,
        tied=tied,
        candidates=tuple(sorted(scored, key=lambda item: (-item.score, item.label))),
        excluded=found.excluded,
        criteria=tuple(
            Used(name=c.name, weight=weighted[c.name], share=weighted[c.name] / total, tasks=values.tasks)
            for c, values in entered.items()
        ),
        dropped=dropped,
        tasks=found.tasks,
        pairs=tuple(
            _pair(scored[a].label, scored[b].label, scores[:, a], scores[:, b])
            for number, a in enumerate(order)
            for b in order[number + 1 :]
        ),
        deciding=None if other is None else _deciding(mean, weight, lead, other, names),
        moves=_moves(mean[order], weight, [scored[place].label for place in order], names),
        draws=draws,
    )


def _nothing(found: Field, needs: Needs, study: str, dropped: tuple[str, ...]) -> Choice:
    """Return the choice where there is nobody to choose, or nothing to choose by."""
    return Choice(
        study=study,
        needs=needs,
        verdict="none",
        leader=None,
        tied=(),
        candidates=(),
        excluded=found.excluded,
        criteria=(),
        dropped=dropped,
        tasks=found.tasks,
        pairs=(),
        deciding=None,
        moves=(),
    )


def _standing(candidates: Sequence[Candidate], scores: Array) -> list[int]:
    """Return the place of every backend's candidate with the highest expected score."""
    best: dict[str, int] = {}
    for place, candidate in enumerate(candidates):
        known = best.setdefault(candidate.backend, place)
        if scores[place] > scores[known] + SAME_SCORE:
            best[candidate.backend] = place
    return list(best.values())


def _best(scores: Array) -> list[float]:
    """Return for each column of (draws, candidates) how often it is the best; equal ones share a draw."""
    winners = scores >= scores.max(axis=1, keepdims=True) - SAME_SCORE
    shared = winners / winners.sum(axis=1, keepdims=True)
    return [float(share) for share in shared.mean(axis=0)]


def _verdict(found: Sequence[tuple[str, float]]) -> tuple[Literal["winner", "tie", "only one"], tuple[str, ...]]:
    """Return the verdict on candidates in their order, and who shares the place if several do."""
    if len(found) == 1:
        return "only one", ()
    by_chance = sorted(found, key=lambda item: -item[1])
    if by_chance[0][1] >= SURE:
        return "winner", ()
    tied = []
    together = 0.0
    for label, probability in by_chance:
        tied.append(label)
        together += probability
        if together >= SURE - SAME_SCORE:
            break
    return "tie", tuple(tied)


def _scored(
    candidate: Candidate,
    place: int,
    scores: Array,
    mean: Array,
    probability: float | None,
    entered: Mapping[Criterion, Values],
) -> Scored:
    low, high = np.quantile(scores, (0.025, 0.975))
    return Scored(
        label=candidate.label,
        backend=candidate.backend,
        mode=candidate.mode,
        profile=candidate.profile,
        stands_for_backend=probability is not None,
        score=float(scores.mean()),
        score_low=float(low),
        score_high=float(high),
        probability_best=probability,
        values={criterion.name: float(mean[number]) for number, criterion in enumerate(entered)},
        raw={criterion.name: raw(criterion, candidate, values.tasks) for criterion, values in entered.items()},
        readings=candidate.readings,
        remarks=tuple(
            (criterion.name, task, reading.why)
            for criterion, values in entered.items()
            for task in values.tasks
            if (reading := candidate.readings[criterion.name][task]).why
        ),
        one_process=tuple(criterion.name for criterion, values in entered.items() if place in values.guessed),
    )


def raw(criterion: Criterion, candidate: Candidate, tasks: Sequence[str]) -> float | None:
    """Return a candidate's number as it is shown: its mean over processes and tasks, geometric on a scale of ratios."""
    means: list[Any] = []
    for task in tasks:
        values = np.array(candidate.readings[criterion.name][task].values)
        if len(values):
            means.append(np.exp(np.log(values).mean()) if criterion.scale == "ratio" else values.mean())
    if not means:
        return None
    found = float(np.exp(np.log(means).mean()) if criterion.scale == "ratio" else np.mean(means))
    return 1 / found if criterion.inverted else found / criterion.shown_per


def _pair(a: str, b: str, first: Array, second: Array) -> Pair:
    equal = np.abs(first - second) <= SAME_SCORE
    better = float(np.mean(np.where(equal, 0.5, first > second)))
    return Pair(a=a, b=b, probability_a_better=better, tie=not (better >= SURE or better <= 1 - SURE))


def _deciding(mean: Array, weight: Array, lead: int, other: int, names: Sequence[str]) -> Deciding | None:
    place, adds = sensitivity.deciding(mean, list(weight), lead, other)
    totals = sensitivity.scores(mean, list(weight))
    margin = float(totals[lead] - totals[other])
    if adds <= SAME_SCORE:
        return None
    return Deciding(criterion=names[place], margin=margin, adds=adds, changes_the_order=adds >= margin - SAME_SCORE)


def _moves(mean: Array, weight: Array, labels: Sequence[str], names: Sequence[str]) -> tuple[Move, ...]:
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
