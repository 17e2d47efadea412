"""Plug-ins: what is taken, what is left out with which sentence, and that a bad one is named check by check."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness import registry
from harness.cli.commands.list import list_
from harness.cli.commands.new import new
from harness.contract import CONTRACT, Entry
from harness.environments import pins
from harness.errors import UsageError
from harness.registry import plugins
from harness.runs import doctor
from harness.runs.conformance import check_pins, in_worker
from harness.runs.conformance.tasks import check_task

LIGHT = f"""
from harness.contract import Entry
from harness.spec import Task
CONTRACT = {CONTRACT}
GOOD = Entry(adapter="PACKAGE.adapter:backend", framework="numpy", modes=("eager",), default_mode="eager")
def xor():
    from msgspec.structs import replace
    from tasks import xor
    return replace(xor.task(), name="my-xor", summary="Mine.", parity_batch=3)
"""
ADAPTER = """
from backends.numpy.adapter import NumpyBackend
class Mine(NumpyBackend):
    name = "mine"
def backend():
    return Mine()
"""
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what makes a distribution with these entry points importable, as pip does."""
    monkeypatch.delenv(plugins.VARIABLE)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._installed.cache_clear()

    def make(package: str, points: str, light: str = LIGHT, **files: str) -> Path:
        folder, info = tmp_path / package, tmp_path / f"{package}-1.0.dist-info"
        for path in (folder, info):
            path.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
        (folder / "__init__.py").write_text(light.replace("PACKAGE", package))
        (folder / "adapter.py").write_text(ADAPTER)
        for name, text in files.items():
            (folder / f"{name}.txt").write_text(text)
        plugins._installed.cache_clear()
        return folder

    yield make
    plugins._installed.cache_clear()
    for name in [name for name in sys.modules if name.startswith("evenbench_test_")]:
        del sys.modules[name]


def problems() -> dict[str, str]:
    return {plugin.name: str(plugin.problem) for plugin in registry.installed_plugins() if plugin.problem}


def test_a_backend_and_a_task_are_taken(install: Install) -> None:
    points = "[evenbench.backends]\nmine = evenbench_test_a:GOOD\n[evenbench.tasks]\nmy-xor = evenbench_test_a:xor\n"
    folder = install("evenbench_test_a", points, requirements="# disk: 0.1 GB\nnumpy==2.4.6\n")
    assert problems() == {}
    assert registry.backend_names()[-2:] == ("mine", registry.reference_name())
    assert registry.task("my-xor").parity_batch == 3
    assert pins.pins_file("mine") == folder / "requirements.txt"
    assert pins.pinned("mine") == "2.4.6"
    (adapted,) = in_worker("mine", registry.entry("mine"), "eager", sys.executable, only=("description",))
    assert (adapted.state, str(adapted.words)) == ("passed", "")
    assert {one.state for one in check_task("my-xor")} == {"passed"}


