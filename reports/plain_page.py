"""The report of a study as a plain page: the Markdown that code hosts show, as text."""

from pathlib import Path

from jinja2 import Environment, PackageLoader

from harness import language
from harness.language import _
from reports import studies
from reports.content import content
from reports.frame import frame, stages
from reports.markdown import markdown
from reports.summary import summarize
from reports.text import printable


def plain_page(folder: Path) -> str:
    """Return the report of a study as one HTML page."""
    loaded = studies.load(folder)
    runs, parts = frame(loaded.records), stages(loaded.records)
    said = markdown(content(loaded, runs, parts, summarize(runs)))
    environment = Environment(loader=PackageLoader("reports"), autoescape=True)
    template = environment.get_template("serve_report.html.j2")
    title = _("Study {name}").format(name=printable(loaded.name))
    return template.render(title=title, said=said, language=language.current())
