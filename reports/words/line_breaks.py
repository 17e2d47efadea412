"""Where a line may be broken, and how wide it is on a terminal: a Chinese character takes two cells.

Chinese has no spaces: a line may end after any character, but none begins with a closing mark and none ends with an
opening one.
"""

import re
from itertools import pairwise
from unicodedata import east_asian_width

CLOSING = "，。；：、！？）】》”’…%％×"
OPENING = "（【《“‘"
WIDE = r"[\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]"
PIECE = re.compile(rf"[{OPENING}]*(?:(?:(?!{WIDE}|[{OPENING}])\S)+|{WIDE})(?:[{CLOSING}])*\s*|\S\s*")
"""What stays together: a wide character or a run of others, with its opening and closing marks and the space behind."""


def is_wide(text: str) -> bool:
    """Return whether any character takes two cells."""
    return not text.isascii() and re.search(WIDE, text) is not None


def cells(text: str) -> int:
    """Return how many cells a text takes."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def breaks(text: str, width: int) -> list[int]:
    """Return the places at which a line of text is broken, so that no piece is wider than `width` cells."""
    found, used = [], 0
    for piece in PIECE.finditer(text):
        start, whole, visible = piece.start(), cells(piece[0]), cells(piece[0].rstrip())
        if used and used + visible > width:
            found.append(start)
            used = 0
        while visible > width:  # a word longer than a line
            start += width
            found.append(start)
            whole, visible = whole - width, visible - width
        used += whole
    return found


def lines(text: str, width: int) -> list[str]:
    """Return a text as lines of at most so many cells."""
    places = [0, *breaks(text, width), len(text)]
    return [text[start:end].rstrip() for start, end in pairwise(places) if text[start:end].strip()]
