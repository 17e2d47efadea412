"""Plotly figures as JSON that can stand in a page: nothing in it ends a script, makes markup or asks the network.

Plotly reads a few HTML tags in its texts, links among them. Names from records reach those texts, so that only the tags
that break a line or emphasise are let through, none of them with attributes; every other bracket becomes a look-alike.
"""

import base64
import json
import math
import re
from typing import Any

import numpy as np
import plotly.graph_objects as go

from reports.words.text import printable

TAGS = re.compile(r"<br ?/?>|</?(?:b|i|em|sub|sup|extra)>", re.IGNORECASE)
"""What may stand in a text: no tag with an attribute, thus no link and no style."""
BINARY, PICTURE = "bdata", "source"
"""Keys of what is no text: an array's bytes, and a picture."""
LONGEST = 2_000
LARGEST = 1e150
"""Plotly computes with squares and differences of what it draws; a larger number is left out of the picture."""


def as_json(figure: go.Figure) -> str:
    """Return a figure as JSON for a `<script type="application/json">`, with no text that steers page or Plotly."""
    found = json.dumps(_clean(json.loads(figure.to_json()), ""), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        found = found.replace(character, f"\\u{ord(character):04x}")
    return found


def harmless(text: str) -> str:
    """Return a text of a figure in which brackets are look-alikes, but for the few tags that only shape a text."""
    pieces = TAGS.split(text)
    tags = TAGS.findall(text)
    shown = [_plain(piece) for piece in pieces]
    return "".join(piece + tag for piece, tag in zip(shown, [*tags, ""], strict=True))


def _plain(piece: str) -> str:
    """Return a piece of text between tags; spaces at its ends are kept, for other texts are beside it."""
    line = printable(piece, LONGEST)
    before, after = (" " if piece[:1] == " " and line else ""), (" " if piece[-1:] == " " and line else "")
    return f"{before}{line}{after}".replace("<", "‹").replace(">", "›")


def _clean(value: Any, key: str) -> Any:
    if isinstance(value, dict) and BINARY in value:
        return _array(value)
    if isinstance(value, dict):
        return {harmless(name): _clean(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, key) for item in value]
    if isinstance(value, str):
        if key == PICTURE:
            return value if value.startswith("data:image/png;base64,") else ""
        return harmless(value)
    if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= LARGEST):
        return None
    return value


def _array(value: dict[str, Any]) -> Any:
    """Return an array as Plotly packs it, or as a list where a number of it cannot be drawn."""
    numbers = np.frombuffer(base64.b64decode(value[BINARY]), dtype=np.dtype(value["dtype"]))
    if not np.issubdtype(numbers.dtype, np.floating) or np.all(np.abs(numbers) <= LARGEST):
        return value
    shape = [int(size) for size in str(value.get("shape", len(numbers))).split(",")]
    return _clean(numbers.reshape(shape).tolist(), "")
