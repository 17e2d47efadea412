"""What an installation takes: as the stamp says it, with a reason where there is none, and code counted as code."""

import io
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from records_factory import record
from rich.console import Console

import backends
from harness import registry
from harness.contract import Entry
from harness.environments import managed
from harness.environments.home import environments_folder
from harness.environments.installation import adapter_lines, code_lines, installation
from harness.environments.interpreters import Interpreter
from harness.environments.managed import STAMP, Stamp
from harness.record import Installation, Mistake
from reports.formats.show import show
from reports.frame.frame import frame

NAME = registry.framework_names()[0]
CODE = '''"""A module's docstring,
over two lines."""

import os  # with a comment


# a comment
class Thing:
    """What it is."""

    size: int = 3
    """And what that is."""

    def text(self) -> str:
        r"""A raw one."""
        return """two
lines"""


VALUES = (
    1,

    2,
)
'''


def interpreter(path: Path) -> Interpreter:
    return Interpreter(python=str(path), source="managed", reason="named by --python")


def test_a_managed_environment_has_the_figures_of_its_stamp(home: Path) -> None:
    folder = environments_folder() / NAME
    stamp = Stamp(
        pins_sha256="0",
        versions={"a": "1", "b": "2"},
        python="3.11.7",
        installer="pip",
        install_s=41.25,
        size_bytes=961_171_693,
        evenbench="0.1.0",
    )
    (folder / "bin").mkdir(parents=True)
    (folder / STAMP).write_bytes(msgspec.json.encode(stamp))
    found = installation(NAME, interpreter(folder / "bin" / "python"))
    assert (found.install_s, found.bytes, found.packages, found.installer) == (41.25, 961_171_693, 2, "pip")
    assert found.reason == ""
    assert managed.stamp_of(folder / "bin" / "python") == stamp
    [row] = frame([replace(record(NAME), installation=found)]).to_dict("records")
    assert (row["install_s"], row["install_bytes"], row["install_packages"]) == (41.25, 961_171_693, 2)
    assert row["adapter_lines"] == found.adapter_lines


def test_an_interpreter_that_the_harness_did_not_build_has_a_reason(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / STAMP).write_text("{}")
    found = installation(NAME, interpreter(tmp_path / "bin" / "python"))
    assert (found.install_s, found.bytes, found.packages) == (None, None, None)
    assert found.reason == "not built by the harness, and so not measured: named by --python"
    assert found.adapter_lines is not None
    runs = frame([replace(record(NAME), installation=found), record(NAME)])
    assert runs["install_bytes"].isna().all()
    assert runs["install_reason"].tolist() == [found.reason, ""]


def test_a_line_of_code_is_no_blank_line_comment_or_docstring() -> None:
    assert code_lines(CODE) == 10
    assert code_lines("") == 0
    assert code_lines('"""Only a docstring."""\n# and a comment\n') == 0


@pytest.mark.parametrize("name", registry.backend_names())
def test_every_adapters_code_is_counted_without_the_mistakes(name: str) -> None:
    found = adapter_lines(registry.entry(name))
    folder = Path(str(backends.__file__)).parent / name
    rough = sum(len(path.read_text().splitlines()) for path in folder.glob("*.py") if path.name != "mistakes.py")
    assert found is not None
    assert 0.5 * rough < found < rough


def test_an_adapter_from_elsewhere_is_counted_where_its_entry_says(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "adapter.py").write_text(CODE)
    (tmp_path / "theirs" / "nets.py").write_text("x = 1\n")
    entry = Entry(adapter="theirs.adapter:backend", framework="f", modes=("eager",), default_mode="eager")
    assert adapter_lines(msgspec.structs.replace(entry, path=str(tmp_path))) == 11
    assert adapter_lines(msgspec.structs.replace(entry, path=str(tmp_path / "nowhere"))) is None
    assert adapter_lines(entry) is None


def test_a_record_that_was_made_before_has_no_installation() -> None:
    assert record().installation == Installation()


def test_show_tells_of_the_installation_and_the_mistakes() -> None:
    stream = io.StringIO()
    made = Mistake(name="input size", mode="eager", error_type="E", message="bad \x1b[31m shape", names_given=True)
    found = Installation(install_s=41.3, bytes=961_000_000, packages=14, installer="pip", adapter_lines=542)
    show(replace(record(), installation=found, mistakes=(made,)), Console(file=stream, width=100))
    for word in ("41.3 s, pip", "961 MB", "14", "542", "wrong input size", "unclear: E: bad"):
        assert word in stream.getvalue()
    assert "\x1b[31m" not in stream.getvalue()
    stream = io.StringIO()
    show(record(), Console(file=stream, width=100))
    assert "installation" not in stream.getvalue()
