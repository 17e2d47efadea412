"""Managed environments: complete, from the pins of today, or not used at all."""

import fcntl
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest
from click.testing import CliRunner

from harness import registry
from harness.cli.commands.env import env
from harness.environments import installers, managed, pins
from harness.errors import EnvironmentFailure, UsageError

Pin = Callable[[str], Path]
BACKEND = registry.framework_names()[0]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("EVENBENCH_HOME", str(folder))
    monkeypatch.setenv("EVENBENCH_INSTALLER", "pip")
    return folder


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """Return a function that writes the pins of every backend; only wheels in `tmp_path/wheels` can be installed."""
    folder = tmp_path / "backend"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", version)
    monkeypatch.setattr(pins, "pins_file", lambda backend, variant="cpu": folder / f"{variant}.txt")

    def write(requirement: str) -> Path:
        path = folder / "cpu.txt"
        path.write_text(f"# disk: 0.01 GB\n--no-index\n--find-links {tmp_path / 'wheels'}\n{requirement}\n", "utf-8")
        return path

    return write


def make_wheel(folder: Path, version: str, *, name: str = "tiny", needs: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    facts = f"{name}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", f"{name}.py,,\n{facts}/METADATA,,\n{facts}/WHEEL,,\n{facts}/RECORD,,\n")


def never(line: str) -> None:
    raise AssertionError(f"nothing should be installed, but the installer said {line!r}")


def pretend(name: str = BACKEND) -> Path:
    """Write an environment that looks ready without the seconds that a real one takes."""
    folder = Path(managed.look(BACKEND).folder).with_name(name)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    stamp = managed.Stamp(
        pins_sha256=pins.read(BACKEND).sha256,
        versions={},
        python="3.11.0",
        installer="pip",
        install_s=1.0,
        size_bytes=1,
        evenbench="0",
    )
    (folder / managed.STAMP).write_bytes(msgspec.json.encode(stamp))
    return folder


def test_an_environment_is_built_once_and_again_when_its_pins_change(pin: Pin) -> None:
    pin("tiny==1.0")
    lines: list[str] = []
    built = managed.create(BACKEND, say=lines.append)
    assert (built.state, built.problem) == ("ready", None)
    assert any("tiny" in line for line in lines)
    assert built.stamp is not None
    assert built.stamp.versions["tiny"] == "1.0"
    assert built.stamp.python.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert built.stamp.install_s > 0
    assert built.stamp.size_bytes > 1_000_000
    assert managed.create(BACKEND, say=never) == built

    pin("tiny==2.0")
    assert managed.look(BACKEND).state == "stale"
    rebuilt = managed.create(BACKEND, say=lines.append)
    assert rebuilt.stamp is not None
    assert rebuilt.stamp.versions["tiny"] == "2.0"


def test_an_interrupted_build_is_noticed_and_finished(pin: Pin) -> None:
    pin("tiny==1.0")

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        managed.create(BACKEND, say=interrupt)
    found = managed.look(BACKEND)
    assert Path(found.folder).is_dir()
    assert found.state == "unfinished"
    assert f"evenbench env create {BACKEND}" in str(found.problem)
    assert managed.create(BACKEND, say=lambda line: None).state == "ready"


def test_the_installers_own_words_are_in_the_error(pin: Pin) -> None:
    pin("no-such-thing==1.0")
    with pytest.raises(EnvironmentFailure, match=r"(?s)could not be built.*No matching distribution found for no-such"):
        managed.create(BACKEND, say=lambda line: None)
    assert managed.look(BACKEND).state == "unfinished"


def test_an_interrupted_installer_does_not_live_on() -> None:
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        installers.run([sys.executable, "-c", code], say=interrupt)
    assert not psutil.pid_exists(seen[0])


