"""Heat maps: a few fields as rectangles with their texts, many as one small picture; and the line between two sides."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from reports.page.drawing import svg
from reports.page.drawing.panels import Trace
from reports.page.drawing.pen import Pen, numbers

MOST_RECTANGLES = 1_200
SIDE_PX = 240
"""Of a picture of many fields."""
LINE = "#111111"


def cells(pen: Pen, trace: Trace) -> Iterator[Markup]:
    """Yield the fields of a heat map."""
    values = _values(trace)
    if values.size > MOST_RECTANGLES:
        yield _picture(pen, _coloured(trace, _enlarged(values)))
        return
    fills = _coloured(trace, values)
    texts = trace.text if trace.texttemplate and trace.text is not None else None
    across, up = _places(trace.x, values.shape[1]), _places(trace.y, values.shape[0])
    width = 1 / values.shape[1]
    height = pen.height / values.shape[0]
    for row, column in np.ndindex(values.shape):
        if np.isnan(values[row, column]):
            continue
        x, y = pen.panel.x.at(across[column]), pen.y(up[row])
        red, green, blue, _alpha = fills[row, column].tolist()
        box: dict[str, Any] = {"x": svg.percent(x - width / 2), "width": svg.percent(width)}
        box |= {"y": svg.pixels(y - height / 2), "height": svg.pixels(height), "stroke": svg.PAPER}
        yield svg.element("rect", {**box, "fill": f"#{red:02x}{green:02x}{blue:02x}"})
        if texts is not None and texts[row][column]:
            fill = "#111" if red + green + blue > 380 else "#fff"
            yield svg.words(str(texts[row][column]), svg.percent(x), y + 4, fill=fill, font_size="11")


def contour(pen: Pen, trace: Trace) -> Iterator[Markup]:
    """Yield the line on which the values are those of the contour."""
    found = _enlarged(_values(trace)) > trace.contours.start
    edge = np.zeros_like(found)
    edge[:-1] |= found[:-1] != found[1:]
    edge[:, :-1] |= found[:, :-1] != found[:, 1:]
    drawn = np.zeros((*edge.shape, 4), np.uint8)
    drawn[edge] = (*_rgb(LINE), 255)
    yield _picture(pen, drawn)


def _values(trace: Trace) -> NDArray[np.float64]:
    return np.array([[np.nan if value is None else value for value in row] for row in trace.z], np.float64)


def _places(given: Any, count: int) -> list[float]:
    found = numbers(given)
    return [float(place) for place in range(count)] if not found or isinstance(found[0], str) else found


def _enlarged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    factor = SIDE_PX / max(values.shape)
    return np.asarray(ndimage.zoom(np.nan_to_num(values, nan=float(np.nanmin(values))), factor, order=1))


def _coloured(trace: Trace, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the colours of values on the trace's scale, as red, green, blue and how much they cover."""
    low, high = float(trace.zmin), float(trace.zmax)
    share = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    stops = [float(stop) for stop, _colour in trace.colorscale]
    colours = np.array([_rgb(colour) for _stop, colour in trace.colorscale], float)
    channels = [np.interp(share, stops, colours[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.full(values.shape, 255.0)], axis=-1).round().astype(np.uint8)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _picture(pen: Pen, pixels: NDArray[np.uint8]) -> Markup:
    """Return a picture over the whole panel; its first row lies where the first values do."""
    upright = pixels if pen.panel.y.is_reversed else pixels[::-1]
    stream = io.BytesIO()
    Image.fromarray(upright).quantize(64, method=Image.Quantize.FASTOCTREE).save(stream, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    size = {"width": "100%", "height": svg.pixels(pen.height), "preserveAspectRatio": "none"}
    return svg.element("image", {"href": source, **size})
