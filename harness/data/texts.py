"""From texts to rows of numbers, the way of the lectures: cut into words, number the words, cut to length, pad.

A text is normalised once, before anything is looked for in it: Unicode's form NFC, in which a letter and its accent are
one character where there is one, without the characters that nobody sees (soft hyphens, marks of direction, selectors).
Not NFKC, which would make other words of what English readers tell apart (½, x²); Chinese alone is brought into it, so
that full-width letters and marks become half-width.

Words of all scripts are cut by one rule: lower case, markup out, runs of letters and digits with their combining marks
are words, an apostrophe inside joins (so "don't" stays one word and keeps its negation), as do the marks that other
scripts write within words, and ! and ? are words too; other marks are dropped. Scripts that put no blank between words
(Thai, Lao, Khmer, Burmese, Japanese kana) are cut by the dictionaries of ICU. A text is Chinese if the file holds a
Chinese character: jieba cuts its characters and what is ASCII, the one rule all else; what has no letter or digit is
dropped, but ! and ?.

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
from typing import Any, Literal, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.errors import UsageError

Language = Literal["en", "zh"]
PADDING, UNKNOWN = 0, 1
UNKNOWN_CHARACTER, BOX = 0, "□"
"""The number of a character that has none of its own, and how it is shown."""
SPECIAL = ("<padding>", "<unknown>")
"""What stands for the numbers 0 and 1 in a list of words; no text gives these, for brackets are no letters."""
TOKENISER_VERSION = 1
"""Raised when a text of the data sets that are named becomes other words."""
OTHER_TEXTS_VERSION = 2
"""Raised when any other text does. Version 2 cuts words of other scripts as whole ones, and no text of the named sets
holds any, so that their fingerprints stay."""

MARKUP = re.compile(r"<br\s*/?>|</?[a-z][^<>]*>", re.IGNORECASE)
CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
HAN = r"\u3005-\u3007\u3100-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""What jieba is asked about beside ASCII (with the phonetic signs of Chinese), within the brackets of a pattern."""
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180d\u180f\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
"""Characters without a look of their own. Not the joiners, which tell Persian and Indian words apart, and not the blank
of no width, which parts words."""
WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u3041-\u30ff\u31f0-\u31ff\ua9e0-\ua9ff\uaa60-\uaadf]"
)
"""Thai and Lao, Burmese, Khmer, the Tai scripts and kana."""
INSIDE = "'\u00b7\u05f3\u05f4\u180e\u200c"
"""What joins two letters to a word: the apostrophe, the dot of Catalan, the two marks of Hebrew, the separator of
Mongolian vowels and the non-joiner of Persian; see "Word Boundary Rules" of Unicode's annex 29."""


class Corpus(Struct, frozen=True, kw_only=True):
    """Labelled texts in two splits, `train` and `test`."""

    language: Language
    classes: tuple[str, ...]
    """The names of the classes by number."""
    texts: dict[str, list[str]]
    labels: dict[str, NDArray[np.int32]]


def tokeniser(language: Language) -> str:
    """Return what decides how the named texts of a language are cut; a part of the fingerprints of data sets."""
    return f"{TOKENISER_VERSION} jieba {metadata.version('jieba')}" if language == "zh" else f"{TOKENISER_VERSION}"


def tokeniser_of_any() -> str:
    """Return what decides how texts are cut of which nothing is known, as those of users."""
    return f"{tokeniser('zh')}, {OTHER_TEXTS_VERSION} icu4py {metadata.version('icu4py')}"


def normal(text: str) -> str:
    """Return the one form of a text in which it is looked at: NFC, without what nobody sees.

    What is invisible goes first, for a character between a letter and its accent would keep them apart.
    """
    return unicodedata.normalize("NFC", INVISIBLE.sub("", text))


def language_of(texts: Iterable[str]) -> Language:
    """Return `zh` if any text holds a Chinese character, else `en`."""
    return "zh" if any(CHINESE.search(normal(text)) for text in texts) else "en"


def tokens(text: str, language: Language) -> list[str]:
    """Cut a text into words."""
    plain = _plain(text)
    words = chinese_words(plain) if language == "zh" else words_by_rule(plain)
    return [sys.intern(word) for word in words]  # equal words share their memory: IMDB has twelve million


def _plain(text: str) -> str:
    return MARKUP.sub(" ", normal(text))  # a blank, or the words around a tag would be one


