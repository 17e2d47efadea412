"""Read labelled texts from any file of columns, CSV or TSV: every doubt is an error that says what to change.

Tabs separate the columns of a file whose first line holds one, commas those of any other. Between commas a text may
stand in double quotes (RFC 4180); between tabs a quotation mark is a mark as any other. A first line that names its
columns, in a way that is known or asked for, is no example.
"""

import codecs
import csv
import gzip
import hashlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from harness.data.texts import CHINESE, Corpus, language_of, same, split
from harness.errors import DataError
from harness.language import noop

TEXT_NAMES = ("text", "review", "sentence", "content", "评论")
LABEL_NAMES = ("label", "sentiment", "class", "标签")
FEWEST = 5
"""Different texts that each class must have, so that one of them can be held out for the test split."""

TOO_MANY_TABS = noop(
    "{path} has {row} columns in line {begin} instead of {columns}: put texts that hold a tab into another file without"
)
TOO_MANY_COMMAS = noop(
    "{path} has {row} columns in line {begin} instead of {columns}: put texts that hold commas into double quotes"
)

Row = tuple[int, list[str]]
"""The number of the line in which a row begins, from 1, and its columns."""
Column = str | int | None
"""A column by its name, by its number from 1, or to be found out."""


class TextFile(Struct, frozen=True, kw_only=True):
    """A data set in a user's file. Its name and its fingerprint change with the bytes of the file."""

    path: Path
    text_column: Column = None
    label_column: Column = None
    encoding: str | None = None
    summary: str = "a file of labelled texts"

    @property
    def sha256(self) -> str:
        """The digest of the file as it is now."""
        return hashlib.sha256(_bytes(self.path)).hexdigest()

    @property
    def name(self) -> str:
        """The stem of the file's name and eight digits of its content, for the names of runs and folders."""
        stem = re.sub(r"\W+", "-", self.path.name.partition(".")[0]).strip("-")[:40]
        return f"file-{stem}-{self.sha256[:8]}"

    def corpus(self) -> Corpus:
        """Return the texts, a fifth of each class held out as the test split; see `read` for the errors."""
        return read(self.path, text_column=self.text_column, label_column=self.label_column, encoding=self.encoding)


def read(path: Path, *, text_column: Column = None, label_column: Column = None, encoding: str | None = None) -> Corpus:
    """Return the texts of a file with their labels, whose different strings, sorted, become 0, 1 and so on.

    Args:
        path: the file, compressed with gzip or not.
        text_column: the column of the texts, by name or number from 1; without it the one with a known name, or of
            two columns the one with more different values.
        label_column: the column of the labels, found in the same way.
        encoding: of the file; UTF-8 without it.

    Raises:
        DataError: the file is missing, damaged, in another encoding, has no such column, an empty text or label, a
            single class, or too few examples of one.
    """
    text = _decoded(path, encoding)
    rows = list(_rows(path, text))
    if not rows:
        raise DataError("{path} is empty: expected are lines with a text and a label", path=path)
    header = _header(rows[0][1], text_column, label_column)
    body = rows[1:] if header else rows
    at_text, at_label = _columns(path, header, body, text_column, label_column)
    texts, labels = [], []
    for line, row in body:
        if not row[at_text].strip() or not row[at_label].strip():
            what = noop("text") if not row[at_text].strip() else noop("label")
            raise DataError(
                "{path} has an empty {what} in line {line}: fill it or delete the line", path=path, what=what, line=line
            )
        texts.append(row[at_text])
        labels.append(row[at_label].strip())
    classes = tuple(sorted(set(labels)))
    _check_classes(path, classes, texts, labels)
    numbers = np.array([classes.index(label) for label in labels], np.int32)
    return split(texts, numbers, language=language_of(texts), classes=classes)


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            "{path} is a damaged gzip file ({error}): get the file again", path=path, error=error
        ) from error
    except FileNotFoundError as error:
        raise DataError("the file {path} does not exist: check its path", path=path) from error
    except OSError as error:
        raise DataError(
            "{path} cannot be read ({strerror}): check its path and rights", path=path, strerror=error.strerror or error
        ) from error


