"""Managed virtual environments, one per backend, release and variant: complete, from today's pins, or not used at all.

`<home>/environments/torch` is built in place (a virtual environment cannot be moved). Its stamp `evenbench.json` is
written last and by rename, and taken away first: a folder without a valid stamp was not finished and is built again
from the beginning. A lock beside the folder keeps two builds apart; it falls with the last process that holds it.

`<home>/environments/torch@2.12.0` holds another release than the pins name, with the same companions where that
release allows them; where it does not, it is built a second time with the companions that the release asks for.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from harness import __version__, installers, pins, registry, versions
from harness.errors import EnvironmentFailure, UsageError, unknown_name
from harness.home import environments_folder
from harness.installers import Installer, Say
from harness.measure import Stopwatch
from harness.pins import Pins, Variant

STAMP = "evenbench.json"
TOO_NEW = (3, 13)
LIST_VERSIONS = (
    "import importlib.metadata as m, json, platform;"
    "print(json.dumps([platform.python_version(), {d.name: d.version for d in m.distributions()}]))"
)
State = Literal["ready", "absent", "unfinished", "stale", "broken"]


class Stamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was built; its presence says that the build was finished."""

    pins_sha256: str
    versions: dict[str, str]
    """Every installed distribution and its version."""
    relaxed: tuple[str, ...] = ()
    """The companions whose pins the release that was asked for did not allow, so that it chose theirs itself."""
    python: str
    installer: Installer
    install_s: float
    size_bytes: int
    evenbench: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A managed environment as it is found on the disk."""

    name: str
    """The name of its folder: the backend's, with `-<variant>` behind it unless that is `cpu`."""
    backend: str
    """With `@` and the release behind it where that is not the one of the pins."""
    variant: Variant
    folder: str
    python: str
    state: State
    problem: str | None = None
    """The sentence that says why it cannot be used and what to do, or None if it can."""
    stamp: Stamp | None = None


def look(backend: str, variant: Variant = "cpu") -> Environment:
    """Return the managed environment that serves a backend, as it is on the disk now.

    Raises:
        UsageError: there is no such backend, or it has no pins for this variant.
    """
    pins.read(backend, variant)
    return _look(pins.canonical(backend), variant)


def _look(backend: str, variant: Variant) -> Environment:
    """Return the environment in the folder of that very name."""
    wanted = pins.read(backend, variant)
    name = backend if variant == "cpu" else f"{backend}-{variant}"
    folder = environments_folder() / name
    python = installers.interpreter_in(folder)
    stamp = _read_stamp(folder)
    mend = f"run `evenbench env create {backend}{'' if variant == 'cpu' else f' --variant {variant}'}`"
    state: State = "ready"
    problem = None
    if not folder.exists():
        state, problem = "absent", f"there is no managed environment {name}: {mend}"
    elif stamp is None:
        state, problem = "unfinished", f"the managed environment {name} was not finished: {mend}"
    elif stamp.pins_sha256 != wanted.sha256:
        state, problem = "stale", f"the managed environment {name} was built from other pins than today's: {mend}"
    elif not os.access(python, os.X_OK):
        state, problem = "broken", f"the interpreter of the managed environment {name} is gone: {mend}"
    return Environment(
        name=name,
        backend=backend,
        variant=variant,
        folder=str(folder),
        python=str(python),
        state=state,
        problem=problem,
        stamp=stamp,
    )


def present() -> tuple[Environment, ...]:
    """Return the managed environments that are on the disk, usable or not, in the order of the table of backends."""
    known = [
        _look(name, variant)
        for backend in registry.backend_names()
        for name in (backend, *_releases(backend))
        for variant in pins.variants(backend)
    ]
    return tuple(environment for environment in known if environment.state != "absent")


def _releases(backend: str) -> tuple[str, ...]:
    """Return the names with a release for which a backend has a folder, in the order of the alphabet."""
    form = re.compile(rf"({re.escape(backend)}@{versions.VERSION})(?:-(?:{'|'.join(pins.VARIANTS)}))?")
    matches = [form.fullmatch(folder.name) for folder in sorted(environments_folder().glob(f"{backend}@*"))]
    return tuple(dict.fromkeys(match[1] for match in matches if match))


def create(backend: str, variant: Variant = "cpu", *, installer: str | None = None, say: Say) -> Environment:
    """Return the ready environment of a backend, built if it is absent, unfinished, broken or from other pins.

    Args:
        backend: whose environment.
        variant: for which kind of device.
        installer: `uv`, `pip` or `auto`; None for what EVENBENCH_INSTALLER says.
        say: called with every line of the installer's output.

    Raises:
        UsageError: there is no such backend, variant or installer.
        EnvironmentFailure: the installer failed, another build is at work, the disk is too small or Python too new.
    """
    backend = pins.canonical(backend)
    wanted = pins.read(backend, variant)
    chosen = installers.choose(installer)
    found = look(backend, variant)
    if found.state == "ready":
        return found
    if reason := why_not_python(sys.version_info[:2]):
        raise EnvironmentFailure(reason)
    folder = Path(found.folder)
    with _locked(folder) as lock:
        found = look(backend, variant)  # again: another build may have ended while we came here
        if found.state != "ready":
            watch = Stopwatch()
            _clear(folder)
            _check_room(folder.parent, found.name, wanted.disk_bytes)
            try:
                relaxed = _build(backend, wanted, chosen, folder, say=say, lock=lock)
            except EnvironmentFailure as error:
                raise EnvironmentFailure(
                    "the environment {name} could not be built: {error}", name=found.name, error=error
                ) from error
            _write_stamp(folder, wanted.sha256, chosen, watch, relaxed)
    return look(backend, variant)


