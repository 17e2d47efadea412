"""Any file of labelled texts: columns are found or named, and every doubt is one sentence that says what to change."""

import bz2
import encodings.aliases
import errno
import gzip
import io
import json
import lzma
import os
import re
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import registry
from harness.data import datasets, prepare, text_bytes, text_files, texts
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
        (table() + '"open,neg\nmore,pos\n', {}, "has a double quote in line 21 that nothing closes (unexpected end of"),
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


@given(
    content=st.one_of(
        st.text(alphabet='ab",\t\n\r\x00é'),
        st.text(st.sampled_from('ab1.",;\t\n\r <{[\ufeff\u2028é好')),
        st.binary(),
        st.builds(bytes.__add__, st.sampled_from([kind[0] for kind in text_bytes.BEGINNINGS]), st.binary()),
        st.lists(
            st.sampled_from(['"a, b"', "text", "label", "pos", '"', " ", "0.5", ",", ";", "\t", "\n", "\r\n"])
        ).map("".join),
    ),
    encoding=st.one_of(st.none(), st.sampled_from(sorted({*encodings.aliases.aliases.values()})), st.text()),
)
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


LONG = "a long film, " * 20_000
"""Longer than the 131,072 characters at which Python's csv stops of itself."""


def test_a_text_as_long_as_a_book_is_read(write: Write) -> None:
    assert len(LONG) > 131_072
    found = text_files.read(write(table("text,label") + f"{quoted(LONG)},pos\n"))
    assert (LONG, "pos") in pairs(found)


@pytest.mark.parametrize("blank", ["", " ", "   "])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blanks_before_quotes_and_semicolons_and_all_line_ends_are_read(
    blank: str, delimiter: str, end: str, write: Write
) -> None:
    lines = [f'"pos"{delimiter}{blank}{quoted(text)}' for text in GOOD]
    lines += [f'"neg"{delimiter}{blank}{quoted(text)}' for text in BAD]
    found = text_files.read(write(end.join([f"label{delimiter}text", *lines])))
    assert (pairs(found), found.classes) == (sorted(EXAMPLES), ("neg", "pos"))


def test_line_ends_may_be_mixed_and_a_quoted_text_may_hold_them(write: Write) -> None:
    ends = ["\n", "\r\n", "\r"] * 7
    rows = [f'"{text}, on{end}two lines",{text[:3]}{end}' for text, end in zip(GOOD + GOOD, ends, strict=False)]
    rows += [f"bad {number},neg{end}" for number, end in zip(range(9), ends, strict=False)]
    found = text_files.read(write("".join(rows)))
    assert len(pairs(found)) == 29
    with pytest.raises(DataError, match="has 3 columns in line 32 instead of 2"):
        text_files.read(write("".join(rows[:11]) + "".join(rows[20:]) + "one, two,neg\n"))


