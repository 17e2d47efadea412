"""CIFAR-10 in its published binary form: coloured pictures out of an archive in which nothing is believed.

Six files of records, each one byte for the class and 3,072 for the picture: red, green, blue, each 32 x 32 by rows
(cs.toronto.edu/~kriz/cifar.html). The archive is known by its SHA-256 and is never unpacked to disk. Pictures become
`x (N, 3, 32, 32)` float32, each channel `(x / 255 - mean) / deviation` with the numbers of the training pictures.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.data.files import VARIABLE, Wanted, fetch, find
from harness.data.forms import Arrays
from harness.environments.home import cache_folder
from harness.errors import DataError

SIDE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + CHANNELS * SIDE * SIDE
LARGEST_READ = 1 << 20


class CifarImages(Struct, frozen=True, kw_only=True):
    """Pictures of the form of CIFAR-10 in one archive."""

    name: str
    summary: str
    archive: str
    sha256: str
    splits: dict[str, tuple[str, ...]]
    """The files of each split, without their folder."""
    records: int
    """In each file."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    mirrors: tuple[str, ...]


def load(dataset: CifarImages, *, data_dir: Path | None = None, mirrors: Sequence[str] | None = None) -> Arrays:
    """Return `train_x`, `train_y`, `test_x` and `test_y`; see `material` in `harness/data/datasets.py`.

    Raises:
        DataError: the archive is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    path = local(dataset, data_dir)
    if path is None:
        remedy = f"put {dataset.archive} into a folder and name it with --data-dir or {VARIABLE}"
        addresses = dataset.mirrors if mirrors is None else mirrors
        folder = cache_folder() / "downloads" / dataset.name
        path = fetch(dataset.archive, sha256=dataset.sha256, mirrors=addresses, folder=folder, remedy=remedy)
    records = read(dataset, path)
    found: Arrays = {}
    for split, files in dataset.splits.items():
        rows = np.concatenate([records[file] for file in files])
        found[f"{split}_x"] = normalised(rows[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE), dataset.mean, dataset.deviation)
        found[f"{split}_y"] = rows[:, 0].astype(np.int32)
    return found


def local(dataset: CifarImages, data_dir: Path | None) -> Path | None:
    """Return the path of the archive in the user's folder, or None if the user names no folder.

    Raises:
        DataError: the folder or the archive is missing; nothing is downloaded in its place.
    """
    wanted = {"archive": Wanted(name=dataset.archive, spellings=(dataset.archive,))}
    found = find(dataset.name, wanted, data_dir, subfolders=(dataset.name,), expected=dataset.archive)
    return None if found is None else found["archive"]


def normalised(pictures: NDArray[np.uint8], mean: Sequence[float], deviation: Sequence[float]) -> NDArray[np.float32]:
    """Scale pictures (N, 3, 32, 32) channel by channel; every byte has one value, computed in float64."""
    found = np.empty(pictures.shape, np.float32)
    for channel, (middle, spread) in enumerate(zip(mean, deviation, strict=True)):
        values = ((np.arange(256) / 255 - middle) / spread).astype(np.float32)
        found[:, channel] = values[pictures[:, channel]]
    return found


def read(dataset: CifarImages, path: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the records (N, 3073) of each file of an archive.

    Raises:
        DataError: the archive cannot be read, is another one, or its files are not what they should be.
    """
    remedy = f"replace it with {dataset.archive} of {dataset.name}"
    wanted = {file for files in dataset.splits.values() for file in files}
    try:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(LARGEST_READ):
                digest.update(piece)
        if digest.hexdigest() != dataset.sha256:
            raise DataError(
                "{path} holds other values than expected, its SHA-256 is {digest} instead of {sha256}: {remedy}",
                path=path,
                digest=digest.hexdigest(),
                sha256=dataset.sha256,
                remedy=remedy,
            )
        found = {}
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in wanted and member.isreg():
                    found[name] = _records(dataset, path, name, archive, member)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            "{path} is a damaged archive ({error}): {remedy}", path=path, error=error, remedy=remedy
        ) from error
    except OSError as error:
        raise DataError(
            "{path} cannot be read ({strerror}): {remedy}", path=path, strerror=error.strerror or error, remedy=remedy
        ) from error
    if missing := sorted(wanted - found.keys()):
        raise DataError("{path} has no {missing}: {remedy}", path=path, missing=", ".join(missing), remedy=remedy)
    return found


def _records(
    dataset: CifarImages, path: Path, name: str, archive: tarfile.TarFile, member: tarfile.TarInfo
) -> NDArray[np.uint8]:
    expected = dataset.records * RECORD
    stream = archive.extractfile(member)
    content = stream.read(expected + 1) if stream and member.size == expected else b""
    if len(content) != expected:
        raise DataError(
            "{path}: {name} has {size} bytes instead of {expected}, {records} records of {record}",
            path=path,
            name=name,
            size=member.size,
            expected=expected,
            records=dataset.records,
            record=RECORD,
        )
    rows = np.frombuffer(content, np.uint8).reshape(dataset.records, RECORD)
    if (largest := int(rows[:, 0].max())) >= CLASSES:
        raise DataError(
            "{path}: {name} has a picture of class {largest}, where classes are 0 to 9",
            path=path,
            name=name,
            largest=largest,
        )
    return rows


TABLE: dict[str, CifarImages] = {
    "cifar-10": CifarImages(
        name="cifar-10",
        summary="60,000 coloured pictures of ten classes, 32x32 (Krizhevsky 2009)",
        archive="cifar-10-binary.tar.gz",
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        splits={
            "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            "test": ("test_batch.bin",),
        },
        records=10_000,
        mean=(0.4914, 0.4822, 0.4465),
        deviation=(0.2470, 0.2435, 0.2616),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
    )
}
"""Names to data sets. The archive was not had when this was written: the reader is tested on files of its form."""
