"""Texts become numbers: one rule for each language, the dictionary by frequency, the last words, padding in front."""

import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data import texts as text
from harness.data.texts import Corpus, Language
from harness.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Don't you LOVE it?!", ["don't", "you", "love", "it", "?", "!"]),
        ("It wasn’t 'good', was it", ["it", "wasn't", "good", "was", "it"]),
        ("Bad.<br /><br />Very <i>bad</i>: 3/10", ["bad", "very", "bad", "3", "10"]),
        ("I <3 this; 2 < 3 > 1", ["i", "3", "this", "2", "3", "1"]),
        ("a_b café 90's", ["a", "b", "café", "90's"]),
        ("... -- ,", []),
    ],
)
def test_english_is_cut_by_its_rule(sentence: str, words: list[str]) -> None:
    assert text.tokens(sentence, "en") == words


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("虽然早餐很糟糕，但是房间非常干净。", ["虽然", "早餐", "很", "糟糕", "但是", "房间", "非常", "干净"]),
        ("服务没有想象中那么好！！", ["服务", "没有", "想象", "中", "那么", "好", "!", "!"]),
        ("ＷＩＦＩ很快，３星<br/>……", ["wifi", "很快", "3", "星"]),
        (" \t。", []),
    ],
)
def test_chinese_is_cut_by_jieba_without_marks(sentence: str, words: list[str]) -> None:
    assert text.tokens(sentence, "zh") == words


@given(sentence=st.text())
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_word_is_empty_or_special_or_blank(language: Language, sentence: str) -> None:
    for word in text.tokens(sentence, language):
        assert word.strip() == word != ""
        assert word not in text.SPECIAL


def test_jieba_neither_speaks_nor_litters_nor_warns(tmp_path: Path) -> None:
    program = "from harness.data.texts import tokens; print(len(tokens('房间很好', 'zh')))"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "EVENBENCH_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("3\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_single_chinese_character_makes_the_language_chinese() -> None:
    assert text.language_of(["good", "很好", "bad"]) == "zh"
    assert text.language_of(["good", "très bon", "かな"]) == "en"


def test_the_dictionary_is_by_frequency_and_then_by_alphabet() -> None:
    texts = [["b", "a", "c"], ["c", "b"], ["d"]]
    assert text.dictionary(texts, 100) == ["<padding>", "<unknown>", "b", "c", "a", "d"]
    assert text.dictionary(texts, 4) == ["<padding>", "<unknown>", "b", "c"]
    with pytest.raises(UsageError, match="a dictionary of 2 numbers holds no word"):
        text.dictionary(texts, 2)


def test_long_texts_keep_their_end_and_short_ones_are_padded_in_front() -> None:
    words = ["<padding>", "<unknown>", "good", "bad"]
    found = text.encode([["good", "but", "bad"], ["bad"], []], words, 2)
    assert found.tolist() == [[1, 3], [0, 3], [0, 0]]
    assert found.dtype == np.int32
    assert text.encode([], words, 2).shape == (0, 2)


@given(texts=st.lists(st.lists(st.sampled_from("abcdefg"), max_size=9), min_size=1), length=st.integers(1, 9))
def test_encoded_texts_can_be_read_again(texts: list[list[str]], length: int) -> None:
    words = text.dictionary(texts, 100)
    rows = text.encode(texts, words, length)
    assert rows.shape == (len(texts), length)
    assert [text.decode(row, words) for row in rows] == [one[-length:] for one in texts]


def test_the_dictionary_is_of_the_training_texts_only() -> None:
    corpus = Corpus(
        language="en",
        classes=("bad", "good"),
        texts={"train": ["good", "bad bad"], "test": ["new good"]},
        labels={"train": np.array([1, 0], np.int32), "test": np.array([1], np.int32)},
    )
    arrays, words = text.arrays(corpus, vocabulary=10, length=3)
    assert words == ["<padding>", "<unknown>", "bad", "good"]
    assert {name: values.tolist() for name, values in arrays.items()} == {
        "train_x": [[0, 0, 3], [0, 2, 2]],
        "train_y": [1, 0],
        "test_x": [[0, 1, 3]],
        "test_y": [1],
    }
    assert all(values.dtype == np.int32 for values in arrays.values())


