"""A file is seen whole or not at all: it is written beside its place, then renamed.

What reading raises where a disk has spoilt it all the same stands here too, once for all readers.
"""

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
