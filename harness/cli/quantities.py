"""Durations and shares as people write them: `10min`, `90s`, `1h`, `5%`."""

import re

from harness.errors import UsageError

SECONDS = {"": 60.0, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_S = 1e9


def parse_seconds(text: str, option: str) -> float:
    """Return the seconds of a duration; a number by itself is minutes.

    Raises:
        UsageError: the text is no duration above 0.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?[a-z]*\.?", text.strip(), re.IGNORECASE)
    seconds = float(match[1]) * SECONDS[(match[2] or "").lower()] if match else 0.0
    if not 0 < seconds < LONGEST_S:
        raise UsageError(
            "{option} is a time above 0, such as 10min, 90s or 1h, but got {text!r}", option=option, text=text
        )
    return seconds


def parse_share(text: str, option: str) -> float:
    """Return a share between 0 and 1, exclusive, of a percentage.

    Raises:
        UsageError: the text is no such percentage.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%?", text.strip())
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share < 1:
        raise UsageError(
            "{option} is a percentage between 0 and 100, such as 5%, but got {text!r}", option=option, text=text
        )
    return share