WRONG: dict[str, tuple[str, str, str]] = {
    "torch": ("GOOD", LIGHT, "Evenbench itself has something of this name"),
    "Bad Name": ("GOOD", LIGHT, "a name has small letters"),
    "gone": ("NOTHING", LIGHT, "cannot be loaded: AttributeError"),
    "breaks": ("GOOD", "1 / 0", "cannot be loaded: ZeroDivisionError"),
    "leaves": ("GOOD", "raise SystemExit(3)", "cannot be loaded: SystemExit: 3"),
    "old": ("GOOD", LIGHT.replace(f"CONTRACT = {CONTRACT}", "CONTRACT = 0"), "written for version 0 of the contract"),
    "silent": ("GOOD", LIGHT.replace(f"CONTRACT = {CONTRACT}", ""), "written for version None of the contract"),
    "number": ("CONTRACT", LIGHT, "is to be an Entry, but is of type int"),
    "elsewhere": ("GOOD", LIGHT.replace("PACKAGE.adapter", "torch.adapter"), "is to be a module of the package"),
    "moded": ("GOOD", LIGHT.replace('modes=("eager",)', 'modes=("fast",)'), "names the modes ['fast']"),
    "defaulted": ("GOOD", LIGHT.replace('default_mode="eager"', 'default_mode="xla"'), "default mode xla is none"),
    "heavy": (
        "GOOD",
        LIGHT.replace('"numpy"', '"evenbench_test_heavy"') + "import evenbench_test_heavy\n",
        "imports evenbench_",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_left_out_with_one_sentence(install: Install, name: str, tmp_path: Path) -> None:
    (tmp_path / "evenbench_test_heavy.py").touch()
    attribute, light, sentence = WRONG[name]
    before = registry.backend_names()
    install("evenbench_test_b", f"[evenbench.backends]\n{name} = evenbench_test_b:{attribute}\n", light)
    assert registry.backend_names() == before
    assert sentence in problems()[name]
    (said,) = doctor.left_out()
    assert str(said).startswith(f"the backend {name} of evenbench_test_b 1.0 is left out: ")
    shown = CliRunner().invoke(list_, ["plugins", "--json"])
    assert sentence.partition(":")[0] in shown.output
    assert registry.entry("torch").framework == "torch"


def test_two_of_one_name_are_both_left_out(install: Install) -> None:
    for package in ("evenbench_test_c", "evenbench_test_d"):
        install(package, f"[evenbench.backends]\nmine = {package}:GOOD\n")
    assert problems() == {
        "mine": "several plug-ins have this name, and none of them is used: evenbench_test_c, evenbench_test_d"
    }
    with pytest.raises(UsageError, match="unknown backend 'mine'"):
        registry.entry("mine")


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("def xor():\n    return 3", "is to return a Task, not int"),
        ("def xor():\n    raise KeyError('x')", "raises KeyError"),
        ("def xor():\n    from tasks import cosine\n    return cosine.task()", "calls itself cosine, not mine"),
    ],
)
def test_a_wrong_task_is_left_out(install: Install, function: str, sentence: str) -> None:
    install(
        "evenbench_test_e", "[evenbench.tasks]\nmine = evenbench_test_e:xor\n", f"CONTRACT = {CONTRACT}\n{function}"
    )
    assert sentence in problems()["mine"]


