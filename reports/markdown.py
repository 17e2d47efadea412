"""The report as Markdown for code hosts: every string is escaped, so that none becomes markup, HTML or a link."""

import re
from collections.abc import Iterable

from reports.content import Content, Section
from reports.text import printable


def markdown(content: Content) -> str:
    """Return the whole report."""
    blocks = [f"# {escape(content.title)}", *(escape(line) for line in content.lead)]
    for section in content.sections:
        blocks += _section(section)
    if content.damaged:
        blocks += ["## Damaged records, left out", _list(f"{path}: {reason}" for path, reason in content.damaged)]
    for title, lines in (("Machine", content.machines), ("Backends", content.backends), ("Legend", content.legend)):
        if lines:
            blocks += [f"## {title}", _list(lines)]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Return text that renders as itself, on one line, inside a table too."""
    line = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]{}|~$#])", r"\\\1", line)
    line = line.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")
    return re.sub(r"^(\d*)([-+.)=])(?=[\s=-]|$)", r"\1\\\2", line)  # no list, no heading


def _section(section: Section) -> list[str]:
    blocks = [f"## {escape(section.title)}", *(escape(note) for note in section.notes)]
    if section.rows:
        headers = list(section.rows[0])
        table = [headers, ["---"] * len(headers), *([row[name] for name in headers] for row in section.rows)]
        cells = [[cell if cell == "---" else escape(cell) for cell in line] for line in table]
        blocks.append("\n".join(f"| {' | '.join(line)} |" for line in cells))
    return blocks


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)
