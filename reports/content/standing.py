"""How a study stands while it runs: one line for each task, better with every round."""

from collections.abc import Iterator, Sequence

from harness.language import _, ngettext
from harness.record import Record
from harness.spec import RunSpec
from reports.content.cells import NOT_COMPARABLE
from reports.frame.frame import frame
from reports.statistics.rows import CELL, Group, Row
from reports.statistics.summary import summarize
from reports.words import text


def standing(records: Sequence[Record], ended: RunSpec) -> Iterator[str]:
    """Yield a line for a task: its fastest row, and how many times slower the others are so far.

    Args:
        records: of the whole study, for all its pairs are judged together.
        ended: a run of the task.
    """
    for group in summarize(frame(list(records))):
        rows = [row for row in group.rows if row.comparable]
        if len(rows) < 2 or any(getattr(group, name) != getattr(ended, name) for name in CELL):
            continue
        rounds = max(row.runs for row in rows)
        after = ngettext("after {rounds} round", "after {rounds} rounds", rounds).format(rounds=rounds)
        yield _("{task}, {after}: {rows}").format(task=group.task, after=after, rows=text.clauses(_rows(group, rows)))


def _rows(group: Group, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        found = row.to_fastest
        if found is None or found.verdict == NOT_COMPARABLE:
            yield _("{row} fastest").format(row=row.label)
        else:
            shown = "" if found.verdict == "no difference shown" else f" ({_(found.verdict)})"
            yield _("{row} {ratio} of its time").format(row=row.label, ratio=text.ratio(found.ratio)) + shown
