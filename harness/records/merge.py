"""Studies become one: every readable record is copied, byte by byte, under a name that says which study it is from.

Nothing in the sources is changed and nothing is overwritten: the merged study is put together beside its place and
moved there when it is whole.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from harness.errors import StoreError, UsageError
from harness.record import Record
from harness.records.store import STUDY, Source, Store, Study, with_source
from harness.spec import SOURCE_END, RunSpec
from harness.whole_files import UNREADABLE, shown_path

LONGEST = 40
"""Characters of a source's name in the names of files, whose length is limited."""
JOINS = "+"
"""Between the name of a merged study and that of its own source, where it is merged again."""


class _File(NamedTuple):
    """A record with the file it stands in."""

    path: Path
    content: bytes
    record: Record


class _Known:
    """The runs that were taken, to know one again."""

    def __init__(self) -> None:
        self._by_content: dict[bytes, str] = {}
        self._by_run: dict[bytes, str] = {}

    def duplicate(self, file: _File, taken_as: str) -> str | None:
        """Return how a file repeats a run that was taken before, or remember it as a new one under `taken_as`."""
        record = file.record
        facts = (record.started_at, record.machine, replace(record.spec, source=""), record.measured.phases)
        # Of a run without phases these facts tell too little: its start is known to the second only.
        run = msgspec.json.encode(facts) if record.measured.phases.total_s is not None else file.content
        if before := self._by_content.get(file.content):
            return f"the same bytes as {before}"
        if before := self._by_run.get(run):
            return f"the same run as {before} (start, machine, spec and phases), in other bytes"
        self._by_content[file.content] = self._by_run[run] = taken_as
        return None


def merge(folder: Path, sources: Sequence[Path], *, created_at: str) -> Study:
    """Make a study of the records of others and return it.

    Args:
        folder: the new study's folder.
        sources: the folders of the studies, in the order in which duplicates are looked for: the first one is taken.
        created_at: now, UTC, ISO 8601.

    Raises:
        UsageError: the folder exists, or a source is named twice.
        StoreError: no source has a readable record, or the folder cannot be written.
    """
    if len({path.resolve() for path in sources}) < len(sources):
        raise UsageError("a study is named twice: {names}", names=", ".join(path.name for path in sources))
    if folder.exists():
        raise UsageError("{folder} exists: choose another name for the merged study", folder=folder)
    place = folder.parent / f".{folder.name}.merging"
    try:
        place.mkdir(parents=True)
    except FileExistsError:
        raise StoreError(
            "{folder} is left from a merge that was cut off, or one is at work: remove it", folder=place
        ) from None
    except OSError as error:
        raise StoreError(
            "cannot write to {folder}: {reason}; choose another --results",
            folder=folder.parent,
            reason=error.strerror,
        ) from error
    try:
        study = _merged(place, folder.name, sources, created_at)
        place.rename(folder)
    except OSError as error:
        raise StoreError(
            "cannot write {path}: {reason}", path=error.filename or folder, reason=error.strerror
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)  # gone already where all went well
    return study


def names_of(folders: Sequence[Path]) -> list[str]:
    """Return a distinct name for each study: its folder's, and where two are equal their parents' before it."""
    parts = [tuple(_plain(part) for part in path.resolve().parts[1:]) or ("_",) for path in folders]
    names = [_with_parent(found, [other for other in parts if other[-1] == found[-1]]) for found in parts]
    distinct: list[str] = []
    for name in names:
        numbered = (f"{name}-{number}" for number in count(1))
        alone = names.count(name) == 1
        distinct.append(name if alone else next(one for one in numbered if one not in (*names, *distinct)))
    return distinct


def _with_parent(parts: tuple[str, ...], alike: Sequence[tuple[str, ...]]) -> str:
    """Return a folder's name, after the nearest folder above that is not the same for all of one name."""
    name = parts[-1][:LONGEST]
    if len(alike) == 1:
        return name
    for depth in range(2, len(parts) + 1):
        if len({other[-depth:][0] for other in alike}) > 1:
            return f"{parts[-depth][:LONGEST]}-{name}"
    return name


def _plain(part: str) -> str:
    """Return part of a path with only those characters that the name of a study may have."""
    return re.sub(r"[^\w.+-]|^[^\w]", "_", part)


