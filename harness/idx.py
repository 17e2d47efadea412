"""Read IDX files, the format of MNIST: nothing is believed, magic number, type, lengths and checksum are checked.

An IDX file is two zero bytes, one byte for the type (8 is an unsigned byte), one for the number of axes, the length
of each axis as a big-endian 32-bit number, and the values, last axis fastest (yann.lecun.com/exdb/mnist).
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 8
LARGEST_READ = 1 << 20
"""Bytes per read, so that a damaged header that promises terabytes costs no more than what the file holds."""


def read(
    path: Path, *, shape: tuple[int, ...] | None = None, sha256: str | None = None, remedy: str = "get the file again"
) -> NDArray[np.uint8]:
    """Return the unsigned bytes of an IDX file, compressed with gzip or not, whatever it is called.

    Args:
        path: the file.
        shape: the shape that it must have, if known.
        sha256: the SHA-256 of the uncompressed file, if known.
        remedy: what the reader of an error can do; the end of its sentence.

    Raises:
        DataError: the file is missing, damaged, or not what it should be.
    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compressed else raw
            header, found, values = _parts(file, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            "{path} is a damaged gzip file ({error}): {remedy}", path=path, error=error, remedy=remedy
        ) from error
    except OSError as error:
        raise DataError(
            "{path} cannot be read ({strerror}): {remedy}", path=path, strerror=error.strerror or error, remedy=remedy
        ) from error
    except _Refusal as error:
        raise DataError("{path} {error}: {remedy}", path=path, error=error, remedy=remedy) from error
    digest = hashlib.sha256(header + values).hexdigest()
    if sha256 is not None and digest != sha256:
        raise DataError(
            "{path} holds other values than expected, its uncompressed SHA-256 is {digest} instead of "
            "{sha256}: {remedy}",
            path=path,
            digest=digest,
            sha256=sha256,
            remedy=remedy,
        )
    return np.frombuffer(values, dtype=np.uint8).reshape(found)


class _Refusal(Exception):
    """What is wrong with a file, without its name."""


def _parts(file: BinaryIO, shape: tuple[int, ...] | None) -> tuple[bytes, tuple[int, ...], bytes]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
        raise _Refusal(
            f"is not an IDX file, it begins with {magic.hex(' ') or 'nothing'} instead of 00 00, a type and the "
            "number of axes"
        )
    if magic[2] != UNSIGNED_BYTE:
        raise _Refusal(f"holds values of IDX type {magic[2]:#04x} instead of unsigned bytes (0x08)")
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise _Refusal(f"ends inside its header, which promises {magic[3]} axes")
    found = struct.unpack(f">{magic[3]}I", lengths)
    if shape is not None and found != shape:
        raise _Refusal(f"holds an array of shape {found} instead of {shape}")
    expected = math.prod(found)
    values = _read_up_to(file, expected + 1)
    if len(values) != expected:
        came = "more" if len(values) > expected else f"only {len(values)}"
        raise _Refusal(f"promises {expected} values of shape {found} but holds {came}")
    return magic + lengths, found, values


def _read_up_to(file: BinaryIO, limit: int) -> bytes:
    found = bytearray()
    while len(found) < limit and (piece := file.read(min(LARGEST_READ, limit - len(found)))):
        found += piece
    return bytes(found)
