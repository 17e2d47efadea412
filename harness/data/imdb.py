"""Read the 50,000 labelled film reviews of Maas et al. 2011 out of their archive, in which nothing is believed.

The archive is read as a stream and never unpacked to disk: a path in it is only compared with a pattern. The reviews
are identified by a digest over all of them, so that the original archive and one without its unlabelled part are the
same data set.
"""

import hashlib
import re
import tarfile
import zlib
from pathlib import Path

from harness.errors import DataError

MEMBER = re.compile(r"aclImdb/(train|test)/(neg|pos)/([0-9]+)_([0-9]+)\.txt")
CLASSES = ("neg", "pos")
LARGEST_REVIEW = 1 << 16
"""Bytes; the longest one has 14,000."""

Reviews = dict[tuple[str, str], list[str]]


def read(path: Path, *, sha256: str | None, remedy: str) -> Reviews:
    """Return the reviews by split (`train`, `test`) and class (`neg`, `pos`), in the order of their numbers.

    Args:
        path: the archive, a tar file compressed or not.
        sha256: the digest of all reviews, if known; see `digest`.
        remedy: what the reader of an error can do; the end of its sentence.

    Raises:
        DataError: the archive is missing, damaged, odd, or holds other reviews.
    """
    try:
        members = _members(path, remedy)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            "{path} is a damaged archive ({error}): {remedy}", path=path, error=error, remedy=remedy
        ) from error
    except OSError as error:
        raise DataError(
            "{path} cannot be read ({strerror}): {remedy}", path=path, strerror=error.strerror or error, remedy=remedy
        ) from error
    found = digest(members)
    if sha256 is not None and found != sha256:
        raise DataError(
            "{path} holds {members} reviews of the form aclImdb/train/pos/0_9.txt that are not the known "
            "50,000, their digest is {found} instead of {sha256}: {remedy}",
            path=path,
            members=len(members),
            found=found,
            sha256=sha256,
            remedy=remedy,
        )
    reviews: Reviews = {(split, label): [] for split in ("train", "test") for label in CLASSES}
    for split, label, number, rating in sorted(members, key=lambda key: (key[0], key[1], int(key[2]), key[3])):
        reviews[split, label].append(members[split, label, number, rating].decode("utf-8"))
    return reviews


def digest(members: dict[tuple[str, ...], bytes]) -> str:
    """Return the SHA-256 over the paths' parts and contents of all reviews, in the order of their paths."""
    total = hashlib.sha256()
    for key in sorted(members):
        total.update(f"{'/'.join(key)} {len(members[key])}\n".encode() + members[key])
    return total.hexdigest()


def _members(path: Path, remedy: str) -> dict[tuple[str, ...], bytes]:
    members: dict[tuple[str, ...], bytes] = {}
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            match = MEMBER.fullmatch(member.name)
            if match is None:
                continue
            if not member.isreg():
                raise DataError(
                    "{path} holds {name}, which is a link or a device and no file: {remedy}",
                    path=path,
                    name=member.name,
                    remedy=remedy,
                )
            if member.size > LARGEST_REVIEW or match.groups() in members:
                what = "twice" if match.groups() in members else f"of {member.size:,} bytes"
                raise DataError(
                    "{path} holds the review {name} {what}: {remedy}",
                    path=path,
                    name=member.name,
                    what=what,
                    remedy=remedy,
                )
            content = archive.extractfile(member)
            members[match.groups()] = content.read() if content is not None else b""
    return members
