"""Prepared data on their way to a node: folders under the digest of what they hold, at most once for each node.

On the way a path is `<digest>/<name of the file>`; on the node the folder lies in the cache of its home. What it holds
beside the arrays (the words of texts) goes along.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from harness.data.prepare import Prepared
from harness.environments.home import cache_folder, write_once

Files = Mapping[str, bytes]
"""What a folder holds, by the names of its files."""


def files_in(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder, folders in it left out."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def digest_of(files: Files) -> str:
    """Return 32 hexadecimal digits that change when a name or a byte changes."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\n{len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()[:32]


class Luggage:
    """Folders of prepared data by their digests, each read and handed over once."""

    def __init__(self, hand_over: Callable[[Files], object]) -> None:
        """Set it up; `hand_over` puts a folder's files where nodes can fetch them, and returns what stands for it."""
        self.hand_over = hand_over
        self.handed: dict[str, object] = {}
        """By digest."""
        self._digests: dict[Path, str] = {}

    def packed(self, prepared: Prepared) -> Prepared:
        """Return the data with the paths that they have on the way."""
        return _moved(prepared, lambda path: f"{self._digest(path.parent)}/{path.name}")

    def _digest(self, folder: Path) -> str:
        if folder not in self._digests:
            files = files_in(folder)
            digest = self._digests[folder] = digest_of(files)
            if digest not in self.handed:
                self.handed[digest] = self.hand_over(files)
        return self._digests[folder]


def digests(packed: Prepared) -> tuple[str, ...]:
    """Return the folders that packed data lie in."""
    paths = (*packed.arrays.values(), packed.order, packed.weights, *filter(None, (packed.validation,)))
    return tuple(dict.fromkeys(path.partition("/")[0] for path in paths))


def unpacked(packed: Prepared, fetch: Callable[[str], Files]) -> Prepared:
    """Return the data with their paths on this machine; `fetch` is asked for what a digest stands for if need be.

    Raises:
        UsageError: the cache cannot be written.
    """
    folders = {}
    for digest in digests(packed):

        def fill(folder: Path, digest: str = digest) -> None:
            for name, content in fetch(digest).items():
                (folder / name).write_bytes(content)

        folders[digest] = write_once(cache_folder() / "arrived" / digest, fill)
    return _moved(packed, lambda path: str(folders[str(path.parent)] / path.name))


def _moved(prepared: Prepared, new: Callable[[Path], str]) -> Prepared:
    """Return the data with every path made anew."""
    return replace(
        prepared,
        arrays={name: new(Path(path)) for name, path in prepared.arrays.items()},
        order=new(Path(prepared.order)),
        weights=new(Path(prepared.weights)),
        validation=None if prepared.validation is None else new(Path(prepared.validation)),
    )
