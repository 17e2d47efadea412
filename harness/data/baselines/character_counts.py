"""The baseline that every model of characters has to beat: count what followed the last three, and smooth the counts.

A row's first places have fewer characters before them, as they have for a net. Where a longer past was seldom seen a
shorter one is asked, by the interpolation of Witten & Bell 1991 (method C) in the form of Chen & Goodman 1998, 2.5:

    p(y | h) = (c(h y) + n(h) p(y | h')) / (c(h) + n(h))

with c the counts in the training split, n(h) how many different characters followed h there, and h' the past h without
its first character; below the empty past every character is equally likely.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.whole_files import UNREADABLE, write_whole

ORDER = 3
"""Characters of the past that are looked at."""
MOST_PROBABILITIES = 4_000_000
"""That are computed at once."""

Numbers = NDArray[np.int64]


class Counted(NamedTuple):
    """Different numbers in rising order, and how often each was there."""

    numbers: Numbers
    times: Numbers


def figures(arrays: Mapping[str, Any], *, vocabulary: int) -> dict[str, float]:
    """Return `accuracy` and `bits_per_place` over all places of the test split, named after this baseline.

    Args:
        arrays: `train_x`, `train_y`, `test_x` and `test_y` as a run has them, `(N, T)`: numbers of characters and those
            that come next.
        vocabulary: how many characters there are, the unknown one among them.
    """
    train_x, train_y = arrays["train_x"], arrays["train_y"]
    counts = [_counted(_pairs(train_x, train_y, vocabulary, length)) for length in range(ORDER + 1)]
    hits, bits, places = 0, 0.0, 0
    for pairs, length in _tested(arrays["test_x"], arrays["test_y"], vocabulary):
        for past, following, times in _by_past(_counted(pairs), vocabulary):
            probabilities = predicted(counts[: length + 1], past, vocabulary)
            row = np.searchsorted(past, following // vocabulary)
            character = following % vocabulary
            hits += int(times[probabilities.argmax(axis=1)[row] == character].sum())
            bits -= float(times @ np.log2(probabilities[row, character]))
        places += pairs.size
    return {"character_counts_accuracy": hits / places, "character_counts_bits_per_place": bits / places}


def remembered(arrays: Mapping[str, str], *, vocabulary: int) -> dict[str, float]:
    """Return the figures on prepared arrays, computed once and kept in a file beside them."""
    file = Path(arrays["train_x"]).with_name("character_counts.json")
    with suppress(*UNREADABLE):
        return msgspec.json.decode(file.read_bytes(), type=dict[str, float])
    found = figures({name: np.load(path, allow_pickle=False) for name, path in arrays.items()}, vocabulary=vocabulary)
    write_whole(file, msgspec.json.encode(found))
    return found


def predicted(counts: Sequence[Counted], past: Numbers, vocabulary: int) -> NDArray[np.float64]:
    """Return what each past says of the next character, `(pasts, vocabulary)`; each row sums to one.

    Args:
        counts: of the pasts of no character, of one and so on, each with the character that followed.
        past: the pasts of as many characters as the last counts have, in rising order.
        vocabulary: how many characters there are.
    """
    if not counts:
        return np.full((len(past), vocabulary), 1 / vocabulary)
    shorter, place = np.unique(past % vocabulary ** max(len(counts) - 2, 0), return_inverse=True)
    below = predicted(counts[:-1], shorter, vocabulary)[place]
    wanted = past[:, np.newaxis] * vocabulary + np.arange(vocabulary)
    numbers, times = counts[-1]
    at = np.searchsorted(numbers, wanted).clip(max=len(numbers) - 1)
    seen = np.where(numbers[at] == wanted, times[at], 0)
    kinds = np.count_nonzero(seen, axis=1, keepdims=True)
    # a past that was never seen says what the shorter one says
    return np.where(kinds > 0, (seen + kinds * below) / np.maximum(seen.sum(axis=1, keepdims=True) + kinds, 1), below)


def _pairs(x: NDArray[Any], y: NDArray[Any], vocabulary: int, length: int) -> Numbers:
    """Return a past of `length` characters with the next one as one number, at each place that has such a past."""
    first = max(length - 1, 0)
    places = max(x.shape[1] - first, 0)
    numbers = np.zeros((len(x), places), np.int64)
    for back in range(length):
        numbers = numbers * vocabulary + x[:, back : back + places]
    return np.asarray(numbers * vocabulary + y[:, first:], np.int64)


def _tested(x: NDArray[Any], y: NDArray[Any], vocabulary: int) -> Iterator[tuple[Numbers, int]]:
    """Yield every place of the test split once, with the longest past that it has, and the length of that."""
    longest = min(ORDER, x.shape[1])
    for length in range(1, longest):
        yield _pairs(x[:, :length], y[:, :length], vocabulary, length), length
    yield _pairs(x, y, vocabulary, longest), longest


def _counted(pairs: Numbers) -> Counted:
    return Counted(*np.unique(pairs, return_counts=True))


def _by_past(counted: Counted, vocabulary: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """Yield some pasts at a time, with the pairs that begin with them and their times."""
    pasts = np.unique(counted.numbers // vocabulary)
    size = max(1, MOST_PROBABILITIES // vocabulary)
    for start in range(0, len(pasts), size):
        some = pasts[start : start + size]
        ends = np.searchsorted(counted.numbers, [some[0] * vocabulary, (some[-1] + 1) * vocabulary])
        yield some, counted.numbers[slice(*ends)], counted.times[slice(*ends)]
