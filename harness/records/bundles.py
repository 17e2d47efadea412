"""A study as it travels from a student's laptop to the teacher's: its plan and records in one JSON document.

What arrives is not trusted. Nothing is stored before all of it was read in its own form: the plan, every record, that
each record is one of the plan's runs, and that every name stays inside the folder. It is stored under what it holds, so
that nothing is overwritten and the same study sent twice is there once. Evidence and pictures do not travel.
"""

import hashlib
import re
import shutil
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.errors import StoreError, UsageError, why
from harness.record import Record
from harness.records.store import INTERRUPTED, STUDY, Store, Study, check_name
from harness.whole_files import LONGEST_NAME, UNREADABLE

LARGEST = 64 * 2**20
"""Bytes of a bundle: some six hundred records."""
MOST_RECORDS = 10_000
SENDER = ".sender"
"""In the folder of a study that was handed in: who sent it."""
SAFE_FILE = re.compile(r"[A-Za-z0-9][\w.+=,@-]*")


class Bundle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent: the very text of a study's files."""

    sender: str
    """A name, as a study's may be."""
    plan: str
    records: dict[str, str]
    """By the names of their files, without `.json`."""


class Received(Struct, frozen=True, kw_only=True):
    """A bundle that was read in full."""

    bundle: Bundle
    study: Study
    digest: str

    @property
    def name(self) -> str:
        """The folder that it gets."""
        end = f"-{self.digest[:8]}"
        return f"{self.bundle.sender}-{self.study.name}"[: 100 - len(end)] + end


def pack(folder: Path, sender: str) -> bytes:
    """Return the bundle of a study.

    Raises:
        UsageError: there is no study, the sender's name is none, or the study is too large to be sent.
        StoreError: a file cannot be read.
    """
    store = Store(folder)
    store.study()
    try:
        records = {path.stem: path.read_text("utf-8") for path in store.record_files()}
        bundle = Bundle(sender=check_name(sender), plan=(folder / STUDY).read_text("utf-8"), records=records)
    except UNREADABLE as error:
        raise StoreError("{path} cannot be read: {error}", path=folder, error=why(error)) from error
    if not records:
        raise UsageError("study {name} has no records yet", name=folder.name)
    content = msgspec.json.encode(bundle)
    if len(content) > LARGEST:
        raise UsageError(
            "study {name} takes {size:,} bytes, and {most:,} can be handed in: hand its folder in by other ways",
            name=folder.name,
            size=len(content),
            most=LARGEST,
        )
    return content


def unpack(content: bytes) -> Received:
    """Return what arrived, all of it read in its own form.

    Raises:
        UsageError: it is no bundle, or something in it is not what it should be.
    """
    try:
        bundle = msgspec.json.decode(content, type=Bundle)
        study = msgspec.json.decode(bundle.plan.encode(), type=Study)
        records = {name: msgspec.json.decode(text.encode(), type=Record) for name, text in bundle.records.items()}
    except UNREADABLE as error:
        raise UsageError("what arrived is no study of this version of Evenbench: {error}", error=why(error)) from error
    check_name(bundle.sender)
    check_name(study.name)
    if study.merged_from:
        raise UsageError("study {name} was merged: every laptop hands in its own", name=study.name)
    if not 0 < len(records) <= MOST_RECORDS:
        raise UsageError(
            "a study has 1 to {most:,} records, but this one has {count:,}", most=MOST_RECORDS, count=len(records)
        )
    planned = {spec.run_id: spec for spec in study.specs}
    for name, record in records.items():
        run = re.sub(INTERRUPTED, "", name)
        if run != record.spec.run_id or run not in planned:
            raise UsageError("the record {name!r} is of no run of the study's plan", name=name[:100])
        if not SAFE_FILE.fullmatch(name) or ".." in name or len(f"{name}.json".encode()) > LONGEST_NAME:
            raise UsageError("the record {name!r} has a name that is none of a run", name=name[:100])
    return Received(bundle=bundle, study=study, digest=hashlib.sha256(_content(bundle)).hexdigest())


def _content(bundle: Bundle) -> bytes:
    return msgspec.json.encode((bundle.sender, bundle.plan, sorted(bundle.records.items())))


def keep(received: Received, results: Path) -> tuple[Path, bool]:
    """Store what arrived and return its folder, and whether it was there already.

    It is put together beside its place and moved there when it is whole.

    Raises:
        StoreError: it cannot be written.
    """
    folder = results / received.name
    if folder.exists():
        return folder, True
    place = results / f".{received.name}.arriving"
    try:
        place.mkdir()
    except FileExistsError:
        raise StoreError("{name} is just being stored", name=received.name) from None
    except OSError as error:
        raise StoreError("cannot write to {folder}: {error}", folder=results, error=why(error)) from error
    try:
        for name, text in (
            *((f"{n}.json", t) for n, t in received.bundle.records.items()),
            (STUDY, received.bundle.plan),
        ):
            (place / name).write_text(text, "utf-8")
        (place / SENDER).write_text(received.bundle.sender, "utf-8")
        place.rename(folder)
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        if folder.exists():
            return folder, True
        raise StoreError("cannot write to {folder}: {error}", folder=results, error=why(error)) from error
    return folder, False


def handed_in(results: Path) -> list[Path]:
    """Return the folders of the studies that were handed in, by name."""
    return sorted(path.parent for path in results.glob(f"*/{SENDER}"))
