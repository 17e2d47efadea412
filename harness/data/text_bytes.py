"""Get the text out of a user's file: a file of another kind is refused by its name, and nothing is read without end."""

import codecs
import gzip
import io
import json
import re
import stat
import zlib
from pathlib import Path

from harness.data.texts import CHINESE
from harness.errors import DataError
from harness.language import noop

LARGEST = 1 << 30
"""Bytes, unpacked. A file is held in memory some times over, and a small one may unpack to any size."""

GZIP = b"\x1f\x8b"
UNPACK = noop("unpack it, and name the file of columns that is in it")
EXPORT = noop("save it as CSV in UTF-8, and name that file")
ARCHIVE, WORKBOOK, PAGE = noop("an archive"), noop("a workbook of a spreadsheet"), noop("a web page or XML")
JSON, TABLE, PICTURE = (
    noop("a text in JSON"),
    noop("a binary table or database"),
    noop("a picture or a printed document"),
)
BEGINNINGS = (
    (b"PK\x03\x04", ARCHIVE, UNPACK),
    (b"PK\x05\x06", ARCHIVE, UNPACK),
    (GZIP, ARCHIVE, UNPACK),  # what is packed once was unpacked before
    (b"BZh", ARCHIVE, UNPACK),
    (b"\xfd7zXZ\0", ARCHIVE, UNPACK),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE, UNPACK),
    (b"Rar!\x1a\x07", ARCHIVE, UNPACK),
    (b"\x28\xb5\x2f\xfd", ARCHIVE, UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", WORKBOOK, EXPORT),
    (b"PAR1", TABLE, EXPORT),
    (b"ARROW1", TABLE, EXPORT),
    (b"SQLite format 3\0", TABLE, EXPORT),
    (b"\x89HDF\r\n", TABLE, EXPORT),
    (b"\x93NUMPY", TABLE, EXPORT),
    (b"%PDF-", PICTURE, EXPORT),
    (b"\x89PNG\r\n", PICTURE, EXPORT),
    (b"\xff\xd8\xff", PICTURE, EXPORT),
    (b"GIF8", PICTURE, EXPORT),
)
"""How files begin that are no text, what they are, and what to do with them."""
TAR = slice(257, 262), b"ustar"
OFFICE = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/", b"mimetypeapplication/vnd.oasis")
"""What is packed first into the archives that spreadsheets write."""
MARKUP = re.compile(r"\s*<(?:!doctype\b|html\b|\?xml\b)", re.IGNORECASE)
NO_FILES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
"""Python's encodings that no file is written in."""
SURROGATE = re.compile("[\ud800-\udfff]")


