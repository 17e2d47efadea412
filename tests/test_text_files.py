"""Any file of labelled texts: columns are found or named, and every doubt is one sentence that says what to change."""

import gzip
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data import datasets, text_files, texts
from harness.data.text_files import TextFile
from harness.data.texts import Corpus
from harness.errors import DataError, UsageError

GOOD = [f"a good film, number {number}" for number in range(10)]
BAD = [f'a "bad" film, number {number}' for number in range(10)]
EXAMPLES = [*((text, "pos") for text in GOOD), *((text, "neg") for text in BAD)]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "films.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def table(header: str = "", *, swapped: bool = False, end: str = "\n") -> str:
    rows = [f"{label},{quoted(text)}" if swapped else f"{quoted(text)},{label}" for text, label in EXAMPLES]
    return end.join([*([header] if header else []), *rows, ""])


def pairs(corpus: Corpus) -> list[tuple[str, str]]:
    return sorted(
        (text, corpus.classes[label])
        for split, texts in corpus.texts.items()
        for text, label in zip(texts, corpus.labels[split], strict=True)
    )


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (table("Text,Label"), {}),
        (table("sentiment,REVIEW", swapped=True), {}),
        (table("标签,评论", swapped=True), {}),
        (table("words,class"), {}),
        (table(), {}),
        (table(swapped=True), {}),
        (table(swapped=True, end="\r\n"), {}),
        ("\ufeff" + table("text,label"), {}),
        (table("some,thing"), {"text_column": "some"}),
        (table("some,thing"), {"label_column": "thing"}),
        (table("some,thing"), {"text_column": "some", "label_column": 2}),
        (table("thing,some", swapped=True), {"text_column": "some", "label_column": "1"}),
        (table(swapped=True), {"text_column": 2}),
        (table("text,label").replace("\n", "\n\n"), {}),
    ],
)
def test_columns_are_found_or_named(content: str, options: dict[str, Any], write: Write) -> None:
    found = text_files.read(write(content), **options)
    assert pairs(found) == sorted(EXAMPLES)
    assert found.classes == ("neg", "pos")
    assert [len(texts) for texts in found.texts.values()] == [16, 4]
    assert found.language == "en"


def test_one_column_of_many_is_taken_by_name(write: Write) -> None:
    content = "id,body,stars,label\n" + "".join(
        f"{number},{quoted(text)},{number % 3},{label}\n" for number, (text, label) in enumerate(EXAMPLES)
    )
    path = write(content)
    assert pairs(text_files.read(path, text_column="body")) == sorted(EXAMPLES)
    assert text_files.read(path, text_column="body", label_column="stars").classes == ("0", "1", "2")


@pytest.mark.parametrize("name", ["films.tsv", "films.txt", "films.csv"])
def test_between_tabs_a_quotation_mark_is_a_mark(name: str, write: Write) -> None:
    path = write("".join(f"{text}\t{label}\n" for text, label in EXAMPLES), name)
    assert pairs(text_files.read(path)) == sorted(EXAMPLES)


def test_a_compressed_file_is_as_good(write: Write) -> None:
    path = write(gzip.compress(table().encode()), "films.csv.gz")
    assert pairs(text_files.read(path)) == sorted(EXAMPLES)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="films.csv.gz is a damaged gzip file"):
        text_files.read(path)


