"""What is served of one study beside its report: its answer in a line, its files, its choice and its mistakes."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from harness.language import _
from reports.content.content import content
from reports.formats import export, markdown
from reports.page.answer import AnswerGroup, answer
from reports.page.exhibit import Exhibit
from reports.page.exhibits import choice, mistakes
from reports.statistics.study import StudyRead
from reports.words.document import Document, Part


class Told(Struct, frozen=True, kw_only=True):
    """The answer of a study, as far as its runs have come."""

    finding: str
    others: tuple[str, ...]
    headers: tuple[str, ...]
    groups: tuple[AnswerGroup, ...]
    not_comparable: int


def told(folder: Path) -> Told:
    """Return what a study says so far."""
    study = StudyRead.of(folder, for_pictures=False)
    found = answer([(study.loaded.name, study.groups)])
    return Told(
        finding=found.finding,
        others=found.others,
        headers=found.headers,
        groups=found.groups,
        not_comparable=sum(not row.comparable for group in study.groups for row in group.rows),
    )


def chosen(folder: Path) -> Document:
    """Return what the needs that come with Evenbench would choose."""
    study = StudyRead.of(folder)
    found = choice.exhibits(study)
    nothing = _("Nothing in this study can be chosen: no row of it is comparable and within the limits.")
    title = _("What to choose from {name}").format(name=study.loaded.name)
    return Document(title=title, lead=() if found else (nothing,), parts=tuple(map(_part, found)))


def blundered(folder: Path) -> Document:
    """Return what the frameworks said of students' mistakes."""
    study = StudyRead.of(folder)
    found = mistakes.exhibits(study)
    title = _("Students' mistakes in {name}").format(name=study.loaded.name)
    return Document(
        title=title,
        lead=() if found else (_("This study made no mistakes on purpose."),),
        parts=tuple(map(_part, found)),
    )


def _part(shown: Exhibit) -> Part:
    return Part(title=shown.title, notes=tuple(shown.note.splitlines()), table=shown.grid)


def _csv(study: StudyRead) -> str:
    return export.to_csv(study.runs)


def _verdicts(study: StudyRead) -> str:
    return export.to_csv(export.verdicts(study.groups))


def _markdown(study: StudyRead) -> str:
    return markdown.markdown(content(study))


FILES: dict[str, tuple[str, Callable[[StudyRead], str]]] = {
    "report.csv": ("text/csv", _csv),
    "verdicts.csv": ("text/csv", _verdicts),
    "report.md": ("text/markdown", _markdown),
    "report.json": ("application/json", export.to_json),
}
"""What can be taken of a study: its kind, and what makes it."""


def file(folder: Path, name: str) -> str:
    """Return one of `FILES`, made of the study as it is now."""
    return FILES[name][1](StudyRead.of(folder))
