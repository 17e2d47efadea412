"""Studies on disk: `results/<study>/study.json` and one `<run_id>.json` per run. Nothing is ever overwritten.

A run that was interrupted is kept as `<run_id>.interrupted-<n>.json`, so that it can be run again. In a merged study
(`harness/records/merge.py`) the files are named `<source>--<run_id>.json`; their bytes are those of the source.
"""

import errno
import gc
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness import whole_files
from harness.errors import StoreError, UsageError, why
from harness.record import SCHEMA, Record
from harness.records.next_command import next_command
from harness.spec import SOURCE_END, RunSpec
from harness.whole_files import LONGEST_NAME, UNREADABLE, shown_path

STUDY = "study.json"
INTERRUPTED = r"\.interrupted-\d+$"


class ChosenFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user's file of texts that runs of a study read: the data set's name, the path and what was said of it."""

    name: str
    path: str
    text_column: str | int | None = None
    label_column: str | int | None = None
    encoding: str | None = None


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A study that was merged into another one, and what became of its files."""

    name: str
    """What its runs are called by in the merged study."""
    study: str
    """Its own name."""
    created_at: str
    records: int
    """How many were taken."""
    duplicates: tuple[str, ...] = ()
    """Files that hold a run which was taken from a file before, each with a sentence."""
    damaged: tuple[str, ...] = ()
    """Files that could not be read, each with the reason."""
    links: tuple[str, ...] = ()
    """Links beside the records, which were not followed."""