def test_a_file_in_another_encoding_is_read_if_that_is_named(write: Write) -> None:
    content = "评论,标签\n" + "".join(f"这家酒店第{n}次住，很好,好\n这家酒店第{n}次住，很差,差\n" for n in range(10))
    path = write(content.replace("住，", "住。").encode("gb18030"))
    sentence = "films.csv is not in utf-8, byte 0xc6 in line 1 does not fit: name its encoding, gb18030 may be the one"
    with pytest.raises(DataError, match=re.escape(sentence)):
        text_files.read(path)
    found = text_files.read(path, encoding="gb18030")
    assert (found.language, found.classes) == ("zh", ("好", "差"))
    latin = write(table().replace("film", "fêlm").encode("latin-1"), "latin.csv")
    with pytest.raises(DataError, match="byte 0xea in line 1 .* latin-1 may be the one"):
        text_files.read(latin)
    for wrong in ("utf-9", "hex"):
        with pytest.raises(DataError, match=f"{wrong}"):
            text_files.read(path, encoding=wrong)


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("", {}, "is empty: expected are lines with a text and a label"),
        (table("text,label"), {"text_column": "review"}, "has no column 'review': there are text, label"),
        (table("text,label"), {"label_column": 3}, "has no column '3': there are text, label"),
        (table(), {"label_column": 3}, "has no column '3': there are 1 to 2"),
        (table("text,label"), {"label_column": "text"}, "cannot have texts and labels in one column"),
        ("a,b,c\n" * 9, {}, "has 3 columns without names, of which none is known to hold the texts"),
        ("text,b,c\n" * 9, {}, "has the columns text, b, c, of which none is known to hold the labels"),
        ("good\nbad\n", {}, "has a single column"),
        (table() + '"",neg\n', {}, "has an empty text in line 21: fill it or delete the line"),
        ("text,label\n" + table() + "more,  \n", {}, "has an empty label in line 22"),
        (table().replace("neg", "pos"), {}, "has only the label 'pos': expected are examples of two classes"),
        ("text,label\n", {}, "has no examples: expected"),
        (
            table() + "one more,neutral\n",
            {},
            "has too few different texts of class 'neutral', 1: expected are 5 or more",
        ),
        (table() + "same,other\n" * 9, {}, "has too few different texts of class 'other', 1"),
        (
            table("phrase,kind"),
            {},
            "has too few different texts of class 'kind', 1: expected are 5 or more of each class (if",
        ),
        (table() + "one, two,neg\n", {}, "has 3 columns in line 21 instead of 2: put texts that hold commas into"),
        (table() + '"open,neg\nmore,pos\n', {}, "has a damaged row that begins in line 21 (unexpected end of data)"),
        (table() + '"a "bad" film",neg\n', {}, "has a damaged row that begins in line 21"),
    ],
)
def test_every_doubt_is_one_sentence(content: str, options: dict[str, Any], sentence: str, write: Write) -> None:
    path = write(content)
    with pytest.raises(DataError) as caught:
        text_files.read(path, **options)
    assert str(caught.value).startswith(f"{path} {sentence}")


def test_a_missing_file_or_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"the file {tmp_path}/no.csv does not exist"):
        text_files.read(tmp_path / "no.csv")
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read"):
        text_files.read(tmp_path)


@pytest.mark.alone("Hypothesis gives each example a deadline")
@given(content=st.one_of(st.text(alphabet='ab",\t\n\r\x00é'), st.binary()), encoding=st.sampled_from([None, "gb18030"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_but_a_sentence_comes_of_nonsense(content: str | bytes, encoding: str | None, tmp_path: Path) -> None:
    path = tmp_path / "nonsense.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    sentence = None
    try:
        text_files.read(path, encoding=encoding)
    except DataError as error:
        sentence = str(error)
    assert sentence is None or str(path) in sentence


def test_a_files_name_and_fingerprint_change_with_its_bytes_and_columns(write: Write) -> None:
    path = write(table("text,label"), "my films.v2.csv")
    dataset = TextFile(path=path)
    assert re.fullmatch("file-my-films-[0-9a-f]{8}", dataset.name)
    other = TextFile(path=path, label_column="label")
    assert (other.name, datasets.fingerprint(other) != datasets.fingerprint(dataset)) == (dataset.name, True)
    before = dataset.name, datasets.fingerprint(dataset)
    path.write_text(table("text,label") + "one more,pos\n")
    after = dataset.name, datasets.fingerprint(dataset)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_path_is_told_from_a_name(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(table())
    assert datasets.chosen("reviews-en") == datasets.named("reviews-en")
    assert datasets.chosen(str(path), encoding="utf-8") == TextFile(path=path, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert datasets.chosen("films.csv", text_column=1, label_column=2) == TextFile(
        path=path, text_column=1, label_column=2
    )
    for missing in ("folder/films", "no.tsv", "./no"):
        with pytest.raises(
            DataError, match=r"the file .* does not exist: name a file of labelled texts, or one of xor"
        ):
            datasets.chosen(missing)
    with pytest.raises(UsageError, match="unknown data set 'films': known are"):
        datasets.chosen("films")
    with pytest.raises(UsageError, match="the data set reviews-en has no columns or encoding to choose"):
        datasets.chosen("reviews-en", text_column="text")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_and_labels_are_compared_in_one_form(form: Literal["NFC", "NFD"], write: Write) -> None:
    def other(word: str) -> str:
        return unicodedata.normalize("NFC" if form == "NFD" else "NFD", word)

    labels = ["ni\u00f1o", unicodedata.normalize("NFD", "ni\u00f1o")] * 5
    lines = [f"{quoted(text)},{label}" for text, label in zip(GOOD, labels, strict=True)]
    header = unicodedata.normalize(form, "r\u00e9sum\u00e9,\u00e9toile")
    path = write("\n".join([header, *lines, *(f"{text},z" for text in "abcdefg")]))
    found = text_files.read(path, text_column=other("r\u00e9sum\u00e9"))
    assert found.classes == ("ni\u00f1o", "z")


def test_the_fingerprint_of_a_users_file_names_what_cuts_its_words() -> None:
    assert re.fullmatch(r"1 jieba [\d.]+, 2 icu4py [\d.]+", texts.tokeniser_of_any())