def content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if it is compressed with gzip.

    Raises:
        DataError: it cannot be read, is no file, damaged, changing, larger than `LARGEST`, or known to be no text.
    """
    raw = _read(path)
    found = _unpacked(path, raw) if raw.startswith(GZIP) else raw
    if len(found) > LARGEST:
        raise _too_large(path)
    for beginning, kind, remedy in BEGINNINGS:
        if found.startswith(beginning):
            office = kind == ARCHIVE and found[30:80].startswith(OFFICE)
            raise _another_kind(path, WORKBOOK if office else kind, EXPORT if office else remedy)
    if found[TAR[0]] == TAR[1]:
        raise _another_kind(path, ARCHIVE, UNPACK)
    return found


def decoded(path: Path, encoding: str | None) -> str:
    """Return the text of a file without the mark that says its order of bytes.

    Args:
        path: the file.
        encoding: of the file; UTF-8 without it.

    Raises:
        DataError: see `content`; or there is no such encoding, or the file is not in it, or holds no columns.
    """
    raw = content(path)
    name = encoding or "utf-8"
    text = _in_encoding(path, raw, name, _known(path, name)).removeprefix("\ufeff")
    if "\0" in text:
        raise DataError(
            "{path} holds a NUL character in line {line}, as no text does: name its encoding, {likely} may be the one,"
            " or get the file again",
            path=path,
            line=line_at(text, text.index("\0")),
            likely=_likely(raw),
        )
    if MARKUP.match(text):
        raise _another_kind(path, PAGE, EXPORT)
    if _is_json(text):
        raise _another_kind(path, JSON, EXPORT)
    return text


def line_at(text: str, place: int) -> int:
    """Return the number of the line, from 1, in which a place of a text is, whatever ends its lines."""
    return 1 + len(re.findall("\r\n|\r|\n", text[:place]))


def _read(path: Path) -> bytes:
    try:
        before = path.expanduser().stat()
        if not stat.S_ISREG(before.st_mode) and not stat.S_ISDIR(before.st_mode):
            raise DataError(
                "{path} is a pipe or a device, which is read but once: write its content into a file, and name that",
                path=path,
            )
        if before.st_size > LARGEST:
            raise _too_large(path)
        raw = path.expanduser().read_bytes()
        after = path.expanduser().stat()
    except FileNotFoundError as error:
        raise DataError("the file {path} does not exist: check its path", path=path) from error
    except OSError as error:
        raise DataError(
            "{path} cannot be read ({strerror}): check its path and rights", path=path, strerror=error.strerror or error
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise DataError("{path} changed while it was read: wait until nothing writes into it any more", path=path)
    return raw


def _unpacked(path: Path, raw: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            return file.read(LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            "{path} is a damaged gzip file ({error}): get the file again", path=path, error=error
        ) from error


def _too_large(path: Path) -> DataError:
    return DataError(
        "{path} is larger than {most} GiB, unpacked: take a part of its examples", path=path, most=LARGEST / (1 << 30)
    )


def _another_kind(path: Path, kind: str, remedy: str) -> DataError:
    return DataError("{path} is {kind} and no file of columns: {remedy}", path=path, kind=kind, remedy=remedy)


def _known(path: Path, name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError) as error:  # a ValueError where it holds what no name can
        raise DataError(
            "unknown encoding {name!r} for {path}: known are utf-8, gb18030, latin-1 and others", name=name, path=path
        ) from error
    if known in NO_FILES:
        raise _no_encoding(path, name)
    return known


def _no_encoding(path: Path, name: str) -> DataError:
    return DataError(
        "{name} is no encoding of texts, but was named for {path}: try utf-8 or gb18030", name=name, path=path
    )


def _in_encoding(path: Path, raw: bytes, name: str, known: str) -> str:
    if known.startswith(("utf-16", "utf-32")) and raw and b"\0" not in raw:  # commas and line breaks hold zeros there
        raise _not_in(path, raw, 0, name)
    try:
        text = raw.decode(known)
    except UnicodeDecodeError as error:
        raise _not_in(path, raw, error.start, name) from error
    except UnicodeError as error:  # UTF-16 without the mark that it begins with
        raise _not_in(path, raw, 0, name) from error
    except LookupError as error:
        raise _no_encoding(path, name) from error
    if half := SURROGATE.search(text):  # UTF-7 gives half a character as it stands
        before = text[: half.start()].encode(known, "surrogatepass")
        raise _not_in(path, raw, min(len(before), len(raw) - 1), name)
    return text


def _not_in(path: Path, raw: bytes, place: int, name: str) -> DataError:
    return DataError(
        "{path} is not in {name}, byte {content:#04x} in line {line} does not fit: name its encoding,"
        " {likely} may be the one",
        path=path,
        name=name,
        content=raw[place],
        line=line_at(raw[:place].decode("latin-1"), place),
        likely=_likely(raw),
    )


def _likely(raw: bytes) -> str:
    """Return the encoding that a file may be in, if it is not UTF-8."""
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in raw[:1000]:  # the letters of Europe have a zero behind or before them
        return "utf-16-le" if raw[1:1000:2].count(0) > raw[:1000:2].count(0) else "utf-16-be"
    try:
        raw.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        if len(CHINESE.findall(raw.decode("gb18030"))) > len(raw) / 20:
            return "gb18030"
    except UnicodeDecodeError:
        pass
    return "latin-1"


def _is_json(text: str) -> bool:
    first = text.lstrip().partition("\n")[0].strip()
    if first in ("[", "{", "[{"):
        return True
    try:
        return first.startswith(("[", "{")) and isinstance(json.loads(first), list | dict)
    except (ValueError, RecursionError):
        return False