def _decoded(path: Path, encoding: str | None) -> str:
    content = _bytes(path)
    name = encoding or "utf-8"
    try:
        known = codecs.lookup(name).name
    except LookupError as error:
        raise DataError(
            "unknown encoding {name!r} for {path}: known are utf-8, gb18030, latin-1 and others", name=name, path=path
        ) from error
    try:
        return content.decode("utf-8-sig" if known == "utf-8" else known)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            "{path} is not in {name}, byte {content:#04x} in line {line} does not fit: name its encoding,"
            " {likely} may be the one",
            path=path,
            name=name,
            content=content[error.start],
            line=line,
            likely=_likely(content),
        ) from error
    except LookupError as error:
        raise DataError(
            "{name} is no encoding of texts, but was named for {path}: try utf-8 or gb18030", name=name, path=path
        ) from error


def _likely(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:1000]:
        return "utf-16"
    try:
        if len(CHINESE.findall(content.decode("gb18030"))) > len(content) / 20:
            return "gb18030"
    except UnicodeDecodeError:
        pass
    return "latin-1"


def _rows(path: Path, text: str) -> Iterator[Row]:
    first = text.partition("\n")[0]
    tabs = "\t" in first
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        strict=True,
    )
    begin, columns = 1, None
    try:
        for row in reader:
            if row:
                columns = columns or len(row)
                if len(row) != columns:
                    sentence = TOO_MANY_TABS if tabs else TOO_MANY_COMMAS
                    raise DataError(sentence, path=path, row=len(row), begin=begin, columns=columns)
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "{path} has a damaged row that begins in line {begin} ({error}): a double quote inside a "
            "quoted text is written twice",
            path=path,
            begin=begin,
            error=error,
        ) from error


def _header(first: list[str], *asked: Column) -> list[str] | None:
    """Return the names of the columns if the first row holds them."""
    names = [name.strip() for name in first]
    by_name = any(isinstance(column, str) and not column.isdecimal() for column in asked)
    known = any(name.casefold() in TEXT_NAMES + LABEL_NAMES for name in names)
    return names if by_name or known else None


def _columns(
    path: Path, header: list[str] | None, body: Sequence[Row], text_column: Column, label_column: Column
) -> tuple[int, int]:
    """Return the places of the text and of the label in a row."""
    count = len(header) if header else len(body[0][1])
    if count < 2:
        raise DataError(
            "{path} has a single column: expected are texts and labels, with a comma or a tab between", path=path
        )
    found_text = _place(path, text_column, header, count, TEXT_NAMES)
    found_label = _place(path, label_column, header, count, LABEL_NAMES)
    if count == 2:
        if found_text is None and found_label is None:
            different = [len({row[column] for _, row in body}) for column in range(2)]
            if different[0] != different[1]:
                found_label = different.index(min(different))
        if found_text is None and found_label is not None:
            found_text = 1 - found_label
        elif found_label is None and found_text is not None:
            found_label = 1 - found_text
    there = f"the columns {', '.join(header)}" if header else f"{count} columns without names"
    if found_text is None or found_label is None:
        what = noop("texts") if found_text is None else noop("labels")
        raise DataError(
            "{path} has {there}, of which none is known to hold the {what}: name it or give its number",
            path=path,
            there=there,
            what=what,
        )
    if found_text == found_label:
        raise DataError(
            "{path} cannot have texts and labels in one column: it has {there}, name two of them",
            path=path,
            there=there,
        )
    return found_text, found_label


def _place(path: Path, asked: Column, header: list[str] | None, count: int, known: Sequence[str]) -> int | None:
    if asked is None:
        return next((i for i, name in enumerate(header or ()) if name.casefold() in known), None)
    if header and str(asked) in header:
        return header.index(str(asked))
    if str(asked).isdecimal() and 1 <= int(asked) <= count:
        return int(asked) - 1
    there = f"{', '.join(header)}" if header else f"1 to {count}"
    raise DataError("{path} has no column {asked!r}: there are {there}", path=path, asked=str(asked), there=there)


def _check_classes(path: Path, classes: Sequence[str], texts: Sequence[str], labels: Sequence[str]) -> None:
    if len(classes) < 2:
        have = f"only the label {classes[0]!r}" if classes else "no examples"
        raise DataError("{path} has {have}: expected are examples of two classes or more", path=path, have=have)
    different = Counter(dict(zip(map(same, texts), labels, strict=True)).values())
    for label in classes:
        if different[label] < FEWEST:
            shown = label if len(label) <= 40 else f"{label[:40]}..."
            raise DataError(
                "{path} has too few different texts of class {shown!r}, {different}: expected are "
                "{fewest} or more of each class (if this is the name of a column or a text, name the "
                "columns)",
                path=path,
                shown=shown,
                different=different[label],
                fewest=FEWEST,
            )
