"""The folder of one managed environment: its stamp, its lock, its room on the disk, and how it is cleared."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness import __version__
from harness.environments import installers
from harness.environments.asking import ask
from harness.environments.home import environments_folder
from harness.environments.installers import Installer
from harness.errors import EnvironmentFailure
from harness.measure.clock import Stopwatch
from harness.whole_files import UNREADABLE, write_whole

STAMP = "evenbench.json"
VERSIONS = "json.dumps([platform.python_version(), {d.name: d.version for d in importlib.metadata.distributions()}])"


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


def stamp_of(python: Path) -> Stamp | None:
    """Return what was built around an interpreter, None where it stands in no managed environment."""
    folder = python.parent.parent
    return read_stamp(folder) if folder.parent == environments_folder() else None


def read_stamp(folder: Path) -> Stamp | None:
    """Return the stamp of a folder, None where it has none that can be read."""
    try:
        return msgspec.json.decode((folder / STAMP).read_bytes(), type=Stamp)
    except UNREADABLE:  # a damaged stamp, or one of another release: as good as none
        return None


def write_stamp(folder: Path, sha256: str, installer: Installer, watch: Stopwatch, relaxed: tuple[str, ...]) -> None:
    """Ask the new interpreter what is installed, and write it down as the last step of a build.

    Raises:
        EnvironmentFailure: the interpreter does not answer, or the stamp cannot be written.
    """
    try:
        answer = ask(str(installers.interpreter_in(folder)), "importlib.metadata, json, platform", VERSIONS)
        python, installed = msgspec.json.decode(answer or "", type=tuple[str, dict[str, str]])
        stamp = Stamp(
            pins_sha256=sha256,
            versions=dict(sorted(installed.items())),
            relaxed=relaxed,
            python=python,
            installer=installer,
            install_s=round(watch.seconds(), 3),
            # Not stat: the interpreter that is linked to takes no room here.
            size_bytes=sum(path.lstat().st_size for path in folder.rglob("*")),
            evenbench=__version__,
        )
        write_whole(folder / STAMP, msgspec.json.format(msgspec.json.encode(stamp), indent=2))
    except (*UNREADABLE, subprocess.SubprocessError) as error:
        raise EnvironmentFailure(
            "the environment {name} was built but does not work: {error}", name=folder.name, error=error
        ) from error


def clear(folder: Path) -> None:
    """Delete a folder, its stamp first, so that nobody takes half of it for the whole."""
    try:
        (folder / STAMP).unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise EnvironmentFailure(
            "cannot delete {filename}: {strerror}", filename=error.filename or folder, strerror=error.strerror
        ) from error


def check_room(folder: Path, name: str, needed_bytes: int) -> None:
    """Refuse to build where the disk has too little room.

    Raises:
        EnvironmentFailure: it has.
    """
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
def locked(folder: Path, *, patient: bool = False) -> Iterator[int]:
    """Hold the lock of one environment and yield its file descriptor; who is patient waits until it is let go of.

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
            fcntl.flock(lock, fcntl.LOCK_EX if patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentFailure(
                "another command is building or removing {folder}: wait for its end", folder=folder
            ) from error
        yield lock
    finally:
        os.close(lock)  # the file stays: deleted, it could be locked by one while another makes it anew
