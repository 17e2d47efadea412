"""A small document of headings, sentences, tables and lists: what the comparison says, once for every medium.

The strings are as they came from the records; whoever shows them escapes them for its medium.
"""

from collections.abc import Iterator

from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from reports.content.stages import Table
from reports.formats.markdown import escape
from reports.formats.terminal import NARROWEST, plain


class Part(Struct, frozen=True, kw_only=True):
    """One heading and what stands below it, in this order."""

    title: str
    notes: tuple[str, ...] = ()
    table: Table | None = None
    items: tuple[str, ...] = ()


class Document(Struct, frozen=True, kw_only=True):
    """The whole document."""

    title: str
    lead: tuple[str, ...]
    parts: tuple[Part, ...]


def show(document: Document, console: Console) -> None:
    """Print a document, good at 80 columns."""
    console.width = max(console.width, NARROWEST)
    for part in _parts(document):
        console.print(part, highlight=False, emoji=False)


def markdown(document: Document) -> str:
    """Return a document as Markdown for code hosts."""
    blocks = [f"# {escape(document.title)}", *map(escape, document.lead)]
    for part in document.parts:
        blocks += [f"## {escape(part.title)}", *map(escape, part.notes)]
        if part.table:
            lines = [part.table.headers, ["---"] * len(part.table.headers), *part.table.rows]
            blocks.append(
                "\n".join(
                    f"| {' | '.join(cell if number == 1 else escape(cell) for cell in line)} |"
                    for number, line in enumerate(lines)
                )
            )
        if part.items:
            blocks.append("\n".join(f"- {escape(item)}" for item in part.items))
    return "\n\n".join(blocks) + "\n"


def _parts(document: Document) -> Iterator[RenderableType]:
    yield plain(document.title, "bold")
    yield from map(plain, document.lead)
    for part in document.parts:
        yield Text("")
        yield plain(part.title, "bold")
        yield from map(plain, part.notes)
        if part.table:
            yield _table(part.table)
        for item in part.items:
            bullet = RichTable.grid(padding=(0, 1, 0, 0))
            bullet.add_row(Text("-"), plain(item))
            yield bullet


def _table(table: Table) -> RichTable:
    found = RichTable(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for header in table.headers:
        found.add_column(plain(header), overflow="fold")
    for row in table.rows:
        found.add_row(*map(plain, row))
    return found
