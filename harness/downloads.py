"""Download one file from the first mirror that has it; a file that is there is the right one, by its SHA-256."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.errors import DataError
from harness.home import cannot_write

if TYPE_CHECKING:
    from rich.progress import Progress

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
        self.progress.update(self.line, total=count or None)

    def update(self, count: int) -> None:
        self.progress.advance(self.line, count)

    def reset(self) -> None:
        self.progress.update(self.line, completed=0)

    def close(self) -> None:
        self.progress.refresh()
