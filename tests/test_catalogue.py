"""Both languages say the same: the catalogue is complete and current, and what people read in Chinese is Chinese."""

import io
import os
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from records_factory import FAIL, damage, died, machine_record, measured, record, stages, write_study
from rich.cells import cell_len

from harness import language
from harness.cli import translations as catalogue
from harness.errors import EvenbenchError, UsageError, unknown_name
from harness.measure.conditions import not_inherited
from harness.record import BlockKind, Status
from harness.records.steady import Outcome
from reports.formats.report import render
from reports.statistics.methods import Equivalence, Verdict
from reports.words import line_breaks, record_words, text

ROOT = Path(__file__).parent.parent
OTHERS = language.LANGUAGES[1:]
NAMES = re.compile(
    r"`[^`]*`|--[\w-]+|\[[A-Z]+\]|\b[A-Z_]{2,}(?:[|=][A-Z_]+)*\b|\b\w+[./@]\w[\w./@-]*|[\w.-]*\d[\w.-]*"
    r"|\b(?:Evenbench|MindSpore|TensorFlow|PyTorch|LeNet|Adam|AdaGrad|RMSprop|Nesterov|Welch|Holm|Williams|Python|Linux)\b"
)
"""What stays as it is in every language: commands, options, variables, files, numbers and names."""
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,;:'-]+[A-Za-z]+){2,}")
"""Three words in a row."""


def saved(name: str) -> Any:
    with catalogue.path_of(name).open("rb") as file:
        return read_po(file, locale=name, domain=language.DOMAIN)


def ids(message: Any) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def translations(message: Any) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def fields(sentence: str) -> set[tuple[str, str | None, str | None]]:
    """Return the fields of a message: name, format, conversion; none where braces stand for themselves."""
    try:
        return {(name, form, how) for _text, name, form, how in string.Formatter().parse(sentence) if name is not None}
    except ValueError:
        return set()


def messages(name: str) -> list[Any]:
    return [message for message in saved(name) if message.id]


@pytest.mark.parametrize("name", OTHERS)
def test_the_catalogue_holds_exactly_the_messages_of_the_code(name: str) -> None:
    """Where this fails: `make catalogue`, then write the translations that it names."""
    of_code = {ids(message) for message in catalogue.messages() if message.id}
    assert {ids(message) for message in messages(name)} == of_code


@pytest.mark.parametrize("name", OTHERS)
def test_every_message_is_translated_and_none_is_fuzzy(name: str) -> None:
    lacking = [message.id for message in messages(name) if message.fuzzy or not all(translations(message))]
    assert not lacking


@pytest.mark.parametrize("name", OTHERS)
def test_translations_have_the_fields_of_the_original(name: str) -> None:
    wrong = [
        (message.id, found)
        for message in messages(name)
        for found in translations(message)
        if fields(found) != fields(ids(message)[-1])
    ]
    assert not wrong


@pytest.mark.parametrize("name", OTHERS)
def test_the_compiled_catalogue_is_current(name: str) -> None:
    with catalogue.path_of(name).with_suffix(".mo").open("rb") as file:
        compiled = {ids(message): translations(message) for message in read_mo(file) if message.id}
    assert compiled == {ids(message): translations(message) for message in messages(name)}


def test_every_word_that_a_record_can_hold_is_in_the_catalogue() -> None:
    words = [*get_args(Status), *get_args(BlockKind), *get_args(Verdict), *get_args(Equivalence), *get_args(Outcome)]
    with language.use("zh"):
        assert [word for word in words if not language.is_translated(word)] == []


def test_a_sentence_with_numbers_is_known_by_its_pattern() -> None:
    sentence = "accuracy 0.8693, the target is 0.87"
    assert record_words.said(sentence) == sentence
    with language.use("zh"):
        assert record_words.said(sentence) == "准确率为 0.8693，目标为 0.87"
        assert record_words.stage_name("fine-tuned, 1,000 labels") == "微调后、1,000 个标签"


