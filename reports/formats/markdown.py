"""The report as Markdown for code hosts: every string is escaped, so that none becomes markup, HTML or a link."""

import re
from collections.abc import Iterable, Sequence

from harness.language import _
from reports.content.content import Content, Section
from reports.words.document import Document
from reports.words.text import printable


def markdown(content: Content) -> str:
    """Return the whole report."""
    blocks = [f"# {escape(content.title)}", *(escape(line) for line in content.lead)]
    for table in content.machine_tables:
        blocks += [f"## {escape(table.title)}", _table(table.headers, table.rows)]
    for section in content.sections:
        blocks += _section(section)
    for title, lines in content.lists():
        blocks += [f"## {title}", _list(lines)]
    return "\n\n".join(blocks) + "\n"


def markdown_of(document: Document) -> str:
    """Return a document as Markdown for code hosts."""
    blocks = [f"# {escape(document.title)}", *map(escape, document.lead)]
    for part in document.parts:
        blocks += [f"## {escape(part.title)}", *map(escape, part.notes)]
        if part.table:
            lines = [part.table.headers, ["---"] * len(part.table.headers), *part.table.rows]
            blocks.append(
                "\n".join(
                    f"| {' | '.join(cell if number == 1 else escape(cell) for cell in line)} |"
                    for number, line in enumerate(lines)
                )
            )
        if part.items:
            blocks.append("\n".join(f"- {escape(item)}" for item in part.items))
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
        blocks.append(_table(list(map(_, headers)), [[row[name] for name in headers] for row in section.rows]))
    blocks += [escape(line) for line in section.below]
    if section.pairs:
        blocks += [f"### {escape(section.pairs.title)}", _table(section.pairs.headers, section.pairs.rows)]
    for table in section.tables:
        blocks += [f"### {escape(table.title)}", _table(table.headers, table.rows)]
    if section.remarks:
        blocks.append(_list(section.remarks))
    return blocks


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(map(escape, headers)), ["---"] * len(headers), *(list(map(escape, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)
