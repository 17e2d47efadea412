"""What the page shows: a picture with its numbers in a table, its meaning in words, and words for who cannot see it.

Made by the modules of `exhibits/` and `evidence/`, shown by `html.py`. Strings are as they came from the records; the
page escapes them.
"""

from typing import Literal

import plotly.graph_objects as go
from msgspec import Struct

from reports.words.table import Table

Part = Literal[
    "speed", "quality", "start", "memory", "mistakes",
    "choice", "curves", "messages", "evidence", "instruments", "trouble",
]  # fmt: skip
"""Where on the page it stands: the first five are open, the others are folded."""


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
    part: Part = "instruments"
    short: str = ""
    """What it found, for the first screen; a line per thing."""
    figure: go.Figure | None = None
    images: tuple[Image, ...] = ()
    grid: Table | None = None
    """Every number of the picture."""