def test_a_quoted_sentence_is_told_apart_from_the_text_around_it() -> None:
    assert text.quoted("signal SIGSEGV came") == "signal SIGSEGV came"
    with language.use("zh"):
        line = f"崩溃：{text.quoted('signal SIGSEGV came')}。"
        assert list(text.parts(line)) == [("崩溃：", False), ("signal SIGSEGV came", True), ("。", False)]
        assert text.printable(line) == "崩溃：signal SIGSEGV came。"
        assert text.quoted("the device is the CPU") == "设备就是 CPU"


def test_marks_of_quotes_that_a_record_brings_along_do_nothing() -> None:
    with language.use("zh"):
        line = text.quoted(f"a{text.CLOSE}b{text.OPEN}c")
        assert "".join(piece for piece, _is_quoted in text.parts(line)) == "abc"
        assert text.printable(line) == "abc"


def test_an_error_is_english_as_a_string_and_said_in_the_language_in_use() -> None:
    error: EvenbenchError = unknown_name("task", "{x}", ("a", "b"))
    outer = UsageError("there is no study in {folder}: {studies}", folder="r", studies=error)
    with language.use("zh"):
        assert str(error) == "unknown task '{x}': known are a, b"
        assert language.said(error) == "未知的任务 '{x}'：可用的有 a, b"
        assert language.said(outer) == "r 中没有实验：未知的任务 '{x}'：可用的有 a, b"


def study(folder: Path) -> Path:
    """Write a study with everything in it, and return it."""
    found = [record("torch", repeat=i, found=measured(0.01 + i / 1e4, 0.9 + i / 100)) for i in range(3)]
    found += [record("tensorflow", mode="graph", repeat=i, found=measured(0.0102 + i / 1e4, 0.8)) for i in range(3)]
    found += [record("mindspore", mode="graph", repeat=i, parity=FAIL, found=measured(0.001)) for i in range(2)]
    found += [record("mindspore", found=measured(0.456789))]
    found += [died("torch", mode="graph", status="timeout", reason="stopped by the user; `--resume` runs it again")]
    doubtful = "From the uniform start, all runs weigh no more than 2.0 equal ones (at least 20 are expected): "
    parts = stages(why_unreliable=f"{doubtful}log Z needs more temperatures, or more runs.")
    found += [machine_record("torch", repeat=i, parts=parts) for i in range(2)]
    write_study(folder, found)
    damage(folder)
    return folder


