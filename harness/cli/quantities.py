"""Durations and shares as people write them: `10min`, `90s`, `1h`, `5%`."""

import re

from harness.errors import UsageError

UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
"""Seconds of every unit."""
LONGEST_S = 1e9


def parse_seconds(option: str, given: str) -> float:
    """Return the seconds of a duration; a number by itself is minutes.

    Raises:
        UsageError: it is no duration above 0.
    """
    read = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", given.casefold(), re.ASCII)
    seconds = float(read[1]) * UNITS.get(read[2] or "min", 0.0) if read else 0.0
    if not 0 < seconds < LONGEST_S:
        raise UsageError(
            "{option} is a time above 0, such as 10min, 90s or 1h; received {given!r}", option=option, given=given
        )
    return seconds


def parse_share(option: str, given: str, *, most: float) -> float:
    """Return a share that was written as 5% or as 0.05.

    Raises:
        UsageError: it is none, or not above 0 and below `most`.
    """
    read = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(%?)\s*", given, re.ASCII)
    value = float(read[1]) / (100 if read[2] else 1) if read else 0.0
    if not 0 < value < most:
        raise UsageError(
            "{option} is a share above 0 and below {most:.0%}, such as 5% or 0.05; received {given!r}",
            option=option,
            most=most,
            given=given,
        )
    return value
