"""Segmentations side by side: what a net was shown, the class of every pixel, and what it answered.

Without colours, which mean frameworks: a pixel of a class is a small sign of that class, and nothing on the ground.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from harness.language import _
from harness.records.evidence import NO_CLASS, Scene, Segmentation
from reports.page.evidence.files import ShownRun, png_bytes
from reports.page.exhibit import Exhibit, Image
from reports.words.table import Cell, grid, number, words

SIGN_PX, GAP_PX = 11, 10
"""Of a pixel, shown so large that its class can be read, and between two pictures."""
SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Of the classes from 1 on; later ones begin anew."""
INK, GREY, WHITE = 0, 150, 255
SHADES = 8

Pixels = NDArray[np.uint8]


def exhibit(name: str, title: str, shown: Sequence[ShownRun], note: str) -> Exhibit | None:
    """Return a sheet per row of the first scenes of the test split, None where there are none."""
    rows = [(item, item.found.segmentation) for item in shown if item.found.segmentation is not None]
    if not rows:
        return None
    what = _(
        "The first pictures of the test split: from left to right what the net was shown, the classes, and its "
        "answers. A pixel of class 1 is written as {first}, one of class 2 as {second} and so on; nothing stands on "
        "class 0, the ground. Wrong answers are black."
    ).format(first=SIGNS[0], second=SIGNS[1])
    headers = (_("backend"), _("test example"), _("pixels"), _("right"), _("right outside class 0"))
    return Exhibit(
        name=name,
        title=_("Segmentations: {group}").format(group=title),
        note=f"{what} {note}",
        images=tuple(_sheet(item, found) for item, found in rows),
        grid=grid(headers, [_cells(item, scene) for item, found in rows for scene in found.scenes]),
    )


def _cells(item: ShownRun, scene: Scene) -> list[Cell]:
    truth, answer = (np.frombuffer(pixels, np.uint8) for pixels in (scene.truth, scene.answer))
    right, inked = truth == answer, truth > 0
    share = float(right[inked].mean()) if inked.any() else None
    return [
        words(item.label, quoted=True),
        number(scene.index, f"{scene.index:,}"),
        number(len(truth), f"{len(truth):,}"),
        number(float(right.mean()), f"{right.mean():.4f}"),
        number(share, None if share is None else f"{share:.4f}"),
    ]


def _sheet(item: ShownRun, found: Segmentation) -> Image:
    wrong = [sum(a != b for a, b in zip(scene.truth, scene.answer, strict=True)) for scene in found.scenes]
    said = _("{count} pictures, each beside its classes and the answers of {label}; wrong pixels: {wrong}")
    return Image(
        png=sheet(found),
        caption=item.which,
        alt=said.format(count=len(wrong), label=item.label, wrong=", ".join(map(str, wrong))),
    )


def sheet(found: Segmentation) -> bytes:
    """Return the scenes as one PNG, a line for each."""
    height, width, channels = found.shape
    high, wide = height * SIGN_PX + GAP_PX, width * SIGN_PX + GAP_PX
    canvas = Pillow.new("RGB", (3 * wide + GAP_PX, len(found.scenes) * high + GAP_PX), "white")
    for line, scene in enumerate(found.scenes):
        truth, answer = (np.frombuffer(one, np.uint8).reshape(height, width) for one in (scene.truth, scene.answer))
        pixels = np.frombuffer(scene.picture, np.uint8).reshape(height, width, channels)
        picture = Pillow.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
        larger = picture.resize((width * SIGN_PX, height * SIGN_PX), Pillow.Resampling.NEAREST)
        for place, tile in enumerate((larger, _signs(truth, truth), _signs(answer, truth))):
            canvas.paste(tile, (GAP_PX + place * wide, GAP_PX + line * high))
    return png_bytes(canvas.convert("L").quantize(SHADES) if channels == 1 else canvas)


def _signs(classes: Pixels, truth: Pixels) -> Pillow.Image:
    """Return the classes as signs, on black where they are wrong; an answer that is none is a black pixel."""
    height, width = classes.shape
    tile = Pillow.new("L", (width * SIGN_PX, height * SIGN_PX), WHITE)
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(size=SIGN_PX + 2)
    draw.rectangle((0, 0, tile.width - 1, tile.height - 1), outline=GREY)
    for y, x in np.argwhere((classes > 0) | (classes != truth)).tolist():
        kind, is_right = int(classes[y, x]), classes[y, x] == truth[y, x]
        left, top = x * SIGN_PX, y * SIGN_PX
        if not is_right:
            draw.rectangle((left, top, left + SIGN_PX - 1, top + SIGN_PX - 1), fill=INK)
        if 0 < kind < NO_CLASS:
            middle = (left + SIGN_PX / 2, top + SIGN_PX / 2)
            sign = SIGNS[(kind - 1) % len(SIGNS)]
            draw.text(middle, sign, fill=INK if is_right else WHITE, font=font, anchor="mm")
    return tile
