"""From numbers to places: linear and logarithmic scales, and the ticks on them."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

ROOM = 0.04
"""Of a scale's length, left free at an end at which a value stands."""
MOST_TICKS = 6
LARGEST, SMALLEST = 1e150, 1e-150
"""A larger number is left out of a picture, and of a logarithmic scale a smaller one: their squares are no numbers."""


class Scale(NamedTuple):
    """A scale between two numbers; of a logarithmic one both are above zero."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the place of a value, 0 at the low end and 1 at the high one; beyond them for what is beyond."""
        low, high, here = map(self._turned, (self.low, self.high, value))
        return (here - low) / (high - low)

    def _turned(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def holds(self, value: float | None) -> bool:
        """Return whether a value can be placed at all."""
        return is_number(value) and (not self.is_log or (value is not None and value >= SMALLEST))


class Tick(NamedTuple):
    """A place on an axis with its text."""

    value: float
    text: str


def is_number(value: object) -> bool:
    """Return whether something is a number that can be drawn."""
    return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= LARGEST


def over(values: Iterable[float], *, is_log: bool = False, with_zero: bool = False) -> Scale:
    """Return a scale that holds these values with a little room; a plain one where there is none."""
    known = [float(value) for value in values if is_number(value) and (value >= SMALLEST or not is_log)]
    if not known:
        return Scale(1.0, 10.0, is_log=True) if is_log else Scale(0.0, 1.0)
    low, high = min(known), max(known)
    if is_log:
        room = max((high / low) ** ROOM, 1.02)
        return Scale(low / room, high * room, is_log=True)
    if with_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = ROOM * (high - low) or 0.5 * abs(high) or 0.5
    return Scale(low if with_zero and low == 0 else low - room, high if with_zero and high == 0 else high + room)


def ticks(scale: Scale, most: int = MOST_TICKS) -> list[Tick]:
    """Return round numbers on a scale, at most about so many."""
    values = _log_ticks(scale, most) if scale.is_log else _linear_ticks(scale, most)
    return [Tick(value, shown(value)) for value in values]


def shown(value: float) -> str:
    """Return a round number as an axis shows it."""
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:,.0f}" if abs(value) >= 1 and value == round(value) else f"{value:.6g}"


def _linear_ticks(scale: Scale, most: int) -> list[float]:
    rough = (scale.high - scale.low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def _log_ticks(scale: Scale, most: int) -> list[float]:
    low, high = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    for factors in ((1, 1.2, 1.5, 2, 3, 4, 5, 7), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = _within(scale, factors, range(low, high + 1))
        if len(found) <= most:
            break
    else:
        found = found[:: math.ceil(len(found) / most)]
    return found if len(found) > 1 else [float(f"{value:.2g}") for value in (scale.low, scale.high)]


def _within(scale: Scale, factors: Sequence[float], powers: Iterable[int]) -> list[float]:
    every = (float(f"{factor}e{power}") for power in powers for factor in factors)
    return [value for value in every if scale.low <= value <= scale.high]
