"""The report as Markdown for code hosts: every string is escaped, so that none becomes markup, HTML or a link."""

import re
from collections.abc import Iterable

from harness.language import _, noop
from reports.content.answer import MARKS, Answer, AnswerCell
from reports.content.content import Content, Section
from reports.words import text
from reports.words.document import Document
from reports.words.table import Table
from reports.words.text import printable

TITLE = noop("× slower than the fastest (95 % interval); of the fastest its examples/s")


def markdown(content: Content) -> str:
    """Return the whole report."""
    blocks = [f"# {escape(content.title)}", *map(escape, content.answer.sentences)]
    if table := _answer(content.answer):
        blocks += [escape(_(TITLE)), table]
    blocks += map(escape, content.lead)
    for of_machines in content.machine_tables:
        blocks += [f"## {escape(of_machines.title)}", _table(of_machines)]
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
            blocks.append(_table(part.table))
        if part.items:
            blocks.append(_list(part.items))
    return "\n\n".join(blocks) + "\n"


def escape(words: str) -> str:
    """Return text that renders as itself, on one line, inside a table too."""
    line = printable(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]{}|~$#])", r"\\\1", line)
    line = line.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")
    return re.sub(r"^(\d*)([-+.)=])(?=[\s=-]|$)", r"\1\\\2", line)  # no list, no heading


def _answer(found: Answer) -> str:
    """Return the tasks by rows with the mark of every verdict, nothing where there are none."""
    lines = [["", *map(escape, found.columns)], ["---"] * (len(found.columns) + 1)]
    lines += [[escape(line.place), *(_answer_cell(cell) for cell in line.cells)] for line in found.lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if found.lines else ""


def _answer_cell(cell: AnswerCell | None) -> str:
    if cell is None:
        return escape(text.NOTHING)
    sign, word = MARKS[cell.mark]
    interval = f" ({cell.interval})" if cell.interval else ""
    return escape(f"{sign} {cell.words}{interval}" + ("" if cell.mark in ("disturbed", "apart") else f", {_(word)}"))


def _section(section: Section) -> list[str]:
    blocks = [f"## {escape(section.title)}", *(escape(note) for note in section.notes)]
    blocks.append(_table(section.main))
    blocks += [escape(line) for line in section.below]
    if section.pairs:
        blocks += [f"### {escape(section.pairs.title)}", _table(section.pairs)]
    for table in section.tables:
        blocks += [f"### {escape(table.title)}", _table(table)]
    if section.remarks:
        blocks.append(_list(section.remarks))
    return blocks


def _table(table: Table) -> str:
    rows = [list(map(escape, row)) for row in (table.headers, *table.shown())]
    lines = [rows[0], ["---"] * len(table.headers), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)
