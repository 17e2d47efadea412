"""Numbers and strange strings, made fit to be read. One format per kind of number, shared by all reports.

What stands in a record is data: before a person sees it, whatever could steer a terminal is spelled out.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.language import _
from reports.words.record_words import said

NOTHING = "—"
ABOUT_ALL = 0.999
"""Probabilities beyond are not told from certainty by 10,000 draws, nor are those as near to nothing."""
LARGEST_RATIO = 10_000.0
"""No two rows lie so far apart: a ratio beyond comes from too few numbers, and its digits say nothing."""
NATS = ("bound", "log_z", "pseudo_log_likelihood")
LONGEST = 400
"""Characters of one text that a report shows; the exports hold all of it."""
OPEN, CLOSE = "\ue000", "\ue001"
"""Around text that is quoted in its own language; for private use in Unicode, and never printed."""


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with at least so many significant digits, thousands apart, or a dash if there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    if not 1e-6 <= abs(value) < 1e12:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def rate(value: float | None) -> str:
    """Return examples per second."""
    return number(value, 4)


def milliseconds(value: float | None) -> str:
    """Return seconds as milliseconds, the unit left to the heading."""
    return number(None if value is None else 1e3 * value)


def seconds(value: float | None) -> str:
    """Return seconds, the unit left to the heading."""
    return number(value, 3)


def megabytes(value: float | None) -> str:
    """Return bytes as millions of bytes, the unit left to the heading."""
    return number(None if value is None else value / 1e6, 3)


def sizes(first: float, second: float) -> tuple[str, str]:
    """Return two sizes in bytes with their units, with as many digits as tell them apart, three at least."""
    for digits in range(3, 16):
        found = (_size(first, digits), _size(second, digits))
        if found[0] != found[1]:
            break
    return found


def _size(value: float, digits: int) -> str:
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{number(value / factor, digits)} {unit}"
    return f"{value:,.{0 if value.is_integer() else 2}f} B"


def percent(value: float | None, decimals: int = 1) -> str:
    """Return a share in percent."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return in_percent(f"{100 * value:.{decimals}f}")


def in_percent(number: str) -> str:
    """Return a number of hundredths with its sign, as the language in use sets it."""
    return _("{number} %").format(number=number)


def chance(probability: float | None) -> str:
    """Return a probability that was counted in draws, which tell none beyond `ABOUT_ALL` from certainty."""
    if probability is not None and probability > ABOUT_ALL:
        return _("above {percent}").format(percent=percent(ABOUT_ALL))
    if probability is not None and probability < 1 - ABOUT_ALL:
        return _("below {percent}").format(percent=percent(1 - ABOUT_ALL))
    return percent(probability)


def quality(value: float | None, metric: str) -> str:
    """Return a figure: an accuracy with four decimals, a likelihood in nats with one, others with three digits."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if metric in NATS:
        return f"{value:,.1f}"
    return f"{value:.4f}" if "accuracy" in metric else number(value, 3)


def ratio(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a ratio with its interval, where there is one; of one beyond all reason only that it is."""
    interval = "" if low is None or high is None else f" ({number(low)}–{number(high)})"
    if value is not None and value > LARGEST_RATIO:
        return f"> {number(LARGEST_RATIO)}×"
    return NOTHING if value is None else f"{number(value)}×{interval}"


def when(time: str) -> str:
    """Return a time of the records, UTC and ISO 8601, to the minute; what is no such time stays as it is."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", time):
        return f"{time[:10]} {time[11:16]} UTC"
    return time or NOTHING


def first(lines: Sequence[str], most: int, more: str) -> tuple[str, ...]:
    """Return the first lines, and how many other ones there are: the field `count` of `more`; never just one."""
    if len(lines) <= most + 1:
        return tuple(lines)
    return (*lines[:most], _(more).format(count=len(lines) - most))


def names(items: Iterable[str]) -> str:
    """Return things side by side, as a sentence lists them."""
    return _(", ").join(items)


def clauses(items: Iterable[str]) -> str:
    """Return parts of a sentence side by side."""
    return _("; ").join(items)


def either(items: Iterable[str]) -> str:
    """Return things of which any may hold."""
    return _(" or ").join(items)


def counted(counts: Mapping[str, int]) -> str:
    """Return how often each outcome came, in the language in use."""
    return names(_("{count} {outcome}").format(count=count, outcome=_(outcome)) for outcome, count in counts.items())


def shared(counts: Mapping[str, int]) -> str:
    """Return the outcome that all share, or how often each came."""
    return _(next(iter(counts))) if len(counts) == 1 else counted(counts)


def quoted(sentence: str) -> str:
    """Return text of a record in the language in use, or marked as quoted where the catalogue lacks it."""
    return said(sentence, lambda words: f"{OPEN}{words}{CLOSE}")


def parts(line: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a line, and whether each is `quoted`: English inside a sentence of another language."""
    for place, piece in enumerate(re.split(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}", line)):
        if piece:
            yield piece.replace(OPEN, "").replace(CLOSE, ""), place % 2 == 1


def printable(text: str, longest: int | None = LONGEST) -> str:
    """Return one line without control, format or unassigned characters, which are spelled out, cut to `longest`."""
    text = text.replace(OPEN, "").replace(CLOSE, "")
    line = " ".join(text.split()) if longest is None else " ".join(text[: 4 * longest].split())
    if longest is not None and (len(line) > longest or len(text) > 4 * longest):
        line = _("{start}… ({count:,} characters)").format(start=line[:longest], count=len(text))
    return "".join(_spelled(c) if unicodedata.category(c)[0] == "C" else c for c in line)


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
