"""Every path that a user gives is refused in one sentence or carried whole to the end, and never a traceback."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fakes import HERE, entries
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from records_factory import record, write_study
from test_streams import TRACEBACK

import backends
from harness.cli.main import evenbench
from harness.data import files
from harness.environments import home as homes
from harness.environments import interpreters
from harness.errors import EvenbenchError, UsageError
from harness.records import studies
from harness.records.store import Store, check_name
from harness.runs.launch import workplace
from harness.whole_files import given_path

ROOT = Path(HERE).parent
DRY_RUN = ("run", "--task", "xor", "--backend", "well", "--preset", "smoke", "--dry-run")
NOT_UTF8 = os.fsdecode(bytes([0xC6, 0xC0, 0xC2, 0xDB]))
HOSTILE = (
    "~nobody_here/x", "~nobody_here", f"~{NOT_UTF8}/x", "\0", "/dev/zero", "~a\0b/x", "n" * 256, "一" * 86, "d/" * 2000,
    f"{NOT_UTF8}.csv", f"d/{NOT_UTF8}/x", "/dev/null/x", "/dev/full", "/proc/self/mem", "with a blank/x", "line\nbreak",
    "-", "--", "~", ".", "/", "\x1b[31m", "{0}{name}", "[bold]", "%s", "a=b", "一/二.csv",
)  # fmt: skip
CALLS: dict[str, Callable[[str], Sequence[str]]] = {
    "run --results": lambda path: (*DRY_RUN, "--results", path),
    "run --resume --results": lambda path: ("run", "--resume", "s", "--dry-run", "--results", path),
    "run --data-dir": lambda path: (*DRY_RUN, "--data-dir", path),
    "run --data-dir of mnist": lambda path: (*DRY_RUN, "--task=lenet-mnist", "--dataset=mnist", "--data-dir", path),
    "run --dataset": lambda path: (*DRY_RUN, "--task", "lstm-text", "--dataset", f"{path}/x.csv"),
    "run --python": lambda path: (*DRY_RUN, "--python", f"well={path}"),
    "run --study": lambda path: (*DRY_RUN, "--study", path),
    "parity --python": lambda path: ("parity", "--backend", "well", "--python", f"well={path}"),
    "doctor --python": lambda path: ("doctor", "--backend", "absent", "--python", f"torch={path}"),
    "report STUDY": lambda path: ("report", path),
    "report --results": lambda path: ("report", "s", "--results", path),
    "report -o": lambda path: ("report", "s", "--format", "md", "-o", f"{path}/x.md"),
    "compare A": lambda path: ("compare", path, "s"),
    "compare --results": lambda path: ("compare", "s", "t", "--results", path),
    "compare -o": lambda path: ("compare", "s", "t", "-o", f"{path}/x.md"),
    "merge OUT": lambda path: ("merge", path, "s", "t"),
    "merge STUDY": lambda path: ("merge", "out", "s", path),
    "power --results": lambda path: ("power", "--results", path),
    "show --study": lambda path: ("show", "torch", "--study", path),
    "show --results": lambda path: ("show", "torch", "--results", path),
    "list --results": lambda path: ("list", "studies", "--json", "--results", path),
    "choose STUDY": lambda path: ("choose", path, "--for", "course"),
    "choose --for": lambda path: ("choose", "s", "--for", path),
    "choose --results": lambda path: ("choose", "s", "--for", "course", "--results", path),
    "serve RESULTS": lambda path: ("serve", "--host", "256.0.0.1", path),
    "env python": lambda path: ("env", "python", path),
}  # fmt: skip
"""Every option and argument that takes a path."""
VARIABLES = ("EVENBENCH_HOME", "EVENBENCH_PROFILES", "EVENBENCH_DATA", "EVENBENCH_RESULTS", "HOME", "XDG_DATA_HOME")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())
    monkeypatch.chdir(tmp_path)
    for name in ("s", "t"):
        write_study(tmp_path / "studies" / name, [record()])
    monkeypatch.setenv("EVENBENCH_RESULTS", str(tmp_path / "studies"))


def refused(given: Sequence[str]) -> str:
    """Call the command line; return what it said of a wrong call, nothing where it ended by itself."""
    done = CliRunner().invoke(evenbench, list(given), standalone_mode=False)
    if isinstance(done.exception, EvenbenchError | click.ClickException):
        return str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return ""


@pytest.mark.parametrize("name", CALLS)
def test_a_hostile_path_is_one_sentence_or_a_path(name: str) -> None:
    for path in HOSTILE:
        assert "\n" not in refused(CALLS[name](path)).replace("line\nbreak", ""), path


NAMES = st.text(st.characters(codec=None), max_size=12) | st.sampled_from([NOT_UTF8, "~", "..", "\0", "n" * 300])


@pytest.mark.parametrize("name", CALLS)
@given(parts=st.lists(NAMES, min_size=1, max_size=4))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_path_is_one_sentence_or_a_path(name: str, parts: list[str]) -> None:
    refused(CALLS[name]("/".join(parts) or "x"))


@given(parts=st.lists(NAMES, min_size=1, max_size=4))
@example(parts=[NOT_UTF8])
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_not_refused_can_be_opened_and_written_down(parts: list[str]) -> None:
    try:
        path = given_path("/".join(parts), "--results")
    except UsageError as error:
        str(error).encode()
        return
    str(path.absolute()).encode()
    os.path.lexists(path)  # raises for what no system can open


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("~nobody_here/x", "there is no such user here"),
        ("a\0b", "no path holds a NUL character"),
        ("n" * 256, "a name has at most 255 bytes"),
        ("d/" * 2000, "all of it 3500"),
        (NOT_UTF8, "is not UTF-8"),
    ],
)
def test_what_cannot_be_a_path_is_refused_by_its_reason(path: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        given_path(path, "--results")
    assert raised.value.fields["option"] == "--results"
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("run --study", "merge OUT", "env python")])
def test_a_name_that_is_not_utf8_is_refused_before_anything_is_done(name: str, tmp_path: Path) -> None:
    (tmp_path / NOT_UTF8).mkdir()
    (tmp_path / NOT_UTF8 / "x.csv").write_text("a,b\n")
    said = refused(CALLS[name](str(tmp_path / NOT_UTF8)))
    assert "not UTF-8" in said or name.startswith(("run --data-dir",)), said


@pytest.mark.parametrize("path", ["~nobody_here/x", "n" * 256, NOT_UTF8])
@pytest.mark.parametrize("variable", VARIABLES[:4])
def test_a_variable_that_names_no_path_is_named(variable: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, path)
    looks: dict[str, Callable[[], object]] = {
        "EVENBENCH_HOME": homes.home,
        "EVENBENCH_PROFILES": homes.profiles_folder,
        "EVENBENCH_DATA": lambda: files.find("mnist", {}, None, subfolders=(), expected="x"),
        "EVENBENCH_RESULTS": lambda: refused(("show", "torch")) and given_path(path, variable),
    }
    with pytest.raises(UsageError, match=f"^{variable} is given"):
        looks[variable]()


def test_a_user_without_a_home_is_asked_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody(_number: int) -> pwd.struct_passwd:
        raise KeyError("no such user")

    for variable in ("EVENBENCH_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(UsageError, match="no folder to keep things in: name one with EVENBENCH_HOME"):
        homes.home()
    assert not (tmp_path / "~").exists()


def test_a_folder_that_is_gone_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the current folder, from which it starts, is gone"):
        given_path("results", "--results")
    assert given_path("/results", "--results") == Path("/results")


def test_a_relative_path_stays_so_and_a_home_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert given_path("a/../b", "-o") == Path("a/../b")
    assert given_path("~/x", "-o") == Path("/somewhere/x")


@pytest.mark.parametrize("path", ["~nobody_here/x", "a\\u0000b", "n" * 256])
def test_an_interpreter_in_the_config_file_is_refused_by_the_files_name(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(f'[python]\ntorch = "{path}"\n')
    with pytest.raises(UsageError, match=r"config\.toml is given"):
        interpreters.find("torch", {})


def test_a_study_of_the_longest_name_fits_in_bytes_too() -> None:
    assert check_name("一" * 80)
    with pytest.raises(UsageError, match="255 bytes"):
        check_name("一" * 100)


def test_files_that_are_not_utf8_are_listed_and_stop_nothing(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "studies" / "odd", [record()])
    (folder / f"{NOT_UTF8}.json").write_text("{")
    (folder / f"{NOT_UTF8}--{record().spec.run_id}.json").write_bytes(
        (folder / f"{record().spec.run_id}.json").read_bytes()
    )
    loaded = studies.load(folder)
    [damaged] = loaded.damaged
    assert damaged.path.endswith("\\udcc6\\udcc0\\udcc2\\udcdb.json")
    for given_words in (
        ("report", "odd", "--format", "md,csv,html"),
        ("report", "odd", "--format", "json"),
        ("compare", "s", "odd", "--json"),
        ("merge", "joined", "s", "odd", "--json"),
        ("choose", "odd", "--for", "course", "--json"),
        ("show", "torch", "--study", "s", "--json"),
    ):
        assert not refused(given_words)
    (tmp_path / "studies" / "t").rename(tmp_path / "studies" / NOT_UTF8)
    assert not refused(("list", "studies", "--json"))
    assert "not UTF-8" in refused(("report", NOT_UTF8))
    assert Store(tmp_path / "studies" / "joined").study().merged_from[1].damaged


@pytest.mark.parametrize("folder", [NOT_UTF8, "n" * 200 + "/" + "m" * 200])
def test_a_temporary_folder_that_is_not_utf8_is_one_sentence(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / folder))
    if folder == NOT_UTF8:
        with pytest.raises(UsageError, match="^TMPDIR is given"), workplace():
            pass
    else:
        with workplace() as place:
            assert place.is_dir()


@pytest.mark.parametrize(
    "given_words", [("--results", b"~nobody_here/x"), ("--results", b"\xc6\xc0"), ("--study", b"\xc6")]
)
def test_bytes_of_a_shell_are_one_sentence(given_words: tuple[str | bytes, ...], tmp_path: Path) -> None:
    command: list[str | bytes] = [sys.executable, str(ROOT / "tests" / "cli_with_fakes.py"), *DRY_RUN, *given_words]
    where = os.environ | {"PYTHONPATH": f"{HERE}:{ROOT}", "EVENBENCH_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, timeout=120, check=False)
    said = done.stderr.decode()
    assert done.returncode == 2
    assert said.startswith("Error: ")
    assert not any(word in said for word in TRACEBACK)


def test_a_path_that_the_locale_cannot_write_is_one_sentence() -> None:
    code = (
        "from harness.errors import UsageError\nfrom harness.whole_files import given_path\n"
        "try:\n    given_path('\\u76ee\\u5f55', '--results')\nexcept UsageError as error:\n    print(ascii(str(error)))"
    )
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONPATH": str(Path(HERE).parent)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | plain, capture_output=True, text=True, check=True
    ).stdout
    assert "which the encoding of this locale, " in said
    assert "set LC_ALL to a locale of UTF-8" in said