class Study(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was planned together."""

    schema: int = SCHEMA
    name: str
    created_at: str
    command: tuple[str, ...]
    specs: tuple[RunSpec, ...]
    budget_s: float | None = None
    """Seconds after which no further round is begun."""
    live: int | None = None
    """How many workers may be alive at once; null: as many as the memory holds."""
    files: tuple[ChosenFile, ...] = ()
    """Of the data sets that no table names."""
    merged_from: tuple[Source, ...] = ()
    """The studies that this one was merged from; none for a study that was run."""

    @property
    def until_decided(self) -> bool:
        """Whether it ends when its pairs are decided, so that some planned runs may never be needed."""
        return any(spec.design.until_decided for spec in self.specs)

    def sure(self) -> tuple[RunSpec, ...]:
        """Return the runs that are made in any case: of a study that ends when decided those of its first round."""
        return tuple(spec for spec in self.specs if not spec.design.until_decided or spec.repeat == 0)


class Damaged(Struct, frozen=True, kw_only=True):
    """A file of a study that could not be read, and why."""

    path: str
    reason: str


def with_source(record: Record, path: Path) -> Record:
    """Return the record with the name of the study that its file was merged from, if its file's name has one."""
    if SOURCE_END not in path.stem:
        return record
    stem = re.sub(INTERRUPTED, "", shown_path(path.stem))
    end = f"{SOURCE_END}{record.spec.run_id}"
    if not stem.endswith(end):
        return record
    return replace(record, spec=replace(record.spec, source=stem.removesuffix(end)))


class Store:
    """One study's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, study: Study) -> None:
        """Make the folder and write the plan.

        Raises:
            UsageError: the study is there already.
            StoreError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(STUDY, msgspec.json.format(msgspec.json.encode(study)) + b"\n")
        except FileExistsError as error:
            raise self._exists_already() from error
        except OSError as error:
            raise self._cannot_write(error) from error

    def exists(self) -> bool:
        """Return whether there is a study in this folder."""
        return os.path.exists(self.folder / STUDY)  # not Path.exists, which raises where the folder may not be entered

    def refuse_existing(self) -> None:
        """Raise the UsageError that `create` would raise, before anything costly is done."""
        if self.exists():
            raise self._exists_already()

    def _exists_already(self) -> UsageError:
        return UsageError(
            "a study {name!r} exists in {parent}: choose another --study, or go on with it by `{command}`",
            name=self.folder.name,
            parent=self.folder.parent,
            command=self.resume_command(),
        )

    def resume_command(self, *words: str) -> str:
        """Return the command that runs what has no record yet; `words` say where."""
        return next_command("run", "--resume", self.folder.name, *words, results=self.folder.parent)

    def study(self) -> Study:
        """Return the plan.

        Raises:
            UsageError: there is no study in this folder.
            StoreError: its plan is damaged.
        """
        path = self.folder / STUDY
        try:
            return msgspec.json.decode(path.read_bytes(), type=Study)
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                "there is no study in {folder}: {studies}",
                folder=self.folder,
                studies=known_studies(self.folder.parent),
            ) from None
        except UNREADABLE as error:
            raise StoreError("{path} cannot be read: {error}", path=path, error=why(error)) from error

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other commands from running this study's runs inside the block; yields False where nothing can.

        What a process that was killed wrote halfway is removed. Reading needs no lock: records appear whole.

        Raises:
            UsageError: there is no study in this folder.
            StoreError: another command runs it, or the folder cannot be written.
        """
        self.study()
        try:
            lock = whole_files.lock(self.folder / STUDY)
        except BlockingIOError as error:
            raise StoreError(
                "another command is running study {name}: wait for its end, or stop it", name=self.folder.name
            ) from error
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            if lock is not None:
                for half in self.folder.glob(".*.new*"):
                    half.unlink(missing_ok=True)
            yield lock is not None
        finally:
            if lock is not None:
                os.close(lock)

    def add(self, record: Record) -> Path:
        """Write a record and return its path.

        Raises:
            StoreError: it is there already, or the folder cannot be written.
        """
        name = record.spec.run_id
        if record.outcome.status == "interrupted":
            name += f".interrupted-{len(list(self.folder.glob(f'{name}.interrupted-*.json'))) + 1}"
        return self.copy_in(f"{name}.json", msgspec.json.encode(record) + b"\n")

    def copy_in(self, name: str, content: bytes) -> Path:
        """Write the bytes of a record of another study and return their path.

        Raises:
            StoreError: the name is taken, or the folder cannot be written.
        """
        try:
            return self._write(name, content)
        except FileExistsError as error:
            raise StoreError("{path} exists; records are never overwritten", path=self.folder / name) from error
        except OSError as error:
            raise self._cannot_write(error) from error

    def _write(self, name: str, content: bytes) -> Path:
        """Write beside the file and link it into place, which fails where the name is taken."""
        path, temporary = self.folder / name, self.folder / f".{name}.new"
        try:
            temporary.write_bytes(content)
            try:
                os.link(temporary, path)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                    raise
                if path.exists():  # a file system without hard links
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def _cannot_write(self, error: OSError) -> StoreError:
        if self.exists():
            return StoreError(
                "cannot write to {folder}: {strerror}; make room, then go on by `{command}`",
                folder=self.folder,
                strerror=error.strerror,
                command=self.resume_command(),
            )
        return StoreError(
            "cannot write to {folder}: {strerror}; make room or choose another folder with --results",
            folder=self.folder,
            strerror=error.strerror,
        )

    def done(self) -> set[str]:
        """Return the ids of the runs that have a record and need not be run again."""
        return {path.stem for path in self.record_files() if not re.search(INTERRUPTED, path.stem)}

    def recorded(self) -> set[str]:
        """Return the names of the runs that have a record, be it of an interrupted attempt alone."""
        return {re.sub(INTERRUPTED, "", path.stem) for path in self.record_files()}

    def missing(self, specs: tuple[RunSpec, ...]) -> tuple[RunSpec, ...]:
        """Return the runs that have no record yet, in their order."""
        done = self.done()
        return tuple(spec for spec in specs if spec.run_id not in done)

    def record_files(self) -> list[Path]:
        """Return the files that should each hold a record, by name."""
        names = sorted(path.name for path in self.folder.glob("*.json"))  # of paths it takes ten times as long
        return [self.folder / name for name in names if name != STUDY and not name.startswith(".")]

    def records(self) -> tuple[list[Record], list[Damaged]]:
        """Return all records that can be read, and the files that cannot.

        An interrupted attempt is left out where the run was finished later.
        """
        with no_search_for_cycles():
            return gathered(each(self.record_files()))


def each(files: Iterable[Path]) -> Iterator[Record | Damaged]:
    """Yield what every file holds, one after the other; equal tasks, machines and limits are one object."""
    decoder = msgspec.json.Decoder(Record)
    share = Sharing()
    for path in files:
        try:
            yield share(with_source(decoder.decode(path.read_bytes()), path))
        except UNREADABLE as error:
            yield Damaged(path=shown_path(path), reason=why(error))


def gathered(read: Iterable[Record | Damaged]) -> tuple[list[Record], list[Damaged]]:
    """Return the records and the damaged files among what was read, without attempts of runs that were done later."""
    found: dict[str, Record] = {}
    damaged = []
    for item in read:
        if isinstance(item, Damaged):
            damaged.append(item)
            continue
        run_id = item.spec.run_id
        if run_id not in found or found[run_id].outcome.status == "interrupted":
            found[run_id] = item
    return list(found.values()), damaged


class Sharing:
    """Lets equal tasks, machines and limits of records be one object: they are a quarter of a large study's memory."""

    def __init__(self) -> None:
        self._known: dict[str, list[Any]] = {}

    def __call__(self, record: Record) -> Record:
        """Return the record, with what was equal in an earlier one replaced by the very same object."""
        names = ("task", "machine", "ceilings")
        return msgspec.structs.replace(
            record, **{name: self._first_equal(name, getattr(record, name)) for name in names}
        )

    def _first_equal(self, name: str, value: Any) -> Any:
        known = self._known.setdefault(name, [])
        for other in known:
            if other == value:
                return other
        known.append(value)
        return value


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """Pause Python's search for cycles: among millions of new objects that have none it takes longer than reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def known_studies(results: Path) -> UsageError:
    """Return the words that name the studies in a results folder, as an error to be told inside another one."""
    try:
        names = sorted(path.parent.name for path in results.glob(f"*/{STUDY}"))
    except OSError:
        names = []
    if not names:
        return UsageError("{folder} holds no studies yet", folder=results)
    return UsageError("studies in {folder} are {names}", folder=results, names=", ".join(names))


def check_name(name: str) -> str:
    """Return a study's name, or raise if it could leave the results folder or break a shell line."""
    if not re.fullmatch(r"[\w][\w.+-]{0,99}", name) or len(name.encode()) > LONGEST_NAME:
        raise UsageError(
            "a study's name is letters, digits, '.', '_', '+' and '-' (up to 100, and {most} bytes), but this is "
            "{name!r}",
            name=name,
            most=LONGEST_NAME,
        )
    return name