def jsonl(*rows: dict[str, str]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def zipped(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in names:
            archive.writestr(name, table())
    return whole.getvalue()


def tarred() -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("films.csv"), io.BytesIO())
    return whole.getvalue()


UNPACKED = "is an archive and no file of columns: unpack it, and name the file of columns that is in it"
OTHER_KINDS = {
    "zip": (zipped("films.csv"), UNPACKED),
    "empty zip": (zipped(), UNPACKED),
    "xlsx": (
        zipped("[Content_Types].xml", "xl/workbook.xml"),
        "is a workbook of a spreadsheet and no file of columns: sa",
    ),
    "ods": (zipped("mimetype"), UNPACKED),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is a workbook of a spreadsheet and no file of columns"),
    "tar": (tarred(), UNPACKED),
    "tar.gz": (gzip.compress(tarred()), UNPACKED),
    "gzip twice": (gzip.compress(gzip.compress(table().encode())), UNPACKED),
    "bzip2": (bz2.compress(table().encode()), UNPACKED),
    "xz": (lzma.compress(table().encode()), UNPACKED),
    "parquet": (b"PAR1" + bytes(100), "is a binary table or database and no file of columns: save it as CSV in UTF-8"),
    "png": (
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        "is a picture or a printed document and no file of columns: save it as CSV",
    ),
    "pdf": (b"%PDF-1.7\n", "is a picture or a printed document and no file of columns"),
    "html": (b"\n<!DOCTYPE html>\n<p>a, b", "is a web page or XML and no file of columns: save it as CSV in UTF-8"),
    "xml": (b'<?xml version="1.0"?><rows/>', "is a web page or XML and no file of columns"),
    "json lines": (
        jsonl({"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}).encode(),
        "is a text in JSON",
    ),
    "json": (
        b'[\n {"text": "good"}\n]',
        "is a text in JSON and no file of columns: save it as CSV in UTF-8, and name that file",
    ),
    "json in a line": (b'[{"text": "good"}]', "is a text in JSON and no file of columns"),
    "utf-16": (
        table().encode("utf-16"),
        "is not in utf-8, byte 0xff in line 1 does not fit: name its encoding, utf-16 ma",
    ),
    "utf-32": (
        table().encode("utf-32"),
        "is not in utf-8, byte 0xff in line 1 does not fit: name its encoding, utf-32 ma",
    ),
    "utf-16-le": (
        table().encode("utf-16-le"),
        "holds a NUL character in line 1, as no text does: name its encoding, utf-16-le may be the one, or get",
    ),
    "utf-16-be": (
        table().encode("utf-16-be"),
        "holds a NUL character in line 1, as no text does: name its encoding, utf-16-be",
    ),
    "NUL": (table().encode() + b"a\0b,neg\n", "holds a NUL character in line 21, as no text does"),
    "empty": (b"", "is empty: expected are lines with a text and a label"),
    "BOM only": (b"\xef\xbb\xbf", "is empty"),
    "blank lines": (b"\n\r\n\r", "is empty"),
    "empty gzip": (gzip.compress(b""), "is empty"),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_file_of_another_kind_is_refused_by_its_kind_whatever_its_name(kind: str, write: Write) -> None:
    content, sentence = OTHER_KINDS[kind]
    path = write(content)
    with pytest.raises(DataError) as caught:
        text_files.read(path)
    assert str(caught.value).startswith(f"{path} {sentence}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-8-sig", "gb18030", "UTF_8", "utf-7"])
def test_a_mark_of_the_order_of_bytes_is_no_part_of_a_column(encoding: str, write: Write) -> None:
    content = ("" if encoding in ("utf-16", "utf-32", "utf-8-sig") else "\ufeff") + table("text,label")
    assert pairs(text_files.read(write(content.encode(encoding)), encoding=encoding)) == sorted(EXAMPLES)


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("utf-9", "unknown encoding 'utf-9' for "),
        ("utf-8\0", "unknown encoding "),
        ("\udcff", "unknown encoding "),
        ("../../etc", "unknown encoding "),
        ("x" * 5000, "unknown encoding "),
        *((name, f"{name} is no encoding of texts, but was named for ") for name in ("hex", "zip", "rot13", "base64")),
        *((name, f"{name} is no encoding of texts, but was named for ") for name in ("idna", "punycode", "undefined")),
        *((name, f"{name} is no encoding of texts") for name in ("unicode_escape", "raw_unicode_escape")),
    ],
)
def test_what_is_no_encoding_is_said(encoding: str, sentence: str, write: Write) -> None:
    with pytest.raises(DataError) as caught:
        text_files.read(write(table()), encoding=encoding)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be", "ascii", "utf-7", "shift_jis", "big5", "cp1252"])
def test_a_file_that_is_not_in_the_named_encoding_is_one_sentence(encoding: str, write: Write) -> None:
    path = write(b"text,label\ngood +2AA- \x81\xff\x8f,pos\n")
    with pytest.raises(DataError, match=re.escape(f"{path} is not in {encoding}, byte 0x")):
        text_files.read(path, encoding=encoding)


def test_half_a_character_is_none(write: Write) -> None:
    path = write(table() + "half +2AA- a film,pos\n")
    with pytest.raises(DataError, match=re.escape(f"{path} is not in utf-7, byte 0x")):
        text_files.read(path, encoding="utf-7")


TABBED = "".join(f"{text}\t{label}\n" for text, label in EXAMPLES)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            TABBED + '"one line\nand another"\tneg\n',
            "has 1 columns in line 21 instead of 2, for a quoted text goes on in the next line: between tabs a text is",
        ),
        ('"one line\nand another"\tneg\n' + TABBED, "has a quoted text that begins in line 1 and stands beside a tab"),
        (TABBED + "no label\n", "has 1 columns in line 21 instead of 2: add what is missing (between tabs"),
        (TABBED + "one\ttwo\tneg\n", "has 3 columns in line 21 instead of 2: put texts that hold a tab"),
        (
            table() + "no label\n",
            "has 1 columns in line 21 instead of 2: add what is missing, or put a text that goes on",
        ),
        (table("text,label") + "one,neg,\n", "has 3 columns in line 22 instead of 2: put texts that hold commas"),
        (
            "text;label\n" + "one;neg\n" * 3 + "one; two;neg\n",
            "has 3 columns in line 5 instead of 2: put texts that hold semicolons into double quotes",
        ),
        (
            'x,"swallowed\n' + table().replace('"', ""),
            "has a double quote in line 1 that nothing closes (unexpected end of data): close it, or write it twice",
        ),
        (
            table() + '"a film" ,neg\n',
            "has a damaged row that begins in line 21 (',' expected after '\"'): a double quote th",
        ),
        (
            "text,label,label\n" + "one,2,3\n" * 9,
            "has several columns named 'label': rename all but one, or give the numb",
        ),
        ("Text,label,TEXT\n" + "one,2,3\n" * 9, "has several columns named 'Text'"),
        (
            "text,label\n" + "".join(f"film {number},{number / 7}\n" for number in range(30)),
            "has 30 different numbers as labels, such as 0.0, some of them in too few texts: name a column of classes",
        ),
        (
            "text|label\ngood|pos\n",
            "has a single column: expected are texts and labels, with a comma, a semicolon or a tab",
        ),
    ],
)
def test_every_file_of_other_makers_is_refused_with_the_reason_the_line_and_the_mend(
    content: str, sentence: str, write: Write
) -> None:
    path = write(content)
    with pytest.raises(DataError) as caught:
        text_files.read(path)
    assert str(caught.value).startswith(f"{path} {sentence}")


