"""What a classifier answered: a confusion matrix per row, and of pictures those that it was surest of and wrong."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from harness.language import _, ngettext
from harness.records.evidence import Answers, Example
from reports.page.evidence.files import ShownRun, png_bytes
from reports.page.exhibit import Exhibit, Image
from reports.page.heat_maps import PALE, PASSED, label, place, small_multiples
from reports.words import text
from reports.words.table import Cell, Table, grid, number, words

PANEL_PX = 240
MOST_NUMBERED = 12
"""Classes up to which the counts are written into the picture, and stand side by side in the table."""
MOST_TABLE_ROWS = 600
ZOOM_PX = 64
"""Pixels of a side, at least, to which a picture is enlarged."""
SHEET_COLUMNS = 4
TEXT_PX, GAP_PX = 18, 6

Rows = Sequence[tuple[ShownRun, Answers]]


def rows_of(shown: Sequence[ShownRun]) -> list[tuple[ShownRun, Answers]]:
    """Return the rows that left answers."""
    return [(item, item.found.answers) for item in shown if item.found.answers is not None]


def named(answers: Answers, number_of: int) -> Cell:
    """Return a cell of a class's name."""
    return words(label(answers.name(number_of)), quoted=True)


def confusion(name: str, title: str, rows: Rows, note: str) -> Exhibit:
    """Return the confusion matrices of a group's rows."""
    figure = small_multiples([item.label for item, _answers in rows], panel_px=PANEL_PX)
    for panel, (_item, answers) in enumerate(rows):
        _draw(figure, panel, answers)
    what = _(
        "Counts of the test split: a row per label, a column per answer, so that right answers stand on the diagonal. "
        "The colour is the share of the label's examples."
    )
    return Exhibit(
        name=name,
        title=_("Confusion matrix: {group}").format(group=title),
        note=" ".join(filter(None, (what, _agreement(rows), note))),
        alt=_("{count} matrices side by side. {accuracies}").format(
            count=len(rows),
            accuracies="; ".join(
                _("{label}: {right} of {examples} right").format(
                    label=item.label, right=answers.hits, examples=answers.examples
                )
                for item, answers in rows
            ),
        ),
        figure=figure,
        grid=_counts(rows) if len(rows[0][1].counts) <= MOST_NUMBERED else _pairs(rows),
    )


def _draw(figure: go.Figure, panel: int, answers: Answers) -> None:
    counts = np.array(answers.counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [label(answers.name(number)) for number in range(len(counts))]
    shown = [[str(count) if count else "" for count in row] for row in counts.tolist()]
    figure.add_trace(
        go.Heatmap(
            x=list(range(len(names))), y=list(range(len(names))), z=shares.round(4).tolist(),
            text=shown, texttemplate="%{text}" if len(names) <= MOST_NUMBERED else None, textfont={"size": 10},
            customdata=counts.tolist(),
            hovertemplate=_("label %{y}, answer %{x}: %{customdata}") + "<extra></extra>",
            zmin=0, zmax=1, colorscale=[[0, PALE], [1, PASSED]], showscale=False, xgap=1, ygap=1,
        ),
        **place(panel),
    )  # fmt: skip
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names}
    if len(names) > MOST_NUMBERED:
        ticks = {"tickmode": "auto"}
    figure.update_xaxes(title={"text": _("answer")}, constrain="domain", tickangle=0, **ticks, **place(panel))
    x = f"x{panel + 1}" if panel else "x"
    figure.update_yaxes(
        title={"text": _("label")},
        autorange="reversed",
        scaleanchor=x,
        constrain="domain",
        constraintoward="top",
        **ticks,
        **place(panel),
    )


def _agreement(rows: Rows) -> str:
    """Return on how many examples all rows give one answer, where they are listed."""
    listed = [answers.predicted for _item, answers in rows if answers.predicted]
    if len(rows) < 2 or len(listed) < len(rows) or len({len(answers) for answers in listed}) > 1:
        return ""
    alike = sum(1 for answers in zip(*listed, strict=True) if len(set(answers)) == 1)
    return _("All {rows} rows give the same answer to {alike} of the {examples} test examples.").format(
        rows=len(rows), alike=alike, examples=len(listed[0])
    )


