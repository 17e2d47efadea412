"""Every pair of rows becomes a comparison: who is shown to be faster, and whether both learn the same.

Only rows that computed the very same thing are paired. All pairs of a study are one grid: Holm's method looks at all
of its p-values together, those of each measure (training, latency, inference, accuracy) for themselves.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from harness.language import noop
from reports.statistics import looks, methods
from reports.statistics.methods import EQUAL, FEWEST, Difference, Equivalence, Verdict, ratio_of


class Sample(Protocol):
    """What is compared of a row; `Row` says what its fields are."""

    @property
    def comparable(self) -> bool:
        """Whether it may be compared at all."""

    @property
    def seconds_per_example(self) -> tuple[float, ...]:
        """Of every process."""

    @property
    def accuracy_per_seed(self) -> dict[int, float]:
        """None where the task has no accuracy."""

    @property
    def turns(self) -> Mapping[str, Mapping[str, looks.Turns]]:
        """By measure and round; none where it was timed alone."""

    @property
    def until_decided(self) -> bool:
        """Whether its rounds were planned to be looked at after 3, 5, 7 and 10, and to end when all is decided."""

    @property
    def within(self) -> float:
        """Share of 1 within which a ratio is called equal."""

    @property
    def by_round(self) -> Mapping[str, float]:
        """Seconds per example by round, of a row whose study was planned in turns; none of others."""

    @property
    def inference(self) -> dict[str, tuple[float, ...]]:
        """By measure, of every process its seconds per call or example."""


class Shown(Struct, frozen=True, kw_only=True):
    """What is shown of two rows by one measure of inference; the numbers are as those of a `Comparison`."""

    ratio: float
    low: float
    high: float
    p: float
    p_holm: float = 1.0
    verdict: Verdict = "no difference shown"

    def reversed(self) -> "Shown":
        """Return the same, the other way round."""
        low, high = 1 / self.high, 1 / self.low
        return replace(self, ratio=1 / self.ratio, low=low, high=high, verdict=_turned(self.verdict))


class Comparison(Struct, frozen=True, kw_only=True):
    """Two rows, `a` against `b`; numbers are null where a side has too few processes or seeds."""

    a: int
    """Place of the row in its group."""
    b: int
    processes_a: int
    processes_b: int
    ratio: float | None = None
    """Seconds of a over seconds of b, geometric means over the processes: above 1, a is the slower."""
    low: float | None = None
    high: float | None = None
    """Ends of its 95 % interval, of this pair alone."""
    p: float | None = None
    p_holm: float | None = None
    """Adjusted for all pairs of the study; the verdict goes by it."""
    rounds: int | None = None
    """Rounds that are compared, each of which gives one number; null where the processes ran at other times."""
    neighbours: bool = False
    """In these rounds the rows were not alive together, for want of memory, but one right after the other."""
    within: float = looks.WITHIN
    """Share of 1 within which the ratio is called equal."""
    round_spread: float | None = None
    """Standard deviation of the rounds' differences of logarithms."""
    turn_spread: float | None = None
    """The same of single turns inside their rounds."""
    ratio_quiet: float | None = None
    ratio_busy: float | None = None
    """The ratio while the machine was quiet and while it was not, by the probe, where it has two values."""
    verdict: Verdict
    """Of a: slower or faster than b."""
    why: str = ""
    """Why there is no verdict."""
    smallest_ratio: float | None = None
    """Ratio that this pair would have shown in four of five studies, at Holm's strictest level."""
    accuracy_difference: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    accuracy_p_holm: float | None = None
    accuracy_p_equivalence: float | None = None
    """Of the two one-sided tests, of this pair alone."""
    accuracy_test: str = ""
    """paired by seed where both rows have the same seeds, which share weights and batches; else Welch."""
    accuracy_verdict: Equivalence = "not comparable"
    inference: dict[str, Shown] = {}
    """By measure; only where both rows have at least two processes."""

    def reversed(self) -> "Comparison":
        """Return the same comparison, `b` against `a`."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            processes_a=self.processes_b,
            processes_b=self.processes_a,
            ratio=_inverse(self.ratio),
            low=_inverse(self.high),
            high=_inverse(self.low),
            ratio_quiet=_inverse(self.ratio_quiet),
            ratio_busy=_inverse(self.ratio_busy),
            accuracy_difference=_negative(self.accuracy_difference),
            accuracy_low=_negative(self.accuracy_high),
            accuracy_high=_negative(self.accuracy_low),
            verdict=_turned(self.verdict),
            inference={measure: shown.reversed() for measure, shown in self.inference.items()},
        )


class _Pair(Struct, kw_only=True):
    """A comparison while it is made."""

    found: Comparison
    speed: Difference | None = None
    p: float = 1.0
    """For no difference in speed, adjusted for the looks where there are several."""
    equal: bool = False
    accuracy: Difference | None = None


def compare(groups: Sequence[Sequence[Sample]]) -> list[tuple[Comparison, ...]]:
    """Return for every group the comparisons of its rows, each pair once, with verdicts for all groups together.

    Args:
        groups: the rows of each group; rows of different groups are not compared.
    """
    pairs = [
        [_pair(a, b, first, second) for a, first in enumerate(sides) for b, second in enumerate(sides) if a < b]
        for sides in groups
    ]
    every = [pair for group in pairs for pair in group]
    _judge_speed([pair for pair in every if pair.found.verdict != "not comparable"])
    _judge_accuracy([(pair, pair.accuracy) for pair in every if pair.accuracy])
    for measure in dict.fromkeys(name for pair in every for name in pair.found.inference):
        _judge_inference([pair for pair in every if measure in pair.found.inference], measure)
    return [tuple(pair.found for pair in group) for group in pairs]


def _pair(a: int, b: int, first: Sample, second: Sample) -> _Pair:
    found = Comparison(
        a=a,
        b=b,
        processes_a=len(first.seconds_per_example),
        processes_b=len(second.seconds_per_example),
        verdict="not comparable",
    )
    if not (first.comparable and second.comparable):
        return _Pair(found=replace(found, why=noop("a row is not comparable")))
    logs = [methods.logarithms(side.seconds_per_example) for side in (first, second)]
    means = [sum(side) / len(side) for side in logs]
    found = replace(found, ratio=ratio_of(means[0] - means[1]), verdict="no difference shown")
    pair = _Pair(found=found)
    if not _pair_rounds(pair, first, second):
        if min(map(len, logs)) >= FEWEST:
            pair.speed = methods.welch(logs[0], logs[1])
            pair.p = pair.speed.p
        else:
            pair.found = replace(pair.found, why=noop("one process shows nothing of how the next would come out"))
    if first.accuracy_per_seed and second.accuracy_per_seed:
        _pair_accuracies(pair, first.accuracy_per_seed, second.accuracy_per_seed)
    both = {
        name: (first.inference[name], second.inference[name]) for name in first.inference if name in second.inference
    }
    found_each = {name: _difference(first, second, name) for name in both}
    pair.found = replace(pair.found, inference={name: _shown(one) for name, one in found_each.items() if one})
    return pair


def _pair_rounds(pair: _Pair, first: Sample, second: Sample) -> bool:
    """Compare two rows round by round, and return whether they share any: as neighbours where never alive together."""
    sides = (first.turns.get("train", {}), second.turns.get("train", {}))
    shared, neighbours = looks.of_rounds(*sides), False
    if not shared:
        both = [name for name in first.by_round if name in second.by_round]
        shared = [math.log(first.by_round[name] / second.by_round[name]) for name in both]
        neighbours = bool(shared)
    if not shared or (len(shared) < FEWEST and not (first.until_decided and second.until_decided)):
        return False
    pair.found = replace(
        pair.found,
        rounds=len(shared),
        neighbours=neighbours,
        within=first.within,
        ratio=ratio_of(sum(shared) / len(shared)),
        turn_spread=looks.turn_spread(*sides),
    )
    if states := looks.by_state(*sides):
        pair.found = replace(pair.found, ratio_quiet=ratio_of(states[0]), ratio_busy=ratio_of(states[1]))
    if len(shared) >= FEWEST:
        pair.found = replace(pair.found, round_spread=float(np.std(shared, ddof=1)))
    if first.until_decided and second.until_decided:
        seen = looks.look(shared, within=first.within)
        if seen is None:
            pair.found = replace(pair.found, why=noop("fewer rounds than the first look needs, which is 3"))
            return True
        pair.speed, pair.p, pair.equal = seen.found, seen.q, seen.equal
        pair.found = replace(pair.found, rounds=seen.rounds)
    else:
        pair.speed = found = methods.mean_difference(shared)
        pair.p, pair.equal = found.p, looks.is_equal(found.low, found.high, first.within)
    return True


def _difference(first: Sample, second: Sample, measure: str) -> Difference | None:
    """Return the difference of two rows in a measure of inference: by rounds where they took turns, else Welch's."""
    shared = looks.of_rounds(first.turns.get(measure, {}), second.turns.get(measure, {}))
    if first.until_decided and second.until_decided and shared:
        seen = looks.look(shared)
        return None if seen is None else seen.found._replace(p=seen.q)
    if len(shared) >= FEWEST:
        return methods.mean_difference(shared)
    sides = [methods.logarithms(row.inference[measure]) for row in (first, second)]
    return methods.welch(sides[0], sides[1]) if min(map(len, sides)) >= FEWEST else None


