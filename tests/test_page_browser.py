"""The page in a browser: it opens from disk without a network, its tables and pictures work, and nothing in it runs."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pages
import plotly.graph_objects as go
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page
from records_factory import write_study

from harness import language
from reports.formats.report import render
from reports.page.exhibit import Exhibit
from reports.page.html import page
from reports.page.words import words

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
PAGES = ("good", "hostile", "several", "study")
"""With exhibits of every kind, with hostile ones, of two studies, and as the command makes it."""
SERIOUS = ("serious", "critical")
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the pages once."""
    folder = tmp_path_factory.mktemp("pages")
    made = {"good": pages.good_page(), "hostile": pages.hostile_page()}
    made["several"] = page([pages.part(pages.records(), pages.exhibits(), name=name) for name in ("one", "two")])
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    render(write_study(folder / "study", pages.records()), ("html",), folder / "study.html")
    return {name: folder / f"{name}.html" for name in (*made, "study")}


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that makes a context without a network, closed at the end."""
    made: list[BrowserContext] = []

    def context(**options: Any) -> BrowserContext:
        made.append(browser.new_context(offline=True, **options))
        return made[-1]

    yield context
    for item in made:
        item.close()


@pytest.fixture
def show(contexts: Callable[..., BrowserContext], files: dict[str, Path]) -> Iterator[Open]:
    """Return a function that opens a page; the test fails if it asks the network, complains or opens a dialog."""
    complaints: list[str] = []

    def opened(name: str, *, viewport: dict[str, int] | None = None, scheme: str = "light") -> Page:
        context = contexts(viewport=viewport or DESK, color_scheme=scheme)
        shown = context.new_page()
        shown.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        shown.on("request", lambda request: complaints.extend(_foreign(request.url)))
        shown.goto(files[name].as_uri())
        return shown

    yield opened
    assert not complaints


def _foreign(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:")) else [url]


def see_all(shown: Page) -> None:
    """Open every part and scroll through the page, so that all pictures are drawn."""
    shown.evaluate("document.querySelectorAll('main details').forEach((part) => { part.open = true; })")
    height = shown.evaluate("document.documentElement.scrollHeight")
    for place in range(0, int(height), 500):
        shown.evaluate(f"scrollTo(0, {place})")
        shown.wait_for_timeout(20)
    shown.wait_for_function("[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('svg'))")


def column(shown: Page, table: str, place: int) -> list[str]:
    return shown.locator(f"{table} tbody tr:visible > *:nth-child({place})").all_inner_texts()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_opens_from_disk_and_draws_its_pictures(show: Open, name: str) -> None:
    shown = show(name)
    see_all(shown)
    assert shown.locator("h1").count() == 1
    assert shown.locator(".plot").count() > 0
    assert shown.locator(".plot:not(:has(svg))").count() == 0


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(show: Open, name: str, scheme: str) -> None:
    shown = show(name, scheme=scheme)
    see_all(shown)
    found = Axe().run(shown).response["violations"]
    faults = [(item["id"], item["nodes"][0]["html"][:200]) for item in found if item["impact"] in SERIOUS]
    assert not faults


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_never_scrolls_sideways_but_inside_tables(show: Open, name: str) -> None:
    shown = show(name, viewport=PHONE)
    see_all(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    wide = shown.locator(".scroll").evaluate_all("all => all.filter((box) => box.scrollWidth > box.clientWidth).length")
    assert wide > 0


def test_a_table_is_sorted_by_mouse_and_by_keyboard(show: Open) -> None:
    shown = show("good")
    shown.evaluate("document.querySelectorAll('main details').forEach((part) => { part.open = true; })")
    table = "[aria-labelledby='repeats'] table"
    head = shown.locator(f"{table} thead th").nth(1)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rising = [float(value.replace(",", "")) for value in column(shown, table, 2)]
    assert rising == sorted(rising)
    assert max(rising) >= 10  # as words 10 would stand before 9
    head.get_by_role("button").focus()
    shown.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(value.replace(",", "")) for value in column(shown, table, 2)] == rising[::-1]
    names = shown.locator(f"{table} thead th").nth(0)
    names.get_by_role("button").click()
    assert column(shown, table, 1) == sorted(column(shown, table, 1))
    assert head.get_attribute("aria-sort") == "none"


def test_a_table_is_filtered_and_says_how_many_rows_it_shows(show: Open) -> None:
    shown = show("good")
    shown.evaluate("document.querySelectorAll('main details').forEach((part) => { part.open = true; })")
    box = shown.locator("[aria-labelledby='repeats']")
    box.get_by_label("Filter rows").fill("TENSORFLOW graph")
    names = column(shown, "[aria-labelledby='repeats'] table", 1)
    assert names == ["tensorflow graph"] * 3
    assert box.locator("output").inner_text() == "3 of 12 rows"
    box.get_by_label("Filter rows").fill("")
    assert len(column(shown, "[aria-labelledby='repeats'] table", 1)) == 12


def test_the_button_changes_the_colours_of_page_and_pictures(show: Open) -> None:
    shown = show("good")
    see_all(shown)
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('.plot text')).fill"
    light = shown.evaluate(f"[{ground}, {ink}]")
    button = shown.get_by_role("button", name="Colours")
    assert "light" in button.inner_text()
    button.click()
    assert "dark" in button.inner_text()
    shown.wait_for_function(f"{ink} !== '{light[1]}'")
    assert shown.evaluate(ground) != light[0]
    shown.reload()
    assert shown.evaluate(ground) != light[0]


def test_paper_shows_what_is_open_in_light_colours(show: Open) -> None:
    shown = show("study", scheme="dark", viewport={"width": 690, "height": 980})
    shown.emulate_media(media="print", color_scheme="dark")
    assert shown.locator("main > details").first.is_hidden()
    assert shown.locator("nav").is_hidden()
    assert shown.get_by_role("button", name="Colours").is_hidden()
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.evaluate("document.documentElement.scrollWidth") <= 690
    narrow = "all => all.filter((cell) => cell.textContent.trim().length > 3 && cell.clientWidth < 28).length"
    assert shown.locator("td:visible, th:visible").evaluate_all(narrow) == 0
    sheets = shown.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheets)) <= 12


def test_pictures_are_there_without_a_program(browser: Browser, files: dict[str, Path]) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False, viewport=DESK)  # type: ignore[arg-type]
    shown = context.new_page()
    shown.goto(files["study"].as_uri())
    assert shown.locator(".forest svg").first.is_visible()
    assert shown.locator(".plot svg").first.is_visible()
    context.close()


def test_the_first_table_shows_verdict_ratio_and_interval_at_once(show: Open) -> None:
    for viewport in (DESK, {"width": 390, "height": 844}):
        shown = show("study", viewport=viewport)
        for cell in shown.locator(".verdicts tr.slower > :nth-child(-n+3)").all():
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= viewport["width"]


def test_a_link_into_a_folded_part_opens_it(show: Open) -> None:
    shown = show("study")
    shown.get_by_role("link", name="What the numbers mean").click()
    shown.locator("details[open] #all-legend").wait_for()


def test_the_first_picture_leaves_the_page_as_png(show: Open) -> None:
    shown = show("study")
    with shown.expect_download() as download:
        shown.get_by_role("button", name="Picture as PNG").click()
    assert download.value.suggested_filename.endswith(".png")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_nothing_in_hostile_records_runs(show: Open) -> None:
    shown = show("hostile")
    see_all(shown)
    assert shown.evaluate("window.pwned") is None
    assert shown.locator("main img:not([src^='data:image/png'])").count() == 0
    assert shown.locator(".plot a").count() == 0
    assert shown.locator("a:not([href^='#']):not([download][href^='data:text/'])").count() == 0
    assert shown.locator("script").count() == 1


def test_the_policy_alone_would_stop_a_script(contexts: Callable[..., BrowserContext], tmp_path: Path) -> None:
    """The second wall, tested without the first one: markup that got into the page does nothing."""
    found = pages.good_page().replace("</main>", f"{pages.EVIL}<a onclick='window.pwned=3' id=x>x</a></main>")
    (tmp_path / "broken.html").write_text(found, "utf-8")
    shown = contexts().new_page()
    shown.goto((tmp_path / "broken.html").as_uri())
    shown.locator("#x").dispatch_event("click")
    assert shown.evaluate("window.pwned") is None


def foreign_words(shown: Page) -> list[str]:
    """Return every run of three or more English words that a reader meets outside of names, code and quotations."""
    text = shown.evaluate(
        """() => {
          const quoted = "[lang=en], [translate=no], code, pre, script, style, noscript, svg";
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [document.title];
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            if (!node.parentElement.closest(quoted)) found.push(node.data);
          }
          document.querySelectorAll("[alt], [aria-label], [title], [data-text], [data-light], [data-dark]").forEach(
            (part) => found.push(part.getAttribute("alt"), part.ariaLabel, part.title, ...Object.values(part.dataset)));
          return found.filter(Boolean);
        }"""
    )
    words = r"[A-Za-z][A-Za-z'’]*"
    return [match[0] for line in text for match in re.finditer(rf"{words}(?:[\s-]+{words}){{2,}}", line)]


def test_english_that_was_left_in_a_page_is_found(contexts: Callable[..., BrowserContext]) -> None:
    shown = contexts().new_page()
    shown.set_content(
        "<title>研究</title><p>这是 torch eager 的结果</p><p>not yet translated 页面</p><p lang=en>a quoted text</p>"
        "<code>evenbench run it now</code><img alt='three words here'><script>let us not look</script>"
    )
    assert foreign_words(shown) == ["not yet translated", "three words here"]


def test_the_chinese_page_is_chinese(contexts: Callable[..., BrowserContext], tmp_path: Path) -> None:
    with language.use("zh"):
        assert words()["answer"] != "The answer"
        render(write_study(tmp_path / "s", pages.records()), ("html",), tmp_path / "zh.html")
    shown = contexts().new_page()
    shown.goto((tmp_path / "zh.html").as_uri())
    assert shown.locator("html").get_attribute("lang") == "zh-Hans"
    assert not foreign_words(shown)


def test_a_wide_picture_scrolls_inside_its_box_on_a_phone(
    contexts: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    figure = go.Figure(go.Heatmap(z=[[1, 2], [3, 4]], zmin=0, zmax=4, colorscale=[[0, "#ffffff"], [1, "#000000"]]))
    figure.update_layout(meta={"least_px": 700})
    found = pages.part(pages.records(), (Exhibit(name="x", title="x", figure=figure, part="speed"),))
    (tmp_path / "wide.html").write_text(page([found]), "utf-8")
    shown = contexts(viewport=PHONE).new_page()
    shown.goto((tmp_path / "wide.html").as_uri())
    assert shown.evaluate("document.querySelector('.panels').clientWidth") == 700
    assert shown.evaluate("document.querySelector('.plot').tabIndex") == 0
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
