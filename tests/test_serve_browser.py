"""The served page in a browser: choosing and comparing by hand, light and dark, without a fault for screen readers."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from records_factory import died, measured, record, write_study
from werkzeug.serving import make_server

from reports.formats.serve import create_app


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    results = tmp_path_factory.mktemp("results")
    for name, step_s in (("before", 0.01), ("after", 0.02)):
        runs = [record(repeat=repeat, found=measured(step_s * (1 + repeat / 100))) for repeat in range(3)]
        write_study(results / name, [*runs, died("tensorflow")])
    server = make_server("127.0.0.1", 0, create_app(results), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_two_studies_are_chosen_and_compared_by_hand(address: str, browser: Browser) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/?lang=en")
    page.get_by_label("before as A").check()
    page.get_by_label("after as B").check()
    page.get_by_role("button", name="Compare B with A").click()
    assert page.get_by_role("heading", level=1).inner_text() == "after against before"
    page.get_by_role("link", name="Report of after").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Nothing can be compared yet"
    page.goto(address)
    page.get_by_label("Words").fill("bef")
    page.get_by_role("button", name="Filter").click()
    assert page.get_by_role("row").count() == 2
    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/compare?a=before&b=after", "/study/after", "/study/nothing"])
def test_axe_finds_no_serious_fault(path: str, scheme: Any, address: str, browser: Browser) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is a script of another origin
    page = context.new_page()
    page.goto(address + path)
    found = [fault for fault in Axe().run(page).response["violations"] if fault["impact"] in ("serious", "critical")]
    context.close()
    assert found == []


def test_a_phone_scrolls_the_tables_and_not_the_page(address: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    for path in ("/", "/compare?a=before&b=after"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_script_in_a_report_cannot_read_the_other_pages(tmp_path: Path, browser: Browser) -> None:
    write_study(tmp_path / "a", [record()])
    code = "fetch('/').then(() => p.textContent = 'read', () => p.textContent = 'refused')"
    script = f"<!doctype html><p id=p>none</p><script>{code}</script>"
    server = make_server("127.0.0.1", 0, create_app(tmp_path, page=lambda _folder, _links: script), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/study/a")
        page.wait_for_function("p.textContent !== 'none'")
        assert page.inner_text("#p") == "refused"
        page.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