def _shown(found: Difference) -> Shown:
    return Shown(ratio=ratio_of(found.difference), low=ratio_of(found.low), high=ratio_of(found.high), p=found.p)


def _pair_accuracies(pair: _Pair, first: dict[int, float], second: dict[int, float]) -> None:
    pair.found = replace(pair.found, accuracy_verdict="not shown")
    if min(len(first), len(second)) < FEWEST:
        return
    by_seed = first.keys() == second.keys()
    test = methods.paired if by_seed else methods.welch
    pair.accuracy = test([first[seed] for seed in sorted(first)], [second[seed] for seed in sorted(second)])
    pair.found = replace(pair.found, accuracy_test=noop("paired by seed") if by_seed else "Welch")


def _judge_speed(pairs: Sequence[_Pair]) -> None:
    """Give every pair its verdict; those that nothing can be said of yet are counted among Holm's pairs."""
    pairs = [pair for pair in pairs if pair.speed or pair.found.rounds]
    adjusted = methods.holm([pair.p for pair in pairs])
    left = sum(p >= methods.ALPHA for p in adjusted)
    for pair, p_holm in zip(pairs, adjusted, strict=True):
        found = pair.speed
        if found is None:
            continue
        alpha = methods.strictest(len(pairs))
        if pair.p != found.p and pair.found.rounds in looks.LOOKS:
            alpha = looks.level(pair.found.rounds, left)
        shown = methods.verdict(found.difference, p_holm)
        pair.found = replace(
            pair.found,
            ratio=ratio_of(found.difference),
            low=ratio_of(found.low),
            high=ratio_of(found.high),
            p=pair.p,
            p_holm=p_holm,
            verdict=EQUAL if shown == "no difference shown" and pair.equal else shown,
            smallest_ratio=ratio_of(methods.smallest_shown(found, alpha)),
        )