def _counts(rows: Rows) -> Table:
    has_none = any(sum(answers.unanswered) for _item, answers in rows)
    names = [label(rows[0][1].name(number_of)) for number_of in range(len(rows[0][1].counts))]
    cells = []
    for item, answers in rows:
        for number_of, counts in enumerate(answers.counts):
            total = sum(counts) + answers.unanswered[number_of]
            facts = [words(item.label, quoted=True), named(answers, number_of), _count(total)]
            none = [_count(answers.unanswered[number_of])] if has_none else []
            cells.append([*facts, *map(_count, counts), *none])
    width = max(len(row) for row in cells) if cells else 0
    headers = [_("backend"), _("label"), _("examples"), *(_("taken for {name}").format(name=name) for name in names)]
    headers += [_("no answer")] if has_none else []
    return grid(headers, [row for row in cells if len(row) == width == len(headers)])


def _pairs(rows: Rows) -> Table:
    """Return the counts that are not zero, one to a line, for there are too many classes to stand side by side."""
    cells = [
        [words(item.label, quoted=True), named(answers, known), named(answers, answered), _count(count)]
        for item, answers in rows
        for known, counts in enumerate(answers.counts)
        for answered, count in enumerate(counts)
        if count
    ]
    return grid([_("backend"), _("label"), _("answer"), _("examples")], cells[:MOST_TABLE_ROWS])


def _count(value: int) -> Cell:
    return Cell(shown=f"{value:,}", value=value)


def mistakes(name: str, title: str, rows: Rows, note: str) -> Exhibit | None:
    """Return a sheet per row of the pictures that it was surest of and wrong, None where there are none."""
    with_pictures = [(item, answers) for item, answers in rows if answers.picture_shape]
    if not any(answers.wrong for _item, answers in with_pictures):
        return None
    images = tuple(_sheet(item, answers) for item, answers in with_pictures if answers.wrong)
    what = _(
        "The test pictures with the surest wrong answers, surest first, from left to right and down; below each "
        "its label > the answer."
    )
    cells = [
        [
            words(item.label, quoted=True),
            Cell(shown=str(number_of), value=number_of),
            _count(example.index),
            named(answers, example.label),
            named(answers, example.predicted),
            number(example.probability, f"{example.probability:.4f}"),
        ]
        for item, answers in with_pictures
        for number_of, example in enumerate(answers.wrong, start=1)
    ]
    headers = (_("backend"), _("picture"), _("test example"), _("label"), _("answer"), _("probability"))
    return Exhibit(
        name=name,
        title=_("Worst mistakes: {group}").format(group=title),
        note=f"{what} {note}",
        images=images,
        grid=grid(headers, cells),
    )


def _sheet(item: ShownRun, answers: Answers) -> Image:
    wrong = answers.examples - answers.hits
    caption = ngettext("{run}: the only mistake", "{run}: {shown} of {count} mistakes", wrong)
    said = "; ".join(
        _("{known} taken for {answer} ({probability})").format(
            known=answers.name(example.label),
            answer=answers.name(example.predicted),
            probability=f"{example.probability:.2f}",
        )
        for example in answers.wrong
    )
    return Image(
        png=sheet(answers),
        caption=caption.format(run=item.which, shown=len(answers.wrong), count=wrong),
        alt=text.printable(said, 2000),
    )


def sheet(answers: Answers) -> bytes:
    """Return the pictures of the wrong answers as one PNG, each with its label and the answer below."""
    height, width, channels = answers.picture_shape or (1, 1, 1)
    zoom = max(1, round(ZOOM_PX / max(height, width)))
    cell_x, cell_y = width * zoom + GAP_PX, height * zoom + TEXT_PX + GAP_PX
    rows = -(-len(answers.wrong) // SHEET_COLUMNS)
    canvas = Pillow.new("RGB", (SHEET_COLUMNS * cell_x + GAP_PX, rows * cell_y + GAP_PX), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=13)
    for number_of, example in enumerate(answers.wrong):
        if not example.picture:
            continue
        row, column = divmod(number_of, SHEET_COLUMNS)
        x, y = GAP_PX + column * cell_x, GAP_PX + row * cell_y
        tile = Pillow.fromarray(_pixels(example, height, width, channels))
        canvas.paste(tile.resize((width * zoom, height * zoom), Pillow.Resampling.NEAREST), (x, y))
        caption = f"{_short(answers, example.label)} > {_short(answers, example.predicted)}"
        draw.text((x + width * zoom / 2, y + height * zoom + 2), caption, fill="black", font=font, anchor="ma")
    return png_bytes(canvas.convert("P", palette=Pillow.Palette.ADAPTIVE) if channels == 1 else canvas)


def _pixels(example: Example, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    found = np.frombuffer(example.picture, np.uint8).reshape(height, width, channels)
    return found[:, :, 0] if channels == 1 else found


def _short(answers: Answers, number_of: int) -> str:
    name = text.printable(answers.name(number_of), 6)
    return name if name.isascii() else str(number_of)
