"""The arrows between the rooms, read from the syntax trees: who may import what, and who may ask which framework."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from harness import registry

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("evenbench", "harness", "backends", "tasks", "reports")
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
LAYERS = (
    ("evenbench",),
    ("harness.cli",),
    ("reports",),
    ("reports.formats",),
    ("reports.page",),
    ("reports.content", "reports.choose", "reports.compare", "harness.runs"),
    ("reports.statistics",),
    ("reports.frame",),
    ("reports.words", "harness.worker", "harness.data"),
    ("harness.records", "harness.environments", "harness.parity"),
    ("harness.measure",),
    ("harness.registry",),
    ("tasks", "backends"),
    ("harness",),
)
"""From the roof down: a module imports only what stands below its own row, or in its own package. `evenbench` is the
face for notebooks, and so is `reports` itself, `reports/__init__.py`; `harness` the words, the files directly in that
folder."""
FLOOR = {package: floor for floor, row in enumerate(reversed(LAYERS)) for package in row}
FOR_ONE_RELEASE = {("harness", "reports")}
"""`harness.load` warns, and leads to `reports.load`, until version 0.2."""
WORKER_NEEDS = {"numpy", "msgspec"}
"""What the worker may import from other projects before it has imported a framework."""
WORKER_ROOMS = ("worker", "parity", "measure", "records", "registry")


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


def imported(module: ast.Module) -> Iterator[str]:
    """Yield the full names of all that is imported, inside functions too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def home(module: str) -> str:
    """Return the package of LAYERS that a module belongs to."""
    parts = module.split(".")
    return next(name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in FLOOR)


def is_wrong(module: str, other: str) -> bool:
    return home(module) != home(other) and FLOOR[home(module)] <= FLOOR[home(other)]


def module_in(name: str) -> str | None:
    """Return the module of ours that an imported name is, or is taken from."""
    parts = name.split(".")
    return next((known for n in range(len(parts), 0, -1) if (known := ".".join(parts[:n])) in MODULES), None)


def arrows(module: ast.Module) -> set[str]:
    """Return our modules that a module imports: in functions, for types alone, and by the strings that name them."""
    strings = (n.value for n in ast.walk(module) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    named = {found for text in strings if "." in (found := text.partition(":")[0]) and found in MODULES}
    return {ours for name in imported(module) if (ours := module_in(name))} | named


ARROWS = {name: arrows(tree(path)) - {name} for name, path in MODULES.items()}


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a circle of a graph, an empty list where it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


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


@pytest.mark.parametrize("name", MODULES)
def test_arrows_point_one_way(name: str) -> None:
    wrong = [other for other in ARROWS[name] if is_wrong(name, other) and (name, other) not in FOR_ONE_RELEASE]
    assert not wrong, f"{name} in {home(name)} imports {', '.join(wrong)}, which stand above it"


def test_there_is_no_circle_of_files_or_of_packages() -> None:
    # an adapter is named by a string in the table of its package; that joins the light half to the heavy, and no import
    between = {
        name: {other for other in others if name != "backends" and (name, other) not in FOR_ONE_RELEASE}
        for name, others in ARROWS.items()
    }
    assert not circle(between)
    rooms: dict[str, set[str]] = {}
    for name, others in between.items():
        rooms.setdefault(home(name), set()).update(home(other) for other in others if home(other) != home(name))
    assert not circle(rooms)


def test_no_room_is_crowded() -> None:
    crowded = {}
    for folder in {path.parent for path in FILES if path.parts[0] in ("harness", "reports")}:
        modules = [path for path in FILES if path.parent == folder and path.name != "__init__.py"]
        rooms = {path.parts[len(folder.parts)] for path in FILES if path.is_relative_to(folder) and path not in modules}
        if len(modules) > 15 or len(rooms - {"__init__.py"}) > 9:
            crowded[folder] = (len(modules), len(rooms))
    assert set(crowded) <= {Path("harness/cli/commands")}, crowded


def test_a_worker_imports_its_rooms_and_two_libraries() -> None:
    """Whatever else is imported would have to be installed beside every framework, and would cost every start-up."""
    ours = ("harness", "backends", "tasks", "reports")
    script = (
        "import sys; before = set(sys.modules); import harness.worker.__main__\n"
        "print(*(n for n, m in sys.modules.items() if n not in before and getattr(m, '__file__', None)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    foreign = {name.partition(".")[0] for name in loaded} - set(ours) - set(sys.stdlib_module_names)
    assert foreign <= WORKER_NEEDS | {"typing_extensions"}, foreign  # msgspec takes that one where it is installed
    rooms = {
        name.split(".")[1]
        for name in loaded
        if name.startswith("harness.") and (ROOT / name.replace(".", "/")).is_dir()
    }
    assert rooms <= set(WORKER_ROOMS), rooms
    assert not [name for name in loaded if name.startswith("reports")]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_pandas_is_imported_in_reports_only(path: Path) -> None:
    assert path.parts[0] == "reports" or not packages(tree(path)) & {"pandas", "pyarrow"}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_ray_is_imported_in_one_file_only(path: Path) -> None:
    assert path == Path("harness/runs/executors/ray_executor.py") or "ray" not in packages(tree(path))


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
    assert is_wrong("harness.measure.clock", "harness.records.store")
    assert is_wrong("reports.content.legend", "reports.choose.words")
    assert not is_wrong("harness.cli.main", "reports.formats.report")
    found = arrows(
        ast.parse("def f():\n  import harness.spec\n  import_module('reports.page.html')\n  x = 'tasks.xor:task'")
    )
    assert found == {"harness.spec", "reports.page.html", "tasks.xor"}
    assert circle({"a": ["b"], "b": ["a"]})
    assert packages(ast.parse("def f():\n  from pandas.io import json\n  import torch.nn")) == {"pandas", "torch"}
