"""A Chinese report has no Latin word but names and what is quoted: every word is looked up, on every medium."""

import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace
from records_factory import of_task
from test_answer import in_turns, noisy, runs
from test_catalogue import study
from test_doctor import SOUND

from harness import language, registry
from harness.records.store import Store
from harness.runs.doctor import backend_traps
from reports.formats.report import render

WORD = re.compile(r"[A-Za-z][A-Za-z'-]*[A-Za-z]")
SILENT = ("script", "style", "code", "kbd", "pre")
VOID = ("br", "img", "meta", "link", "input", "hr", "col", "wbr", "source")
COMMANDS = re.compile(r"`[^`]*`|--[\w-]+|\S*[/\\]\S*|\b[A-Z][A-Z0-9]*(?:\\?_[A-Z0-9]+)+\b|\bevenbench [^\n]*|s\d\.r\d")
QUOTED = (
    "Input data was truncated", "denormals are not flushed", "gradients at dense1.weight", "steps_per_call",
    "steps\\_per\\_call", "Test CPU", "broken.json",
)  # fmt: skip
"""What the records of the study say in their own words, and a setting's name."""
NAMES = {
    "Markdown",
    # who and what is measured
    "torch", "tensorflow", "mindspore", "numpy", "python", "eager", "graph", "xla", "cpu", "lenet-mnist", "dbm-mnist",
    "xor",
    "cosine", "digits", "mnist", "smoke", "quick", "full", "stock", "tuned", "denormals", "threads", "course", "team",
    "abc",
    # of people, products, units and machines
    "Evenbench", "MindSpore", "TensorFlow", "PyTorch", "Python", "Linux", "JavaScript", "Shell", "CSV", "PNG", "Welch",
    "Holm", "Student", "Keras", "MB", "GB", "CPU", "GPU", "RBM", "LeNet", "TF", "bfloat", "float", "nat", "log",
    "oneDNN", "NaN", "FLOP", "flush", "off",
}  # fmt: skip


class Visible(HTMLParser):
    """Collects the text that a reader of a page sees."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not set(self.open) & set(SILENT):
            self.texts.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study with everything in it, disturbed rows and traps of a real machine too."""
    folder = study(tmp_path_factory.mktemp("zh") / "s")
    spoiled = replace(SOUND, matmul_error=0.2, flushes_denormals=False, settings={"threads": "1"})
    first, *others = [of_task(registry.task("xor"), item) for item in (*runs("torch", 0.01), *noisy())]
    trapped = replace(first, measured=replace(first.measured, traps=backend_traps(spoiled, 2)))
    turns = [of_task(registry.task("cosine"), in_turns(n, i, 0.01)) for n in ("torch", "tensorflow") for i in range(3)]
    for item in (trapped, *others, *turns):
        Store(folder).add(item)
    return folder


def shown(folder: Path, form: str) -> str:
    stream = io.StringIO()
    with language.use("zh"):
        render(folder, (form,), stdout=stream, more=("full", "legend"))
    if form == "terminal":
        return stream.getvalue()
    text = (folder / f"report.{form}").read_text("utf-8")
    if form == "md":
        return text
    page = Visible()
    page.feed(text)
    return "\n".join(page.texts)


def foreign(text: str) -> Iterator[str]:
    """Yield the Latin words that are neither names nor quoted."""
    for quote in QUOTED:
        text = text.replace(quote, "")
    text = re.sub(r"\w+…", "", text)  # a name that a phone has no room for
    yield from (word for word in WORD.findall(COMMANDS.sub("", text)) if word not in NAMES)


@pytest.mark.parametrize("form", ["terminal", "md", "html"])
def test_no_latin_word_is_left_but_names_and_quotes(form: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that no quote is broken over lines
    text = shown(folder, form)
    assert sorted(set(foreign(text))) == []
    assert "差异不显著" in text


def test_a_word_that_is_left_is_found() -> None:
    assert list(foreign("torch eager 更慢：too noisy，`evenbench run`")) == ["too", "noisy"]


@pytest.mark.parametrize("form", ["terminal", "md", "html"])
def test_shares_and_ranges_are_set_as_chinese_sets_them(form: str, folder: Path) -> None:
    text = shown(folder, form)
    assert re.findall(r".{0,20}\d %.{0,5}", text) == []
    assert re.findall(r"\d 至 \d", text) == []
