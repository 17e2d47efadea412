"""The files of a data set: found in the user's folder, or downloaded from the first mirror that has them.

What is not there is an error, and nothing takes its place. A downloaded file is the right one, by its SHA-256.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from harness.environments.home import cannot_write
from harness.errors import DataError, why
from harness.language import noop
from harness.whole_files import given_path

if TYPE_CHECKING:
    from rich.progress import Progress


VARIABLE = "EVENBENCH_DATA"


class Wanted(Struct, frozen=True, kw_only=True):
    """One file of a data set: its name in sentences, and the names under which it may lie in the folder."""

    name: str
    spellings: tuple[str, ...]


def find(
    dataset: str, wanted: Mapping[str, Wanted], data_dir: Path | None, *, subfolders: Sequence[str], expected: str
) -> dict[str, Path] | None:
    """Return the paths of the wanted files, or None if the user names no folder.

    Args:
        dataset: the name of the data set, for the error's text.
        wanted: the files, under keys that the answer has too.
        data_dir: the user's folder; without it the one that EVENBENCH_DATA names.
        subfolders: where in the folder the files may lie, before the folder itself is searched.
        expected: the names of all files, for the error's text.

    Raises:
        DataError: the folder or a file is missing.
    """
    folder = data_dir or (given_path(os.environ[VARIABLE], VARIABLE) if os.environ.get(VARIABLE) else None)
    if folder is None:
        return None
    hint = f"expected are {expected}, there or in its folder {' or '.join(subfolders)}"
    try:
        folder = given_path(str(folder), "--data-dir").absolute()
        if not folder.is_dir():
            what = noop("is a file, not a folder") if folder.exists() else noop("does not exist")
            raise DataError("the data folder {folder} {what}: {hint}", folder=folder, what=what, hint=hint)
        if not any(folder.iterdir()):
            raise DataError("the data folder {folder} is empty: {hint}", folder=folder, hint=hint)
        places = [*(folder / subfolder for subfolder in subfolders), folder]
        found = {key: _first(places, file.spellings) for key, file in wanted.items()}
    except OSError as error:
        raise DataError(
            "the data folder {folder} cannot be read ({error}): {hint}", folder=folder, error=why(error), hint=hint
        ) from error
    missing = ", ".join(wanted[key].name for key, path in found.items() if path is None)
    if missing:
        raise DataError(
            "the data folder {folder} has no {missing} of {dataset}: {hint}",
            folder=folder,
            missing=missing,
            dataset=dataset,
            hint=hint,
        )
    return {key: path for key, path in found.items() if path is not None}


def _first(places: Sequence[Path], spellings: Sequence[str]) -> Path | None:
    candidates = (place / spelling for place in places for spelling in spellings)
    return next((path for path in candidates if path.is_file()), None)


CONNECT_S, SILENCE_S = 10.0, 30.0
"""How long a mirror may take to accept a connection, and how long it may then be silent."""
CHUNK_BYTES = 1 << 16


class ProgressBar(Protocol):
    """What pooch asks of a progress bar (https://www.fatiando.org/pooch, "Using custom progress bars")."""

    total: int

    def update(self, count: int) -> None:
        """Note that `count` more bytes have come."""

    def reset(self) -> None:
        """Go back to nothing."""

    def close(self) -> None:
        """Note that the file is complete."""


def fetch(
    file: str,
    *,
    sha256: str,
    mirrors: Sequence[str],
    folder: Path,
    remedy: str,
    timeout_s: tuple[float, float] = (CONNECT_S, SILENCE_S),
) -> Path:
    """Return the path of `file` in `folder`, downloaded unless a good copy is there already.

    Args:
        file: the name of the file, the same on every mirror and here.
        sha256: the SHA-256 of the file as it is on the mirrors.
        mirrors: addresses of folders, tried in this order.
        folder: where the file is kept.
        remedy: what the user can do when every mirror fails; the end of the error's sentence.
        timeout_s: seconds for the connection, and for the longest silence after it.

    Raises:
        DataError: no mirror gave the file; the text lists what was tried.
        UsageError: the folder cannot be written.
    """
    import pooch  # type: ignore[import-untyped, unused-ignore]
    from requests.exceptions import RequestException

    pooch.get_logger().setLevel("WARNING")  # it reports every download, beside our progress bar
    failures = []
    for mirror in mirrors:
        address = f"{mirror.rstrip('/')}/{file}"
        try:
            with _progress(file) as bar:
                downloader = pooch.HTTPDownloader(progressbar=bar or False, chunk_size=CHUNK_BYTES, timeout=timeout_s)
                found = pooch.retrieve(
                    address, known_hash=f"sha256:{sha256}", fname=file, path=folder, downloader=downloader
                )
            return Path(found)
        except RequestException as error:
            failures.append(f"{address} ({_reason(error)})")
        except ValueError:
            failures.append(f"{address} (what came has another checksum)")
        except OSError as error:
            raise cannot_write(folder, error) from error
    raise DataError(
        "cannot download {file}, tried were {failures}: {remedy}",
        file=file,
        failures=", ".join(failures),
        remedy=remedy,
    )


def _reason(error: Exception) -> str:
    from requests import exceptions

    match error:
        case exceptions.HTTPError(response=response) if response is not None:
            return f"{response.status_code} {response.reason}"
        case exceptions.Timeout():
            return "no answer in time"
        case exceptions.ChunkedEncodingError():
            return "the connection broke off"
        case exceptions.ConnectionError():
            return "no connection"
        case _:
            return str(error)


@contextmanager
def _progress(file: str) -> Iterator[ProgressBar | None]:
    """Show a bar on stderr while the body runs, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _RichBar(progress, file)


class _RichBar:
    """A line of rich's progress display, spoken to as pooch does."""

    def __init__(self, progress: "Progress", file: str) -> None:
        self.progress = progress
        self.line = progress.add_task(file, total=None)

    @property
    def total(self) -> int:
        return int(self.progress.tasks[self.line].total or 0)

    @total.setter
    def total(self, count: int) -> None:
        self.progress.update(self.line, total=count or None)  # pooch says 0 where a mirror does not tell the size

    def update(self, count: int) -> None:
        self.progress.advance(self.line, count)

    def reset(self) -> None:
        self.progress.update(self.line, completed=0)

    def close(self) -> None:
        self.progress.refresh()
