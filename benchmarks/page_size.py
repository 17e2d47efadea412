"""What a report's page takes: bytes, screens, words and time in headless Chromium, and sheets of paper.

    .venv/bin/python benchmarks/page_size.py results/quick/report.html [--shots FOLDER]

Screens are heights of 800 px at 1280 px width, with folded parts folded. The time is that from the navigation until
every picture is there, the median of five loads; the machine should have nothing else to do.
"""

import argparse
import re
import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
LOADS = 5
DRAWN = "[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('svg'))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--shots", type=Path, help="folder for pictures of the page")
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for path in asked.pages:
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
            for name, value in figures(browser, path).items():
                print(f"  {name}: {value}")
            if asked.shots:
                asked.shots.mkdir(parents=True, exist_ok=True)
                shoot(browser, path, asked.shots)
        browser.close()


def figures(browser: Browser, path: Path) -> dict[str, str]:
    """Return what the page takes, each figure by its name."""
    shown = opened(browser, path, DESK)
    height = shown.evaluate("document.documentElement.scrollHeight")
    words = len(shown.evaluate("document.body.innerText").split())
    drawn = shown.evaluate(f"{DRAWN} && document.querySelectorAll('.plot').length")
    sheets = shown.pdf(format="A4", prefer_css_page_size=True)
    shown.close()
    on_phone = opened(browser, path, PHONE)
    phone = on_phone.evaluate("document.documentElement.scrollHeight")
    on_phone.close()
    return {
        "screens at 1280 x 800": f"{height / DESK['height']:.1f} ({height} px)",
        "screens at 390 x 844": f"{phone / PHONE['height']:.1f} ({phone} px)",
        "words shown": str(words),
        "pictures there without scrolling": str(drawn or "not all"),
        "loaded and drawn, seconds": f"{statistics.median(load_time(browser, path) for _load in range(LOADS)):.2f}",
        "A4 pages": str(len(re.findall(rb"/Type\s*/Page\b", sheets))),
    }


def opened(browser: Browser, path: Path, viewport: dict[str, int], scheme: str = "light") -> Page:
    """Return the page, loaded."""
    shown = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    shown.goto(path.resolve().as_uri())
    return shown


def load_time(browser: Browser, path: Path) -> float:
    """Return the seconds from the navigation until the first pictures are painted."""
    shown = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
    begin = time.perf_counter()
    shown.goto(path.resolve().as_uri())
    if shown.locator(".plot").count():
        shown.locator(".plot").first.scroll_into_view_if_needed()
        shown.locator(".plot svg").first.wait_for(state="attached")
    shown.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seconds = time.perf_counter() - begin
    shown.close()
    return seconds


def shoot(browser: Browser, path: Path, folder: Path) -> None:
    """Take pictures of the first screen, at a desk and on a phone, light and dark, of the whole page, and of paper."""
    for place, viewport in (("desk", DESK), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            shown = opened(browser, path, viewport, scheme)
            shown.screenshot(path=folder / f"{path.stem}-{place}-{scheme}.png")
            if scheme == "light":
                shown.screenshot(path=folder / f"{path.stem}-{place}-whole.png", full_page=True)
            if (place, scheme) == ("desk", "light"):
                shown.pdf(path=folder / f"{path.stem}.pdf", format="A4", prefer_css_page_size=True)
            shown.close()


if __name__ == "__main__":
    main()
