"""A choice by weighted needs over what a study measured: who is likely the best, by how much, and what decided it.

Nobody is called the winner whose probability of being the best is below `SURE`: then the leader is called tied with as
many of the likeliest others as it takes until their probabilities add up to `SURE`. Modes and profiles of one backend
do not compete with each other: the one with the highest expected score stands for the backend.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.language import _
from reports.choose import tasks
from reports.choose.builds import other_builds
from reports.choose.candidates import Field, field
from reports.choose.choice import SAME_SCORE, SURE, Choice, Otherwise, Pair, Scored, Used, Verdict, Without
from reports.choose.criteria import CRITERIA, Criterion
from reports.choose.decided import deciding, moves, raw
from reports.choose.draws import DRAWS, Values, values_of
from reports.choose.known import Candidate, task_of
from reports.choose.needs import Needs
from reports.statistics.study import StudyRead

Array = NDArray[np.float64]


def choose(study: StudyRead, needs: Needs, *, draws: int = DRAWS) -> Choice:
    """Return the choice from a study.

    Args:
        study: its records need their evaluations, and no other curves.
        needs: what it is chosen by.
        draws: of what the means may be.
    """
    return choose_from(field(study, needs), needs, study=study.loaded.name, draws=draws)


def choose_from(found: Field, needs: Needs, *, study: str, draws: int = DRAWS) -> Choice:
    """Return the choice from what was gathered of a study, and what it would be without each of the tasks."""
    choice = replace(_chosen(found, needs, study=study, draws=draws), messages=found.messages)
    if choice.verdict in ("winner", "tie"):
        choice = replace(choice, otherwise=tuple(_otherwise(choice, found, draws)))
    names = list(dict.fromkeys(map(task_of, choice.tasks)))
    if choice.verdict not in ("winner", "tie") or len(names) < 2:
        return choice
    return replace(choice, without=tuple(_without(name, choice, found, draws) for name in names))


def _otherwise(choice: Choice, found: Field, draws: int) -> Iterator[Otherwise]:
    """Yield what comes out without each criterion, and with each other build that is known."""
    found = tasks.without_strangers(found, choice.needs)
    drawn = _drawn(found, choice.needs, draws)
    weighted = [used.name for used in choice.criteria if used.weight > 0]
    for name in weighted if len(weighted) > 1 else ():
        needs = replace(choice.needs, weights=replace(choice.needs.weights, **{name: 0.0}))
        other = _chosen(found, needs, study=choice.study, draws=draws, entered=drawn)
        if other.verdict != "none":
            yield _other_than(choice, other, criterion=name)
    for build, size, candidates in other_builds(found.candidates) if "install_size" in weighted else ():
        changed = replace(found, candidates=candidates)
        sizes = {
            c: v for c in drawn if c.name == "install_size" and (v := values_of(c, candidates, choice.needs, draws))
        }
        other = _chosen(changed, choice.needs, study=choice.study, draws=draws, entered=drawn | sizes)
        yield _other_than(choice, other, build=build, install_bytes=size)


def _other_than(choice: Choice, other: Choice, **what: Any) -> Otherwise:
    return Otherwise(
        verdict=other.verdict,
        leader=other.leader,
        tied=other.tied,
        probability_best=next((one.probability_best for one in other.candidates if one.label == other.leader), None),
        changes=_outcome(other) != _outcome(choice),
        **what,
    )


def _outcome(choice: Choice) -> tuple[str, str | None]:
    """Return what a choice says: the best one, or that nobody is; which of a tie is a little ahead says nothing."""
    return choice.verdict, choice.leader if choice.verdict == "winner" else None


def _without(task: str, choice: Choice, found: Field, draws: int) -> Without:
    needs = replace(choice.needs, tasks=choice.needs.tasks | {task: 0.0})
    other = _chosen(found, needs, study=choice.study, draws=draws)
    return Without(
        task=task,
        verdict=other.verdict,
        leader=other.leader,
        tied=other.tied,
        probability_best=next((one.probability_best for one in other.candidates if one.label == other.leader), None),
        changes=(other.verdict, other.leader) != (choice.verdict, choice.leader),
    )


def _drawn(found: Field, needs: Needs, draws: int) -> dict[Criterion, Values]:
    """Return the values of all criteria that tell candidates apart; no weight of a criterion changes them."""
    return {
        criterion: values
        for criterion in CRITERIA
        if found.candidates and (values := values_of(criterion, found.candidates, needs, draws)) is not None
    }


def _chosen(
    found: Field, needs: Needs, *, study: str, draws: int, entered: dict[Criterion, Values] | None = None
) -> Choice:
    found = tasks.without_strangers(found, needs)
    cells = tasks.counted(found, needs)
    weighted = needs.weight_of()
    entered = _drawn(found, needs, draws) if entered is None else entered
    left_out = [c for c in CRITERIA if found.candidates and weighted[c.name] > 0 and c not in entered]
    dropped = {criterion.name: _why_dropped(criterion, found.candidates, needs) for criterion in left_out}
    total = sum(weighted[criterion.name] for criterion in entered)
    if not cells or not entered or (not total and len(found.candidates) > 1):
        return _nothing(found, needs, study, dropped)
    total = total or 1.0
    weight = np.array([weighted[criterion.name] for criterion in entered])
    cube = np.stack([values.drawn for values in entered.values()], axis=2)
    scores = cube @ weight / total
    mean = cube.mean(axis=0)
    standing = _standing(found.candidates, scores.mean(axis=0))
    probability = dict(zip(standing, _best(scores[:, standing]), strict=True))
    compared = probability if len(standing) > 1 else {}
    scored = [
        _scored(
            candidate, place, scores[:, place], mean[place], entered, needs,
            stands=place in probability, probability=compared.get(place),
        )
        for place, candidate in enumerate(found.candidates)
    ]  # fmt: skip
    order = sorted(standing, key=lambda place: (-scored[place].score, scored[place].label))
    verdict, tied = _verdict([(scored[place].label, probability[place]) for place in order])
    names = [criterion.name for criterion in entered]
    one = found.candidates
    return Choice(
        study=study,
        needs=needs,
        verdict=verdict,
        leader=scored[order[0]].label,
        tied=tied,
        candidates=tuple(sorted(scored, key=lambda item: (-item.score, item.label))),
        excluded=found.excluded,
        criteria=tuple(
            Used(name=c.name, weight=weighted[c.name], share=weighted[c.name] / total, tasks=values.tasks)
            for c, values in entered.items()
        ),
        dropped=tuple(dropped),
        why_dropped=dict(dropped),
        tasks=cells,
        tasks_left_out=tasks.left_out(found, needs),
        pairs=tuple(
            _pair(
                one[a].label,
                one[b].label,
                scores[:, a],
                scores[:, b],
                meet=tasks.meet(one[a], one[b], cells, needs),
            )
            for number, a in enumerate(order)
            for b in order[number + 1 :]
        ),
        deciding=None if len(order) < 2 else deciding(mean, weight, order, one, list(entered.items()), needs),
        moves=() if len(order) < 2 else moves(mean[order], weight, [one[place].label for place in order], names),
        draws=draws,
    )


def _nothing(found: Field, needs: Needs, study: str, dropped: Mapping[str, str]) -> Choice:
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
        dropped=tuple(dropped),
        why_dropped=dict(dropped),
        tasks=tasks.counted(found, needs),
        tasks_left_out=tasks.left_out(found, needs),
        pairs=(),
        deciding=None,
        moves=(),
    )


def _why_dropped(criterion: Criterion, candidates: Sequence[Candidate], needs: Needs) -> str:
    """Return why nobody can be judged by a criterion."""
    every = [
        reading
        for candidate in candidates
        for cell, reading in candidate.readings[criterion.name].items()
        if needs.weight_of_task(task_of(cell)) > 0
    ]
    if any(reading.values for reading in every):
        return _("no two candidates were measured by it under the same conditions")
    reasons = {reading.why for reading in every}
    return reasons.pop() if len(reasons) == 1 else _("it was not measured")


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


def _verdict(found: Sequence[tuple[str, float]]) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on candidates and their probabilities, the leader first, and who ties if several do.

    The winner must be sure and lead by expected score too: one that is mostly a little better and seldom much worse
    is none.
    """
    if len(found) == 1:
        return "only one", ()
    (leader, probability), *_ = found
    if probability >= SURE:
        return "winner", ()
    tied = [leader]
    for label, more in sorted(found[1:], key=lambda item: -item[1]):
        if probability >= SURE - SAME_SCORE:
            break
        tied.append(label)
        probability += more
    return "tie", tuple(tied)


