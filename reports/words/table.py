"""A table, once for every medium: cells as they are read, with the numbers by which they are sorted."""

from collections.abc import Sequence

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


def words(shown: str, *, quoted: bool = False) -> Cell:
    """Return a cell of text."""
    return Cell(shown=shown, quoted=quoted)


def number(value: float | None, shown: str | None = None) -> Cell:
    """Return a cell of a number, as `shown` or with three digits."""
    return Cell(shown=text.number(value) if shown is None else shown, value=value)


def grid(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Grid:
    """Return a table."""
    return Grid(headers=tuple(headers), rows=tuple(map(tuple, rows)))


class Table(Struct, frozen=True, kw_only=True):
    """Figures of one group: the first cell of a row names the figure, the others are those of the backends."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
