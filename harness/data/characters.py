"""Texts as characters: what a net reads that is to say which one comes next.

All texts of a split are one long text, with a line's end between them, cut into rows that do not overlap. Numbers are
given by frequency in the training split, from 1 on; 0 stands for all characters that are not among them.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.texts import Corpus

UNKNOWN = 0


def arrays(corpus: Corpus, *, vocabulary: int, length: int) -> dict[str, NDArray[Any]]:
    """Return x and y `(N, length)` int32 of both splits, y being x one place further on."""
    joined = {split: "\n".join(found) for split, found in corpus.texts.items()}
    common = Counter(joined["train"]).most_common(vocabulary - 1)
    # characters of equal frequency in their own order, so that no dictionary's order decides
    ordered = sorted(common, key=lambda pair: (-pair[1], pair[0]))
    numbers = {character: number for number, (character, _count) in enumerate(ordered, start=UNKNOWN + 1)}
    found = {}
    for split, text in joined.items():
        row = np.array([numbers.get(character, UNKNOWN) for character in text], np.int32)
        rows = (len(row) - 1) // length
        found[f"{split}_x"] = row[: rows * length].reshape(rows, length)
        found[f"{split}_y"] = row[1 : rows * length + 1].reshape(rows, length)
    return found
