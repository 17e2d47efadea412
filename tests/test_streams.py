"""Whatever terminal it is, and whoever reads: no command raises for its output, and its exit code keeps its meaning."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import HERE
from records_factory import died, write_study
from test_compare import rows

from harness.cli.main import COMMANDS
from harness.cli.streams import PLAIN, readable
from reports.words.json_text import for_stream

ROOT = Path(HERE).parent
TRACEBACK = ("Traceback", "Exception ignored", "Error in sys.excepthook")
CALLS: dict[str, tuple[Sequence[str], int]] = {
    "run": (("run", "--task", "xor", "--backend", "well", "--preset", "smoke", "--dry-run"), 0),
    "tune": (("tune", "--task", "wrong-一"), 2),
    "report": (("report", "after-二"), 0),
    "compare": (("compare", "before-一", "after-二", "--fail-on-slower", "5%"), 1),
    "merge": (("merge", "before-一", "after-二", "before-一"), 2),
    "serve": (("serve", "nowhere-一"), 2),
    "power": (("power", "before-一"), 2),
    "submit": (("submit", "before-一", "--to", "wrong-一", "--token", "a word"), 2),
    "show": (("show", "torch", "--study", "after-二"), 2),
    "list": (("list",), 0),
    "parity": (("parity", "--backend", "wrong-一"), 2),
    "choose": (("choose", "after-二", "--for", "course", "--explain"), 0),
    "mistakes": (("mistakes", "--backend", "wrong-一"), 2),
    "doctor": (("doctor", "--backend", "wrong-一"), 2),
    "selftest": (("selftest", "--help"), 0),
    "cluster": (("cluster", "wrong-一"), 2),
    "env": (("env", "list"), 0),
    "conformance": (("conformance", "wrong-一"), 2),
    "new": (("new", "backend", "wrong name-一"), 2),
}
"""Of every command a call that takes no long time, and its exit code."""
ENCODINGS = ("ascii", "gbk", "latin-1", "utf-16")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    write_study(folder / "before-一", rows(count=3))
    write_study(
        folder / "after-二",
        [*rows(count=3, step_s=0.02), *rows("tensorflow", count=3), died("mindspore", reason="坏了 – ✗")],
    )
    return folder


@contextmanager
def to_a_full_disk() -> Iterator[int]:
    number = os.open("/dev/full", os.O_WRONLY)
    yield number
    os.close(number)


def call(
    studies: Path, *given: str, stdout: int = subprocess.PIPE, shell: str = "", **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, str(ROOT / "tests" / "cli_with_fakes.py"), *given]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "LC_ALL", "LANG")}
    facts = {"EVENBENCH_HOME": str(studies / "home"), "EVENBENCH_RESULTS": str(studies), "COLUMNS": "80"}
    return subprocess.run(
        command,
        cwd=studies,
        env=kept | {"LC_ALL": "C.UTF-8", "PYTHONPATH": f"{HERE}:{ROOT}"} | facts | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )


def said(done: "subprocess.CompletedProcess[bytes]", encoding: str = "utf-8") -> str:
    text = done.stderr.decode(encoding) + (done.stdout or b"").decode(encoding)
    assert not any(word in text for word in TRACEBACK), text
    return text


def test_every_command_is_called() -> None:
    assert set(CALLS) == set(COMMANDS)


@pytest.mark.parametrize(("encoding", "language"), [("ascii", "en"), ("gbk", "zh")])
@pytest.mark.parametrize("name", CALLS)
def test_no_command_raises_for_a_character_that_the_terminal_lacks(
    name: str, encoding: str, language: str, studies: Path
) -> None:
    given, code = CALLS[name]
    done = call(studies, "--lang", language, *given, PYTHONIOENCODING=encoding)
    assert said(done, encoding)
    assert done.returncode == code


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_comparison_keeps_its_exit_code_in_every_encoding(encoding: str, studies: Path) -> None:
    done = call(studies, *CALLS["compare"][0], PYTHONIOENCODING=encoding)
    assert "shown to be slower by more than 5" in said(done, encoding).replace("\n", " ")
    assert done.returncode == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "given", [("list", "studies"), ("compare", "before-一", "after-二"), ("show", "mindspore", "--study", "after-二")]
)
def test_json_means_the_same_in_every_encoding(given: Sequence[str], encoding: str, studies: Path) -> None:
    found = call(studies, *given, "--json", PYTHONIOENCODING=encoding)
    said(found, encoding)
    assert json.loads(found.stdout.decode(encoding)) == json.loads(call(studies, *given, "--json").stdout)


@pytest.mark.parametrize(
    ("name", "shell"),
    [*((name, ">&- 2>&-") for name in CALLS), *(("compare", one) for one in (">&-", "2>&-", "<&- >&- 2>&-"))],
)
def test_a_closed_stream_changes_no_exit_code(name: str, shell: str, studies: Path) -> None:
    given, code = CALLS[name]
    done = call(studies, *given, shell=shell)
    said(done)
    assert done.returncode == code


@pytest.mark.parametrize("name", [name for name, (_given, code) in CALLS.items() if code != 2 and name != "env"])
def test_a_full_disk_behind_stdout_is_one_sentence_and_the_code_of_a_wrong_call(name: str, studies: Path) -> None:
    given, _code = CALLS[name]
    with to_a_full_disk() as full:
        done = call(studies, *given, stdout=full)
    assert "Error: cannot write to the standard output: No space left on device" in said(done)
    assert done.returncode == 2


@pytest.mark.parametrize("name", ["run", "compare", "merge"])
def test_a_full_disk_behind_stderr_changes_no_exit_code(name: str, studies: Path) -> None:
    given, code = CALLS[name]
    done = call(studies, *given, shell="2>/dev/full")
    said(done)
    assert done.returncode == code


@pytest.mark.parametrize("name", ["report", "compare", "choose", "list"])
def test_a_reader_that_goes_away_changes_no_exit_code(name: str, studies: Path) -> None:
    given, code = CALLS[name]
    reader, writer = os.pipe()
    os.close(reader)
    done = call(studies, *given, stdout=writer)
    os.close(writer)
    assert said(done) == ""
    assert done.returncode == code


@pytest.mark.parametrize("character", [*PLAIN, "⠋", "中", "\udcc6", "\U0001f600"])
def test_what_stands_for_a_character_is_ascii(character: str) -> None:
    text, end = readable(UnicodeEncodeError("ascii", f"a{character}b", 1, 2, "not in it"))
    assert (text.isascii(), bool(text), end) == (True, True, 2)


def test_a_decoding_error_is_none_of_ours() -> None:
    with pytest.raises(UnicodeDecodeError):
        readable(UnicodeDecodeError("ascii", b"\xff", 0, 1, "not in it"))


@pytest.mark.parametrize("text", ["é", "中", "\U0001f600", "a\tb\\"])
def test_json_in_ascii_means_the_same(text: str) -> None:
    class Ascii:
        encoding = "ascii"

    written = for_stream(json.dumps(text, ensure_ascii=False), Ascii())  # type: ignore[arg-type]
    assert written.isascii()
    assert json.loads(written) == text
