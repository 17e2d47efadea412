"""The user's folders: where caches and environments lie, and the rule that what lies there is complete."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import platformdirs

from harness.environments.places import place
from harness.errors import UsageError
from harness.whole_files import UNREADABLE, given_path, write_whole

T = TypeVar("T")

VARIABLE = "EVENBENCH_HOME"
PROFILES_VARIABLE = "EVENBENCH_PROFILES"
UNFINISHED = ".unfinished-"
"""What the folders begin with in which something is made."""


def home() -> Path:
    """Return the folder for all that Evenbench keeps, made if need be: EVENBENCH_HOME or the user's data folder.

    Raises:
        UsageError: the folder cannot be made or written.
    """
    named = os.environ.get(VARIABLE)
    folder = given_path(named, VARIABLE).absolute() if named else _of_the_user()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # a try: rights say nothing of a disk that is mounted read-only
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _of_the_user() -> Path:
    try:
        return given_path(str(platformdirs.user_data_path("evenbench")), "XDG_DATA_HOME")
    except (UsageError, RuntimeError) as error:  # platformdirs raises the second, where nobody knows the home
        raise UsageError(
            "Evenbench has no folder to keep things in: name one with {variable} ({reason})",
            variable=VARIABLE,
            reason=error,
        ) from error


def cache_folder() -> Path:
    """Return the folder for what can be made or downloaded again; it may be deleted at any time between runs."""
    return home() / "cache"


def environments_folder() -> Path:
    """Return the folder of the managed environments, one per backend."""
    return home() / "environments"


def profiles_folder() -> Path:
    """Return the folder of the tuned profiles: EVENBENCH_PROFILES, or one in the home."""
    named = os.environ.get(PROFILES_VARIABLE)
    return given_path(named, PROFILES_VARIABLE).absolute() if named else home() / "profiles"


class Remembered(Generic[T]):
    """An answer that is kept under everything that could change it, and so holds until something does."""

    def __init__(self, kind: str, facts: Sequence[str], form: type[T]) -> None:
        """Look for the answer of this kind and form; nothing is remembered where there are no facts."""
        digest = hashlib.sha256(msgspec.json.encode(list(facts))).hexdigest()[:32]
        self.file = cache_folder() / kind / f"{digest}.json" if facts else None
        self.form = form

    def answer(self) -> T | None:
        """Return what was kept, None where nothing was, or nothing that can be read."""
        if self.file is None:
            return None
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=self.form)
        except UNREADABLE:
            return None

    def keep(self, answer: T) -> None:
        """Keep the answer for the next time."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, msgspec.json.encode(answer))


def write_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return `folder`, filled by `fill(temporary folder)` unless it is there already.

    The files are written into a temporary folder beside, which is then renamed: whoever sees `folder` sees all of
    it, and of two processes that write at once the second takes what the first has put there.

    Raises:
        UsageError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with place(UNFINISHED, within=folder.parent) as temporary:
            inner = temporary / folder.name  # the place itself is private; this one gets the user's usual rights
            inner.mkdir()
            fill(inner)
            _rename(inner, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _rename(inner: Path, folder: Path) -> None:
    try:
        os.replace(inner, folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, with the same content
            raise


def cannot_write(folder: Path, error: Exception) -> UsageError:
    """Return the error for a folder below home that refuses to be written."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else f"the disk may be full ({error})"
    return UsageError(
        "cannot write {folder}: {reason}; make room there or name another folder with {variable}",
        folder=folder,
        reason=reason,
        variable=VARIABLE,
    )
