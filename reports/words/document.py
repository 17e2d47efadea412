"""A small document of headings, sentences, tables and lists: what the comparison says, once for every medium.

The strings are as they came from the records; whoever shows them escapes them for its medium.
"""

from msgspec import Struct

from reports.words.table import Table


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
