"""What every exhibit is drawn from: the groups of a summary with the names of their rows, and their runs.

A study of very many machines or tasks is not drawn whole: what is left out is said, and stands in the exports.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from harness.language import _, ngettext
from reports.page import style
from reports.page.style import Look, looks
from reports.statistics.row_runs import RowRuns, Runs
from reports.statistics.rows import Group, Row
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, words

MOST_GROUPS = 24
"""Panels of one picture, or pictures of one kind."""
MOST_ROWS = 40
"""Rows of one panel."""
LONGEST_TITLE = 160
"""Characters of a group's title in a sentence."""
MARK = "†"
"""Behind the name of a row that is not comparable."""


@dataclass(frozen=True, eq=False)
class Line(RowRuns):
    """One row of a group, as it is drawn."""

    look: Look

    @property
    def short(self) -> str:
        """Its name in a picture or a sentence: on one line, and cut."""
        return style.label(self.label)

    @property
    def axis_label(self) -> str:
        """Its name beside an axis, marked where it is not comparable."""
        return self.short if self.row.comparable else f"{self.short} {MARK}"


class Place(NamedTuple):
    """One group, as it is drawn."""

    number: int
    group: Group
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """What was computed and on what."""
        return self.group.title

    @property
    def short(self) -> str:
        """Its title in a picture or a sentence: on one line, and cut."""
        return text.printable(self.title, LONGEST_TITLE)

    @property
    def anchor(self) -> str:
        """A part of an exhibit's name that no other group has."""
        return f"{self.number + 1}"


def places(study: StudyRead) -> tuple[Place, ...]:
    """Return the groups with their rows and runs, in their order, cut to what can be drawn."""
    groups = study.groups
    look = looks((row.backend, row.mode, row.profile) for group in groups for row in group.rows)
    frame = Runs(study.runs)
    return tuple(
        Place(
            number,
            group,
            tuple(
                Line(row, frame, frame.of(row), look[row.backend, row.mode, row.profile])
                for row in group.rows[:MOST_ROWS]
            ),
        )
        for number, group in enumerate(groups[:MOST_GROUPS])
    )


def left_out(groups: Sequence[Group]) -> str:
    """Return a sentence on groups and rows that are not drawn, nothing where all are."""
    sentences = []
    if (more := len(groups) - MOST_GROUPS) > 0:
        sentence = ngettext(
            "{count} more group is not drawn; it stands in the CSV.",
            "{count} more groups are not drawn; they stand in the CSV.",
            more,
        )
        sentences.append(sentence.format(count=more))
    if (rows := sum(max(0, len(group.rows) - MOST_ROWS) for group in groups[:MOST_GROUPS])) > 0:
        sentence = ngettext(
            "{count} more row is not drawn; it stands in the CSV.",
            "{count} more rows are not drawn; they stand in the CSV.",
            rows,
        )
        sentences.append(sentence.format(count=rows))
    return " ".join(sentences)


def nobody(place: Place) -> str:
    """Return the sentence on a group of which there is nothing to rank."""
    return _("{title}: no row is comparable.").format(title=place.short)


def marked(found: Iterable[Place]) -> str:
    """Return the sentence on rows that are not comparable, nothing where there are none."""
    if all(line.row.comparable for place in found for line in place.lines):
        return ""
    return _("{mark}: not comparable, and never ranked.").format(mark=MARK)


def joined(sentences: Iterable[str]) -> str:
    """Return whole sentences, one after the other, without the empty ones."""
    return " ".join(sentence for sentence in sentences if sentence)


def extremes(figures: Iterable[tuple[Line, float | None]]) -> tuple[tuple[str, float], tuple[str, float]] | None:
    """Return the names of the comparable rows with the smallest and the largest median over the groups, with these.

    Nothing where fewer than two names have a figure.
    """
    of_name: dict[str, list[float]] = {}
    for line, figure in figures:
        if figure and line.row.comparable:
            of_name.setdefault(line.short, []).append(figure)
    medians = sorted(((median(found), label) for label, found in of_name.items()))
    if len(medians) < 2:
        return None
    (least, low), (most, high) = medians[0], medians[-1]
    return (low, least), (high, most)


def name(label: str) -> Cell:
    """Return a cell of a name, as the record has it."""
    return words(label, quoted=True)


def said(sentence: str) -> Cell:
    """Return a cell of text from a record, in the language in use where the catalogue has it."""
    return words(text.quoted(sentence))


def comparable(row: Row) -> Cell:
    """Return a cell that says whether a row is comparable."""
    return words(_("yes") if row.comparable else _("no"))
