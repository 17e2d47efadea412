"""Folders that are gone when their process is: by itself at a good end, else by the next one that makes such a folder.

Each holds a file that its process keeps locked. What a process left that was killed from outside has a lock that nobody
holds, and is swept away.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import whole_files
from harness.environments.signals import deferred

PREFIX = "evenbench-place-"
LOCK = ".lock"


@contextmanager
def place(prefix: str = PREFIX, within: Path | None = None) -> Iterator[Path]:
    """Make an empty folder for the block and delete it afterwards; first sweep away those of dead processes.

    Args:
        prefix: what its name begins with; no other program's may begin so.
        within: where it is made; None: in the system's folder for temporary files.
    """
    parent = Path(tempfile.gettempdir()) if within is None else within
    sweep(parent, prefix)
    folder, lock = _made(parent, prefix)
    try:
        yield folder
    finally:
        with deferred():
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def _made(parent: Path, prefix: str) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        # Who sweeps may have come before our lock, and have taken the folder for a dead one's.
        with suppress(FileNotFoundError, BlockingIOError):
            lock = whole_files.lock(folder / LOCK)
            if lock is None or os.fstat(lock).st_nlink:
                return folder, lock
            os.close(lock)


def sweep(parent: Path, prefix: str) -> None:
    """Delete the user's own folders of that prefix whose process is dead."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False) and _is_own(entry):
                _delete_dead(Path(entry.path))


def _is_own(entry: "os.DirEntry[str]") -> bool:
    with suppress(OSError):
        return entry.stat(follow_symlinks=False).st_uid == os.getuid()
    return False


def _delete_dead(folder: Path) -> None:
    with suppress(OSError):  # alive, or gone by now
        lock = whole_files.lock(folder / LOCK)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
