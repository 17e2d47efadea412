"""What every exhibit is drawn from: the groups of a summary with the names of their rows, and their runs.

A study of very many machines or tasks is not drawn whole: what is left out is said, and stands in the exports.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.language import _, is_translated, ngettext
from harness.record import COMPLETED
from reports.content import row_labels
from reports.exhibit import Cell, words
from reports.plot_style import Look, looks
from reports.rows import CELL, Group, Row

MOST_GROUPS = 24
"""Panels of one picture, or pictures of one kind."""
MOST_ROWS = 40
"""Rows of one panel."""
MARK = "†"
"""Behind the name of a row that is not comparable."""


class Line(NamedTuple):
    """One row of a group, as it is drawn."""

    label: str
    row: Row
    runs: pd.DataFrame
    """Its runs, one frame row each."""
    look: Look

    @property
    def completed(self) -> pd.DataFrame:
        """Its runs that trained to their end."""
        return self.runs[self.runs["status"].isin(COMPLETED)]

    def median(self, figure: str) -> float | None:
        """Return the median of a column over the completed runs, None where none has it."""
        values = self.completed[figure].to_numpy(dtype=float, na_value=np.nan)
        known = values[~np.isnan(values)]
        return float(np.median(known)) if len(known) else None

    @property
    def axis_label(self) -> str:
        """Its name beside an axis, marked where it is not comparable."""
        return self.label if self.row.comparable else f"{self.label} {MARK}"


class Place(NamedTuple):
    """One group, as it is drawn."""

    number: int
    title: str
    group: Group
    lines: tuple[Line, ...]

    @property
    def anchor(self) -> str:
        """A part of an exhibit's name that no other group has."""
        return f"{self.number + 1}"


def places(groups: Sequence[Group], runs: pd.DataFrame) -> tuple[Place, ...]:
    """Return the groups with their rows and runs, in their order, cut to what can be drawn."""
    look = looks((row.backend, row.mode, row.profile) for group in groups for row in group.rows)
    frames = {str(run_id): place for place, run_id in enumerate(runs["run_id"])}
    found = []
    for number, group in enumerate(groups[:MOST_GROUPS]):
        lines = tuple(
            Line(
                label,
                row,
                runs.iloc[[frames[run_id] for run_id in row.run_ids]],
                look[row.backend, row.mode, row.profile],
            )
            for label, row in zip(row_labels(group.rows), group.rows, strict=True)
        )
        found.append(Place(number, title(group), group, lines[:MOST_ROWS]))
    return tuple(found)


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
    return _("{title}: no row is comparable.").format(title=place.title)


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
    return words(_(sentence), quoted=bool(sentence) and not is_translated(sentence))


def comparable(row: Row) -> Cell:
    """Return a cell that says whether a row is comparable."""
    return words(_("yes") if row.comparable else _("no"))
