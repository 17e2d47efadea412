"""Split labelled texts into training and test examples: fixed, stratified, and no text on both sides."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.text import Corpus, Language

TEST_SHARE = 0.2


def same(text: str) -> str:
    """Return what two texts share that must not be on both sides: the letters and digits, whatever their case."""
    return "".join(letter for letter in text.casefold() if letter.isalnum()) or text.strip()


def split(
    texts: Sequence[str], labels: NDArray[np.int32], *, language: Language, classes: tuple[str, ...], seed: int = 0
) -> Corpus:
    """Return a corpus with a fifth of each class as its test split, both in a shuffled order.

    Equal texts are counted as one, with the label of the first of them, and stay together.

    Args:
        texts: all texts.
        labels: their classes, (N,).
        language: of the texts.
        classes: the names of the classes by number.
        seed: of the shuffling.
    """
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    random = np.random.RandomState(seed)
    known: dict[str, int] = {}
    group = np.array([known.setdefault(same(text), len(known)) for text in texts], np.intp)
    first = np.unique(group, return_index=True)[1]
    is_test = np.zeros(len(known), bool)
    for number in range(len(classes)):
        members = random.permutation(np.flatnonzero(labels[first] == number))
        is_test[members[: round(TEST_SHARE * len(members))]] = True
    shuffled = random.permutation(len(texts))
    in_test = is_test[group[shuffled]]
    chosen = {"train": shuffled[~in_test], "test": shuffled[in_test]}
    return Corpus(
        language=language,
        classes=classes,
        texts={name: [texts[index] for index in indices] for name, indices in chosen.items()},
        labels={name: labels[indices] for name, indices in chosen.items()},
    )
