"""The served page: a list of all studies, their reports, and two of them compared. It reads, and nothing else.

Where a class hands its studies in (`reports/formats/collect.py`) one address takes them; all others read.
Every answer is to GET or HEAD, sets no cookie and carries a policy under which no other site's content is loaded. A
request must name this machine as its host, so that a foreign site whose name is made to point here is refused.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, g, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from harness import language
from harness.errors import EvenbenchError
from harness.language import _
from harness.records.bundles import handed_in
from reports.compare.studies import compare_studies
from reports.compare.words import document
from reports.formats.collect import Collector, whole_class
from reports.formats.report import page_of
from reports.formats.served_pages import FILES, Told, blundered, chosen, file, told
from reports.formats.served_studies import Catalogue, Remembered, stamp
from reports.page.html import Link
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.document import Document

ROOM = Path(__file__).parents[1]
"""Where `templates/` lies."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")
PAGES, ANSWERS = 8, 10_000
"""Reports that are remembered, and lines of the list."""
REFRESH_S = 10
"""After so many seconds the progress of a study is asked for again."""
DOCUMENTS: dict[str, Callable[[Path], Document]] = {"choice": chosen, "mistakes": blundered}
"""What has a page of its own."""
COLLECT = "collect"
LONGEST_QUERY = 200
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
)
"""A report carries its own scripts, so it runs in a sandbox: without an origin, it cannot read the other pages."""