def _scored(
    candidate: Candidate,
    place: int,
    scores: Array,
    mean: Array,
    entered: Mapping[Criterion, Values],
    needs: Needs,
    *,
    stands: bool,
    probability: float | None,
) -> Scored:
    low, high = np.quantile(scores, (0.025, 0.975))
    return Scored(
        label=candidate.label,
        backend=candidate.backend,
        mode=candidate.mode,
        profile=candidate.profile,
        stands_for_backend=stands,
        score=float(scores.mean()),
        score_low=float(low),
        score_high=float(high),
        probability_best=probability,
        values={criterion.name: float(mean[number]) for number, criterion in enumerate(entered)},
        raw={criterion.name: raw(criterion, candidate, values.tasks, needs) for criterion, values in entered.items()},
        readings=candidate.readings,
        remarks=tuple(
            (criterion.name, task, reading.why)
            for criterion, values in entered.items()
            for task in values.tasks
            if (reading := candidate.readings[criterion.name][task]).why
        ),
        builds=candidate.builds,
        one_process=tuple(criterion.name for criterion, values in entered.items() if place in values.guessed),
    )


def _pair(a: str, b: str, first: Array, second: Array, *, meet: bool) -> Pair:
    equal = np.abs(first - second) <= SAME_SCORE
    better = float(np.mean(np.where(equal, 0.5, first > second)))
    tie = not (better >= SURE or better <= 1 - SURE)
    return Pair(a=a, b=b, probability_a_better=better, tie=tie, meet_on_a_task=meet)
