"""The report for a terminal, good at 80 columns: per task tables of speed, cost and stages, and what went wrong.

Every string goes through `printable` into a `rich.text.Text`, so that neither control characters nor what looks like
rich's markup does anything.
"""

from collections.abc import Iterable, Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.language import _
from reports.content.content import Content, Section
from reports.words.document import Document
from reports.words.table import Table as Cells
from reports.words.text import printable
from reports.words.wide_text import Words

NARROWEST = 80
"""Columns that the tables need; a narrower terminal wraps the lines itself."""
WIDEST_NUMBER = 20
"""Numbers up to this width are not broken over lines, for which names give way."""
SPEED = ("rank", "row", "rate", "slower", "verdict", "parity", "status")
COST = ("row", "range", "first", "epoch", "qualities", "memory", "device")
"""Columns of the two tables into which 80 columns cut that of a section."""
SCREEN_LINES = 24
MOST_ACROSS = 3
"""Backends side by side in a table of figures."""
NUMBERS = ("rate", "range", "slower", "first", "epoch", "memory", "device")
"""Set to the right, and not broken."""


def show(content: Content, console: Console) -> None:
    """Print the whole report but its legend."""
    console.width = max(console.width, NARROWEST)
    for part in _parts(content):
        console.print(part, highlight=False, emoji=False)


def show_legend(content: Content, console: Console) -> None:
    """Print what the words and numbers of the report mean."""
    console.width = max(console.width, NARROWEST)
    for part in listed(_("Legend"), content.legend):
        console.print(part, highlight=False, emoji=False)


def plain(text: str, style: str = "") -> Text:
    """Return text of unknown origin as it may be printed."""
    return Words(printable(text), style=style)


def _parts(content: Content) -> Iterator[RenderableType]:
    yield plain(content.title, "bold")
    yield from (plain(line) for line in content.lead)
    for table in content.machine_tables:
        yield from figures(table)
    for section in content.sections:
        yield from _section(section)
    for title, lines in content.lists():
        if lines is not content.legend:
            yield from listed(title, lines)


def _section(section: Section) -> Iterator[RenderableType]:
    yield Text("")
    yield plain(section.title, "bold")
    yield from (plain(note, "italic") for note in section.notes)
    for keys in (SPEED, COST):
        yield Text("")
        yield _table(section.main.only(keys))
    yield from (plain(line) for line in section.below)
    if section.troubles:
        yield Text("")
        yield from _bullets(section.troubles)
    for table in section.tables:
        yield from figures(table)
    if section.remarks:
        yield Text("")
        yield from _bullets(section.remarks)


def figures(table: Cells) -> Iterator[RenderableType]:
    """Yield a table of figures, in pieces of so few backends that 80 columns hold them."""
    for first in range(1, len(table.headers), MOST_ACROSS):
        across = range(first, min(first + MOST_ACROSS, len(table.headers)))
        shown = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
        shown.add_column(plain(table.headers[0]), overflow="fold")
        for place in across:
            shown.add_column(plain(table.headers[place]), justify="right", overflow="fold")
        for row in table.rows:
            shown.add_row(*(plain(row[place].shown) for place in (0, *across)))
        yield Text("")
        yield plain(table.title)
        yield shown


def _table(table: Cells) -> Table:
    found = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    rows = table.shown()
    for place, (key, header) in enumerate(zip(table.keys, table.headers, strict=True)):
        whole = key in NUMBERS and max(len(row[place]) for row in rows) <= WIDEST_NUMBER
        found.add_column(
            plain(header),
            justify="right" if key in NUMBERS else "left",
            no_wrap=whole,
            overflow="ellipsis" if whole else "fold",
        )
    for row in rows:
        found.add_row(*map(plain, row))
    return found


def listed(title: str, lines: Iterable[str]) -> Iterator[RenderableType]:
    """Yield lines as a list under a title."""
    yield Text("")
    yield Text(title, style="bold")
    yield from _bullets(lines)


def _bullets(lines: Iterable[str]) -> Iterator[RenderableType]:
    for line in lines:
        bullet = Table.grid(padding=(0, 1, 0, 0))
        bullet.add_column()
        bullet.add_column(overflow="fold")  # a path may be longer than a line
        bullet.add_row(Text("-"), plain(line))
        yield Padding(bullet, (0, 0, 0, 0))


def show_document(document: Document, console: Console) -> None:
    """Print a document, good at 80 columns; one longer than a screen ends with its first sentences once more."""
    console.width = max(console.width, NARROWEST)
    with console.capture() as captured:
        for part in _document_parts(document):
            console.print(part, highlight=False, emoji=False)
    shown = captured.get()
    console.file.write(shown)
    if shown.count("\n") > SCREEN_LINES:
        console.print()
        for line in document.lead:
            console.print(plain(line), highlight=False, emoji=False)


def _document_parts(document: Document) -> Iterator[RenderableType]:
    yield plain(document.title, "bold")
    yield from map(plain, document.lead)
    for part in document.parts:
        yield Text("")
        yield plain(part.title, "bold")
        yield from map(plain, part.notes)
        if part.table:
            yield _whole(part.table)
        for item in part.items:
            bullet = Table.grid(padding=(0, 1, 0, 0))
            bullet.add_row(Text("-"), plain(item))
            yield bullet


def _whole(table: Cells) -> Table:
    found = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for header in table.headers:
        found.add_column(plain(header), overflow="fold")
    for row in table.shown():
        found.add_row(*map(plain, row))
    return found
