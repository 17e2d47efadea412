"""What is measured becomes values between 0 and 1, drawn many times, so that a choice carries its uncertainty.

A criterion's value is that of additive multi-attribute value theory (Keeney & Raiffa 1976, chapter 3); drawing what is
uncertain and counting who wins is stochastic multicriteria acceptability analysis (Lahdelma, Hokkanen & Salminen 1998).
Every candidate draws from a stream of its own, named after what is drawn, so that another candidate beside it changes
nothing.
"""

import math
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from reports.choose.criteria import Criterion
from reports.choose.known import Candidate, Reading, shares, task_of
from reports.choose.needs import Needs

DRAWS = 10_000
SEED = 20261121
NORMAL_95 = 1.959964
"""Half the width of the normal distribution's middle 95 %, in standard deviations."""
ONE_PROCESS_RATIO = 2.0
"""One process shows nothing of the next: its number may be off by this factor either way, in 95 of 100 draws."""
ONE_SEED_POINTS = 0.02
"""The same of an accuracy of one seed, as a difference."""

Array = NDArray[np.float64]


class Values(Struct, frozen=True, kw_only=True):
    """One criterion's values of all candidates, drawn."""

    drawn: Any
    """(draws, candidates), from 0 to 1."""
    tasks: tuple[str, ...]
    """The cells that entered: those that tell candidates apart, for more than one of them was measured there."""
    unknown: tuple[tuple[int, str], ...]
    """Candidate's place and task where its number was not known and drawn over the whole range of the others."""
    guessed: tuple[int, ...]
    """Places of the candidates that have a number of one process alone."""


def values_of(criterion: Criterion, candidates: Sequence[Candidate], needs: Needs, draws: int = DRAWS) -> Values | None:
    """Return a criterion's values: means over the tasks on which it was measured; None where it was on none.

    A task counts by its weight, which its cells (presets, data sets, devices, machines, sources) share.
    """
    readings = [candidate.readings[criterion.name] for candidate in candidates]
    weighted = [task for task in readings[0] if needs.weight_of_task(task_of(task)) > 0]
    tasks = [task for task in weighted if _tells([reading[task] for reading in readings])]
    if not tasks:
        return None
    drawn = np.zeros((draws, len(candidates)))
    unknown = []
    for task, counts in zip(tasks, shares(tasks, needs.weight_of_task), strict=True):
        here = [reading[task] for reading in readings]
        numbers = np.stack(
            [
                _drawn(one, spread, criterion, _stream(candidate.label, criterion.name, task), draws)
                for candidate, one, spread in zip(candidates, here, _spreads(here, criterion), strict=True)
            ],
            axis=1,
        )
        value = _value(numbers, criterion, needs)
        value *= [one.reached for one in here]  # a target that one run of two reaches is worth half of its time
        value[:, [one.failed for one in here]] = 0.0
        missing = np.array([not one.values and not one.failed for one in here])
        low, high = value[:, ~missing].min(axis=1), value[:, ~missing].max(axis=1)
        for place in [place for place, gap in enumerate(missing) if gap]:
            share = _stream(candidates[place].label, criterion.name, task, "unknown").random(draws)
            value[:, place] = low + share * (high - low)
            unknown.append((place, task))
        drawn += counts * value
    guessed = [
        place
        for place, reading in enumerate(readings)
        if criterion.spread == "processes" and any(len(reading[task].values) == 1 for task in tasks)
    ]
    return Values(drawn=drawn, tasks=tuple(tasks), unknown=tuple(unknown), guessed=tuple(guessed))


def _tells(here: Sequence[Reading]) -> bool:
    """Return whether a cell says anything: against one alone all others would be as good, whatever it measured."""
    known = sum(bool(one.values) or one.failed for one in here)
    return any(one.values for one in here) and known >= min(2, len(here))


def _stream(*names: str) -> np.random.Generator:
    return np.random.default_rng([SEED, *(crc32(name.encode()) for name in names)])


def _spreads(readings: Sequence[Reading], criterion: Criterion) -> list[Array]:
    """Return for each reading the numbers whose spread tells how sure its mean is.

    Where all have the same seeds, these share weights and batches: what a seed does to all of them alike is taken off
    (randomised blocks), and what that takes off the variance by chance is given back.
    """
    numbers = [np.log(one.values) if criterion.scale == "ratio" else np.array(one.values) for one in readings]
    known = [place for place, one in enumerate(readings) if one.values]
    seeds = {readings[place].seeds for place in known}
    if len(known) < 2 or len(seeds) != 1 or len(seeds.pop()) < 2:
        return numbers
    shared = np.mean([numbers[place] for place in known], axis=0)
    given_back = math.sqrt(len(known) / (len(known) - 1))
    return [(own - shared) * given_back if place in known else own for place, own in enumerate(numbers)]


def _drawn(reading: Reading, spread: Array, criterion: Criterion, random: np.random.Generator, draws: int) -> Array:
    """Return draws of what a candidate's mean may be: of logarithms on the scale of ratios, else of the number."""
    if not reading.values:
        return np.full(draws, np.nan)
    ratio = criterion.scale == "ratio"
    mean, count = float(np.mean(np.log(reading.values) if ratio else reading.values)), len(reading.values)
    if criterion.spread == "exact":
        return np.full(draws, mean)
    if count == 1:
        half = math.log(ONE_PROCESS_RATIO) if ratio else ONE_SEED_POINTS
        return mean + half / NORMAL_95 * random.standard_normal(draws)
    error = float(spread.std(ddof=1)) / math.sqrt(count)
    found: Array = mean + error * random.standard_t(count - 1, draws)
    return found if ratio else np.clip(found, 0.0, 1.0)


def _value(numbers: Array, criterion: Criterion, needs: Needs) -> Array:
    """Return the values of (draws, candidates) numbers, beside the best of each draw; what is missing stays NaN."""
    if criterion.scale == "share":
        return numbers.copy()
    if criterion.scale == "ratio":
        worse = (numbers - np.nanmin(numbers, axis=1, keepdims=True)) / math.log(needs.worthless_at)
    else:
        worse = (np.nanmax(numbers, axis=1, keepdims=True) - numbers) / needs.quality_span
    found: Array = np.clip(1.0 - worse, 0.0, 1.0)
    return found