def create_app(
    results: Path,
    host: str = LOOPBACK[1],
    page: Callable[[Path, Sequence[Link]], str] = page_of,
    token: str | None = None,
) -> Flask:
    """Return the application.

    Args:
        results: the folder of the studies.
        host: the address that it will listen on.
        page: makes the HTML page of a study, given its folder and ways to what is served beside it.
        token: the word with which studies are handed in; without one none is taken.
    """
    app = Flask("reports", static_folder=None, root_path=str(ROOM))
    app.config.update(MAX_CONTENT_LENGTH=0, PROVIDE_AUTOMATIC_OPTIONS=False, MAX_FORM_MEMORY_SIZE=0)
    app.jinja_env.autoescape = True
    app.jinja_env.globals.update(_=_, ngettext=language.ngettext, current=language.current)
    app.jinja_env.filters.update(printable=text.printable, when=text.when, plain=_plain)
    catalogue = Catalogue(results)
    pages: Remembered[str] = Remembered(most=PAGES)
    documents: Remembered[Document] = Remembered(most=PAGES)
    answers: Remembered[Told] = Remembered(most=ANSWERS)

    def known(name: str) -> Path:
        """Return the folder of a study out of the list, by its name alone."""
        folder = catalogue.folders().get(name)
        if folder is None:
            abort(404, _("There is no study of this name here."))
        return folder

    def index() -> str:
        entries = catalogue.entries()
        asked = {name: _asked(name) for name in ("q", "task", "backend", "status")}
        shown = [e for e in entries if e.holds(asked["q"], **{name: asked[name] for name in asked if name != "q"})]
        choices = {
            "task": _distinct(entry.tasks for entry in entries),
            "backend": _distinct(entry.backends for entry in entries),
            "status": _distinct(entry.statuses for entry in entries),
        }
        said = {entry.name: answer_of(entry.name) for entry in shown}
        return render_template(
            "serve_index.html.j2", entries=shown, count=len(entries), asked=asked, choices=choices, said=said
        )

    def answer_of(name: str) -> Told:
        folder = known(name)
        return answers.get((name, language.current()), (stamp(folder),), lambda: told(folder))

    def study(name: str) -> Response:
        folder = known(name)
        found = pages.get((name, language.current()), (stamp(folder),), lambda: page(folder, _links(name)))
        answer = Response(found, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = REPORT_POLICY
        return answer

    def compare() -> str:
        names = [_asked(side) for side in ("a", "b")]
        if not all(names):
            abort(400, _("Choose two studies to compare."))
        a, b = map(known, names)
        said = documents.get(
            (*names, language.current()),
            (stamp(a), stamp(b)),
            lambda: document(compare_studies(*(StudyRead.of(folder, for_pictures=False) for folder in (a, b)))),
        )
        return render_template("serve_compare.html.j2", document=said, a=names[0], b=names[1])

    def live(name: str) -> str:
        found = answer_of(name)
        entry = next(entry for entry in catalogue.entries() if entry.name == name)
        return render_template("serve_live.html.j2", entry=entry, told=found, seconds=REFRESH_S)

    def document_of(name: str, what: str) -> str:
        folder = known(name)
        if what not in DOCUMENTS:
            abort(404)
        said = documents.get((name, what, language.current()), (stamp(folder),), lambda: DOCUMENTS[what](folder))
        return render_template("serve_document.html.j2", document=said, name=name)

    def file_of(name: str, what: str) -> Response:
        folder = known(name)
        if what not in FILES:
            abort(404)
        answer = Response(file(folder, what), mimetype=FILES[what][0])
        answer.headers.set("Content-Disposition", "attachment", filename=f"{name}-{what}")
        return answer

    def whole() -> Response:
        folders = handed_in(results)
        if not folders:
            abort(404, _("Nothing was handed in yet."))
        link = (Link(_("All studies"), url_for("index", lang=language.current())),)
        stamps = tuple(map(stamp, folders))
        found = pages.get(("", language.current()), stamps, lambda: whole_class(results, lambda one: page(one, link)))
        answer = Response(found, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = REPORT_POLICY
        return answer

    def css() -> Response:
        return Response((ROOM / "templates" / "serve.css").read_text("utf-8"), mimetype="text/css")

    for rule, view in (
        ("/", index),
        ("/study/<name>", study),
        ("/study/<name>/live", live),
        ("/study/<name>/about/<what>", document_of),
        ("/study/<name>/file/<what>", file_of),
        ("/compare", compare),
        ("/serve.css", css),
    ):
        app.add_url_rule(rule, view.__name__, view, methods=["GET"])
    if token is not None:
        app.add_url_rule("/class", "whole", whole, methods=["GET"])
        app.add_url_rule("/collect", COLLECT, Collector(results, token).view, methods=["POST"])
    app.jinja_env.globals["collects"] = token is not None
    _guard(app, host)
    return app


def _links(name: str) -> tuple[Link, ...]:
    """Return the ways from a study's report to what is served beside it."""
    lang = language.current()
    files = (Link(what, url_for("file_of", name=name, what=what, lang=lang)) for what in FILES)
    return (Link(_("All studies"), url_for("index", lang=lang)), *files)


def _plain(line: str) -> str:
    """Return a line without the marks around what it quotes."""
    return text.printable("".join(piece for piece, _quoted in text.parts(line)))


def _guard(app: Flask, host: str) -> None:
    """Check every request before anything else, give every answer its headers, and show every error as a page."""

    @app.before_request
    def check() -> None:
        stack = g.stack = ExitStack()
        stack.enter_context(language.use(_language()))
        if not is_allowed(request.host, host):
            abort(400, _("This page is not served under that name."))
        if request.method not in ("GET", "HEAD") and request.endpoint != COLLECT:
            abort(405, _("This page can be read only."))
        if (wanted := request.args.get("lang")) is not None and wanted not in language.LANGUAGES:
            abort(400, _("lang is one of {languages}.").format(languages=", ".join(language.LANGUAGES)))

    @app.teardown_request
    def restore(_error: BaseException | None) -> None:
        if "stack" in g:
            g.stack.close()

    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", POLICY)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Frame-Options"] = "DENY"
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        answer.headers["Cache-Control"] = "no-store"
        if answer.status_code == 405:
            answer.headers["Allow"] = "GET, HEAD"
        return answer

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        said = error.description if code in (400, 404, 405) and error.description else error.name
        return render_template("serve_error.html.j2", code=code, said=said), code

    @app.errorhandler(EvenbenchError)
    def refused(error: EvenbenchError) -> tuple[str, int]:
        return render_template("serve_error.html.j2", code=400, said=language.said(error)), 400

    @app.context_processor
    def links() -> dict[str, Any]:
        kept = {name: value for name in request.args if (value := _asked(name)) and name != "lang"}
        lang = {"lang": request.args["lang"]} if request.args.get("lang") in language.LANGUAGES else {}
        return {
            "link": lambda endpoint, **values: url_for(endpoint, **(values | lang)),
            "here": lambda wanted: "?" + "&".join(_pairs(kept | {"lang": wanted})),
            "languages": language.LANGUAGES,
            "lang": lang.get("lang", ""),
        }


def is_allowed(given: str, host: str) -> bool:
    """Return whether a request's Host header names this machine as it is served.

    Where every address is listened on, an address is allowed, for no foreign name can stand in its place, and the
    machine's own name.
    """
    name = given.rpartition(":")[0] if given.rpartition(":")[2].isdigit() else given
    name = name.strip("[]").rstrip(".").lower()
    if name in LOOPBACK or (host not in EVERYWHERE and name == host.lower()):
        return True
    return host in EVERYWHERE and (_is_address(name) or name == socket.gethostname().lower())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _language() -> str:
    asked = request.args.get("lang", "")
    if asked in language.LANGUAGES:
        return asked
    return request.accept_languages.best_match(language.LANGUAGES) or language.LANGUAGES[0]


def _asked(name: str) -> str:
    return request.args.get(name, "")[:LONGEST_QUERY]


def _distinct(found: Iterable[Iterable[str]]) -> list[str]:
    return sorted({value for values in found for value in values})


def _pairs(values: dict[str, str]) -> list[str]:
    from urllib.parse import quote

    return [f"{quote(name)}={quote(value)}" for name, value in values.items()]
