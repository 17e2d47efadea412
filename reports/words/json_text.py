"""JSON that is printed: data for another program, whole under every encoding of the stream that it goes to."""

import re
from typing import TextIO

BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def for_stream(text: str, stream: TextIO | None) -> str:
    r"""Return JSON as it is for a stream of UTF-8, and of the same meaning in ASCII, as `\u4e2d`, for any other."""
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
    return text if encoding.startswith("utf") else BEYOND_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()  # beyond U+FFFF JSON writes two, as UTF-16 does
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
