"""Tables as the page shows them: which columns are numbers, what stands behind a cell for sorting, and how many rows.

A cell brings the number by which it is sorted; nothing is read back from what is shown.
"""

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from reports.words import text
from reports.words.table import Cell, Table

MOST_ROWS = 400
"""Rows of one table on the page; the CSV holds all."""
FEWEST_TO_FILTER = 9


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


def of(table: Table, caption: str = "", *, can_sort: bool = True) -> Sheet:
    """Return a table as it is shown, under its own title or another caption."""
    shown = table.rows[:MOST_ROWS]
    columns = zip(*shown, strict=True) if shown else [() for _header in table.headers]
    return Sheet(
        caption=caption or table.title,
        heads=tuple(
            Head(shown=header, is_number=_is_number(column))
            for header, column in zip(table.headers, columns, strict=True)
        ),
        rows=shown,
        left_out=len(table.rows) - len(shown),
        can_sort=can_sort and len(shown) > 1,
        can_filter=can_sort and len(shown) >= FEWEST_TO_FILTER,
        begins=_begins([row[0].shown for row in shown if row]),
    )


def names_first(table: Table) -> Table:
    """Return a section's table with the rows' names in front, for the first column names the row."""
    return table.only(("row", *(key for key in table.keys if key != "row")))


def sort_value(cell: Cell) -> str:
    """Return the number by which a cell is sorted as a browser reads it, or nothing."""
    return repr(float(cell.value)) if cell.value is not None and math.isfinite(cell.value) else ""


def _begins(names: Sequence[str]) -> tuple[int, ...]:
    changes = tuple(place for place in range(1, len(names)) if names[place] != names[place - 1])
    return changes if len(changes) + 1 < len(names) else ()


def _is_number(column: Iterable[Cell]) -> bool:
    said = [cell for cell in column if cell.shown not in ("", text.NOTHING)]
    return bool(said) and all(cell.value is not None for cell in said)
