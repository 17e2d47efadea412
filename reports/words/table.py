"""A table, once for every medium: cells as they are read, with the numbers by which they are sorted."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reports.words import text


class Cell(Struct, frozen=True, kw_only=True):
    """A cell as it is read, with the number by which it is sorted, if it is one."""

    shown: str
    value: float | None = None
    quoted: bool = False
    """Text from a record, a framework or a data set, in whatever language that has."""


class Table(Struct, frozen=True, kw_only=True):
    """A table; every row has a cell for every header, and the first one names the row or the figure."""

    title: str = ""
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    keys: tuple[str, ...] = ()
    """What the columns are called in the code, whatever their headers; none where nobody asks for single columns."""

    def only(self, keys: Iterable[str]) -> "Table":
        """Return the columns of these keys that there are, in this order."""
        places = [self.keys.index(key) for key in keys if key in self.keys]
        return replace(
            self,
            headers=tuple(self.headers[place] for place in places),
            rows=tuple(tuple(row[place] for place in places) for row in self.rows),
            keys=tuple(self.keys[place] for place in places),
        )

    def shown(self) -> list[list[str]]:
        """Return the rows as they are read."""
        return [[cell.shown for cell in row] for row in self.rows]


def words(shown: str, *, quoted: bool = False) -> Cell:
    """Return a cell of text."""
    return Cell(shown=shown, quoted=quoted)


def number(value: float | None, shown: str | None = None) -> Cell:
    """Return a cell of a number, as `shown` or with three digits."""
    return Cell(shown=text.number(value) if shown is None else shown, value=value)


def several(values: Sequence[float | None], shown: Iterable[str]) -> Cell:
    """Return a cell of several numbers side by side, sorted by their mean; a dash where none is known."""
    found = list(shown)
    known = [value for value in values if value is not None]
    said = text.NOTHING if set(found) <= {text.NOTHING} else " ".join(found)
    return Cell(shown=said, value=sum(known) / len(known) if known and len(known) == len(values) else None)


def grid(headers: Sequence[str], rows: Sequence[Sequence[Cell]], title: str = "") -> Table:
    """Return a table."""
    return Table(title=title, headers=tuple(headers), rows=tuple(map(tuple, rows)))