def _build(backend: str, wanted: Pins, installer: Installer, folder: Path, *, say: Say, lock: int) -> tuple[str, ...]:
    """Build an environment and return the companions whose pins had to be given up for the release asked for."""
    if (version := versions.wanted(backend)) is None:
        installers.build(installer, folder, wanted.path, say=say, keep_open=(lock,))
        return ()
    framework = registry.entry(backend).framework
    with tempfile.TemporaryDirectory(prefix="evenbench-") as place:
        file = Path(place, "requirements.txt")
        file.write_text("\n".join(wanted.requirements) + "\n", "utf-8")
        try:
            installers.build(installer, folder, file, say=say, keep_open=(lock,))
            return ()
        except EnvironmentFailure as error:
            if installers.says_there_is_none(str(error), f"{framework}=={version}"):
                number = ".".join(map(str, sys.version_info[:2]))
                raise EnvironmentFailure(
                    "the package index has no {framework} {version} for Python {number} on this system, "
                    "or cannot be reached",
                    framework=framework,
                    version=version,
                    number=number,
                ) from error
            lines, freed = pins.relaxed(wanted.requirements, framework)
            if not freed or not installers.says_they_conflict(str(error)):
                raise
        say(f"{framework} {version} does not go with the pins of {', '.join(freed)}: it is to choose theirs itself")
        _clear(folder)
        file.write_text("\n".join(lines) + "\n", "utf-8")
        installers.build(installer, folder, file, say=say, keep_open=(lock,))
    return freed


def remove(name: str) -> Environment:
    """Delete the environment whose folder has that name, finished or not, and return what it was.

    Raises:
        UsageError: there is none of that name.
        EnvironmentFailure: it is being built, or cannot be deleted.
    """
    known = {environment.name: environment for environment in present()}
    if not known:
        raise UsageError("there is no environment {name!r} to remove: none has been created", name=name)
    if name not in known:
        raise unknown_name("environment", name, tuple(known))
    folder = Path(known[name].folder)
    with _locked(folder):
        _clear(folder)
    return known[name]


def why_not_python(version: tuple[int, ...]) -> str | None:
    """Return the sentence that says why environments cannot be made for this Python, or None if they can."""
    if version < TOO_NEW:
        return None
    number = ".".join(map(str, version))
    return f"Python {number} is too new, MindSpore has no wheel for it: install Evenbench with Python 3.11 or 3.12"


def stamp_of(python: Path) -> Stamp | None:
    """Return what was built around an interpreter, None where it stands in no managed environment."""
    folder = python.parent.parent
    return _read_stamp(folder) if folder.parent == environments_folder() else None


def _read_stamp(folder: Path) -> Stamp | None:
    try:
        return msgspec.json.decode((folder / STAMP).read_bytes(), type=Stamp)
    except (OSError, msgspec.DecodeError):  # a damaged stamp, or one of another release: as good as none
        return None


def _write_stamp(folder: Path, sha256: str, installer: Installer, watch: Stopwatch, relaxed: tuple[str, ...]) -> None:
    command = [str(installers.interpreter_in(folder)), "-I", "-c", LIST_VERSIONS]
    try:
        done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
        python, installed = msgspec.json.decode(done.stdout, type=tuple[str, dict[str, str]])
        stamp = Stamp(
            pins_sha256=sha256,
            versions=dict(sorted(installed.items())),
            relaxed=relaxed,
            python=python,
            installer=installer,
            install_s=round(watch.seconds(), 3),
            size_bytes=sum(path.lstat().st_size for path in folder.rglob("*")),
            evenbench=__version__,
        )
        temporary = folder / f"{STAMP}.new"
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(stamp), indent=2))
        os.replace(temporary, folder / STAMP)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        raise EnvironmentFailure(
            "the environment {name} was built but does not work: {error}", name=folder.name, error=error
        ) from error


def _clear(folder: Path) -> None:
    """Delete a folder, its stamp first, so that nobody takes half of it for the whole."""
    try:
        (folder / STAMP).unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise EnvironmentFailure(
            "cannot delete {filename}: {strerror}", filename=error.filename or folder, strerror=error.strerror
        ) from error


def _check_room(folder: Path, name: str, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise EnvironmentFailure(
            "the environment {name} needs about {needed_bytes:.1f} GB of disk, but {folder} has "
            "{free:.1f} GB free: make room, or set EVENBENCH_HOME to a folder on a larger disk",
            name=name,
            needed_bytes=needed_bytes / 1e9,
            folder=folder,
            free=free / 1e9,
        )


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the lock of one environment and yield its file descriptor.

    Raises:
        EnvironmentFailure: another process holds it, or the folder of the environments cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise EnvironmentFailure(
            "cannot write {parent}: {strerror}", parent=folder.parent, strerror=error.strerror
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentFailure(
                "another command is building or removing {folder}: wait for its end", folder=folder
            ) from error
        yield lock
    finally:
        os.close(lock)
