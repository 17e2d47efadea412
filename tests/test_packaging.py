"""The wheel: its top-level names are pinned, for they are general, and it holds what is needed at run time."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from harness import __version__, registry
from harness.environments import pins

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob(f"evenbench-{__version__}-*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_wheel_has_these_top_level_names_and_no_others(wheel: set[str]) -> None:
    names = {name.partition("/")[0] for name in wheel}
    assert names == {"evenbench", "harness", "backends", "tasks", "reports", f"evenbench-{__version__}.dist-info"}


@pytest.mark.parametrize("backend", registry.framework_names())
def test_the_wheel_holds_the_pins(wheel: set[str], backend: str) -> None:
    for variant in pins.variants(backend):
        assert str(pins.pins_file(backend, variant).relative_to(ROOT)) in wheel


@pytest.mark.parametrize("path", sorted((ROOT / "reports" / "templates").iterdir()), ids=lambda path: path.name)
def test_the_wheel_holds_what_the_page_is_made_of(wheel: set[str], path: Path) -> None:
    assert str(path.relative_to(ROOT)) in wheel


def test_the_wheel_holds_the_licence(wheel: set[str]) -> None:
    assert f"evenbench-{__version__}.dist-info/licenses/LICENSE" in wheel


def test_every_dependency_has_a_lower_bound_and_none_is_a_framework() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]
    for requirement in project["dependencies"]:
        name, bound, _ = requirement.partition(">=")
        assert bound
        assert name not in registry.framework_names()
