"""Text for rich, broken into lines as its language wants it: rich breaks at spaces, of which Chinese has none."""

from rich.console import Console, JustifyMethod, OverflowMethod
from rich.containers import Lines
from rich.text import Text

from reports.words.line_breaks import breaks, is_wide


class Words(Text):
    """Text whose wide characters each may end a line; without any it is as rich's own."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        """Return the lines of at most so many cells."""
        if no_wrap or self.no_wrap or not is_wide(self.plain):
            return super().wrap(console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap)
        found = self.divide(breaks(self.plain, width))
        for line in found:
            line.rstrip()
        if wanted := justify or self.justify:
            found.justify(console, width, justify=wanted, overflow=overflow or self.overflow or "fold")
        return found