HINDI = "क्या यह फ़िल्म अच्छी है? नहीं! क्‍षेत्र"
TAMIL = "இந்தப் படம் நன்றாக இருந்தது"
ARABIC = "كَتَبَ الطَّالِبُ الدَّرْسَ"
OTHER_SCRIPTS = {
    HINDI: ["क्या", "यह", "फ\u093cिल्म", "अच्छी", "है", "?", "नहीं", "!", "क्\u200dषेत्र"],
    TAMIL: ["இந்தப்", "படம்", "நன்றாக", "இருந்தது"],
    ARABIC: ["كَتَبَ", "الطَّالِبُ", "الدَّرْسَ"],
    "Phim này rất hay, tiếng Việt": ["phim", "này", "rất", "hay", "tiếng", "việt"],
    "한국어 영화는 정말 좋았다.": ["한국어", "영화는", "정말", "좋았다"],
    "من نمی\u200cخواهم بروم.": ["من", "نمی\u200cخواهم", "بروم"],
    "צה״ל ניצח, ג׳ירפה": ["צה״ל", "ניצח", "ג׳ירפה"],
    "l’or col·lega naïve co\u00adope\u00adrate": ["l'or", "col·lega", "naïve", "cooperate"],
    "\u200fشكرا\u200f Ǆ J\u030c İ ẞ 5\u20e3": ["شكرا", "ǆ", "ǰ", "i̇", "ß", "5\u20e3"],
    "สวัสดีครับ อาหารอร่อยมาก!": ["สวัสดี", "ครับ", "อาหาร", "อร่อย", "มาก", "!"],
    "ພາສາລາວ": ["ພາສາ", "ລາວ"],
    "おいしいレストラン": ["おいしい", "レストラン"],
}
"""Texts and their words: combining marks stay, and scripts without blanks are cut by a dictionary."""


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("sentence", OTHER_SCRIPTS)
def test_words_of_other_scripts_stay_whole_in_both_forms(sentence: str, form: Literal["NFC", "NFD"]) -> None:
    expected = [unicodedata.normalize("NFC", word) for word in OTHER_SCRIPTS[sentence]]
    assert text.tokens(unicodedata.normalize(form, sentence), "en") == expected


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_of_other_scripts_stay_whole_between_chinese_characters(form: Literal["NFC", "NFD"]) -> None:
    sentence = unicodedata.normalize(form, "房间很好，café naïve हिन्दी 한국어 สวัสดีครับ！WiFi3星")
    expected = ["房间", "很", "好", "café", "naïve", "हिन्दी", "한국어", "สวัสดี", "ครับ", "!", "wifi3", "星"]
    assert text.tokens(sentence, "zh") == expected


@pytest.mark.parametrize("letter", ["\uf91d", "\u8c48"])
def test_a_character_for_compatibility_is_as_chinese_as_its_twin(letter: str) -> None:
    assert text.language_of([unicodedata.normalize("NFC", letter)]) == text.language_of([letter]) == "zh"


LETTERS = st.sampled_from(
    "ab1'’·!<>/ _-.éèßǅŉK½豈好房间Ａｱがﾞкйعَכָּحकिज़्नீจ้ำัเ가각각\u0301\u0323\u0338\u200c\u200d\u00ad\u200b\ufeff\ufe0f🙂"
)
WRITINGS = st.one_of(st.text(), st.text(LETTERS), st.lists(st.sampled_from([*OTHER_SCRIPTS])).map(" ".join))
PROPERTY = settings(max_examples=300)  # the first texts load dictionaries


@pytest.mark.parametrize("language", ["en", "zh"])
@PROPERTY
@given(sentence=WRITINGS)
def test_composed_and_decomposed_twins_have_the_same_words_and_stay_together(language: Language, sentence: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, sentence) for form in ("NFC", "NFD"))
    assert text.tokens(composed, language) == text.tokens(decomposed, language) == text.tokens(sentence, language)
    assert text.same(composed) == text.same(decomposed) == text.same(sentence)
    assert text.language_of([composed]) == text.language_of([decomposed])


@pytest.mark.parametrize("language", ["en", "zh"])
@PROPERTY
@given(sentence=WRITINGS)
def test_a_word_begins_with_no_mark_and_is_normal_and_in_lower_case(language: Language, sentence: str) -> None:
    for word in text.tokens(sentence, language):
        assert not unicodedata.category(word[0]).startswith(("M", "Z", "C")), word
        assert word == text.normal(word) == unicodedata.normalize("NFC", word.lower())


@PROPERTY
@given(sentence=WRITINGS)
def test_words_with_blanks_between_are_cut_into_the_same_words(sentence: str) -> None:
    words = text.tokens(sentence, "en")
    assert text.tokens(" ".join(words), "en") == words


@PROPERTY
@given(sentence=st.text(st.characters(codec="ascii")))
def test_plain_english_is_cut_as_it_always_was(sentence: str) -> None:
    plain = text.MARKUP.sub(" ", sentence).lower()
    assert text.tokens(sentence, "en") == re.findall(r"[^\W_]+(?:'[^\W_]+)*|[!?]", plain)


TWINS = [
    ("Une soirée réussie", unicodedata.normalize("NFD", "Une soirée réussie")),
    ("훌륭한 영화", unicodedata.normalize("NFD", "훌륭한 영화")),
    ("phim rất hay", unicodedata.normalize("NFD", "PHIM RẤT HAY")),
    ("ＷＩＦＩ很快", "wifi很快"),
    ("a very good film", "a very <b>good</b> film"),
    ("cooperate", "co\u00adoperate"),
]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_twins_never_land_on_both_sides(one: str, other: str) -> None:
    fillers = [f"filler number {number}" for number in range(40)]
    for seed in range(10):
        texts = [one, *fillers, other]
        labels = np.array([number % 2 for number in range(len(texts))], np.int32)
        found = text.split(texts, labels, language="en", classes=("0", "1"), seed=seed)
        assert {one, other} <= set(found.texts["train"]) or {one, other} <= set(found.texts["test"])


def test_texts_that_differ_in_a_vowel_sign_are_two() -> None:
    assert len({text.same("दिन"), text.same("दीन"), text.same("दान")}) == 3
