"""Made-up reviews, from which a model learns that the order of words decides: two embedded data sets.

A review has one clause or two. A clause gives a thing a good or a bad word, or denies it one ("the room was not very
good", "我不觉得房间很好"), which turns it round; words such as "very" turn nothing. Of two clauses that contradict each
other the frame says which one decides the label: in "although A, B" and in "B, although A" it is B, in "A, but B" too.
So the same bag of words stands for both labels, and counting words helps little.

The test split has templates (a frame and the forms of its clauses) that training does not have, and things with words
that training never puts together; but every frame, form, thing and word by itself occurs in training.
"""

import hashlib

import numpy as np
from msgspec import Struct

from harness.review_grammars import Grammar
from harness.text import Corpus

TRAIN, TEST = 4000, 1000
CONTRASTS, AGREEMENTS = 5, 2
"""How many of ten reviews have two clauses that contradict each other, and that agree; the others have one clause."""
NEGATED, OPENED = 3, 5
"""How many of ten clauses deny their word, and how many of ten reviews begin with a sentence that says nothing."""
SHA256 = {
    "en": "9fe7c7b15fd131d4533f18a566faa7e5e5f896fa1fcfe73e4ea7fb0533338dcc",
    "zh": "00597903844a8d5e6fbb79701a3eaadc64ab0c7eb6222677e14790c11508340a",
}
"""Of all reviews of a language, each with its label; see `digest`."""


class Clause(Struct, frozen=True, kw_only=True):
    """One clause: its text, and the places of its parts in the grammar."""

    text: str
    form: int
    """Among the direct forms and then the negated ones."""
    thing: int
    word: int


def corpus(grammar: Grammar) -> Corpus:
    """Return 4,000 reviews to train and 1,000 to test, half of them good; the same bytes on every machine."""
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    random = np.random.RandomState(0)
    texts, labels = {}, {}
    for split, count in (("train", TRAIN), ("test", TEST)):
        found: dict[str, int] = {}
        while len(found) < count:
            label = len(found) % 2
            text = draw(grammar, label, random, held_out=split == "test")
            if text is not None:
                found.setdefault(text, label)
        order = random.permutation(count)
        unordered = list(found)
        texts[split] = [unordered[index] for index in order]
        labels[split] = np.array(list(found.values()), np.int32)[order]
    return Corpus(language=grammar.language, classes=("bad", "good"), texts=texts, labels=labels)


def digest(corpus: Corpus) -> str:
    """Return the SHA-256 of all texts and labels of a corpus in their order."""
    total = hashlib.sha256()
    for split in ("train", "test"):
        for text, label in zip(corpus.texts[split], corpus.labels[split].tolist(), strict=True):
            total.update(f"{split} {label} {text}\n".encode())
    return total.hexdigest()


def draw(grammar: Grammar, label: int, random: np.random.RandomState, *, held_out: bool) -> str | None:
    """Return one review of that label, or None if it belongs to the other split.

    Args:
        grammar: what it is made of.
        label: 1 for a good review, 0 for a bad one.
        random: where the choices come from.
        held_out: whether to draw for the test split.
    """
    kind = random.randint(10)
    if kind < CONTRASTS:
        frames, first, other = grammar.contrasts, 0, 1 - label
    elif kind < CONTRASTS + AGREEMENTS:
        frames, first, other = grammar.agreements, len(grammar.contrasts), label
    else:
        frames, first, other = grammar.singles, len(grammar.contrasts) + len(grammar.agreements), label
    number = random.randint(len(frames))
    group = random.randint(len(grammar.things))
    things = random.permutation(len(grammar.things[group].split()))
    a = _clause(grammar, other, group, int(things[0]), random)
    b = _clause(grammar, label, group, int(things[1]), random)
    used = (b,) if frames is grammar.singles else (a, b)
    if is_held_out(first + number, *(clause.form for clause in used)) != held_out:
        return None
    if not held_out and any(is_test_pair(clause.thing, clause.word) for clause in used):
        return None
    review = frames[number].format(a=a.text, b=b.text)
    review = review[0].upper() + review[1:]
    if random.randint(10) < OPENED:
        gap = " " if grammar.language == "en" else ""
        review = grammar.openings[random.randint(len(grammar.openings))] + gap + review
    return review


def is_held_out(frame: int, *forms: int) -> bool:
    """Return whether a template is one of the fifth that only the test split has."""
    return (frame + sum(forms)) % 5 == 0


def is_test_pair(thing: int, word: int) -> bool:
    """Return whether a thing gets this word, good or bad, in the test split only: one pair of seven."""
    return (thing + word) % 7 == 0


def _clause(grammar: Grammar, label: int, group: int, thing: int, random: np.random.RandomState) -> Clause:
    negated = random.randint(10) < NEGATED
    forms, first = (grammar.negated, len(grammar.direct)) if negated else (grammar.direct, 0)
    form = random.randint(len(forms))
    words = (grammar.good if label != negated else grammar.bad).split()
    word = random.randint(len(words))
    names = grammar.things[group].split()
    very = grammar.very[random.randint(len(grammar.very))]
    text = forms[form].format(thing=names[thing], very=very, word=words[word])
    return Clause(text=text, form=first + form, thing=group * len(names) + thing, word=word)
