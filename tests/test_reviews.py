"""Made-up reviews: the same everywhere, labelled by the order of words, no help for who counts or memorises."""

import hashlib
import re
from functools import cache

import pytest

from harness.data import made_up
from harness.data import texts as text
from harness.data.baselines import bag_of_words
from harness.data.made_up import CHINESE, ENGLISH, Grammar
from harness.data.texts import Corpus

GRAMMARS = {"en": ENGLISH, "zh": CHINESE}
DENIALS = {"en": r"not|n't|never|nobody", "zh": "并不是|没有|算不上|不觉得"}
LATER = {"en": r", but |; however, |, and |; besides, ", "zh": "，但是|，不过|，而且"}
ASIDE = {"en": r"(?:even though|although)", "zh": "(?:虽然|尽管|不但)"}


@cache
def made(language: str) -> Corpus:
    return made_up.corpus(GRAMMARS[language])


def polarity(clause: str, grammar: Grammar) -> bool:
    """Return whether a clause is good: it gives a good word, or denies a bad one."""
    is_good = any(word in clause for word in grammar.good.split())
    if grammar.language == "en":
        is_good = bool(set(re.findall(r"\w+", clause)) & set(grammar.good.split()))
    return is_good != bool(re.search(DENIALS[grammar.language], clause, re.IGNORECASE))


def judged(review: str, grammar: Grammar) -> bool:
    """Return the verdict of a reader who knows the rules but not the grammar."""
    for opening in grammar.openings:
        review = review.removeprefix(opening)
    language = grammar.language
    comma = ", " if language == "en" else "，"
    review = re.sub(r"^(in short, |all in all, |总之|总的来说，)", "", review.strip(), flags=re.IGNORECASE)
    aside = re.match(rf"{ASIDE[language]} ?(.*?){comma}(.*)", review, re.IGNORECASE)
    if aside:
        return polarity(aside[2], grammar)
    if found := re.split(rf"{comma}{ASIDE[language]}", review):
        review = found[0]
    return polarity(re.split(LATER[language], review)[-1], grammar)


@pytest.mark.parametrize("language", GRAMMARS)
def test_the_texts_are_the_same_bytes_everywhere(language: str) -> None:
    assert made_up.digest(made(language)) == made_up.SHA256[language], "other bytes: write the new digest there"


WORDS = {
    "en": "1c74c322144617c9b6678b6c6b62e54a0d10ce3826b529f81a1bfabf684451f1",
    "zh": "8d8a6912bb96c69687b130903cee6ffdc40360514cdfd4494c0405c15300b8be",
}


@pytest.mark.parametrize("language", GRAMMARS)
def test_the_texts_are_cut_into_the_words_of_their_version(language: str) -> None:
    corpus = made(language)
    lines = (" ".join(text.tokens(one, corpus.language)) for split in ("train", "test") for one in corpus.texts[split])
    assert text.TOKENISER_VERSION == 1
    assert hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest() == WORDS[language]


@pytest.mark.parametrize("language", GRAMMARS)
def test_classes_are_balanced_and_no_text_is_there_twice(language: str) -> None:
    corpus = made(language)
    assert {split: len(texts) for split, texts in corpus.texts.items()} == {"train": 4000, "test": 1000}
    assert all(labels.mean() == 0.5 for labels in corpus.labels.values())
    assert len({*corpus.texts["train"], *corpus.texts["test"]}) == 5000
    assert set(corpus.labels["train"][:16]) == {0, 1}, "the classes are not mixed"


@pytest.mark.parametrize("language", GRAMMARS)
def test_a_reader_who_knows_the_rules_finds_every_label(language: str) -> None:
    corpus = made(language)
    for split, texts in corpus.texts.items():
        for review, label in zip(texts, corpus.labels[split], strict=True):
            assert judged(review, GRAMMARS[language]) == bool(label), review


@pytest.mark.parametrize("language", GRAMMARS)
def test_the_test_split_has_templates_that_training_has_not(language: str) -> None:
    grammar = GRAMMARS[language]
    words = [*grammar.good.split(), *grammar.bad.split(), *" ".join(grammar.things).split(), *grammar.very]
    pattern = re.compile("|".join(sorted({word.strip() for word in words if word}, key=len, reverse=True)))

    def templates(split: str) -> set[str]:
        found = set()
        for review in made(language).texts[split]:
            for opening in grammar.openings:
                review = review.removeprefix(opening)
            found.add(" ".join(pattern.sub("*", review).lower().replace("* *", "*").replace("**", "*").split()))
        return found

    assert len(templates("test")) > 50
    assert not templates("test") & templates("train")


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_word_of_the_test_split_occurs_in_training(language: str) -> None:
    corpus = made(language)
    known = {word for review in corpus.texts["train"] for word in text.tokens(review, corpus.language)}
    assert {word for review in corpus.texts["test"] for word in text.tokens(review, corpus.language)} <= known


@pytest.mark.parametrize("language", GRAMMARS)
def test_some_things_get_some_words_in_the_test_split_only(language: str) -> None:
    grammar = GRAMMARS[language]
    things, good, bad = " ".join(grammar.things).split(), grammar.good.split(), grammar.bad.split()

    def pairs(split: str) -> set[tuple[str, str]]:
        clauses = re.split("[,;.，。]", "".join(made(language).texts[split]))
        thing, word = (re.compile("|".join(sorted(some, key=len, reverse=True))) for some in (things, good + bad))
        found = ((thing.findall(clause), word.findall(clause)) for clause in clauses)
        return {(of[-1], what[-1]) for of, what in found if of and what}

    held_out = {
        (thing, words[number])
        for words in (good, bad)
        for place, thing in enumerate(things)
        for number in range(len(words))
        if made_up.is_test_pair(place, number)
    }
    assert len(pairs("train")) == len(things) * len(good + bad) - len(held_out)
    assert not pairs("train") & held_out
    assert len(pairs("test") & held_out) > 20


@pytest.mark.parametrize("language", GRAMMARS)
def test_counting_words_does_not_help(language: str) -> None:
    arrays, _ = text.arrays(made(language), vocabulary=500, length=24)
    assert 0.5 <= bag_of_words.accuracy(arrays) <= 0.7


def test_chinese_reviews_have_no_blanks() -> None:
    assert not any(re.search(r"[\sA-Za-z]", review) for review in made("zh").texts["train"])
