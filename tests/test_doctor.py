"""What the doctor finds, from facts that are made up: no worker is started here."""

import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from harness import registry
from harness.cli.commands.doctor import doctor as command
from harness.contract import Device, Trap
from harness.environments import interpreters, siblings
from harness.environments.interpreters import Interpreter
from harness.errors import EnvironmentFailure, UsageError
from harness.runs import doctor
from harness.worker.jobs import Description

QUIET = doctor.Machine(
    python="3.11.7",
    cores=2,
    load_1min=0.3,
    memory_free_bytes=8_000_000_000,
    home="/home",
    disk_free_bytes=50_000_000_000,
    not_passed_on=(),
    strangers=(),
)
SOUND = Description(
    name="fake",
    python="3.11.7",
    versions={},
    settings={"threads": "2"},
    devices=(Device(kind="cpu", name="cpu"),),
    modes=("eager", "graph"),
    default_mode="graph",
    traps=(),
    matmul_error=1e-4,
    flushes_denormals=True,
    import_s=1.0,
    why_not={},
)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "look_at_machine", lambda: QUIET)
    monkeypatch.setattr(interpreters, "find", lambda name, overrides: CHOSEN)
    monkeypatch.setattr(doctor, "describe", lambda name, interpreter: SOUND)


CHOSEN = Interpreter(python="/opt/bin/python", source="managed", reason="the managed environment fake")


@pytest.mark.parametrize(
    ("changes", "name", "harmful"),
    [
        ({"matmul_error": 0.2}, "reduced precision", True),
        ({"matmul_error": float("nan")}, "reduced precision", True),
        ({"flushes_denormals": False}, "denormals", False),
        ({"settings": {"threads": "1"}}, "threads", True),
    ],
)
def test_a_description_shows_its_traps(changes: dict[str, object], name: str, harmful: bool) -> None:
    (trap,) = doctor.backend_traps(replace(SOUND, **changes), cores=2)
    assert (trap.name, trap.harmful) == (name, harmful)


@pytest.mark.parametrize("threads", ["2", "0", "two", ""])
def test_threads_that_are_right_or_not_told_are_no_trap(threads: str) -> None:
    assert doctor.backend_traps(replace(SOUND, settings={"threads": threads}), cores=2) == ()


def test_the_adapters_own_sentence_replaces_ours() -> None:
    own = Trap(name="denormals", sentence="call set_flush_denormal(True)", harmful=False)
    assert doctor.backend_traps(replace(SOUND, flushes_denormals=False, traps=(own,)), cores=2) == (own,)


@pytest.mark.parametrize(
    ("changes", "name", "harmful"),
    [
        ({"python": "3.13.0"}, "python", True),
        ({"strangers": ("tasks",)}, "sibling packages", True),
        ({"not_passed_on": ("ONEDNN_DEFAULT_FPMATH_MODE",)}, "variables", False),
        ({"memory_free_bytes": 1}, "memory", True),
        ({"disk_free_bytes": 1}, "disk", False),
        ({"load_1min": 1.5}, "noise", False),
    ],
)
def test_a_machine_shows_its_traps(changes: dict[str, object], name: str, harmful: bool) -> None:
    assert doctor.machine_traps(QUIET) == ()
    (trap,) = doctor.machine_traps(replace(QUIET, **changes))
    assert (trap.name, trap.harmful) == (name, harmful)


def test_our_own_siblings_are_no_strangers() -> None:
    assert siblings.strangers() == ()


def test_a_sound_machine_ends_with_0_and_fits_80_columns() -> None:
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 0, result.output
    assert "Nothing wrong" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.fullmatch(r"(\d+) of \1 frameworks work; now: evenbench run", result.stdout.splitlines()[-1])
    for name in registry.backend_names():
        expected = name in (*registry.main_names(), registry.reference_name())
        assert (name in result.stdout) == expected, "others are looked at where they were made, and none was made here"


def test_a_framework_that_was_named_in_the_configuration_is_looked_at(tmp_path: Path) -> None:
    (other,) = set(registry.framework_names()[-1:]) - set(registry.main_names())
    (tmp_path / "config.toml").write_text(f'[python]\n{other} = "/opt/bin/python"\n')
    assert other in CliRunner().invoke(command, []).stdout


def test_json_is_the_whole_diagnosis() -> None:
    result = CliRunner().invoke(command, ["--json", "--backend", registry.framework_names()[0]])
    found = msgspec.json.decode(result.stdout)
    assert found["healthy"] is True
    assert [row["backend"] for row in found["backends"]] == [registry.framework_names()[0]]


def test_a_backend_that_does_not_work_is_said_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, interpreter: Interpreter) -> Description:
        raise EnvironmentFailure(f"{name} cannot be imported")

    monkeypatch.setattr(doctor, "describe", fail)
    result = CliRunner().invoke(command, ["--backend", registry.framework_names()[0]])
    assert result.exit_code == 1
    assert "cannot be imported" in result.stdout
    assert CHOSEN.source in result.stdout
    assert result.stdout.splitlines()[-1] == "None of 1 frameworks works; now: evenbench env create"


def test_an_unknown_backend_is_a_wrong_use() -> None:
    assert isinstance(CliRunner().invoke(command, ["--backend", "theano"]).exception, UsageError)
