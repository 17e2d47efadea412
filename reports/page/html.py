"""The report as one HTML page: it opens from disk without a network, and nothing from a record acts in it.

Pictures are drawn here, as SVG, so that the page shows all of itself without a program: its script only sorts and
filters tables, changes colours, and gives the first picture away as PNG.

Two walls: Jinja escapes every string, which `printable` has made one line without control characters; and the page's
own policy lets no script run but the one that stands here by its hash, and no picture load but those inside.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness import __version__, language
from reports.content.content import Content, Section
from reports.content.places import named
from reports.page import forest, style, tables
from reports.page.answer import answer
from reports.page.downloads import downloads
from reports.page.drawing.chart import drawn
from reports.page.exhibit import Exhibit, Part
from reports.page.words import words
from reports.statistics.study import StudyRead
from reports.words import text

LONGEST = 1_000
"""Characters of one string that the page shows."""
MOST_SECTIONS = 60
"""Sections of one study, and comparisons of the answer; more would be no page to read."""
OPEN: tuple[Part, ...] = ("speed", "quality", "start", "memory", "mistakes")
FOLDED: tuple[Part, ...] = ("trouble", "choice", "curves", "messages", "evidence", "instruments")
"""The parts of a study in their order, those that are open and those that are folded."""
QUOTED = Markup('<span lang="en" class="quoted" translate="no">{}</span>')


class Link(NamedTuple):
    """A way from the page to another one that is served beside it."""

    title: str
    href: str


class StudyPart(NamedTuple):
    """One study of the page."""

    study: StudyRead
    said: Content
    exhibits: tuple[Exhibit, ...]


def page(parts: Sequence[StudyPart], links: Sequence[Link] = ()) -> str:
    """Return the page of some studies, in the language in use, with ways to what is served beside it."""
    script = _resource("page.js")
    studies = [(part.study.loaded.name, part.study.groups) for part in parts]
    found, said, title = named(studies), answer(studies), _title(parts)
    return _environment().get_template("page.html.j2").render(
        language=language.current(),
        say=words(),
        version=__version__,
        title=title,
        answer=said,
        forest=forest.pictures(found),
        not_drawn=forest.left_out(found),
        choices=[line for part in parts for line in _choices(part)],
        downloads=downloads(found, title),
        links=links,
        groups=said.groups[:MOST_SECTIONS],
        studies=[_study(part, number if len(parts) > 1 else None) for number, part in enumerate(parts, start=1)],
        hatched=[colour.removeprefix("#") for colour in style.COLOURS],
        style=Markup(_resource("page.css")),
        script=Markup(script),
        policy=_policy(script),
    )  # fmt: skip


def _choices(part: StudyPart) -> list[str]:
    return [line for shown in part.exhibits if shown.part == "choice" for line in shown.short.splitlines()]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    environment.filters |= {"sort_value": tables.sort_value, "mixed": _mixed, "anchor": _anchor}
    return environment


def _fit(value: Any) -> Any:
    """Return what an expression of a template gives, as it may be shown."""
    return text.printable(value, LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value


def _mixed(line: str) -> Markup:
    """Return a line in which what it quotes in English is marked as such."""
    shown = (
        QUOTED.format(text.printable(piece, LONGEST)) if quoted else escape(_kept(piece))
        for piece, quoted in text.parts(line)
    )
    return Markup("").join(shown)


def _kept(piece: str) -> str:
    """Return a piece of a line as it may be shown, with the spaces at its ends."""
    ends = (" " if piece[:1] == " " else "", " " if len(piece) > 1 and piece[-1:] == " " else "")
    return text.printable(piece, LONGEST).join(ends)


def _title(parts: Sequence[StudyPart]) -> str:
    say = words()
    if len(parts) == 1:
        return say["title_one"].format(name=parts[0].study.loaded.name)
    return say["title_many"].format(count=len(parts))


def _study(part: StudyPart, number: int | None) -> dict[str, Any]:
    """Return what the templates show of one study; `number` tells its anchors from those of others."""
    prefix = "" if number is None else f"study-{number}-"
    of_part: dict[str, list[dict[str, Any]]] = {name: [] for name in (*OPEN, *FOLDED)}
    for shown in part.exhibits:
        of_part[shown.part].append(_exhibit(shown, prefix))
    return {
        "name": part.study.loaded.name,
        "prefix": prefix,
        "is_one_of_many": number is not None,
        "lead": part.said.lead,
        "open": {name: of_part[name] for name in OPEN if of_part[name]},
        "folded": {name: of_part[name] for name in FOLDED if of_part[name]},
        "sections": [_section(section) for section in part.said.sections[:MOST_SECTIONS]],
        "more_sections": max(0, len(part.said.sections) - MOST_SECTIONS),
        "damaged": part.said.damaged,
        "machines": part.said.machines,
        "backends": part.said.backends,
        "legend": part.said.legend,
    }


def _exhibit(shown: Exhibit, prefix: str) -> dict[str, Any]:
    return {
        "anchor": f"{prefix}{_anchor(shown.name)}",
        "title": shown.title,
        "note": shown.note,
        "alt": shown.alt,
        "short": shown.short,
        "figure": drawn(shown.figure) if shown.figure is not None else "",
        "least_px": _least_px(shown),
        "images": [
            {"source": Markup(f"data:image/png;base64,{base64.b64encode(image.png).decode()}"), "alt": image.alt,
             "caption": image.caption}
            for image in shown.images
        ],
        "sheet": tables.of(shown.grid, shown.title) if shown.grid else None,
    }  # fmt: skip


def _least_px(shown: Exhibit) -> int:
    """Return the width below which a picture of one panel cannot be read, 0 where any will do."""
    meta = shown.figure.layout.meta if shown.figure is not None and len(shown.figure.data) == 1 else None
    return int(meta["least_px"]) if meta else 0


def _section(section: Section) -> dict[str, Any]:
    caption = words()["main_table"].format(place=section.title)
    return {
        "title": section.title,
        "notes": section.notes,
        "main": tables.of(tables.names_first(section.main), caption),
        "below": section.below,
        "pairs": tables.of(section.pairs) if section.pairs else None,
        "tables": [tables.of(table, can_sort=False) for table in section.tables],
        "remarks": section.remarks,
        "troubles": section.troubles,
    }


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x"


def _resource(name: str) -> str:
    return _script((files("reports") / "templates" / name).read_text("utf-8"))


def _script(code: str) -> str:
    """Return code as a browser reads it from a page, so that its hash is that of what stands there."""
    return code.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _policy(script: str) -> str:
    """Return the Content-Security-Policy: this script and no other, styles and pictures of the page itself."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