def words_by_rule(text: str) -> list[str]:
    """Cut a normal text without markup into words of any script but Chinese."""
    found = _patterns().word.findall(_lower(text, "NFC").replace("’", "'"))
    return [part for word in found for part in _parts(word)] if WITHOUT_BLANKS.search(text) else found


def chinese_words(text: str) -> list[str]:
    """Cut a normal text without markup with jieba (its accurate mode), and drop blanks and marks.

    jieba knows Chinese and ASCII and makes single letters of all else: words with other letters are not shown to it.
    """
    found: list[str] = []
    chinese = ""
    for place, piece in enumerate(_patterns().not_chinese.split(_lower(text, "NFKC"))):
        if place % 2 and not piece.isascii():
            found += [*_by_jieba(chinese), *words_by_rule(piece)]
            chinese = ""
        else:
            chinese += piece
    return found + _by_jieba(chinese)


def _by_jieba(text: str) -> list[str]:
    cut: list[str] = _jieba().lcut(text) if text else []
    return [word for word in cut if word in "!?" or any(letter.isalnum() for letter in word)]


def _lower(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """Return a text in lower case, in a form again: capital J with a caron is two characters, the small one is one."""
    return unicodedata.normalize(form, unicodedata.normalize(form, text).lower())


def _parts(word: str) -> list[str]:
    """Return what ICU finds within a word, if it is of a script that puts no blanks between words."""
    if not WITHOUT_BLANKS.search(word):
        return [word]
    from icu4py.breakers import WordBreaker  # here, for its 40 MB are wanted by few

    return [found for part in WordBreaker(word, "en") for found in _patterns().word.findall(part)]


class _Patterns(NamedTuple):
    word: re.Pattern[str]
    """A word of any script."""
    not_chinese: re.Pattern[str]
    """A word without Chinese characters, as one group, so that it stays when a text is split."""
    letters: re.Pattern[str]
    """Letters and digits with their marks."""


@cache
def _patterns() -> _Patterns:
    """Return the patterns that know all combining marks, of which `re` has no name: a search of some 0.2 s."""
    marks = re.escape("".join(filter(lambda one: unicodedata.category(one)[0] == "M", map(chr, range(sys.maxunicode)))))
    joined = rf"(?:\u200c?[{marks}\u200d])+"  # after a mark these joiners choose its form, with no letter to come
    run = rf"[^\W_]+(?:{joined}[^\W_]*)*"
    others = rf"[^\W_0-9{HAN}]"  # a number in Chinese belongs to no word
    return _Patterns(
        word=re.compile(rf"{run}(?:[{INSIDE}]{run})*|[!?]"),
        not_chinese=re.compile(rf"({others}+(?:{joined}{others}*)*)"),
        letters=re.compile(run),
    )


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
    """Return what two texts share that must not be on both sides: the letters and digits, whatever their case and form.

    Form NFKC here, so that texts which differ in the width of their letters only, and give the same words in Chinese,
    are equal: rather two texts too many on one side than one on both.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _plain(text)).casefold())
    return "".join(_patterns().letters.findall(folded)) or normal(text).strip()


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


def characters(corpus: Corpus, *, vocabulary: int, length: int) -> dict[str, NDArray[Any]]:
    """Return x and y `(N, length)` int32 of both splits for a net that is to say which character comes next.

    All texts of a split are one long text, with a line's end between them, cut into rows that do not overlap; y is x
    one place further on. Numbers are given by frequency in the training split, from 1 on; 0 stands for all others.
    """
    numbers = {character: number for number, character in enumerate(alphabet(corpus, vocabulary=vocabulary))}
    found = {}
    for split, texts in corpus.texts.items():
        text = "\n".join(texts)
        row = np.array([numbers.get(character, UNKNOWN_CHARACTER) for character in text], np.int32)
        rows = (len(row) - 1) // length
        found[f"{split}_x"] = row[: rows * length].reshape(rows, length)
        found[f"{split}_y"] = row[1 : rows * length + 1].reshape(rows, length)
    return found


def alphabet(corpus: Corpus, *, vocabulary: int) -> list[str]:
    """Return the characters by their numbers in the arrays of `characters`, a box for those that have none."""
    common = Counter("\n".join(corpus.texts["train"])).most_common(vocabulary - 1)
    # characters of equal frequency in their own order, so that no dictionary's order decides
    return [BOX, *(character for character, _count in sorted(common, key=lambda pair: (-pair[1], pair[0])))]
