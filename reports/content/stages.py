"""What a task of stages says beyond its table: figures go down, backends go across, for there are many figures.

The speed of a stage is a median over the completed runs of a row; what came out is shown of each of them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from harness.language import _, noop
from reports.statistics.row_runs import RowRuns
from reports.statistics.rows import Row
from reports.words import text
from reports.words.record_words import stage_name
from reports.words.table import Cell, Table, grid, number, several, words

FIGURE, COMPARABLE, UNRELIABLE = noop("figure"), noop("comparable"), noop("(unreliable)")
MOST_REMARKS = 6
MORE_REMARKS = noop("and {count} other remarks")

Figure = Callable[["StageRuns"], Cell]
"""Makes the cell of a row."""


class StageRuns(NamedTuple):
    """One row with the stages of its runs."""

    row: Row
    run_ids: tuple[str, ...]
    """Its completed runs, in the order of seed and repeat."""
    stages: pd.DataFrame
    """Their stages, run by run."""

    def median(self, stage: str, figure: str) -> float | None:
        """Return the median of a figure over the runs, None where no run has it."""
        found = self.stages.loc[self.stages["stage"] == stage, figure].dropna()
        return float(found.median()) if len(found) else None

    def each(self, stage: str, figure: str) -> list[float | None]:
        """Return a figure of every run, None for a run without it."""
        found = self.stages[self.stages["stage"] == stage].drop_duplicates("run_id", keep="last")
        known = found[["run_id", figure]].dropna()
        by_run = {str(run_id): float(value) for run_id, value in zip(known["run_id"], known[figure], strict=True)}
        return [by_run.get(run_id) for run_id in self.run_ids]


def rows(found: Sequence[RowRuns], parts: pd.DataFrame) -> list[StageRuns]:
    """Return the rows of a group that have completed runs with stages, in the group's order.

    Args:
        found: the rows of the group.
        parts: the stages of all records.
    """
    if not len(parts):
        return []
    staged = []
    for one in found:
        completed = one.frame.frame[["run_id", "seed", "repeat"]].iloc[one.completed].sort_values(["seed", "repeat"])
        run_ids = tuple(completed["run_id"])
        stages = parts[parts["run_id"].isin(run_ids)]
        if len(stages):
            staged.append(StageRuns(one.row, run_ids, stages))
    return staged


def tables(found: Sequence[StageRuns]) -> tuple[Table, ...]:
    """Return the two tables on the stages of a group, none where it has no stages."""
    if not found:
        return ()
    everything = pd.concat([side.stages for side in found])
    return (
        _table(_("Stages (medians over the runs)"), found, _speeds(everything)),
        _table(_("What came out (every run, in the order of the seeds)"), found, _outcome(everything)),
    )


def remarks(found: Iterable[StageRuns]) -> tuple[str, ...]:
    """Return what is to be said of single figures, each sentence once, with where it holds."""
    places: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for side in found:
        for stage, remarked in zip(side.stages["stage"], side.stages["remarks"], strict=True):
            for figure, sentence in json.loads(remarked or "{}").items():
                places.setdefault((figure, sentence), []).append((stage, side.row.label))
    lines = []
    for (figure, sentence), where in places.items():
        stages, labels = (dict.fromkeys(names) for names in zip(*where, strict=True))
        lines.append(
            _("{figure} ({stages}) of {rows}: {remark}").format(
                figure=_(_words(figure)),
                stages=text.clauses(map(stage_name, stages)),
                rows=text.names(labels),
                remark=text.quoted(sentence),
            )
        )
    return text.first(lines, MOST_REMARKS, MORE_REMARKS)


def _table(title: str, found: Sequence[StageRuns], figures: dict[str, Figure]) -> Table:
    rows = [(words(name), *(figure(side) for side in found)) for name, figure in figures.items()]
    return grid((_(FIGURE), *(side.row.label for side in found)), rows, title)


def _speeds(stages: pd.DataFrame) -> dict[str, Figure]:
    """Return the figures on how the stages of the machine ran."""
    figures: dict[str, Figure] = {
        _(COMPARABLE): lambda side: words(_("yes") if side.row.comparable else _("not comparable"))
    }
    machine = _names(stages[stages["kind"] == "machine"])
    for name in machine:
        figures[_figure(name, _("examples/s"))] = _median(name, "examples_per_s", text.rate)
    for name in _names(stages[stages["mean_field_iterations"].notna()]):
        figures[_figure(name, _("mean-field iterations"))] = _median(name, "mean_field_iterations", text.number)
    for name in machine[-1:]:
        figures[_figure(name, _("reconstruction error"))] = _median(name, "reconstruction_error", text.number)
    return figures


def _figure(stage: str, figure: str) -> str:
    return _("{what}: {reason}").format(what=stage_name(stage), reason=figure)


def _outcome(stages: pd.DataFrame) -> dict[str, Figure]:
    """Return the figures on how good the nets and the machine became."""
    figures: dict[str, Figure] = {}
    nets = _names(stages[stages["kind"] == "net"])
    for name in nets:
        every = ", all labels" if any(other.startswith(f"{name}, ") for other in nets) else ""
        figures[_figure(f"{name}{every}", _("accuracy"))] = _each(name, "accuracy")
    for name in _names(stages[stages["pseudo_log_likelihood"].notna()]):
        figures[_figure(name, _("pseudo-log-likelihood"))] = _each(name, "pseudo_log_likelihood")
    for name in _names(stages[stages[["bound", "bound_is_reliable"]].notna().any(axis=1)]):
        figures[_figure(name, _("bound"))] = _bounds(name)
    return figures


def _names(stages: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(stages["stage"]))


def _median(stage: str, figure: str, shown: Callable[[float | None], str]) -> Figure:
    def cell(side: StageRuns) -> Cell:
        value = side.median(stage, figure)
        return number(value, shown(value))

    return cell


def _each(stage: str, figure: str) -> Figure:
    def cell(side: StageRuns) -> Cell:
        values = side.each(stage, figure)
        return several(values, [text.quality(value, figure) for value in values])

    return cell


def _bounds(stage: str) -> Figure:
    def cell(side: StageRuns) -> Cell:
        values = side.each(stage, "bound")
        marks = [f" {_(UNRELIABLE)}" * (reliable == 0) for reliable in side.each(stage, "bound_is_reliable")]
        shown = [f"{text.quality(value, 'bound')}{mark}" for value, mark in zip(values, marks, strict=True)]
        return several([None] if any(marks) else values, shown)

    return cell


def _words(name: str) -> str:
    return name.replace("_", " ")
