"""What the command line writes to: stdout and stderr that never raise, whatever the characters and whoever reads.

A character that the terminal's encoding lacks is written readably. A reader that has gone, `head` for example, is no
error. A full disk is one, which is kept and told when the command has ended, so that its exit code is not an accident.
"""

import codecs
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO

READABLE = "evenbench.readable"
"""The name of our error handler for characters that an encoding lacks."""
PLAIN = {
    "–": "-", "—": "-", "−": "-", "×": "x", "·": ".", "…": "...", "→": "->", "≈": "~", "≤": "<=", "≥": ">=",
    "±": "+-", "‘": "'", "’": "'", "“": '"', "”": '"', "‹": "<", "›": ">", "†": "+", "│": "|", "─": "-", "━": "-",
    "├": "|", "└": "`", "•": "*",
    "●": "*", "○": "o", "▼": "v", "✗": "x",
}  # fmt: skip
SPINNER = range(0x2800, 0x2900)
"""Braille patterns, which turn before a line of what is going on."""


class Patient(io.FileIO):
    """A file descriptor that takes all that is written, and keeps the reason where nothing more can be."""

    failure: OSError | None = None
    """Why the rest was lost; None: nothing was, or its reader did not want it."""
    gone = False

    def write(self, data: Any, /) -> int:
        """Write, and return how many bytes need not be written again."""
        if self.gone:
            return len(data)
        try:
            while (count := super().write(data)) is None:
                select.select((), (self,), ())  # another process has made the terminal one that does not wait
        except BrokenPipeError:
            self.gone = True
        except OSError as error:
            self.failure, self.gone = error, True
        return len(data) if self.gone else count


class Readable(io.TextIOWrapper):
    """Text that never raises for its characters."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding; that of an ASCII terminal has a name by which click does not know it, and writes no UTF-8."""
        name = super().encoding
        return "ascii, as asked" if codecs.lookup(name).name == "ascii" else name


def readable(error: UnicodeError) -> tuple[str, int]:
    """Return what is written in place of the characters that an encoding lacks: the handler named `READABLE`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    if ord(character) in SPINNER:
        return "*"
    return PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()


def open_patiently() -> None:
    """Put streams that never raise in the place of stdout and stderr; one that was closed is as /dev/null."""
    codecs.register_error(READABLE, readable)
    for number in range(3):
        _fill(number)
    sys.stdout = _patient(sys.stdout, sys.__stdout__, 1)
    sys.stderr = _patient(sys.stderr, sys.__stderr__, 2)


def _fill(number: int) -> None:
    """Open /dev/null where a descriptor is closed: else the next file, a record perhaps, would be stdout to others."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free is this one


def _patient(stream: TextIO | None, own: TextIO | None, number: int) -> TextIO:
    if stream is not None and stream is not own:
        return stream  # somebody else's, as a test's
    if stream is not None:
        stream.flush()
    raw = Patient(number, "w", closefd=False)
    encoding = stream.encoding if stream is not None else "utf-8"
    return Readable(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=READABLE,
        line_buffering=number == 2 or raw.isatty(),
    )


def lost() -> OSError | None:
    """Flush, and return why a part of stdout could not be written, None if it could or nobody wants it."""
    return next(_failures(), None)


def _failures() -> Iterator[OSError]:
    for stream in (sys.stderr, sys.stdout):
        stream.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, Patient) and raw.failure is not None:
        yield raw.failure
