"""What runs left beside their records, read for a report: every file is a stranger's until it was checked.

Only files inside the study's folder are read, only up to a size, and only as JSON of a known form or as a small PNG
picture. What does not pass is listed with its path and its reason, and left out.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image as Pillow

from harness.errors import EvenbenchError
from harness.language import _
from harness.record import COMPLETED, Record
from harness.records import evidence
from harness.records.evidence import Evidence
from harness.records.store import Damaged
from harness.records.studies import Loaded
from harness.whole_files import UNREADABLE
from reports.statistics.rows import Group
from reports.words.record_words import said

MOST_ROWS = 12
"""Rows of a group that are shown."""
MOST_PICTURE_BYTES = 1_000_000
MOST_PICTURE_SIDE = 1_000
"""Pixels; a sheet of MNIST's pictures has 582."""
SHADES = 16
"""Of grey, on the page: more of them double its size, and no eye tells them apart in tiles of 28 pixels."""


class Refused(EvenbenchError):
    """A file is not shown; the text says why."""


class ShownRun(NamedTuple):
    """One row and the run that stands for it: the first completed one, by seed and repeat, that left something."""

    label: str
    record: Record
    found: Evidence
    pictures: dict[str, bytes]
    """By the name of the sheet, as PNG."""

    @property
    def which(self) -> str:
        """The row and the run, in words."""
        spec = self.record.spec
        return _("{label} (seed {seed}, repeat {repeat})").format(label=self.label, seed=spec.seed, repeat=spec.repeat)


class Gathered(NamedTuple):
    """What is shown of a group."""

    shown: tuple[ShownRun, ...]
    damaged: tuple[Damaged, ...]
    """Files that are not shown, and runs that say why they left nothing."""
    left_out: int
    """Rows that there was no room for."""


def gather(loaded: Loaded, group: Group, records: dict[str, Record], sheets: Sequence[str]) -> Gathered:
    """Return what the rows of a group left, in their order.

    Args:
        loaded: the study.
        group: as `summarize` returns it.
        records: of the study, by their run's id.
        sheets: the names of the pictures that are looked for.
    """
    shown: list[ShownRun] = []
    damaged: list[Damaged] = []
    left_out = 0
    for row in group.rows:
        of_row = [records[run_id] for run_id in row.run_ids if run_id in records]
        completed = [record for record in of_row if record.outcome.status in COMPLETED]
        for record in sorted(completed, key=lambda record: (record.spec.seed, record.spec.repeat)):
            if not _has_some(loaded.folder, record.spec.run_id):
                continue
            if len(shown) == MOST_ROWS:
                left_out += 1
                break
            found, pictures, refused = _read_run(loaded.folder, record, sheets)
            damaged += refused
            if pictures or not found.is_empty:
                shown.append(ShownRun(row.label, record, found, pictures))
            break
    return Gathered(tuple(shown), tuple(damaged), left_out)


def left_something(loaded: Loaded, group: Group) -> bool:
    """Return whether any run of a group left something, without reading it."""
    return any(_has_some(loaded.folder, run_id) for row in group.rows for run_id in row.run_ids)


def _has_some(folder: Path, run_id: str) -> bool:
    try:
        return evidence.path(folder, run_id).parent.is_dir() or _pictures(folder, run_id).is_dir()
    except (OSError, ValueError):  # a name too long or with a NUL in it
        return False


def _pictures(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}.pictures"


def _read_run(folder: Path, record: Record, sheets: Sequence[str]) -> tuple[Evidence, dict[str, bytes], list[Damaged]]:
    run_id, damaged = record.spec.run_id, []
    found, pictures = Evidence(), {}
    path = evidence.path(folder, run_id)
    try:
        if path.parent.is_dir():
            found = read(folder, path, record)
            if found.reason:
                damaged.append(Damaged(path=str(path), reason=said(found.reason, made_of=found.said)))
    except Refused as refused:
        damaged.append(Damaged(path=str(path), reason=str(refused)))
    for sheet in sheets:
        path = _pictures(folder, run_id) / f"{sheet}.png"
        try:
            if path.exists() or path.is_symlink():
                pictures[sheet] = picture(content(folder, path, most=MOST_PICTURE_BYTES))
        except Refused as refused:
            damaged.append(Damaged(path=str(path), reason=str(refused)))
    return found, pictures, damaged


def read(folder: Path, path: Path, record: Record) -> Evidence:
    """Return the evidence in a file.

    Raises:
        Refused: it is damaged, too large, outside of the folder, or that of another run.
    """
    try:
        found = evidence.decode(content(folder, path, most=evidence.MOST_BYTES))
    except UNREADABLE as error:
        raise Refused(_("it is no evidence of a run: {error}").format(error=error)) from error
    if found.started_at != record.started_at:
        sentence = _("it belongs to a run that was started at {one}, and the record to one of {other}")
        raise Refused(sentence.format(one=found.started_at or _("no known time"), other=record.started_at))
    return found


def content(folder: Path, path: Path, *, most: int) -> bytes:
    """Return the bytes of a file inside a folder.

    Raises:
        Refused: it leads out of the folder, is no file, or has too many bytes.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):
            raise Refused(_("it leads out of the study's folder"))
        if not real.is_file():
            raise Refused(_("it is no file"))
        with real.open("rb") as file:
            found = file.read(most + 1)
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise Refused(_("it cannot be read ({error})").format(error=why)) from error
    if len(found) > most:
        raise Refused(_("it has more than {most} bytes").format(most=f"{most:,}"))
    return found


def picture(png: bytes) -> bytes:
    """Return a small PNG picture, written anew, so that it holds pixels and nothing else; a grey one in few shades.

    Raises:
        Refused: it is no PNG file, damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            image = Pillow.open(io.BytesIO(png), formats=["PNG"])
        if max(image.size) > MOST_PICTURE_SIDE:
            sentence = _("it is a picture of {width} by {height} pixels, and at most {most} by {most} are shown")
            raise Refused(sentence.format(width=image.width, height=image.height, most=MOST_PICTURE_SIDE))
        image.load()
        if image.mode in ("RGB", "RGBA", "P"):
            return png_bytes(image.convert("RGB"))
        return png_bytes(image.convert("L").quantize(SHADES))
    except Refused:
        raise
    except (
        Pillow.DecompressionBombError, Pillow.DecompressionBombWarning,
        OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error,
    ) as error:  # fmt: skip
        sentence = _("it is no PNG picture, or a damaged one ({error})")
        raise Refused(sentence.format(error=type(error).__name__)) from error


def png_bytes(image: Pillow.Image) -> bytes:
    """Return a picture as a PNG file's bytes."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
