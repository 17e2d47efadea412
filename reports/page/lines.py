"""What every exhibit is drawn from: the groups of a summary with the names of their rows, and their runs.

A study of very many machines or tasks is not drawn whole: what is left out is said, and stands in the exports.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.language import _, ngettext
from harness.record import COMPLETED
from reports.page import style
from reports.page.style import Look, looks
from reports.statistics.rows import CELL, Group, Row, row_labels
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


class Runs:
    """The columns of a frame, each turned into an array once, however many rows ask for it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.place = {str(run_id): number for number, run_id in enumerate(frame["run_id"])}
        self.is_completed = frame["status"].isin(COMPLETED).to_numpy()
        self._numbers: dict[str, NDArray[np.float64]] = {}

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of numbers, NaN where there is none."""
        if column not in self._numbers:
            self._numbers[column] = self.frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
        return self._numbers[column]


class Line(NamedTuple):
    """One row of a group, as it is drawn."""

    label: str
    row: Row
    look: Look
    frame: Runs
    """Of all runs of the study."""
    places: NDArray[np.intp]
    """Where its own runs stand in it."""

    @property
    def completed(self) -> NDArray[np.intp]:
        """Where its runs stand that trained to their end."""
        return self.places[self.frame.is_completed[self.places]]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of its completed runs, NaN where there is no number."""
        return self.frame.numbers(column)[self.completed]

    def texts(self, column: str) -> tuple[str, ...]:
        """Return the distinct texts of a column over all its runs, without the empty one."""
        return tuple(dict.fromkeys(str(value) for value in self.frame.frame[column].iloc[self.places] if value))

    def median(self, column: str) -> float | None:
        """Return the median of a column over the completed runs, None where none has it."""
        return median(self.numbers(column))

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
    title: str
    group: Group
    lines: tuple[Line, ...]

    @property
    def short(self) -> str:
        """Its title in a picture or a sentence: on one line, and cut."""
        return text.printable(self.title, LONGEST_TITLE)

    @property
    def anchor(self) -> str:
        """A part of an exhibit's name that no other group has."""
        return f"{self.number + 1}"


def places(groups: Sequence[Group], runs: pd.DataFrame) -> tuple[Place, ...]:
    """Return the groups with their rows and runs, in their order, cut to what can be drawn."""
    look = looks((row.backend, row.mode, row.profile) for group in groups for row in group.rows)
    frame = Runs(runs)
    found = []
    for number, group in enumerate(groups[:MOST_GROUPS]):
        pairs = list(zip(row_labels(group.rows), group.rows, strict=True))[:MOST_ROWS]
        lines = tuple(
            Line(
                label,
                row,
                look[row.backend, row.mode, row.profile],
                frame,
                np.array([frame.place[run_id] for run_id in row.run_ids], dtype=np.intp),
            )
            for label, row in pairs
        )
        found.append(Place(number, title(group), group, lines))
    return tuple(found)


def median(values: NDArray[np.float64]) -> float | None:
    """Return the median of the numbers that are known, None where there are none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def title(group: Group) -> str:
    """Return what a group computed and on what, with what tells it from others of the same study."""
    facts = [str(getattr(group, name)) for name in CELL]
    facts += [f"{name.replace('_', ' ')} {getattr(group, name)}" for name in group.split_by]
    return " · ".join(facts)


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


def name(label: str) -> Cell:
    """Return a cell of a name, as the record has it."""
    return words(label, quoted=True)


def said(sentence: str) -> Cell:
    """Return a cell of text from a record, in the language in use where the catalogue has it."""
    return words(text.quoted(sentence))


def comparable(row: Row) -> Cell:
    """Return a cell that says whether a row is comparable."""
    return words(_("yes") if row.comparable else _("no"))
