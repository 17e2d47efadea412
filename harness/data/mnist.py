"""Pictures in four IDX files, MNIST and what has its form: where they come from, their digests, and how they are read.

An IDX file is two zero bytes, one byte for the type (8 is an unsigned byte), one for the number of axes, the length
of each axis as a big-endian 32-bit number, and the values, last axis fastest (yann.lecun.com/exdb/mnist). Nothing is
believed: magic number, type, lengths and checksum are checked.
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.data.files import VARIABLE, Wanted, fetch, find
from harness.data.forms import Arrays
from harness.data.images import Images
from harness.environments.home import cache_folder
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
    values = _read_up_to(file, expected + 1)  # one more, so that a file which holds too much is noticed
    if len(values) != expected:
        came = "more" if len(values) > expected else f"only {len(values)}"
        raise _Refusal(f"promises {expected} values of shape {found} but holds {came}")
    return magic + lengths, found, values


def _read_up_to(file: BinaryIO, limit: int) -> bytes:
    found = bytearray()
    while len(found) < limit and (piece := file.read(min(LARGEST_READ, limit - len(found)))):
        found += piece
    return bytes(found)


class IdxFile(Struct, frozen=True, kw_only=True):
    """One IDX file: its name without `.gz`, its shape, and the SHA-256 of its bytes plain and compressed."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    gz_sha256: str


class IdxImages(Struct, frozen=True, kw_only=True):
    """Images and labels in four IDX files, under the names of the arrays that they become."""

    name: str
    summary: str
    mean: float
    deviation: float
    files: dict[str, IdxFile]
    mirrors: tuple[str, ...]


def load(dataset: IdxImages, *, data_dir: Path | None = None, mirrors: Sequence[str] | None = None) -> Images:
    """Return the pictures, checked byte for byte; see `material` in `harness/data/datasets.py` for the arguments.

    Raises:
        DataError: a file is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    paths = local(dataset, data_dir) or _downloaded(dataset, dataset.mirrors if mirrors is None else mirrors)
    arrays: Arrays = {}
    for array, file in dataset.files.items():
        remedy = f"replace it with {file.name} of {dataset.name}"
        arrays[array] = read(paths[array], shape=file.shape, sha256=file.sha256, remedy=remedy)
    return Images(arrays=arrays, mean=dataset.mean, deviation=dataset.deviation)


def local(dataset: IdxImages, data_dir: Path | None) -> dict[str, Path] | None:
    """Return the paths of a data set's files in the user's folder, or None if the user names no folder.

    They are `<folder>/<data set>/<file>` or `<folder>/<file>`, with `.gz` or without; `train-images.idx3-ubyte` is
    taken for `train-images-idx3-ubyte`, as some archives spell it.

    Raises:
        DataError: the folder or a file is missing; nothing is downloaded in its place.
    """
    wanted = {
        array: Wanted(
            name=file.name,
            spellings=tuple(s + end for s in (file.name, file.name.replace("-idx", ".idx")) for end in ("", ".gz")),
        )
        for array, file in dataset.files.items()
    }
    expected = ", ".join(f"{file.name}[.gz]" for file in dataset.files.values())
    return find(dataset.name, wanted, data_dir, subfolders=(dataset.name,), expected=expected)


def _downloaded(dataset: IdxImages, mirrors: Sequence[str]) -> dict[str, Path]:
    folder = cache_folder() / "downloads" / dataset.name
    remedy = f"put the four files of {dataset.name} into a folder and name it with --data-dir or {VARIABLE}"
    return {
        array: fetch(f"{file.name}.gz", sha256=file.gz_sha256, mirrors=mirrors, folder=folder, remedy=remedy)
        for array, file in dataset.files.items()
    }


def _idx_files(*, plain: tuple[str, ...], compressed: tuple[str, ...]) -> dict[str, IdxFile]:
    forms: dict[str, tuple[str, tuple[int, ...]]] = {
        "train_x": ("train-images-idx3-ubyte", (60_000, 28, 28)),
        "train_y": ("train-labels-idx1-ubyte", (60_000,)),
        "test_x": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
        "test_y": ("t10k-labels-idx1-ubyte", (10_000,)),
    }
    return {
        array: IdxFile(name=name, shape=shape, sha256=sha256, gz_sha256=gz_sha256)
        for (array, (name, shape)), sha256, gz_sha256 in zip(forms.items(), plain, compressed, strict=True)
    }


TABLE: dict[str, IdxImages] = {
    "mnist": IdxImages(
        name="mnist",
        summary="70,000 handwritten digits, 28x28 (LeCun, Bottou, Bengio and Haffner 1998; CC BY-SA 3.0)",
        mean=0.1307,
        deviation=0.3081,
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files=_idx_files(
            plain=(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            compressed=(
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "fashion-mnist": IdxImages(
        name="fashion-mnist",
        summary="70,000 pieces of clothing in the form of MNIST (Xiao, Rasul and Vollgraf 2017; MIT)",
        mean=0.2860,
        deviation=0.3530,
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files=_idx_files(
            plain=(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            compressed=(
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
}
"""Names to data sets."""