def shown(folder: Path, name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    with language.use(name):
        if form == "terminal":
            render(folder, ("terminal",), stdout=stream, more=("full", "legend"))
            return "\n".join(line for line in stream.getvalue().splitlines() if "evenbench" not in line)  # to be copied
        return render(folder, (form,), folder.parent / f"{name}.{form}")[0].read_text("utf-8")


def english(lines: str) -> Iterator[str]:
    """Yield what is left of English sentences once names and quotes of records are taken away."""
    for line in lines.splitlines():
        yield from ENGLISH.findall(NAMES.sub("，", line))


QUOTED = ("Input data was truncated", "denormals are not flushed", "lenet-mnist")
"""What the records of this study say that no catalogue has, and a task beside another one."""


def test_no_table_of_the_chinese_report_is_broken_by_wide_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(study(tmp_path / "s"), "zh", "terminal", monkeypatch).splitlines()
    assert max(map(cell_len, lines)) <= 80
    rules = [number for number, line in enumerate(lines) if line and not line.strip("─")]
    assert len(rules) > 4
    for number in rules:
        assert cell_len(lines[number - 1].rstrip()) <= cell_len(lines[number])


@pytest.mark.parametrize("form", ["terminal", "md"])
def test_the_chinese_report_holds_no_english_but_names_and_quotes(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shown(study(tmp_path / "s"), "zh", form, monkeypatch)
    assert "差异不显著" in found
    left = [words for words in english(found) if not any(quote in words for quote in QUOTED)]
    assert not left


def test_every_number_of_a_report_is_the_same_in_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study(tmp_path / "s")
    numbers = [
        sorted(re.findall(r"(?<![\w.])\d[\d,.]*\d", shown(folder, name, "md", monkeypatch).split("## ")[1]))
        for name in ("en", "zh")
    ]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_data_speak_english_in_every_language(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study(tmp_path / "s")
    assert shown(folder, "zh", form, monkeypatch) == shown(folder, "en", form, monkeypatch)


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    start = "import sys; sys.argv[0] = 'evenbench'; from harness.cli.main import main; main()"
    kept = {name: value for name, value in os.environ.items() if name not in ("EVENBENCH_LANG", "LANGUAGE", "LC_ALL")}
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        env=kept | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "PYTHONUTF8": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("asked", ["", "run", "tune", "report", "show", "parity", "power", "env create", "env"])
def test_help_in_chinese_is_chinese(asked: str) -> None:
    done = command("--lang", "zh", *asked.split(), "--help", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert "用法:" in done.stdout
    assert "显示本说明并退出。" in done.stdout
    usage = f"evenbench {asked}".strip()
    assert not list(english(done.stdout.replace(f"{usage} [", "[").replace("] COMMAND [", "] [")))
    assert max(map(cell_len, done.stdout.splitlines())) <= 80


def test_a_language_that_is_not_there_gives_one_sentence() -> None:
    done = command("--lang", "tlh", "list")
    assert done.returncode == 2
    assert done.stderr == "Error: unknown language 'tlh': known are en, zh\n"
    assert not done.stdout


@pytest.mark.parametrize("variables", [{"LANG": "zh_CN.UTF-8"}, {"EVENBENCH_LANG": "zh", "LANG": "en_US.UTF-8"}])
def test_the_locale_or_a_variable_asks_for_chinese(variables: dict[str, str]) -> None:
    assert "用法:" in command("--help", **variables).stdout


def test_the_option_goes_before_the_variable() -> None:
    assert "Usage:" in command("--lang", "en", "--help", EVENBENCH_LANG="zh").stdout


def test_a_users_mistake_is_said_in_chinese() -> None:
    wrong_name = command("--lang", "zh", "run", "--task", "nothing", "--dry-run")
    assert wrong_name.returncode == 2
    assert wrong_name.stderr.startswith("错误：未知的任务 'nothing'：可用的有 ")
    wrong_option = command("--lang", "zh", "run", "--nothing")
    assert "没有选项 '--nothing'。" in wrong_option.stderr


def test_a_worker_is_not_told_the_language() -> None:
    assert "LANGUAGE" in not_inherited()


@pytest.mark.parametrize(
    ("line", "width", "expected"),
    [
        ("用法", 10, ["用法"]),
        ("一二三四五六", 4, ["一二", "三四", "五六"]),
        ("一二，三四", 4, ["一", "二，", "三四"]),
        ("（一二）三", 6, ["（一", "二）三"]),
        ("运行 evenbench run 即可", 10, ["运行", "evenbench", "run 即可"]),
        ("路径abcdefghijkl", 5, ["路径", "abcde", "fghij", "kl"]),
    ],
)
def test_lines_of_wide_characters_are_broken_by_cells(line: str, width: int, expected: list[str]) -> None:
    found = line_breaks.lines(line, width)
    assert found == expected
    assert all(cell_len(part) == line_breaks.cells(part) <= width for part in found)


def pages() -> list[str]:
    return [(ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh.md")]


def code(page: str) -> list[str]:
    """Return the lines of code blocks without their comments, which are in the page's language."""
    blocks = re.findall(r"```\w*\n(.*?)```", page, re.S)
    return [bare for block in blocks for line in block.splitlines() if (bare := re.sub(r"\s*#.*", "", line).rstrip())]


def test_both_readmes_give_the_same_commands_and_code() -> None:
    first, second = map(code, pages())
    assert first == second


def test_both_readmes_have_the_same_headings_links_and_tables() -> None:
    first, second = pages()
    for pattern in (r"^#+(?= )", r"^\|", r"\]\(((?!README)[^)]+)\)"):
        of_english = [link.replace(".zh.", ".en.") for link in re.findall(pattern, second, re.M)]
        assert re.findall(pattern, first, re.M) == of_english, pattern
    assert "README.zh.md" in first.partition("##")[0]
    assert "README.md" in second.partition("##")[0]


def test_both_readmes_give_the_same_figures() -> None:
    figures = [sorted(re.findall(r"\d[\d,]*\.\d+|\d+,\d{3}", page)) for page in pages()]
    assert figures[0] == figures[1]
