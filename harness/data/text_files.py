"""Read labelled texts from any file of columns, CSV or TSV: every doubt is an error that says what to change.

Tabs separate the columns of a file whose first line holds one, semicolons those of one whose first line holds them and
no comma (as spreadsheets write in much of Europe), commas those of any other. Between commas or semicolons a text may
stand in double quotes (RFC 4180), with blanks before them; between tabs a quotation mark is a mark as any other. A
first line that names its columns, in a way that is known or asked for, is no example.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from harness.data.text_bytes import LARGEST, content, decoded
from harness.data.texts import Corpus, language_of, normal, same, split
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
TOO_MANY_SEMICOLONS = noop(
    "{path} has {row} columns in line {begin} instead of {columns}: put texts that hold semicolons into double quotes"
)
TOO_FEW = noop(
    "{path} has {row} columns in line {begin} instead of {columns}: add what is missing, or put a text that goes on in "
    "the next line into double quotes"
)
TOO_FEW_TABS = noop(
    "{path} has {row} columns in line {begin} instead of {columns}: add what is missing (between tabs a text is a line)"
)
BROKEN_BETWEEN_TABS = noop(
    "{path} has {row} columns in line {begin} instead of {columns}, for a quoted text goes on in the next line: "
    "between tabs a text is one line, so take its line breaks out or save the file with commas"
)
BROKEN_BETWEEN_TABS_AT_FIRST = noop(
    "{path} has a quoted text that begins in line {begin} and stands beside a tab ({error}): its first line has no "
    "tab, so commas separate its columns; between tabs a text is one line, so take its line breaks out"
)
UNCLOSED = noop(
    "{path} has a double quote in line {begin} that nothing closes ({error}): close it, or write it twice if it is a "
    "mark inside a quoted text"
)
DAMAGED = noop(
    "{path} has a damaged row that begins in line {begin} ({error}): a double quote that closes a text stands directly "
    "before the next column, and one inside a quoted text is written twice"
)
ANNOUNCED = re.compile("sep=([,;\t])(?=[\r\n])")
"""The first line by which a spreadsheet is told what separates the columns."""
QUOTED = re.compile('"[^"]*"')

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
        return hashlib.sha256(content(self.path)).hexdigest()

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
    text = decoded(path, encoding)
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
        labels.append(_normal(row[at_label]))
    classes = tuple(sorted(set(labels)))
    _check_classes(path, classes, texts, labels)
    numbers = np.array([classes.index(label) for label in labels], np.int32)
    return split(texts, numbers, language=language_of(texts), classes=classes)


def _delimiter(text: str) -> str:
    first = re.split("[\r\n]", text, maxsplit=1)[0]
    if "\t" in first:
        return "\t"
    unquoted = QUOTED.sub("", first)
    return ";" if ";" in unquoted and "," not in unquoted else ","


def _rows(path: Path, text: str) -> Iterator[Row]:
    announced = ANNOUNCED.match(text)
    delimiter = announced[1] if announced else _delimiter(text)
    tabs = delimiter == "\t"
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST))  # of the whole process; a text may be a book
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        skipinitialspace=not tabs,  # or a quotation mark behind a blank would be a mark of the text
        strict=True,
    )
    begin, columns = 1, None
    if announced:
        next(reader)
        begin = 2
    try:
        for row in reader:
            if row:
                columns = columns or len(row)
                if len(row) != columns:
                    sentence = _why_uneven(row, columns, delimiter)
                    raise DataError(sentence, path=path, row=len(row), begin=begin, columns=columns)
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        damaged = _lines(text, begin, reader.line_num)
        raise DataError(_why_damaged(damaged, str(error)), path=path, begin=begin, error=error) from error


def _why_uneven(row: list[str], columns: int, delimiter: str) -> str:
    """Return what is to be said of a row with more or fewer columns than the first one."""
    if delimiter != "\t":
        return (TOO_MANY_SEMICOLONS if delimiter == ";" else TOO_MANY_COMMAS) if len(row) > columns else TOO_FEW
    if len(row) > columns:
        return TOO_MANY_TABS
    return BROKEN_BETWEEN_TABS if any(is_open(column) for column in row) else TOO_FEW_TABS


def is_open(column: str) -> bool:
    """Return whether a text begins with a quotation mark that it does not close."""
    return column.startswith('"') and column.count('"') % 2 == 1


def _why_damaged(damaged: str, error: str) -> str:
    """Return what is to be said of a row that csv cannot read."""
    if '"\t' in damaged or '\t"' in damaged:
        return BROKEN_BETWEEN_TABS_AT_FIRST
    return UNCLOSED if error.startswith("unexpected end") else DAMAGED


def _lines(text: str, first: int, last: int) -> str:
    return "".join(io.StringIO(text, newline="").readlines()[first - 1 : last])


def _header(first: list[str], *asked: Column) -> list[str] | None:
    """Return the names of the columns if the first row holds them."""
    names = [_normal(name) for name in first]
    by_name = any(isinstance(column, str) and not column.isdecimal() for column in asked)
    known = any(name.casefold() in TEXT_NAMES + LABEL_NAMES for name in names)
    return names if by_name or known else None


def _normal(name: str) -> str:
    """Return a name or label in the form in which it is compared: composed, without blanks around it."""
    return normal(name).strip()


def _columns(
    path: Path, header: list[str] | None, body: Sequence[Row], text_column: Column, label_column: Column
) -> tuple[int, int]:
    """Return the places of the text and of the label in a row."""
    count = len(header) if header else len(body[0][1])
    if count < 2:
        raise DataError(
            "{path} has a single column: expected are texts and labels, with a comma, a semicolon or a tab between",
            path=path,
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
        found = next((name for name in header or () if name.casefold() in known), None)
        return None if found is None else _only(path, header or [], found, [name.casefold() for name in header or ()])
    if header and _normal(str(asked)) in header:
        return _only(path, header, _normal(str(asked)), header)
    if str(asked).isdecimal() and 1 <= int(asked) <= count:
        return int(asked) - 1
    there = f"{', '.join(header)}" if header else f"1 to {count}"
    raise DataError("{path} has no column {asked!r}: there are {there}", path=path, asked=str(asked), there=there)


def _only(path: Path, header: list[str], name: str, spelled: list[str]) -> int:
    """Return the place of a name, by which no other column may be meant."""
    if spelled.count(spelled[header.index(name)]) > 1:
        raise DataError(
            "{path} has several columns named {name!r}: rename all but one, or give the number of one",
            path=path,
            name=name,
        )
    return header.index(name)


def _check_classes(path: Path, classes: Sequence[str], texts: Sequence[str], labels: Sequence[str]) -> None:
    if len(classes) < 2:
        have = f"only the label {classes[0]!r}" if classes else "no examples"
        raise DataError("{path} has {have}: expected are examples of two classes or more", path=path, have=have)
    different = Counter(dict(zip(map(same, texts), labels, strict=True)).values())
    if min(different[label] for label in classes) < FEWEST and _are_measured(classes):
        raise DataError(
            "{path} has {count} different numbers as labels, such as {shown}, some of them in too few texts: name a "
            "column of classes, or make classes of the numbers",
            path=path,
            count=len(classes),
            shown=classes[0],
        )
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


def _are_measured(labels: Sequence[str]) -> bool:
    """Return whether all labels are numbers, and one at least has a fraction."""
    try:
        return any(float(label) % 1 for label in labels)
    except ValueError:
        return False
