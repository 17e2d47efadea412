"""Data sets that are made up: points whose function is known, and reviews from which the order of words is learnt.

A review has one clause or two. A clause gives a thing a good or a bad word, or denies it one ("the room was not very
good", "我不觉得房间很好"), which turns it round; words such as "very" turn nothing. Of two clauses that contradict each
other the frame says which one decides the label: in "although A, B" and in "B, although A" it is B, in "A, but B" too.
So the same bag of words stands for both labels, and counting words helps little.

The test split has templates (a frame and the forms of its clauses) that training does not have, and things with words
that training never puts together; but every frame, form, thing and word by itself occurs in training.
"""

import hashlib
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.data.texts import Corpus, Language

COSINE_END = 5.0
COSINE_NOISE = 0.1
COSINE_TRAIN, COSINE_TEST = 50, 200


def xor_points() -> dict[str, NDArray[Any]]:
    """Return the four points, for training and for testing: x (4, 2) float32, y (4, 1) float32."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)
    return {"train_x": x, "train_y": y, "test_x": x.copy(), "test_y": y.copy()}


def cosine_points() -> dict[str, NDArray[Any]]:
    """Return 50 points of a noisy cosine to train and 200 of the true one to test: x (N, 1), y (N, 1), both float32.

    Training points lie uniformly in [0, 5) and have noise of deviation 0.1; test points lie on a grid from 0 on.
    """
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    random = np.random.RandomState(0)
    train_x = random.uniform(0, COSINE_END, (COSINE_TRAIN, 1))
    train_y = np.cos(train_x) + COSINE_NOISE * random.standard_normal((COSINE_TRAIN, 1))
    test_x = np.arange(COSINE_TEST)[:, np.newaxis] * COSINE_END / COSINE_TEST
    arrays = {"train_x": train_x, "train_y": train_y, "test_x": test_x, "test_y": np.cos(test_x)}
    return {name: values.astype(np.float32) for name, values in arrays.items()}


class Grammar(Struct, frozen=True, kw_only=True):
    """What reviews of one language are made of."""

    language: Language
    things: tuple[str, ...]
    """Groups of things that one review may name together, as words with blanks between them."""
    good: str
    bad: str
    very: tuple[str, ...]
    direct: tuple[str, ...]
    """Forms of a clause that gives the word."""
    negated: tuple[str, ...]
    """Forms of a clause that denies the word."""
    contrasts: tuple[str, ...]
    """Frames in which `{b}` decides and `{a}` says the opposite."""
    agreements: tuple[str, ...]
    """Frames in which `{a}` and `{b}` say the same."""
    singles: tuple[str, ...]
    """Frames with `{b}` alone."""
    openings: tuple[str, ...]
    """Sentences that say nothing about the label; they may stand before a review."""


ENGLISH = Grammar(
    language="en",
    things=(
        "room bed breakfast staff view pool",
        "food soup waiter dessert menu kitchen",
        "plot acting music ending dialogue camerawork",
        "screen battery camera sound keyboard charger",
    ),
    good="good nice fine lovely pleasant impressive charming likeable",
    bad="bad poor weak dull unpleasant disappointing annoying dreary",
    very=("", "", "very ", "really ", "so "),
    direct=(
        "the {thing} was {very}{word}",
        "the {thing} seemed {very}{word}",
        "I found the {thing} {very}{word}",
        "we thought that the {thing} was {very}{word}",
        "everybody called the {thing} {very}{word}",
    ),
    negated=(
        "the {thing} was not {very}{word}",
        "the {thing} wasn't {very}{word}",
        "the {thing} did not seem {very}{word}",
        "I never found the {thing} {very}{word}",
        "we did not think that the {thing} was {very}{word}",
        "nobody called the {thing} {very}{word}",
    ),
    contrasts=(
        "{a}, but {b}.",
        "although {a}, {b}.",
        "{b}, although {a}.",
        "even though {a}, {b}.",
        "{b}, even though {a}.",
        "{a}; however, {b}.",
    ),
    agreements=("{a}, and {b}.", "{a}; besides, {b}."),
    singles=("{b}.", "in short, {b}.", "all in all, {b}."),
    openings=(
        "A friend had told us about it.",
        "I had read about it in a newspaper.",
        "This was the second time for me.",
        "My sister wanted to know more.",
    ),
)

CHINESE = Grammar(
    language="zh",
    things=(
        "房间 服务 早餐 位置 环境 床铺",
        "菜品 味道 汤 甜点 气氛 装修",
        "剧情 音乐 演技 结尾 画面 台词",
        "屏幕 电池 外观 音质 做工 键盘",
    ),
    good="好 棒 出色 理想 完美 优秀 精致 到位",
    bad="差 烂 糟糕 差劲 粗糙 马虎 平庸 乏味",
    very=("很", "非常", "特别", "十分"),
    direct=(
        "{thing}{very}{word}",
        "{thing}显得{very}{word}",
        "我觉得{thing}{very}{word}",
        "大家都说{thing}{very}{word}",
        "{thing}确实{very}{word}",
    ),
    negated=(
        "{thing}并不是{very}{word}",
        "{thing}没有说的那么{word}",
        "{thing}算不上{very}{word}",
        "我不觉得{thing}{very}{word}",
        "没有人说{thing}{very}{word}",
        "{thing}没有想象中那么{word}",
    ),
    contrasts=(
        "虽然{a}，但是{b}。",
        "{a}，但是{b}。",
        "{a}，不过{b}。",
        "尽管{a}，{b}。",
        "{b}，虽然{a}。",
        "{b}，尽管{a}。",
    ),
    agreements=("{a}，而且{b}。", "不但{a}，而且{b}。"),
    singles=("{b}。", "总之{b}。", "总的来说，{b}。"),
    openings=("朋友推荐的。", "在网上看到的。", "这是第二次了。", "上个月买的单。"),
)


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
