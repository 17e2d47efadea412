"""The answer on a terminal: the last lines that a person sees, good at 80 columns and 24 lines.

The table stands as tasks by rows with its intervals where that fits; else turned round, else in pieces, and only where
all that is too long without the intervals, which is said.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.language import _, noop
from reports.content.answer import MARKS, Answer, AnswerCell
from reports.content.next_steps import Step
from reports.words.line_breaks import lines as broken
from reports.words.text import printable
from reports.words.wide_text import Words

NARROWEST = 80
"""Columns that the table needs; a narrower terminal wraps the lines itself."""
MOST_LINES = 13
"""Of the table, so that the sentences and the commands stand on the same 24 lines."""
WIDEST_NAME = 30
"""Cells of the name of a task or a row; a longer one is broken."""
STYLES = {
    "fastest": "bold green", "equal": "cyan", "slower": "yellow", "disturbed": "magenta", "apart": "red", "open": "",
    "alone": "bold",
}  # fmt: skip
GAP = 2
TITLE = noop("× slower than the fastest (95 % interval); of the fastest its examples/s")
WITHOUT = noop("× slower than the fastest (intervals: --full); of the fastest its examples/s")


class _Grid(Struct, frozen=True, kw_only=True):
    """A table to be laid out."""

    names: tuple[str, ...]
    """Of its lines."""
    headers: tuple[str, ...]
    cells: tuple[tuple[AnswerCell | None, ...], ...]
    with_intervals: bool = True

    def turned(self) -> "_Grid":
        """Return it with its lines as columns."""
        cells = tuple(zip(*self.cells, strict=True))
        return _Grid(names=self.headers, headers=self.names, cells=cells, with_intervals=self.with_intervals)

    def without_intervals(self) -> "_Grid":
        """Return it with shorter cells."""
        return _Grid(names=self.names, headers=self.headers, cells=self.cells, with_intervals=False)


def show(found: Answer, steps: Sequence[Step], console: Console, *, title: str = "") -> None:
    """Print the answer and what to do next.

    Args:
        found: the answer.
        steps: the commands that follow.
        console: where to; it is taken to have at least 80 columns.
        title: of the study, in the first line beside what all its runs share.
    """
    console.width = max(console.width, NARROWEST)
    facts = " · ".join(filter(None, (title, *found.facts)))
    if facts:
        console.print(_plain(facts, "bold"), highlight=False, emoji=False)
    for line in table(found, console.width):
        console.print(line, highlight=False, emoji=False, no_wrap=True, crop=False)
    for sentence in found.sentences:
        console.print(_plain(sentence), highlight=False, emoji=False)
    for line in _steps(steps, console.width):
        console.print(line, highlight=False, emoji=False, soft_wrap=True)


def table(found: Answer, width: int = NARROWEST) -> list[Text]:
    """Return the table in lines of at most so many cells, with its title above and its signs explained below."""
    if not found.lines:
        return []
    grid = _Grid(
        names=tuple(printable(line.place) for line in found.lines),
        headers=tuple(map(printable, found.columns)),
        cells=tuple(line.cells for line in found.lines),
    )
    chosen, lines = _fitting(grid, width)
    title = _(TITLE if chosen.with_intervals else WITHOUT)
    signs = "  ".join(f"{MARKS[mark][0]} {_(MARKS[mark][1])}" for mark in found.marks())
    return [*_broken(title, width), *lines, *_broken(signs, width, "dim")]


def _fitting(grid: _Grid, width: int) -> tuple[_Grid, list[Text]]:
    """Return the first form of a table that is neither too wide nor, in pieces, too long; else the shortest one."""
    found: list[tuple[_Grid, list[Text]]] = []
    for form in (grid, grid.without_intervals()):
        for whole in (True, False):
            for turn in (form, form.turned()):
                pieces = list(_pieces(turn, width))
                lines = [line for piece in pieces for line in piece]
                found.append((turn, lines))
                if (whole and len(pieces) == 1) or (not whole and len(lines) <= MOST_LINES):
                    return turn, lines
    return min(found, key=lambda one: len(one[1]))


def _pieces(grid: _Grid, width: int) -> Iterator[list[Text]]:
    """Yield a table in pieces, each with as many columns as a line holds."""
    names = [broken(name, WIDEST_NAME) or [""] for name in grid.names]
    first = max((cell_len(part) for name in names for part in name), default=0)
    columns = [_width(grid, place) for place in range(len(grid.headers))]
    start = 0
    while start < len(columns):
        end, used = start + 1, first + GAP + columns[start]
        while end < len(columns) and used + GAP + columns[end] <= width:
            used += GAP + columns[end]
            end += 1
        yield _piece(grid, names, first, range(start, end), columns)
        start = end


def _piece(
    grid: _Grid, names: Sequence[Sequence[str]], first: int, places: Iterable[int], widths: Sequence[int]
) -> list[Text]:
    across = list(places)
    headers = [broken(grid.headers[place], widths[place]) or [""] for place in across]
    lines = [
        Text(" " * (first + GAP)).append(
            (" " * GAP)
            .join(
                _padded(header[row] if row < len(header) else "", widths[place])
                for header, place in zip(headers, across, strict=True)
            )
            .rstrip(),
            style="bold",
        )
        for row in range(max(map(len, headers)))
    ]
    for name, cells in zip(names, grid.cells, strict=True):
        line = Text(_padded(name[0], first))
        for place in across:
            cell = cells[place]
            shown = _shown(cell, with_interval=grid.with_intervals)
            line.append(" " * GAP).append(_padded(shown, widths[place]), style=STYLES[cell.mark] if cell else "dim")
        line.rstrip()
        lines += [line, *map(Text, name[1:])]
    return lines


def _width(grid: _Grid, place: int) -> int:
    """Return the cells of a column: its widest cell, or the widest word of its header."""
    cells = [cell_len(_shown(line[place], with_interval=grid.with_intervals)) for line in grid.cells]
    words = [min(cell_len(word), WIDEST_NAME) for word in grid.headers[place].split()]
    return max((*cells, *words, 1))


def _shown(cell: AnswerCell | None, *, with_interval: bool) -> str:
    if cell is None:
        return "–"
    interval = f" ({cell.interval})" if cell.interval and with_interval else ""
    return printable(f"{MARKS[cell.mark][0]} {cell.words}{interval}")


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _broken(text: str, width: int, style: str = "") -> list[Text]:
    return [Text(line, style=style) for line in broken(text, width)]


def _steps(steps: Sequence[Step], width: int) -> Iterator[Text]:
    """Yield a line for every step, what it does in front and what to type behind, or below where that is too long."""
    names = [printable(step.what) for step in steps]
    widest = max(map(cell_len, names), default=0)
    for name, step in zip(names, steps, strict=True):
        typed = printable(step.typed, None)
        if widest + GAP + cell_len(typed) <= width:
            yield Text(_padded(name, widest + GAP)).append(typed, style="bold")
        else:
            yield Text(name)
            yield Text(" " * GAP).append(typed, style="bold")


def _plain(text: str, style: str = "") -> Text:
    return Words(printable(text), style=style)
