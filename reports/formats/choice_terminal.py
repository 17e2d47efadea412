"""A choice on the terminal, good at 80 columns: the decision first, then what it rests on."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from harness.language import _
from reports.choose import task_words
from reports.choose import words as said
from reports.choose.choice import Choice
from reports.formats.terminal import NARROWEST, figures, listed, plain


def show(choice: Choice, console: Console, *, explain: bool = False) -> None:
    """Print a choice; `explain` adds what was measured, the values and every change of a weight."""
    console.width = max(console.width, NARROWEST)
    for part in _parts(choice, explain=explain):
        console.print(part, highlight=False, emoji=False)


def _parts(choice: Choice, *, explain: bool) -> Iterator[RenderableType]:
    yield plain(said.verdict(choice), "bold")
    if len(choice.candidates) > 1:
        yield from figures(said.ranking(choice))
        yield Text("")
    for line in (
        *said.pairs(choice),
        said.deciding(choice),
        said.move(choice),
        *task_words.weights(choice),
        *task_words.without(choice),
    ):
        if line:
            yield plain(line)
    if lines := said.exclusions(choice):
        yield from listed(_("Excluded"), lines)
    if lines := said.remarks(choice):
        yield from listed(_("Not known"), lines)
    if not (explain and choice.candidates):
        return
    yield from _explanation(choice)
    yield Text("")
    yield plain(said.verdict(choice), "bold")  # above it has left the screen


def _explanation(choice: Choice) -> Iterator[RenderableType]:
    yield from figures(said.measured(choice))
    if len(choice.candidates) > 1:
        yield from figures(said.contributions(choice))
    if lines := said.others(choice):
        yield from listed(_("Other modes and profiles"), lines)
    if choice.moves:
        yield from listed(_("Changes of one weight that make another one lead"), list(said.every_move(choice)))
    if len(choice.candidates) > 1:
        yield from listed(_("How it was computed"), said.method(choice))