def _merged(place: Path, name: str, sources: Sequence[Path], created_at: str) -> Study:
    store, known = Store(place), _Known()
    found: list[Source] = []
    specs: dict[str, RunSpec] = {}
    names = names_of(sources)
    for label, source in zip(names, sources, strict=True):
        of_source, planned = _take(store, source, label, known)
        found.append(of_source)
        specs |= {spec.run_id: spec for spec in planned}
    if not any(source.records for source in found):
        raise StoreError("there is no readable record in {studies}: nothing to merge", studies=", ".join(names))
    study = Study(
        name=name,
        created_at=created_at,
        command=("merge", name, *names),
        specs=tuple(specs.values()),
        merged_from=tuple(found),
    )
    store.create(study)
    return study


def _take(store: Store, source: Path, label: str, known: _Known) -> tuple[Source, list[RunSpec]]:
    """Copy what a source has and return what became of it, with the runs that are part of the merged study."""
    plan = _plan(source)
    files, damaged = _files(source)
    beside = _beside(source, {file.path.stem for file in files})
    taken: list[RunSpec] = []
    repeated: set[str] = set()
    duplicates: list[str] = []
    links: list[str] = []
    for file in files:
        spec = _named(file.record.spec, label)
        stem = _stem(file, spec)
        if said := known.duplicate(file, f"{stem}.json"):
            duplicates.append(f"{shown_path(file.path.name)}: {said}")
            repeated.add(spec.run_id)
            continue
        store.copy_in(f"{stem}.json", file.content)
        taken.append(spec)
        for path in beside.get(file.path.stem, ()):
            links += _carry(path, store.folder / f"{stem}{path.name.removeprefix(file.path.stem)}")
    ids = {spec.run_id for spec in taken}
    planned = [_named(spec, label) for spec in plan.specs] if plan else []
    specs = [spec for spec in planned if spec.run_id in ids or spec.run_id not in repeated]
    return (
        Source(
            name=label,
            study=plan.name if plan else shown_path(source.resolve().name),
            created_at=plan.created_at if plan else "",
            records=len(taken),
            duplicates=tuple(duplicates),
            damaged=(*damaged, *(() if plan else (f"{STUDY}: the plan cannot be read",))),
            links=tuple(links),
        ),
        [*specs, *taken],
    )


def _plan(source: Path) -> Study | None:
    try:
        return Store(source).study()
    except StoreError:
        return None


def _files(source: Path) -> tuple[list[_File], list[str]]:
    """Return the records of a study with their bytes, and what cannot be read."""
    decoder = msgspec.json.Decoder(Record)
    files, damaged = [], []
    for path in Store(source).record_files():
        try:
            content = path.read_bytes()
            files.append(_File(path, content, with_source(decoder.decode(content), path)))
        except UNREADABLE as error:
            damaged.append(f"{shown_path(path.name)}: {error.strerror if isinstance(error, OSError) else error}")
    return files, damaged


def _named(spec: RunSpec, label: str) -> RunSpec:
    """Return the run as one of the merged study."""
    return replace(spec, source=f"{label}{JOINS}{spec.source}" if spec.source else label)


def _stem(file: _File, spec: RunSpec) -> str:
    """Return the name of a record's file in the merged study, with the number of an interrupted attempt."""
    own = f"{file.record.spec.source}{SOURCE_END}" if file.record.spec.source else ""
    return f"{spec.source}{SOURCE_END}{file.path.stem.removeprefix(own)}"


def _beside(source: Path, stems: set[str]) -> dict[str, list[Path]]:
    """Return the files and folders that lie beside each record and carry its name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(source.iterdir()):
        stem = path.name
        while stem not in stems and "." in stem:
            stem = stem.rpartition(".")[0]
        if stem in stems and path.suffix != ".json":
            found.setdefault(stem, []).append(path)
    return found


def _carry(path: Path, target: Path) -> Iterator[str]:
    """Copy a file or folder without following any link, and yield the names of the links."""
    links: list[str] = []

    def strange(folder: str, names: list[str]) -> list[str]:
        here = [Path(folder, name) for name in names]
        odd = [item.name for item in here if item.is_symlink() or not (item.is_file() or item.is_dir())]
        links.extend(shown_path(f"{path.name}: {name}") for name in odd)
        return odd

    if strange(str(path.parent), [path.name]):
        pass  # its name is among the links by now
    elif path.is_dir():
        shutil.copytree(path, target, ignore=strange, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(path, target)
    yield from links
