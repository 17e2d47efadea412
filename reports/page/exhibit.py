"""What the page shows: a picture with its numbers in a table, its meaning in words, and words for who cannot see it.

Made by the modules of `exhibits/` and `evidence/`, shown by `html.py`. Strings are as they came from the records; the
page escapes them.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
from msgspec import Struct

from reports.words import text


class Cell(Struct, frozen=True, kw_only=True):
    """A cell as it is read, with the number by which it is sorted, if it is one."""

    shown: str
    value: float | None = None
    quoted: bool = False
    """Text from a record, a framework or a data set, in whatever language that has."""


class Grid(Struct, frozen=True, kw_only=True):
    """A table; every row has a cell for every header."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Image(Struct, frozen=True, kw_only=True):
    """A PNG file's bytes, with a caption and a text for those who cannot see it."""

    png: bytes
    caption: str
    alt: str


class Exhibit(Struct, frozen=True, kw_only=True):
    """One picture or table of the page."""

    name: str
    """Anchor on the page: letters, digits and dashes, distinct on the page."""
    title: str
    note: str = ""
    """What is shown and how to read it, in a sentence or two; each line is a paragraph."""
    alt: str = ""
    """What the picture shows, in words."""
    figure: go.Figure | None = None
    images: tuple[Image, ...] = ()
    grid: Grid | None = None
    """Every number of the picture."""


def words(shown: str, *, quoted: bool = False) -> Cell:
    """Return a cell of text."""
    return Cell(shown=shown, quoted=quoted)


def number(value: float | None, shown: str | None = None) -> Cell:
    """Return a cell of a number, as `shown` or with three digits."""
    return Cell(shown=text.number(value) if shown is None else shown, value=value)


def grid(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Grid:
    """Return a table."""
    return Grid(headers=tuple(headers), rows=tuple(map(tuple, rows)))
