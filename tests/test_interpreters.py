"""Which interpreter serves a backend: what the user named, else the managed environment, else this one."""

import importlib.util
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness import registry
from harness.environments import config, interpreters, pins
from harness.environments import managed as environments
from harness.environments.asking import ask
from harness.environments.folder import read_stamp, write_stamp
from harness.environments.managed import Stamp
from harness.environments.pins import Variant
from harness.errors import EnvironmentFailure, UsageError
from harness.measure.clock import Stopwatch

BACKEND = registry.framework_names()[0]
REFERENCE = registry.reference_name()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("EVENBENCH_HOME", str(folder))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    path = tmp_path / "vendor" / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.symlink_to(sys.executable)
    return path


def manage(variant: Variant = "cpu", *, sha256: str | None = None) -> Path:
    """Write a managed environment that looks ready, or built from other pins."""
    found = environments.look(BACKEND, variant)
    path = Path(found.python)
    path.parent.mkdir(parents=True)
    path.symlink_to(sys.executable)
    stamp = Stamp(
        pins_sha256=sha256 or pins.read(BACKEND, variant).sha256,
        versions={},
        python="3.11.0",
        installer="pip",
        install_s=1.0,
        size_bytes=1,
        evenbench="0",
    )
    (Path(found.folder) / environments.STAMP).write_bytes(msgspec.json.encode(stamp))
    return path


def test_the_order_is_option_config_managed_current(
    python: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFailure, match=f"run `evenbench env create {BACKEND}`"):
        interpreters.find(BACKEND, {})

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    found = interpreters.find(BACKEND, {})
    assert (found.source, found.python) == ("current", sys.executable)

    managed = manage()
    found = interpreters.find(BACKEND, {})
    assert (found.source, found.python) == ("managed", str(managed))

    (own_home / "config.toml").write_text(f'[python]\n{BACKEND} = "{python}"\n', "utf-8")
    found = interpreters.find(BACKEND, {})
    assert (found.source, found.python) == ("config", str(python))
    assert "config.toml" in str(found.reason)

    found = interpreters.find(BACKEND, {BACKEND: sys.executable})
    assert (found.source, found.python) == ("--python", sys.executable)


def test_an_environment_from_other_pins_is_refused_and_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    path = manage(sha256="other")
    with pytest.raises(EnvironmentFailure, match=f"other pins than today's: run `evenbench env create {BACKEND}`"):
        interpreters.find(BACKEND, {})
    (path.parent.parent / environments.STAMP).unlink()
    with pytest.raises(EnvironmentFailure, match=f"not finished: run `evenbench env create {BACKEND}`"):
        interpreters.find(BACKEND, {})


def test_a_device_prefers_the_environment_that_was_made_for_it() -> None:
    plain = manage()
    assert interpreters.find(BACKEND, {}, device="gpu").python == str(plain)
    special = manage("gpu")
    assert interpreters.find(BACKEND, {}, device="gpu").python == str(special)
    assert interpreters.find(BACKEND, {}, device="cpu").python == str(plain)


def test_the_reference_always_runs_where_evenbench_runs(python: Path) -> None:
    assert interpreters.find(REFERENCE, {}).python == sys.executable
    with pytest.raises(UsageError, match="is the reference"):
        interpreters.find(REFERENCE, {REFERENCE: str(python)})


def test_a_link_is_kept_for_it_is_what_makes_a_virtual_environment(python: Path) -> None:
    assert interpreters.find(BACKEND, {BACKEND: str(python)}).python == str(python)


def test_a_relative_path_starts_where_it_was_said(
    python: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(python.parent.parent)
    assert interpreters.find(BACKEND, {BACKEND: "bin/python"}).python == str(python)
    (own_home / "config.toml").write_text(f'python.{BACKEND} = "../vendor/bin/python"\n', "utf-8")
    assert interpreters.find(BACKEND, {}).python == str(python)


def test_a_broken_path_is_one_sentence(tmp_path: Path) -> None:
    plain = tmp_path / "python"
    plain.write_text("no program", "utf-8")
    for path, words in (
        (tmp_path / "absent", "does not exist"),
        (tmp_path, "is a folder: name the interpreter in it"),
        (plain, "is not executable"),
    ):
        with pytest.raises(UsageError, match=f"--python {BACKEND}=.*{words}") as caught:
            interpreters.find(BACKEND, {BACKEND: str(path)})
        assert "\n" not in str(caught.value)


def test_python_options_are_read_as_name_and_path() -> None:
    assert interpreters.parse([f"{BACKEND}=/a=b"]) == {BACKEND: "/a=b"}
    for wrong, words in (
        (["/bin/python"], "expects NAME=PATH"),
        ([f"{BACKEND}="], "expects NAME=PATH"),
        (["theano=/bin/python"], "unknown backend 'theano': known are"),
        ([f"{BACKEND}=/a", f"{BACKEND}=/b"], "twice"),
    ):
        with pytest.raises(UsageError, match=words):
            interpreters.parse(wrong)


def test_no_config_file_says_nothing(tmp_path: Path) -> None:
    assert config.read(tmp_path / "absent.toml") == config.Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[python", "is not TOML"),
        ("pyton = 1", "unknown field `pyton`"),
        ("python = 1", r"Expected `object`, got `int` - at `\$.python`"),
        ("[python]\ntheano = '/bin/python'", "`python.theano`: unknown backend"),
        (f"[python]\n{BACKEND} = 3", rf"`python.{BACKEND}` must be a string, .* received 3"),
        ("\0", "is not TOML"),
    ],
)
def test_a_wrong_config_file_names_file_and_field(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        config.read(path)
    assert str(path) in str(caught.value)


GREETINGS = {
    "before": 'echo Welcome; exec {python} "$@"',
    "without a line's end": 'printf hello; exec {python} "$@"',
    "before and after": 'echo Welcome; {python} "$@"; code=$?; echo Good bye; exit $code',
    "no UTF-8": "printf '\\377\\376 hello\\n'; exec {python} \"$@\"",
    "on stderr": 'echo Welcome >&2; exec {python} "$@"',
    "nothing": 'exec {python} "$@"',
}


@pytest.mark.parametrize("greeting", GREETINGS)
def test_what_an_interpreter_says_is_told_from_its_greeting(greeting: str, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text("#!/bin/sh\n" + GREETINGS[greeting].format(python=sys.executable) + "\n", "utf-8")
    wrapper.chmod(0o755)
    version = "importlib.metadata.version(sys.argv[1])"
    assert ask(str(wrapper), "importlib.metadata, sys", version, "numpy") == np.__version__
    assert ask(str(wrapper), "importlib.metadata, sys", version, "no-such-package") is None
    (tmp_path / "built" / "bin").mkdir(parents=True)
    (tmp_path / "built" / "bin" / "python").symlink_to(wrapper)
    write_stamp(tmp_path / "built", "0", "pip", Stopwatch(), ())
    stamp = read_stamp(tmp_path / "built")
    assert stamp is not None
    assert stamp.versions["numpy"] == np.__version__


def test_an_interpreter_that_only_greets_has_no_answer(tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text("#!/bin/sh\necho 2.12.0\n", "utf-8")
    wrapper.chmod(0o755)
    assert ask(str(wrapper), "sys", "sys.version") is None
