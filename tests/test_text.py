"""Texts become numbers: one rule for each language, the dictionary by frequency, the last words, padding in front."""

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.alone("Hypothesis gives each example a deadline")
@settings(deadline=None)  # the first Chinese text loads jieba's dictionary
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


@pytest.mark.alone("Hypothesis gives each example a deadline")
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
