"""Two releases of one framework side by side: names, pins, environments, interpreters, rows."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest
from fakes import entries
from records_factory import measured, record
from test_cli import call
from test_environments import make_wheel, never

import backends
from harness import registry, versions
from harness.contract import Entry
from harness.environments import config, installers, interpreters, managed, pins
from harness.environments.installation import code_digest
from harness.errors import EnvironmentFailure, UsageError
from harness.records.store import Store
from reports.frame.frame import frame
from reports.statistics.summary import summarize

BACKEND = "tiny"
Pin = Callable[[str], None]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EVENBENCH_INSTALLER", "pip")
    return tmp_path / "home"


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """Return a function that writes the pins of a backend `tiny`, whose framework has the releases 1.0 and 2.0."""
    entry = Entry(adapter="tiny:backend", framework="tiny", modes=("eager",), default_mode="eager")
    monkeypatch.setitem(backends.TABLE, BACKEND, entry)
    file = tmp_path / "requirements.txt"
    none = tmp_path / "none"
    monkeypatch.setattr(
        pins, "pins_file", lambda name, kind="cpu": file if (versions.base(name), kind) == (BACKEND, "cpu") else none
    )
    wheels = tmp_path / "wheels"
    for number in ("1.0", "2.0"):
        make_wheel(wheels, number)
        make_wheel(wheels, number, name="friend")
    make_wheel(wheels, "3.0", needs="friend==1.0")

    def write(requirements: str) -> None:
        file.write_text(f"# disk: 0.01 GB\n--no-index\n--find-links {wheels}\n{requirements}\n", "utf-8")

    write("tiny==2.0\nfriend==2.0")
    return write


def test_a_name_is_a_backend_and_a_release() -> None:
    name = registry.framework_names()[0]
    assert registry.entry(f"{name}@2.12.0rc1+cpu") == registry.entry(name)
    assert (versions.base(f"{name}@2.12.0"), versions.wanted(f"{name}@2.12.0")) == (name, "2.12.0")
    assert versions.wanted(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch@", "names no release"),
        ("torch@abc", "names no release"),
        ("torch@2.1-gpu", "names no release"),
        ("torch@../x", "names no release"),
        ("torch@2@3", "names no release"),
        (f"{registry.reference_name()}@2", "is the reference"),
        ("theano@1.0", "unknown backend 'theano@1.0'"),
        ("@1.0", "unknown backend"),
    ],
)
def test_a_wrong_release_is_one_sentence(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        registry.entry(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "found", "same"),
    [
        ("2.12.0", "2.12.0", True),
        ("2.12", "2.12.0", True),
        ("2.12.0", "2.12.0+cpu", True),
        ("2.12.0+cpu", "2.12.0", False),
        ("2.1", "2.10", False),
        ("2.12.0", "2.12.1", False),
        ("2.12.0", "2.12.0rc1", False),
    ],
)
def test_a_release_is_known_by_its_number(asked: str, found: str, same: bool) -> None:
    assert versions.same(asked, found) is same


@pytest.mark.parametrize("backend", registry.framework_names())
def test_only_the_frameworks_own_pin_is_replaced(backend: str) -> None:
    own = pins.packages(backend)
    for variant in pins.variants(backend):
        plain, other = pins.read(backend, variant), pins.read(f"{backend}@1.2.3", variant)
        changed = [(a, b) for a, b in zip(plain.requirements, other.requirements, strict=True) if a != b]
        assert changed
        assert all(a.startswith(own) and b.endswith("==1.2.3") for a, b in changed)
        assert plain.sha256 != other.sha256
        lines, freed = pins.relaxed(other.requirements, own)
        assert "numpy" in freed
        assert {line for line in lines if "==" in line} == {
            line
            for line in other.requirements
            if line.startswith((*(f"{name}{end}" for name in own for end in "=["), *pins.WORKERS_OWN))
        }


def test_another_release_has_an_environment_of_its_own(pin: Pin, own_home: Path) -> None:
    managed.create(BACKEND, say=lambda line: None)
    other = managed.create(f"{BACKEND}@1.0", say=lambda line: None)
    assert (other.name, other.backend, other.state) == (f"{BACKEND}@1.0", f"{BACKEND}@1.0", "ready")
    assert other.stamp is not None
    assert (other.stamp.versions["tiny"], other.stamp.versions["friend"], other.stamp.relaxed) == ("1.0", "2.0", ())
    assert [item.name for item in managed.present()] == [BACKEND, f"{BACKEND}@1.0"]
    assert interpreters.find(f"{BACKEND}@1.0", {}).python == other.python
    assert interpreters.find(BACKEND, {}).python == managed.look(BACKEND).python
    pin("tiny==2.0\nfriend==1.0")
    assert managed.look(f"{BACKEND}@1.0").state == "stale"
    assert f"`evenbench env create {BACKEND}@1.0`" in str(managed.look(f"{BACKEND}@1.0").problem)
    managed.remove(f"{BACKEND}@1.0")
    assert [item.name for item in managed.present()] == [BACKEND]


def test_the_pinned_release_is_not_built_twice(pin: Pin) -> None:
    plain = managed.create(BACKEND, say=lambda line: None)
    assert managed.create(f"{BACKEND}@2.0", say=never) == plain
    assert interpreters.find(f"{BACKEND}@2.0.0", {}).python == plain.python


def test_an_older_pins_release_stays_listed_when_the_pins_come_to_it(pin: Pin) -> None:
    Path(managed.look(f"{BACKEND}@1.0").folder).mkdir(parents=True)
    pin("tiny==1.0\nfriend==2.0")
    assert [item.name for item in managed.present()] == [f"{BACKEND}@1.0"]
    assert managed.look(f"{BACKEND}@1.0").name == BACKEND
    managed.remove(f"{BACKEND}@1.0")


def test_a_release_that_does_not_go_with_the_pins_chooses_its_companions(pin: Pin) -> None:
    said: list[str] = []
    built = managed.create(f"{BACKEND}@3.0", say=said.append)
    assert built.stamp is not None
    assert (built.stamp.versions["tiny"], built.stamp.versions["friend"]) == ("3.0", "1.0")
    assert built.stamp.relaxed == ("friend",)
    assert any("does not go with the pins of friend" in line for line in said)
    assert built.state == "ready"


def test_a_release_that_the_index_does_not_have_is_one_sentence(pin: Pin) -> None:
    with pytest.raises(EnvironmentFailure, match=r"the package index has no tiny 9\.9 for Python") as caught:
        managed.create(f"{BACKEND}@9.9", say=lambda line: None)
    assert "\n" not in str(caught.value)


def test_the_words_of_both_installers_are_understood() -> None:
    uv = (
        "× No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of torch==9.9.9\n"
        "      and you require torch==9.9.9, we can conclude that your requirements are unsatisfiable."
    )
    pip = "ERROR: No matching distribution found for torch==9.9.9"
    for words in (uv, pip):
        assert installers.says_there_is_none(words, "torch==9.9.9")
        assert not installers.says_there_is_none(words, "torch==9.9")
    clash = "because torch-npu==2.13.0 depends on torch==2.13.0 ... your requirements are unsatisfiable."
    assert installers.says_they_conflict(clash)
    assert not installers.says_they_conflict("No space left on device")


def test_a_named_interpreter_must_hold_the_release(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.TABLE, "well", entries()["well"])
    right, wrong = f"well@{version('numpy')}", "well@0.1"
    assert interpreters.parse([f"{right}=/a"]) == {right: "/a"}
    assert interpreters.find(right, {right: sys.executable}).source == "--python"
    with pytest.raises(UsageError, match=f"has numpy {version('numpy')}, but well@0.1 was asked for"):
        interpreters.find(wrong, {wrong: sys.executable})
    assert interpreters.find(right, {}).source == "current"
    with pytest.raises(
        EnvironmentFailure, match=r"no interpreter has numpy 0\.1: run `evenbench env create well@0\.1`"
    ):
        interpreters.find(wrong, {})
    own_home.mkdir(exist_ok=True)
    (own_home / "config.toml").write_text(f'[python]\n"{wrong}" = "{sys.executable}"\n', "utf-8")
    assert config.read().python == {wrong: sys.executable}
    with pytest.raises(UsageError, match="well@0.1 was asked for"):
        interpreters.find(wrong, {})


def test_a_pass_of_parity_covers_the_code_of_the_adapter_whatever_the_release() -> None:
    name = registry.framework_names()[0]
    assert code_digest(f"{name}@1.0") == code_digest(name) != code_digest(registry.reference_name())


def test_releases_are_rows_of_their_own_and_ranked_side_by_side() -> None:
    plain, other = "torch", "torch@2.12.0"
    records = [
        record(name, repeat=repeat, found=measured(step_s=step_s, versions={"torch": number}))
        for name, number, step_s in ((plain, "2.13.0", 0.001), (other, "2.12.0", 0.002))
        for repeat in range(3)
    ]
    found = frame(records)
    assert dict(zip(found["backend"], found["framework_version"], strict=True)) == {plain: "2.13.0", other: "2.12.0"}
    (group,) = summarize(found)
    assert [(row.backend, row.framework_version, row.rank) for row in group.rows] == [
        (plain, "2.13.0", 1),
        (other, "2.12.0", 2),
    ]


def test_a_study_of_two_names_runs_from_the_command_line(tmp_path: Path) -> None:
    name = f"well@{version('numpy')}"
    done = call(
        "run", "--task", "xor", "--preset", "smoke", "--repeats", "1", "--backend", f"well,{name}",
        "--results", str(tmp_path), "--study", "two", home=tmp_path / "home", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    records = Store(tmp_path / "two").done()
    assert {run_id.split(".")[1] for run_id in records} == {"well", name.partition(".")[0]}
    again = call(
        "run", "--resume", "two", "--results", str(tmp_path), "--dry-run", "--json", home=tmp_path, cwd=tmp_path
    )
    assert msgspec.json.decode(again.stdout) == []
