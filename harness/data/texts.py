"""From texts to rows of numbers, the way of the lectures: cut into words, number the words, cut to length, pad.

English is cut by one rule: lower case, markup out, runs of letters and digits are words, an apostrophe inside joins
(so "don't" stays one word and keeps its negation), and ! and ? are words too; other marks are dropped. Chinese is
cut by jieba, after full-width letters and marks became half-width; what has no letter or digit is dropped, but ! and ?.

Number 0 is the padding, 1 any word that the dictionary does not hold, then come the words by falling frequency in the
training texts. A text longer than the model reads keeps its last words, for reviews end with their verdict; a
shorter one is padded in front, so that the last state of a recurrent layer has just read a word and not the padding.

Labelled texts are split into training and test examples: fixed, stratified, and no text on both sides.
"""

import re
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.errors import UsageError

Language = Literal["en", "zh"]
PADDING, UNKNOWN = 0, 1
SPECIAL = ("<padding>", "<unknown>")
"""What stands for the numbers 0 and 1 in a list of words; no text gives these, for brackets are no letters."""
TOKENISER_VERSION = 1
"""Raised when the same text becomes other words."""

MARKUP = re.compile(r"<br\s*/?>|</?[a-z][^<>]*>", re.IGNORECASE)
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[!?]")
CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")


class Corpus(Struct, frozen=True, kw_only=True):
    """Labelled texts in two splits, `train` and `test`."""

    language: Language
    classes: tuple[str, ...]
    """The names of the classes by number."""
    texts: dict[str, list[str]]
    labels: dict[str, NDArray[np.int32]]


def tokeniser(language: Language) -> str:
    """Return what decides how texts of a language are cut; a part of the fingerprints of data sets."""
    return f"{TOKENISER_VERSION} jieba {metadata.version('jieba')}" if language == "zh" else f"{TOKENISER_VERSION}"


def language_of(texts: Iterable[str]) -> Language:
    """Return `zh` if any text holds a Chinese character, else `en`."""
    return "zh" if any(CHINESE.search(text) for text in texts) else "en"


def tokens(text: str, language: Language) -> list[str]:
    """Cut a text into words."""
    plain = MARKUP.sub(" ", text)  # a blank, or the words around a tag would be one
    words = chinese_words(plain) if language == "zh" else english_words(plain)
    return [sys.intern(word) for word in words]  # equal words share their memory: IMDB has twelve million


def english_words(text: str) -> list[str]:
    """Cut a text without markup at all that is neither a letter, a digit nor an apostrophe inside a word."""
    return WORD.findall(text.lower().replace("’", "'"))


def chinese_words(text: str) -> list[str]:
    """Cut a text without markup with jieba (its accurate mode), and drop blanks and marks."""
    cut: list[str] = _jieba().lcut(unicodedata.normalize("NFKC", text).lower())
    return [word for word in cut if word in "!?" or any(letter.isalnum() for letter in word)]


@cache
def _jieba() -> Any:
    """Return jieba's tokeniser with its own dictionary, which takes a second to read.

    jieba 0.42.1 says on stderr that it reads, and writes what it read into the temporary folder, where anybody could
    put another file for it. Filled by hand it does neither.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba 0.42.1 imports pkg_resources and has invalid escapes in its patterns
        import jieba  # type: ignore[import-untyped, unused-ignore]
    found = jieba.Tokenizer()
    found.FREQ, found.total = found.gen_pfdict(found.get_dict_file())
    found.initialized = True
    return found


def dictionary(texts: Iterable[Sequence[str]], vocabulary: int) -> list[str]:
    """Return the words by number: the two special ones, then the most frequent; equally frequent ones by alphabet.

    Args:
        texts: the training texts, cut into words.
        vocabulary: how many numbers there are in all; fewer words are returned if the texts hold fewer.

    Raises:
        UsageError: there is no number left for a word.
    """
    if vocabulary <= len(SPECIAL):
        raise UsageError(
            "a dictionary of {vocabulary} numbers holds no word: 0 is the padding, 1 the unknown word; make it larger",
            vocabulary=vocabulary,
        )
    counts = Counter(word for text in texts for word in text)
    by_frequency = sorted(counts, key=lambda word: (-counts[word], word))
    return [*SPECIAL, *by_frequency[: vocabulary - len(SPECIAL)]]


def encode(texts: Iterable[Sequence[str]], words: Sequence[str], length: int) -> NDArray[np.int32]:
    """Return the numbers of the last `length` words of each text, (N, T) int32, padded with 0 in front."""
    numbers = {word: number for number, word in enumerate(words)}
    rows = [_row(text, numbers, length) for text in texts]
    return np.stack(rows) if rows else np.zeros((0, length), np.int32)


def _row(text: Sequence[str], numbers: Mapping[str, int], length: int) -> NDArray[np.int32]:
    row = np.full(length, PADDING, np.int32)
    kept = text[-length:]
    if kept:  # `row[-0:]` is the whole row
        row[-len(kept) :] = [numbers.get(word, UNKNOWN) for word in kept]
    return row


def decode(row: Iterable[int], words: Sequence[str]) -> list[str]:
    """Return the words of a row of numbers, the padding left out."""
    return [words[number] for number in row if number != PADDING]


def arrays(corpus: Corpus, *, vocabulary: int, length: int) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return `train_x`, `train_y`, `test_x`, `test_y` and the words by number.

    Args:
        corpus: the texts.
        vocabulary: how many numbers there may be in all.
        length: how many words the model reads of each text.
    """
    cut = {split: [tokens(text, corpus.language) for text in texts] for split, texts in corpus.texts.items()}
    words = dictionary(cut["train"], vocabulary)
    found: dict[str, NDArray[Any]] = {}
    for split, texts in cut.items():
        found[f"{split}_x"] = encode(texts, words, length)
        found[f"{split}_y"] = corpus.labels[split].astype(np.int32)
    return found, words


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
