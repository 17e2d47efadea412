"""A choice on the terminal, good at 80 columns: the decision first, then what it rests on."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from harness.language import _
from reports.choose import task_words
from reports.choose import words as said
from reports.choose.choice import Choice
from reports.formats.terminal import NARROWEST, figures, listed, plain


def show(choice: Choice, console: Console, *, explain: bool = False, in_short: bool = False) -> None:
    """Print a choice.

    Args:
        choice: what is printed.
        console: where.
        explain: add what was measured, the values and every change of a weight.
        in_short: the answer alone, and what it hangs on.
    """
    console.width = max(console.width, NARROWEST)
    for part in _in_short(choice) if in_short and not explain else _parts(choice, explain=explain):
        console.print(part, highlight=False, emoji=False)


def hanging(choice: Choice) -> list[str]:
    """Return what the answer hangs on: what decides, what would tip it, the builds, the mistakes that count."""
    lines = (
        said.deciding(choice),
        *said.otherwise(choice),
        said.move(choice),
        said.builds(choice),
        said.messages(choice),
    )
    return [line for line in lines if line]


def _in_short(choice: Choice) -> Iterator[RenderableType]:
    yield plain(said.verdict(choice), "bold")
    for line in (*hanging(choice), said.not_measured(choice)):
        yield plain(line)
    yield Text("")


def _parts(choice: Choice, *, explain: bool) -> Iterator[RenderableType]:
    yield plain(said.verdict(choice), "bold")
    if lines := hanging(choice):
        yield from listed(_("What it hangs on"), lines)
    if len(choice.candidates) > 1:
        yield from figures(said.ranking(choice))
        yield Text("")
    for line in (
        *said.pairs(choice),
        *task_words.weights(choice),
        *task_words.without(choice),
    ):
        if line:
            yield plain(line)
    if lines := said.exclusions(choice):
        yield from listed(_("Excluded"), lines)
    yield from listed(_("Not known"), [*said.remarks(choice), said.not_measured(choice)])
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
