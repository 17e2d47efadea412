"""Tables as the page shows them: which columns are numbers, what stands behind a cell for sorting, and how many rows.

Tables of exhibits bring their numbers. Those of the report's text are read back from their cells, so that they sort by
what a reader sees.
"""

import math
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.language import _
from reports.content import content
from reports.words import text
from reports.words.table import Cell, Grid, Table

MOST_ROWS = 400
"""Rows of one table on the page; the CSV holds all."""
FEWEST_TO_FILTER = 9
NUMBER = r"[-+−]?(?:\d[\d,]*)(?:\.\d+)?(?:e[-+]?\d+)?"
READABLE = re.compile(rf"(?:≈ )?({NUMBER})(?:×| %)?(?: \(.*\))?")
RANGE = re.compile(rf"({NUMBER})–{NUMBER}")
SEVERAL = re.compile(rf"{NUMBER}(?: {NUMBER})+")


class Head(Struct, frozen=True, kw_only=True):
    """The head of a column."""

    shown: str
    is_number: bool


class Sheet(Struct, frozen=True, kw_only=True):
    """A table that is ready to be shown."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0
    """Rows that the page does not show."""
    can_sort: bool = False
    can_filter: bool = False
    begins: tuple[int, ...] = ()
    """Places of the rows with which a new group begins, where neighbours have the same first cell."""


def of_grid(grid: Grid, caption: str) -> Sheet:
    """Return the table of an exhibit."""
    return _sheet(caption, grid.headers, grid.rows, can_sort=True)


def of_rows(rows: Sequence[dict[str, str]], caption: str) -> Sheet:
    """Return the table of a section: one row per backend, mode and profile."""
    headers = tuple(rows[0]) if rows else ()
    cells = tuple(tuple(read(row[name]) for name in headers) for row in rows)
    headers, cells = _names_first(headers, cells)
    return _sheet(caption, tuple(map(_, headers)), cells, can_sort=True)


def of_table(table: Table, *, can_sort: bool) -> Sheet:
    """Return a table of figures, or of pairs."""
    return _sheet(table.title, table.headers, tuple(tuple(map(read, row)) for row in table.rows), can_sort=can_sort)


def read(shown: str) -> Cell:
    """Return a cell with the number that can be read in it: of a range the low end, of several numbers their mean."""
    if match := READABLE.fullmatch(shown) or RANGE.fullmatch(shown):
        return Cell(shown=shown, value=_value(match[1]))
    if SEVERAL.fullmatch(shown):
        values = [_value(part) for part in shown.split()]
        return Cell(shown=shown, value=sum(values) / len(values))
    return Cell(shown=shown)


def sort_value(cell: Cell) -> str:
    """Return the number by which a cell is sorted as a browser reads it, or nothing."""
    return repr(float(cell.value)) if cell.value is not None and math.isfinite(cell.value) else ""


def _value(shown: str) -> float:
    return float(shown.replace(",", "").replace("−", "-"))


def _names_first(
    headers: tuple[str, ...], rows: tuple[tuple[Cell, ...], ...]
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Return the columns with that of the names in front, for the first one names the row."""
    names = next((place for place, name in enumerate(headers) if name in (content.BACKEND, _(content.BACKEND))), 0)
    order = [names, *(place for place in range(len(headers)) if place != names)]
    return tuple(headers[place] for place in order), tuple(tuple(row[place] for place in order) for row in rows)


def _sheet(caption: str, headers: Sequence[str], rows: tuple[tuple[Cell, ...], ...], *, can_sort: bool) -> Sheet:
    shown = rows[:MOST_ROWS]
    columns = zip(*shown, strict=True) if shown else [() for _header in headers]
    return Sheet(
        caption=caption,
        heads=tuple(
            Head(shown=_(name), is_number=_is_number(column)) for name, column in zip(headers, columns, strict=True)
        ),
        rows=shown,
        left_out=len(rows) - len(shown),
        can_sort=can_sort and len(shown) > 1,
        can_filter=can_sort and len(shown) >= FEWEST_TO_FILTER,
        begins=_begins([row[0].shown for row in shown if row]),
    )


def _begins(names: Sequence[str]) -> tuple[int, ...]:
    changes = tuple(place for place in range(1, len(names)) if names[place] != names[place - 1])
    return changes if len(changes) + 1 < len(names) else ()


def _is_number(column: Iterable[Cell]) -> bool:
    said = [cell for cell in column if cell.shown not in ("", text.NOTHING)]
    return bool(said) and all(cell.value is not None for cell in said)
