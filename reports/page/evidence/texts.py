"""The texts that a classifier was surest of: those it had right, and those it had wrong."""

from collections.abc import Sequence

from harness.language import _
from harness.records.evidence import Answers, Example
from reports.page.evidence.answers import named
from reports.page.evidence.files import ShownRun
from reports.page.exhibit import Exhibit
from reports.words import text
from reports.words.table import Cell, grid, number, words


def exhibit(name: str, title: str, rows: Sequence[tuple[ShownRun, Answers]], note: str) -> Exhibit | None:
    """Return a table of the texts of a group's rows, None where there are none."""
    cells = [
        _cells(item, answers, example)
        for item, answers in rows
        for example in (*answers.wrong, *answers.right)
        if example.text
    ]
    if not cells:
        return None
    what = _(
        "The test texts with the surest answers, wrong ones first, as the net read them: cut into words, the last of "
        "them alone, and what its dictionary lacks as <unknown>."
    )
    headers = (_("backend"), _("outcome"), _("text"), _("label"), _("answer"), _("probability"), _("test example"))
    return Exhibit(
        name=name,
        title=_("Surest right and wrong: {group}").format(group=title),
        note=f"{what} {note}",
        grid=grid(headers, cells),
    )


def _cells(item: ShownRun, answers: Answers, example: Example) -> list[Cell]:
    return [
        words(item.label, quoted=True),
        words(_("right") if example.is_right else _("wrong")),
        words(text.printable(example.text), quoted=True),
        named(answers, example.label),
        named(answers, example.predicted),
        number(example.probability, f"{example.probability:.4f}"),
        Cell(shown=f"{example.index:,}", value=example.index),
    ]


def written(name: str, title: str, shown: Sequence[ShownRun], note: str) -> Exhibit | None:
    """Return a table of what the nets of a group's rows write, None where they write nothing."""
    rows = [(item, item.found.written) for item in shown if item.found.written is not None]
    if not rows:
        return None
    what = _(
        "How each net goes on after “{given}”, the first characters of the test split: with the likeliest character at "
        "each place, or with one drawn by its probabilities, from random numbers that are the same for all. ↵ is the "
        "end of a text, and □ stands for no character."
    ).format(given=_one_line(rows[0][1].given_text))
    cells = [
        [
            words(item.label, quoted=True),
            words(_("drawn") if line.drawn else _("the likeliest")),
            words(_one_line(line.text), quoted=True),
        ]
        for item, found in rows
        for line in found.lines
    ]
    return Exhibit(
        name=name,
        title=_("What the nets write: {group}").format(group=title),
        note=f"{what} {note}",
        grid=grid((_("backend"), _("each character"), _("text")), cells),
    )


def _one_line(said: str) -> str:
    return text.printable(said.replace("\n", "↵"))
