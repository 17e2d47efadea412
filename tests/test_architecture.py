"""The arrows between the folders, read from the syntax trees: who may import what, and who may ask which framework."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import registry

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("harness", "backends", "tasks", "reports")
FILES = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
FRAMEWORKS = {registry.entry(name).framework: name for name in registry.framework_names()}
COMPANIONS = {"keras": "tensorflow", "tf_keras": "tensorflow", "torch_npu": "torch", "torchvision": "torch"}
"""Packages that come with a framework, and the backend that they belong to."""
CLOCKS = {
    "time": {
        "time", "perf_counter", "monotonic", "process_time", "thread_time", "clock_gettime", "gmtime", "localtime",
        "time_ns", "perf_counter_ns", "monotonic_ns", "process_time_ns", "thread_time_ns", "clock_gettime_ns",
        "strftime",
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "timeit": {"timeit", "repeat", "default_timer", "Timer"},
}  # fmt: skip
CLOCK_FILE = Path("harness/measure/clock.py")


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


def imported(module: ast.Module) -> Iterator[str]:
    """Yield the full names of all that is imported, inside functions too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(module: ast.Module) -> set[str]:
    return {name.partition(".")[0] for name in imported(module)}


def clock_readings(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS.get(getattr(node.value, "id", ""), ()):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and node.module in ("time", "timeit"):
            yield from (f"line {node.lineno}: {a.name}" for a in node.names if a.name in CLOCKS[node.module])


def asked_names(module: ast.Module) -> Iterator[str]:
    """Yield the places where something is compared with a backend's name, or matched against it."""
    for node in ast.walk(module):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for side in sides:
            parts = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
            for part in parts:
                if isinstance(part, ast.Constant) and part.value in registry.backend_names():
                    yield f"line {part.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_framework_is_imported_in_its_own_backend_only(path: Path) -> None:
    home = path.parts[1] if path.parts[0] == "backends" else None
    owners = {package: owner for package, owner in (FRAMEWORKS | COMPANIONS).items() if package in packages(tree(path))}
    assert all(owner == home for owner in owners.values()), f"{path} imports {', '.join(owners)}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_backend_imports_no_other_backend(path: Path) -> None:
    others = {name.split(".")[1] for name in imported(tree(path)) if name.startswith("backends.")}
    assert path.parts[0] == "backends" or not others, f"{path} imports the adapter of {', '.join(others)}"
    assert others <= {path.parts[1]}, f"{path} imports {', '.join(others)}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_pandas_is_imported_in_reports_only(path: Path) -> None:
    assert path.parts[0] == "reports" or not packages(tree(path)) & {"pandas", "pyarrow"}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_clock_is_read_in_one_file_only(path: Path) -> None:
    readings = list(clock_readings(tree(path)))
    assert path == CLOCK_FILE or not readings, f"{path}: {'; '.join(readings)}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] != "backends"], ids=str)
def test_nobody_outside_the_backends_asks_which_framework_it_has(path: Path) -> None:
    places = list(asked_names(tree(path)))
    assert not places, f"{path}: {'; '.join(places)}"


def test_the_rules_notice_what_they_forbid() -> None:
    name = registry.framework_names()[0]
    assert list(asked_names(ast.parse(f"if backend == {name!r}: pass")))
    assert list(asked_names(ast.parse(f"x = backend in ('other', {name!r})")))
    assert list(asked_names(ast.parse(f"match b:\n  case {name!r}: pass")))
    assert not list(asked_names(ast.parse(f"say({name!r})")))
    for text in ("import time\ntime.perf_counter()", "from time import monotonic", "datetime.now()", "date.today()"):
        assert list(clock_readings(ast.parse(text)))
    assert not list(clock_readings(ast.parse("import time\ntime.sleep(1)")))
    assert packages(ast.parse("def f():\n  from pandas.io import json\n  import torch.nn")) == {"pandas", "torch"}
