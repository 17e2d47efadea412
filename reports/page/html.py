"""The report as one HTML page: it opens from disk without a network, and nothing from a record acts in it.

Two walls: Jinja escapes every string, which `printable` has made one line without control characters; and the page's
own policy lets no script run but the two that stand here by their hashes, and no picture load but those inside.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from harness import __version__, language
from reports.content.content import Content, Section
from reports.page import tables
from reports.page.answer import answer
from reports.page.exhibit import Exhibit
from reports.page.figures import as_json
from reports.page.words import words
from reports.statistics.study import StudyRead
from reports.words import text

LONGEST = 1_000
"""Characters of one string that the page shows."""
MOST_SECTIONS = 60
"""Sections of one study, and comparisons of the answer; more would be no page to read."""
QUOTED = Markup('<span lang="en" class="quoted" translate="no">{}</span>')


class StudyPart(NamedTuple):
    """One study of the page."""

    study: StudyRead
    said: Content
    exhibits: tuple[Exhibit, ...]


def page(parts: Sequence[StudyPart]) -> str:
    """Return the page of some studies, in the language in use."""
    script = _resource("page.js")
    plotly = _script(get_plotlyjs()) if any(shown.figure for part in parts for shown in part.exhibits) else ""
    said = answer([(part.study.loaded.name, part.study.groups) for part in parts])
    return _environment().get_template("page.html.j2").render(
        language=language.current(),
        say=words(),
        version=__version__,
        title=_title(parts),
        answer=said,
        groups=said.groups[:MOST_SECTIONS],
        studies=[_study(part, number if len(parts) > 1 else None) for number, part in enumerate(parts, start=1)],
        style=Markup(_resource("page.css")),
        script=Markup(script),
        plotly=Markup(plotly),
        policy=_policy([code for code in (script, plotly) if code]),
    )  # fmt: skip


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
    return {
        "name": part.study.loaded.name,
        "prefix": prefix,
        "is_one_of_many": number is not None,
        "lead": part.said.lead,
        "exhibits": [_exhibit(shown, prefix) for shown in part.exhibits],
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
        "figure": Markup(as_json(shown.figure)) if shown.figure is not None else "",
        "images": [
            {"source": Markup(f"data:image/png;base64,{base64.b64encode(image.png).decode()}"), "alt": image.alt,
             "caption": image.caption}
            for image in shown.images
        ],
        "sheet": tables.of(shown.grid, shown.title) if shown.grid else None,
    }  # fmt: skip


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


def _policy(scripts: Sequence[str]) -> str:
    """Return the Content-Security-Policy: these scripts and no others, styles and pictures of the page itself.

    Plotly sets styles by attributes, which no hash can name.
    """
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
