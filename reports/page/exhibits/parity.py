"""How near each backend came to the reference, level by level: the largest error as a multiple of what is allowed."""

import math
from collections.abc import Sequence
from typing import NamedTuple, get_args

import plotly.graph_objects as go

from harness.language import _, ngettext, noop
from harness.record import LevelName, ParityLevel, ParityVerdict
from harness.records.studies import Loaded
from reports.page.exhibit import Exhibit
from reports.page.heat_maps import FAILED, PALE, PASSED, bare, label
from reports.statistics.rows import CELL, Group
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, grid, words

LEVELS: tuple[LevelName, ...] = get_args(LevelName)
MOST_ROWS = 40
MOST_TABLE_ROWS = 400
DEEPEST = -4.0
"""Decades below the tolerance at which the colour is palest."""
HIGHEST = 1.0
LARGEST = "largest"

NAMES: dict[str, str] = {
    "parameters": noop("parameters"),
    "forward": noop("forward"),
    "loss": noop("loss"),
    "gradients": noop("gradients"),
    "update": noop("update"),
    "losses": noop("losses"),
    "stages": noop("stages"),
    LARGEST: noop("largest of all"),
}


class RowParity(NamedTuple):
    """The verdicts of the runs of one row, the worst of each level."""

    facts: tuple[str, ...]
    """Task, preset, data set, device, and the row's name."""
    passed: bool | None
    levels: dict[LevelName, ParityLevel]
    largest: float | None
    reasons: tuple[str, ...]


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the heat map of a study's parity verdicts, none where nothing was checked."""
    lines = [line for line in _lines(study.loaded, study.groups) if line.largest is not None or line.levels]
    if not lines:
        return ()
    columns = [name for name in LEVELS if any(name in line.levels for line in lines)]
    return (
        Exhibit(
            name="parity",
            title=_("Parity: the largest error of each level"),
            note=" ".join(_notes(lines)),
            alt=_alt(lines),
            figure=_figure(lines[:MOST_ROWS], columns),
            grid=grid(
                [_("task"), _("preset"), _("data set"), _("device"), _("backend"), _("verdict")]
                + [_(NAMES[name]) for name in columns]
                + [_(NAMES[LARGEST]), _("reason")],
                [_cells(line, columns) for line in lines[:MOST_TABLE_ROWS]],
            ),
        ),
    )


def ratio(level: ParityLevel) -> float | None:
    """Return a level's error as a multiple of its tolerance, None where it has no number."""
    if level.error is None or level.tolerance <= 0 or not math.isfinite(level.error / level.tolerance):
        return None
    return level.error / level.tolerance


def _lines(loaded: Loaded, groups: Sequence[Group]) -> list[RowParity]:
    verdicts = {record.spec.run_id: record.parity for record in loaded.records}
    found = []
    for group in groups:
        for row in group.rows:
            of_row = [verdicts[run_id] for run_id in row.run_ids if run_id in verdicts]
            facts = (*(str(getattr(group, fact)) for fact in CELL), row.label)
            found.append(_line(facts, of_row))
    return found


def _line(facts: tuple[str, ...], verdicts: Sequence[ParityVerdict]) -> RowParity:
    passed = [verdict.passed for verdict in verdicts]
    levels: dict[LevelName, ParityLevel] = {}
    for verdict in verdicts:
        for name, level in verdict.levels.items():
            known = levels.get(name)
            if known is None or _badness(level) > _badness(known):
                levels[name] = level
    numbers = [verdict.largest_error for verdict in verdicts if verdict.largest_error is not None]
    return RowParity(
        facts=facts,
        passed=False if False in passed else None if None in passed or not passed else True,
        levels=levels,
        largest=max(filter(math.isfinite, numbers), default=None),
        reasons=tuple(dict.fromkeys(verdict.reason for verdict in verdicts if verdict.reason)),
    )


def _badness(level: ParityLevel) -> tuple[bool, float]:
    found = ratio(level)
    return not level.passed, math.inf if found is None else found


def _notes(lines: Sequence[RowParity]) -> list[str]:
    notes = [
        _(
            "An error is shown as a multiple of what its level allows: below 1 it passed, and the paler a field, the "
            "further below. What failed is marked FAIL. Of several runs the largest error counts."
        )
    ]
    old = sum(1 for line in lines if not line.levels)
    if old:
        sentence = ngettext(
            "{count} row comes from records before schema 4, which hold only the largest error of all levels.",
            "{count} rows come from records before schema 4, which hold only the largest error of all levels.",
            old,
        )
        notes.append(sentence.format(count=old))
    if len(lines) > MOST_ROWS:
        notes.append(_("The picture shows the first {most} of {all} rows.").format(most=MOST_ROWS, all=len(lines)))
    if len(lines) > MOST_TABLE_ROWS:
        notes.append(_("The table holds the first {most} rows.").format(most=MOST_TABLE_ROWS))
    return notes


