"""Files that several processes share: seen whole or not at all, for they are written beside their place, then renamed.

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

UNREADABLE = (OSError, ValueError, RecursionError)
"""What reading and decoding a document raises where it is gone, cut off, empty, binary, or nested without an end.
msgspec's own errors are ValueErrors; bytes that are no UTF-8 in a string give UnicodeDecodeError, no MsgspecError."""
UNREADABLE_ARRAYS = (*UNREADABLE, LookupError, TypeError, EOFError, NotImplementedError, BadZipFile, ZlibError)
"""The same of a file of NumPy arrays."""
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
"""What file systems say that have none."""


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