def test_no_plugin_is_looked_at_where_the_variable_says_none(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("evenbench_test_f", "[evenbench.backends]\nmine = evenbench_test_f:GOOD\n")
    monkeypatch.setenv(plugins.VARIABLE, "none")
    assert registry.installed_plugins() == ()


BAD = {
    "misnamed": "description",
    "unversioned": "description",
    "takes_any_device": "refusals",
    "curt": "refusals",
    "never_learns": "first steps",
    "own_weights": "parity: activations",
    "sums_the_loss": "parity: activations",
    "last_loss_only": "calls",
    "gradients_move": "calls",
    "shares_memory": "calls",
    "writes_what_it_was_given": "calls",
    "forgetful_dropout": "dropout",
    "half_precision": "precision",
    "silent_on_memory": "memory",
    "compiles_in_eager_mode": "mode",
    "same_noise": "noise of a stage",
    "dies": "first steps",
}
TIMED = {"waits_for_nothing": "synchronize", "idle_probes": "probes"}
FIRST = ("description", "refusals", "first", "calls", "parity: activations")
CHECKED = (*FIRST, "dropout", "precision", "memory", "mode", "noise")
"""All of them but what takes long: the other cases of parity, and the stages."""


def first_wrong(fault: str, **how: Any) -> str | None:
    entry = Entry(
        adapter=f"bad_plugin:{fault}",
        framework="numpy",
        modes=("eager",),
        default_mode="eager",
        path=str(Path(__file__).parent),
    )
    found = in_worker("bad", entry, "eager", sys.executable, **how)
    return next((one.check for one in found if one.state == "wrong"), None)


def test_an_honest_plugin_passes() -> None:
    assert first_wrong("honest", only=CHECKED) is None


@pytest.mark.parametrize("fault", BAD)
def test_a_broken_contract_is_named(fault: str) -> None:
    only = CHECKED if fault not in ("own_weights", "sums_the_loss", "half_precision") else (BAD[fault],)
    assert first_wrong(fault, only=only) == BAD[fault]


@pytest.mark.alone("times what is left to do after a wait, and how long products take")
@pytest.mark.parametrize("fault", TIMED)
def test_a_lie_about_time_is_named(fault: str) -> None:
    assert first_wrong(fault, timed=True) == TIMED[fault]


@pytest.mark.parametrize("example", ["mlx", "keras"])
def test_an_example_is_taken_as_a_stranger_would_install_it(example: str, tmp_path: Path) -> None:
    """Without its framework, which CI does not fetch: its light half must do for `list` and `env`."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root / "examples" / f"evenbench-{example}", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(tmp_path / "site"), str(wheel)], check=True, capture_output=True)
    script = (
        "from harness import registry; from harness.environments import pins\n"
        "found = registry.installed_plugins()\n"
        "names = sorted(p.name for p in found if p.kind == 'backend' and pins.pinned(p.name))\n"
        "print([p.name for p in found if p.problem], *names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{root}:{tmp_path / 'site'}"},
        capture_output=True,
        text=True,
    )
    expected = {"mlx": "[] mlx\n", "keras": "[] keras-jax keras-tensorflow keras-torch\n"}
    assert done.stdout == expected[example], done.stderr


@pytest.mark.parametrize("kind", ["backend", "task"])
def test_a_skeleton_is_a_plugin_that_conformance_takes_from_there(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    folder = tmp_path / "made"
    arguments = [
        kind,
        f"test-{kind}",
        "--folder",
        str(folder),
        *(["--framework", "numpy"] if kind == "backend" else []),
    ]
    assert CliRunner().invoke(new, arguments).exit_code == 0
    info = folder / "made-1.0.dist-info"
    info.mkdir()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (group, points), *_ = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
    monkeypatch.delenv(plugins.VARIABLE)
    monkeypatch.syspath_prepend(str(folder))
    plugins._installed.cache_clear()
    try:
        if kind == "task":
            assert {one.state for one in check_task("test-task")} == {"passed"}
            return
        name = "test-backend"
        found = in_worker(name, registry.entry(name), "eager", sys.executable, only=FIRST)
        assert next(one.check for one in found if one.state == "wrong") == "refusals", "its layers are to come first"
        assert "has no layer yet" in str(found[1].words)
        assert "numpy" in str(check_pins(name).words) or check_pins(name).state == "passed"
    finally:
        plugins._installed.cache_clear()


def test_a_skeleton_overwrites_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(new, ["task", "mine", "--folder", str(tmp_path)])
    assert "is there already" in str(result.exception)
    assert "cannot be the name" in str(CliRunner().invoke(new, ["task", "My Task"]).exception)


def test_keras_keeps_the_contract_on_the_engine_that_is_here(
    python_of: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short form, in the environment of TensorFlow, which has the very Keras; with its own Adam it must be named."""
    example = str(Path(__file__).parent.parent / "examples" / "evenbench-keras")
    entry = Entry(
        adapter="evenbench_keras.adapter:tensorflow",
        framework="keras",
        modes=("graph",),
        default_mode="graph",
        path=example,
    )
    only = ("description", "refusals", "first", "calls", "parity: plain adam", "mode")
    for own, wrong in (("", []), ("own", ["parity: plain adam"])):
        settings = {"EVENBENCH_KERAS_OPTIMIZERS": own}
        found = in_worker("keras-tensorflow", entry, "graph", python_of("tensorflow"), only=only, settings=settings)
        assert [(one.check, str(one.words)) for one in found if one.state == "wrong" and one.check not in wrong] == []
        assert [one.check for one in found if one.state == "wrong"] == wrong