def _judge_inference(pairs: Sequence[_Pair], measure: str) -> None:
    shown = [pair.found.inference[measure] for pair in pairs]
    adjusted = methods.holm([item.p for item in shown])
    for pair, item, p_holm in zip(pairs, shown, adjusted, strict=True):
        judged = replace(item, p_holm=p_holm, verdict=methods.verdict(math.log(item.ratio), p_holm))
        pair.found = replace(pair.found, inference=pair.found.inference | {measure: judged})


def _judge_accuracy(pairs: Sequence[tuple[_Pair, Difference]]) -> None:
    adjusted = methods.holm([found.p for _, found in pairs])
    for (pair, found), p_holm in zip(pairs, adjusted, strict=True):
        p_equivalence = methods.not_equivalent_p(found)
        pair.found = replace(
            pair.found,
            accuracy_difference=found.difference,
            accuracy_low=found.low,
            accuracy_high=found.high,
            accuracy_p_holm=p_holm,
            accuracy_p_equivalence=p_equivalence,
            accuracy_verdict=methods.equivalence(p_equivalence, p_holm),
        )


def _turned(verdict: Verdict) -> Verdict:
    other: dict[Verdict, Verdict] = {"faster": "slower", "slower": "faster"}
    return other.get(verdict, verdict)


def _inverse(value: float | None) -> float | None:
    return None if value is None else 1 / value


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
