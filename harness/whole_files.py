"""Files and their paths, whole or not at all.

A file is written beside its place, then renamed. A path that a user gives is refused in one sentence before anything is
done, or carried whole to the end: it stands in jobs, records and pages, which are UTF-8, so one that is not is refused,
as is what no system can open.

What reading raises where a disk has spoilt one all the same stands here too, once for all readers, and locks that a
dead process cannot hold: the kernel lets go of one when the last process that has it open ends.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile
from zlib import error as ZlibError

from harness.errors import UsageError

UNREADABLE = (OSError, ValueError, RecursionError)
"""What reading and decoding a document raises where it is gone, cut off, empty, binary, or nested without an end.
msgspec's own errors are ValueErrors; bytes that are no UTF-8 in a string give UnicodeDecodeError, no MsgspecError."""
UNREADABLE_ARRAYS = (*UNREADABLE, LookupError, TypeError, EOFError, NotImplementedError, BadZipFile, ZlibError)
"""The same of a file of NumPy arrays."""
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
"""What file systems say that have none."""

LONGEST_NAME = 255
"""Bytes of one name, on every file system that is in use."""
LONGEST_PATH = 3500
"""Bytes of a whole path; the system allows 4,095, and what is written below it needs the rest."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`; what is written there takes the place of `path` when the block ends well.

    Raises:
        OSError: the file cannot be renamed.
    """
    # The process's number lets two processes write the same at once; the ending is the file's own, for `np.savez`
    # adds one to a name that has another.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the whole of it or the one before.

    Raises:
        OSError: the file cannot be written; the one before is still there.
    """
    with whole(path) as temporary:
        temporary.write_bytes(content)


def given_path(text: str, option: str) -> Path:
    """Return the path that a user wrote, `~` expanded; a relative one stays so.

    Args:
        text: as it was written.
        option: the option, variable or file that it was given by, for the error's text.

    Raises:
        UsageError: it cannot be a path here.
    """
    if "\0" in text:
        raise UsageError("{option} is given {path!r}: no path holds a NUL character", option=option, path=text)
    try:
        path = Path(text).expanduser()
    except (RuntimeError, UnicodeEncodeError) as error:
        raise UsageError(
            "{option} is given {path!r}, but there is no such user here, or none with a home: write the path in full",
            option=option,
            path=text,
        ) from error
    return check_path(path, option)


def check_path(path: Path, option: str) -> Path:
    """Return a path as it is, if it can be opened and written down.

    Raises:
        UsageError: it, or the folder that a relative one starts from, is too long, not UTF-8, or gone.
    """
    try:
        whole = str(path.absolute())
        size = len(whole.encode())
    except FileNotFoundError as error:
        raise UsageError(
            "{option} is given {path!r}, but the current folder, from which it starts, is gone: change into another",
            option=option,
            path=str(path),
        ) from error
    except UnicodeEncodeError as error:
        raise UsageError(
            "{option} is given {path!r}, whose name is not UTF-8, which records are: rename the file or its folder",
            option=option,
            path=whole,
        ) from error
    try:
        os.fsencode(whole)
    except UnicodeEncodeError as error:
        raise UsageError(
            "{option} is given {path!r}, which the encoding of this locale, {encoding}, cannot write: set LC_ALL to a "
            "locale of UTF-8",
            option=option,
            path=whole,
            encoding=error.encoding,
        ) from error
    if size > LONGEST_PATH or any(len(name.encode()) > LONGEST_NAME for name in path.parts):
        raise UsageError(
            "{option} is given a path that is too long, {path!r}: a name has at most {name} bytes, all of it {most}",
            option=option,
            path=_shortened(str(path)),
            name=LONGEST_NAME,
            most=LONGEST_PATH,
        )
    return path


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def shown_path(path: Path | str) -> str:
    """Return the name of a file that was found, as text that can be written down; what is not UTF-8 is escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def lock(path: Path) -> int | None:
    """Lock a file, made if need be, for as long as the descriptor that is returned stays open.

    Returns None where the file system has no locks.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in NO_LOCKS:
            return None
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Return whether a process has locked a file; where that cannot be found out, one has."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
