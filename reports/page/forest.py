"""The first picture: every row's ratio to the fastest one of its task, with its interval, on one logarithmic axis.

It is drawn twice, for a desk and for a phone, in pixels that are never stretched much; ink is the colour of the text
around it, so that it can leave the page as a picture of its own.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.language import _, ngettext
from reports.content.cells import verdict
from reports.content.places import Found
from reports.page import style
from reports.page.drawing import svg
from reports.page.drawing.scales import Scale, over, ticks
from reports.page.style import Look
from reports.statistics.rows import Row
from reports.words import text

MOST_GROUPS, MOST_ROWS = 12, 8
ROW_PX, TASK_PX, AXIS_PX = 21, 25, 40
INK, FAINT = "currentColor", 0.16
SOFT = 0.72
"""How strong the ink of what is less important is."""
FARTHEST = 1_000.0
"""An interval that reaches farther from 1 is cut there."""
OPEN = "no difference shown"


class Size(NamedTuple):
    """Where things stand, in pixels."""

    width: int
    left: int
    right: int
    letter: float
    with_verdict: bool


DESK, PHONE = Size(760, 168, 470, 7.1, True), Size(358, 104, 206, 6.6, False)


def pictures(found: Sequence[Found]) -> dict[str, Markup]:
    """Return the picture for a desk and for a phone; nothing where no row is compared with another."""
    shown = [item for item in found if any(row.to_fastest for row in item.comparable())][:MOST_GROUPS]
    if not shown:
        return {}
    looks = style.looks((row.backend, row.mode, row.profile) for item in found for row in item.group.rows)
    return {name: _picture(shown, looks, size) for name, size in (("desk", DESK), ("phone", PHONE))}


def left_out(found: Sequence[Found]) -> str:
    """Return a sentence on the comparisons that are not in the picture, nothing where all are."""
    comparable = sum(any(row.to_fastest for row in item.comparable()) for item in found)
    sentences = []
    if more := len(found) - comparable:
        sentence = ngettext(
            "Not in the picture is {count} task in which nothing is compared.",
            "Not in the picture are {count} tasks in which nothing is compared.",
            more,
        )
        sentences.append(sentence.format(count=more))
    if (more := comparable - MOST_GROUPS) > 0:
        sentence = ngettext("{count} more comparison stands in the table.", "{count} more stand in the table.", more)
        sentences.append(sentence.format(count=more))
    return " ".join(sentences)


def _picture(found: Sequence[Found], looks: dict[tuple[str, str, str], Look], size: Size) -> Markup:
    scale = _scale(found)
    heights = [TASK_PX + ROW_PX * len(item.group.rows[:MOST_ROWS]) for item in found]
    bottom = sum(heights) + 4
    marks = [*_ground(scale, size, bottom)]
    top = 0
    for item, height in zip(found, heights, strict=True):
        marks += _task(item, looks, scale, size, top)
        top += height
    box = {"viewBox": f"0 0 {size.width} {bottom + AXIS_PX}", "width": str(size.width), "color": "#1c1f23"}
    font = {"font-family": "system-ui, sans-serif", "font-size": "13" if size is DESK else "11.5"}
    return svg.element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box, **font}, Markup("").join(marks))


def _scale(found: Sequence[Found]) -> Scale:
    compared = [row.to_fastest for item in found for row in item.group.rows[:MOST_ROWS] if row.to_fastest]
    ends = [end for one in compared for end in (one.ratio, one.low, one.high) if end is not None]
    return over([1.0, *(min(max(end, 1 / FARTHEST), FARTHEST) for end in ends)], is_log=True)


def _x(scale: Scale, size: Size, value: float) -> str:
    place = scale.at(min(max(value, scale.low), scale.high))
    return svg.pixels(size.left + place * (size.right - size.left))


def _ground(scale: Scale, size: Size, bottom: float) -> Iterator[Markup]:
    """Yield the axis below, its lines, and the line of the fastest."""
    y = svg.pixels(bottom)
    for tick in ticks(scale, 7 if size is DESK else 4):
        x = _x(scale, size, tick.value)
        yield svg.line((x, x), ("4", y), INK, stroke_opacity=FAINT)
        yield svg.words(f"{tick.text}×", x, bottom + 15, fill=INK, fill_opacity=SOFT)
    x = _x(scale, size, 1.0)
    yield svg.line((x, x), ("4", y), INK, stroke_opacity=SOFT, stroke_dasharray="3 3")
    said = (
        _("times the fastest row's seconds per example, logarithmic")
        if size is DESK
        else _("times slower, logarithmic")
    )
    yield svg.words(said, str(size.left), bottom + 33, anchor="start", fill=INK, fill_opacity=SOFT)


def _task(
    item: Found, looks: dict[tuple[str, str, str], Look], scale: Scale, size: Size, top: float
) -> Iterator[Markup]:
    """Yield a task's name and its rows."""
    yield svg.words(_cut(item.place, size.left + 160, size), "0", top + 17, anchor="start", fill=INK, font_weight="600")
    for number, row in enumerate(item.group.rows[:MOST_ROWS]):
        y = top + TASK_PX + ROW_PX * number + 9
        look = looks[row.backend, row.mode, row.profile]
        name = _cut(style.label(row.label), size.left - 16, size)
        strength = 1.0 if row.comparable else SOFT
        yield svg.words(name, "10", y + 4.5, anchor="start", fill=INK, fill_opacity=strength)
        yield from _mark(row, look, scale, size, y)
        yield svg.words(
            _said(row, size), str(size.right + 14), y + 4.5, anchor="start", fill=INK, fill_opacity=strength
        )


def _mark(row: Row, look: Look, scale: Scale, size: Size, y: float) -> Iterator[Markup]:
    """Yield the interval and the point of a comparable row: an open one where no difference is shown."""
    if not row.comparable:
        return
    found, at = row.to_fastest, svg.pixels(y)
    if found and found.low is not None and found.high is not None:
        ends = (_x(scale, size, found.low), _x(scale, size, found.high))
        yield svg.line(ends, (at, at), look.colour, stroke_width="2")
        for end in ends:
            yield svg.line((end, end), (svg.pixels(y - 4), svg.pixels(y + 4)), look.colour, stroke_width="2")
    name = look.symbol.split("-open")[0].removesuffix("-dot")
    is_open = bool(found and verdict(row) == OPEN)
    paper = "var(--paper, #fff)"
    shape = {
        "d": svg.SHAPES[name],
        "fill": paper if is_open else look.colour,
        "stroke": look.colour,
        "stroke-width": "2",
    }
    place = f"translate({_x(scale, size, found.ratio if found and found.ratio else 1.0)} {at})"
    yield svg.element("path", {**shape, "transform": place})


def _said(row: Row, size: Size) -> str:
    """Return a row's numbers and verdict beside its mark."""
    found, said = row.to_fastest, _(verdict(row))
    if not row.comparable:
        return said
    if found is None:
        return said if said != _(OPEN) else _("the fastest mean")
    numbers = text.ratio(found.ratio, found.low, found.high)
    return _("{ratio}  {verdict}").format(ratio=numbers, verdict=said) if size.with_verdict else numbers


def _cut(name: str, room: float, size: Size) -> str:
    shown = text.printable(name)
    while svg.width_of(shown, size.letter) > room and len(shown) > 1:
        shown = f"{shown.removesuffix('…')[:-1]}…"
    return shown