def test_two_builds_at_once_are_kept_apart(pin: Pin) -> None:
    pin("tiny==1.0")
    folder = Path(managed.look(BACKEND).folder)
    folder.parent.mkdir()
    with folder.with_name(f"{folder.name}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFailure, match="another command is building"):
            managed.create(BACKEND, say=never)
    assert not folder.exists()


@pytest.mark.parametrize("stamp", [b"", b"{}", b'{"pins_sha256": 3}', b"\xff\xfe"])
def test_a_damaged_stamp_is_as_good_as_none(pin: Pin, stamp: bytes) -> None:
    pin("tiny==1.0")
    (pretend() / managed.STAMP).write_bytes(stamp)
    assert managed.look(BACKEND).state == "unfinished"


def test_an_environment_whose_python_was_uninstalled_is_broken(pin: Pin) -> None:
    pin("tiny==1.0")
    folder = pretend()
    assert managed.look(BACKEND).state == "ready"
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to("nowhere")
    assert managed.look(BACKEND).state == "broken"


def test_too_small_a_disk_is_said_before_anything_is_installed(pin: Pin) -> None:
    path = pin("tiny==1.0")
    path.write_text(path.read_text("utf-8").replace("0.01 GB", "999999.5 GB"), "utf-8")
    with pytest.raises(EnvironmentFailure, match="needs about 999999.5 GB of disk"):
        managed.create(BACKEND, say=never)


def test_a_read_only_home_is_one_sentence(pin: Pin, own_home: Path) -> None:
    pin("tiny==1.0")
    own_home.mkdir()
    (own_home / "environments").write_text("a file where the folder should be", "utf-8")
    with pytest.raises(EnvironmentFailure, match="cannot write"):
        managed.create(BACKEND, say=never)


def test_python_that_is_too_new_is_one_sentence() -> None:
    assert managed.why_not_python((3, 12)) is None
    assert "no wheel" in str(managed.why_not_python((3, 13)))


def test_comments_do_not_count_as_pins_but_included_files_do(pin: Pin) -> None:
    path = pin("tiny==1.0")
    path.with_name("gpu.txt").write_text("-r cpu.txt\nmore==1\n", "utf-8")
    plain, gpu = pins.read(BACKEND).sha256, pins.read(BACKEND, "gpu").sha256
    path.write_text(path.read_text("utf-8") + "\n# why\n", "utf-8")
    assert pins.read(BACKEND).sha256 == plain
    assert pins.read(BACKEND, "gpu").sha256 == gpu != plain
    pin("tiny==2.0")
    assert pins.read(BACKEND, "gpu").sha256 != gpu


def test_only_a_known_environment_can_be_removed(pin: Pin) -> None:
    pin("tiny==1.0")
    with pytest.raises(UsageError, match="none has been created"):
        managed.remove(BACKEND)
    folder = pretend()
    with pytest.raises(UsageError, match=f"unknown environment '../{BACKEND}'"):
        managed.remove(f"../{BACKEND}")
    managed.remove(BACKEND)
    assert not folder.exists()
    assert managed.present() == ()


def test_an_installer_is_taken_as_asked_and_else_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert installers.choose("auto") == "uv"
    assert installers.choose(None) == "pip"
    monkeypatch.delenv("EVENBENCH_INSTALLER")
    assert installers.choose(None) == "uv"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert installers.choose(None) == "pip"
    with pytest.raises(UsageError, match="uv is not on PATH"):
        installers.choose("uv")
    with pytest.raises(UsageError, match="unknown installer 'conda'"):
        installers.choose("conda")


@pytest.mark.parametrize("backend", registry.framework_names())
def test_every_framework_has_exact_pins_and_says_what_room_they_take(backend: str) -> None:
    assert "cpu" in pins.variants(backend)
    for variant in pins.variants(backend):
        found = pins.read(backend, variant)
        assert all("==" in line for line in pins.requirements(found.path))
        assert found.path.read_text("utf-8").startswith("# disk: ")
        names = {line.partition("==")[0] for line in pins.requirements(found.path)}
        assert {"numpy", "msgspec", "psutil"} < names


def test_the_reference_has_no_environment() -> None:
    with pytest.raises(UsageError, match="needs no environment"):
        pins.read(registry.reference_name())


def test_the_commands_say_what_there_is(pin: Pin) -> None:
    pin("tiny==1.0")
    run = CliRunner().invoke
    folder = pretend()
    assert BACKEND in run(env, ["list"]).stdout
    (listed,) = msgspec.json.decode(run(env, ["list", "--json"]).stdout)
    assert (listed["name"], listed["state"]) == (BACKEND, "ready")
    assert run(env, ["python", BACKEND]).stdout == f"{folder / 'bin' / 'python'}\n"
    assert "ready in" in run(env, ["create", BACKEND]).stdout
    assert "removed" in run(env, ["remove", BACKEND]).stdout
    assert "no environment" in run(env, ["list"]).stderr
    assert isinstance(run(env, ["create", "--variant", "tpu"]).exception, UsageError)


def test_other_environments_are_built_when_one_fails(pin: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    pin("tiny==1.0")
    tried = []

    def build(backend: str, *rest: object, **more: object) -> None:
        tried.append(backend)
        raise EnvironmentFailure(f"{backend} broke")

    monkeypatch.setattr(managed, "create", build)
    result = CliRunner().invoke(env, ["create"])
    assert tuple(tried) == registry.main_names()
    assert isinstance(result.exception, EnvironmentFailure)
    assert all(f"{name} broke" in str(result.exception) for name in tried)


def test_our_own_packages_do_not_reach_the_installers_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    lines: list[str] = []
    installers.run([sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH'))"], say=lines.append)
    assert lines == ["None"]