def test_a_doubled_column_may_be_named_by_its_number_and_classes_may_be_fractions(write: Write) -> None:
    lines = "".join(f"film {number},{number % 2 / 2},x\n" for number in range(30))
    found = text_files.read(write("text,label,label\n" + lines), label_column=2)
    assert found.classes == ("0.0", "0.5")
    with pytest.raises(DataError, match="has several columns named 'label'"):
        text_files.read(write("text,label,label\n" + lines), label_column="label")


def test_a_pipe_or_a_device_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "films.csv"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(DataError, match=f"{path} is a pipe or a device, which is read but once: write its content"):
            text_files.read(path)
        assert datasets.chosen(str(path)) == TextFile(path=path), "refused by who reads it"


def test_a_file_that_cannot_be_looked_at_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    chosen = datasets.chosen(str(loop))
    with pytest.raises(DataError, match=r"cannot be read \(.*\): check its path and rights"):
        _ = chosen.name
    monkeypatch.setattr(Path, "stat", refuse)
    for ask in (lambda: datasets.chosen("films.csv").name, lambda: text_files.read(tmp_path / "films.csv")):
        with pytest.raises(
            DataError, match=r"films.csv cannot be read \(Permission denied\): check its path and rights"
        ):
            ask()


def test_a_file_larger_than_memory_is_not_read_however_small_it_is_packed(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_bytes, "LARGEST", 1 << 16)
    for content in (bytes(1 << 17), gzip.compress(bytes(1 << 20))):
        with pytest.raises(
            DataError, match=r"films.csv is larger than 6\S+ GiB, unpacked: take a part of its examples"
        ):
            text_files.read(write(content))


def test_a_file_that_grows_while_it_is_read_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(table())
    read = Path.read_bytes

    def slow(path: Path) -> bytes:
        found = read(path)
        with path.open("a") as file:
            file.write("one more,pos\n")
        return found

    monkeypatch.setattr(Path, "read_bytes", slow)
    with pytest.raises(
        DataError, match=f"{path} changed while it was read: wait until nothing writes into it any more"
    ):
        text_files.read(path)


def test_a_file_that_changes_before_its_texts_are_read_leaves_nothing_in_the_cache(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path / "home"))
    path = write(table())
    dataset = TextFile(path=path)
    corpus = TextFile.corpus

    def changed(self: TextFile) -> Corpus:
        path.write_text(table() + "one more,pos\n")
        return corpus(self)

    monkeypatch.setattr(TextFile, "corpus", changed)
    task = registry.task("lstm-text")
    preset = task.presets["smoke"]
    with pytest.raises(
        DataError, match="the data set file-films-.* changed while it was read: wait until nothing writes"
    ):
        prepare.prepare(task.at("smoke"), preset, dataset=dataset, seed=0, data_dir=None)
    assert not list((tmp_path / "home" / "cache" / "data").glob("file-*"))


def test_files_of_other_kinds_are_paths_and_no_unknown_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("films.xlsx", "films.zip", "films.jsonl", "films.parquet"):
        with pytest.raises(DataError, match=f"the file .*{name} does not exist: name a file of labelled texts"):
            datasets.chosen(name)
        Path(name).write_bytes(zipped("a"))
        with pytest.raises(DataError, match=f"{name} is an archive and no file of columns"):
            _ = datasets.chosen(name).name


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_line_that_tells_a_spreadsheet_the_separator_is_obeyed(delimiter: str, write: Write) -> None:
    lines = [f"film {number}{delimiter}{number % 2}" for number in range(20)]
    path = write("\r\n".join([f"sep={delimiter}", f"text{delimiter}label", *lines]))
    assert text_files.read(path).classes == ("0", "1")
    path.write_text(path.read_text() + f"\none{delimiter}two{delimiter}1")
    with pytest.raises(DataError, match="has 3 columns in line 23 instead of 2"):
        text_files.read(path)


def test_a_file_in_utf_8_is_not_taken_for_utf_16(write: Write) -> None:
    path = write(table())
    with pytest.raises(DataError, match="is not in utf-16, byte 0x22 in line 1 does not fit: .* utf-8 may be the one"):
        text_files.read(path, encoding="utf-16")