def _alt(lines: Sequence[RowParity]) -> str:
    failed = sum(1 for line in lines if line.passed is False)
    worst = max((line.largest for line in lines if line.largest is not None and line.passed), default=None)
    return _(
        "Heat map with a row for every task and backend and a column for every level. {failed} of {rows} rows failed; "
        "the largest error of those that passed is {worst} times what is allowed."
    ).format(failed=failed, rows=len(lines), worst=text.number(worst, 2))


def _figure(lines: Sequence[RowParity], columns: Sequence[LevelName]) -> go.Figure:
    colours, texts = [], []
    for line in lines:
        of_line = [_field(line.levels[name]) if name in line.levels else (None, "") for name in columns]
        of_line.append(_largest(line))
        colours.append([colour for colour, _shown in of_line])
        texts.append([shown for _colour, shown in of_line])
    names = _names(lines)
    edge = -DEEPEST / (HIGHEST - DEEPEST)
    figure = go.Figure(
        go.Heatmap(
            z=colours,
            x=[_(NAMES[name]) for name in (*columns, LARGEST)],
            y=list(range(len(lines))),
            text=texts,
            texttemplate="%{text}",
            customdata=[[name] * (len(columns) + 1) for name in names],
            hovertemplate="%{customdata}: %{x}: %{text}<extra></extra>",
            zmin=DEEPEST,
            zmax=HIGHEST,
            colorscale=[[0, PALE], [edge, PASSED], [edge, FAILED], [1, FAILED]],
            xgap=2,
            ygap=2,
            colorbar={
                "title": {"text": _("error / allowed"), "side": "right"},
                "tickvals": [-4, -3, -2, -1, 0, 1],
                "ticktext": ["≤ 0.0001", "0.001", "0.01", "0.1", "1", "≥ 10"],
                "thickness": 12,
            },
        )
    )
    bare(figure, height=110 + 28 * len(lines), least_px=300 + 62 * (len(columns) + 1))
    figure.update_xaxes(side="top")
    figure.update_yaxes(tickvals=list(range(len(lines))), ticktext=names, range=[len(lines) - 0.5, -0.5])
    return figure


def _names(lines: Sequence[RowParity]) -> list[str]:
    """Return short names of rows: the task and the backend, and what else there is where these are not distinct."""
    short = [f"{line.facts[0]} · {line.facts[-1]}" for line in lines]
    if len(set(short)) == len(short):
        return [label(name) for name in short]
    return [label(" · ".join(line.facts)) for line in lines]


def _field(level: ParityLevel) -> tuple[float | None, str]:
    """Return the colour's number and the text of one level."""
    return _colour(ratio(level), passed=level.passed), _marked(ratio(level), passed=level.passed)


def _largest(line: RowParity) -> tuple[float | None, str]:
    if line.largest is None and line.passed is not False:
        return None, ""
    passed = line.passed is not False
    return _colour(line.largest, passed=passed), _marked(line.largest, passed=passed)


def _colour(found: float | None, *, passed: bool) -> float:
    """Return a number on the scale: on the failed side only what failed, whatever rounding would say."""
    if not passed:
        return HIGHEST
    return min(max(math.log10(found), DEEPEST), -1e-3) if found else DEEPEST


def _marked(found: float | None, *, passed: bool) -> str:
    shown = text.number(found, 2)
    return shown if passed else _("FAIL {number}").format(number=shown)


def _cells(line: RowParity, columns: Sequence[LevelName]) -> list[Cell]:
    verdict = {True: _("pass"), False: _("fail"), None: _("not checked")}[line.passed]
    cells = [words(fact, quoted=True) for fact in line.facts]
    cells.append(words(verdict))
    for name in columns:
        cells.append(_level_cell(line.levels[name]) if name in line.levels else words(text.NOTHING))
    cells.append(Cell(shown=_largest(line)[1] or text.NOTHING, value=line.largest))
    cells.append(words(text.clauses(map(text.quoted, line.reasons))))
    return cells


def _level_cell(level: ParityLevel) -> Cell:
    error = text.NOTHING if level.error is None else f"{level.error:.1e}" if level.error else "0"
    shown = _("{error} of {tolerance}").format(error=error, tolerance=f"{level.tolerance:.0e}")
    return Cell(shown=shown if level.passed else _("FAIL {number}").format(number=shown), value=ratio(level))
