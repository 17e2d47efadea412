"""Which study and which run is meant, and all that can be read of it. Needs no pandas."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import StoreError, UsageError, nearest
from harness.record import Record
from harness.records.next_command import next_command
from harness.records.store import STUDY, Damaged, Store, Study, known_studies
from harness.whole_files import check_path, given_path, shown_path


class Loaded(NamedTuple):
    """A study, read as far as it can be."""

    folder: Path
    plan: Study | None
    """None: the plan itself is damaged, and stands in `damaged`."""
    records: list[Record]
    damaged: list[Damaged]

    @property
    def name(self) -> str:
        """The study's name, which is its folder's."""
        return shown_path(self.folder.resolve().name)

    def missing(self) -> tuple[str, ...]:
        """Return the ids of the runs that were to be made in any case and have no readable record."""
        done = {record.spec.run_id for record in self.records}
        return tuple(spec.run_id for spec in self.plan.sure() if spec.run_id not in done) if self.plan else ()

    def resume_command(self) -> str | None:
        """Return the command that runs what is missing; None for a merged study, which cannot be resumed."""
        is_merged = self.plan is not None and bool(self.plan.merged_from)
        return None if is_merged else Store(self.folder.resolve()).resume_command()


def find(study: str | Path, results: Path) -> Path:
    """Return the folder of a study, named inside the results folder, by its path or by that of a file in it.

    Raises:
        UsageError: there is none; the text lists those that there are, and names the nearest.
    """
    for path in (results / study, given_path(str(study), "STUDY")):
        for folder in (path, path.parent) if _is_file(path) else (path,):
            if str(study) and _holds_a_study(folder):
                return check_path(folder, "STUDY")
    near = nearest(Path(study).name, [folder.name for folder in everything(results)])
    known = known_studies(results)
    if near is None:
        raise UsageError("there is no study {study!r}: {studies}", study=str(study), studies=known)
    raise UsageError(
        "there is no study {study!r}: {studies}; did you mean {near}?", study=str(study), studies=known, near=near
    )


def newest(results: Path) -> Path:
    """Return the folder of the study that was created last.

    Raises:
        UsageError: there is none.
    """
    return by_age(results)[-1]


def by_age(results: Path, fewest: int = 1) -> list[Path]:
    """Return the folders of all studies, that which was created last at the end.

    Raises:
        UsageError: there are fewer than are needed.
    """
    folders = sorted(everything(results), key=lambda folder: (created_at(folder), folder.name))
    if not folders:
        raise UsageError(
            "{studies}: `{command}` makes one",
            studies=known_studies(results),
            command=next_command("run", results=results),
        )
    if len(folders) < fewest:
        raise UsageError(
            "two studies are to be compared, but {folder} holds {name} alone: `{command}` makes another one",
            folder=results,
            name=folders[0].name,
            command=next_command("run", results=results),
        )
    return folders


def pair(names: Sequence[str], results: Path) -> tuple[Path, Path]:
    """Return two studies: those of two names, or the newest in place of names that are missing, the older one first.

    Raises:
        UsageError: there are no two, or more than two names.
    """
    if len(names) > 2:
        raise UsageError("two studies are compared, but got {count}: {names}", count=len(names), names=", ".join(names))
    named = [find(name, results) for name in names]
    if len(named) == 2:
        return named[0], named[1]
    ages = by_age(results, fewest=2)
    if not named:
        return ages[-2], ages[-1]
    other = next(folder for folder in reversed(ages) if folder.resolve() != named[0].resolve())
    older, newer = sorted((named[0], other), key=created_at)
    return older, newer


def everything(results: Path) -> list[Path]:
    """Return the folders of all studies in a results folder, by name."""
    try:
        return sorted(path for path in results.iterdir() if _holds_a_study(path))
    except OSError:
        return []


def created_at(folder: Path) -> str:
    """Return when a study was planned, or nothing where its plan is damaged."""
    try:
        return Store(folder).study().created_at
    except StoreError:
        return ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _holds_a_study(folder: Path) -> bool:
    try:
        return (folder / STUDY).is_file()
    except (OSError, ValueError):  # a name too long or with a NUL in it
        return False


def load(folder: Path, records: Callable[[Store], tuple[list[Record], list[Damaged]]] = Store.records) -> Loaded:
    """Read a study; what is damaged, its plan included, is listed and left out.

    Args:
        folder: of the study.
        records: reads the records and lists the damaged ones.

    Raises:
        UsageError: there is no study in this folder.
    """
    store = Store(folder)
    plan, damaged_plan = None, []
    try:
        plan = store.study()
    except StoreError as error:
        damaged_plan = [Damaged(path=str(folder / STUDY), reason=str(error.fields["error"]))]  # `path` says which file
    found, damaged = records(store)
    order = {spec.run_id: number for number, spec in enumerate(plan.specs)} if plan else {}
    found.sort(key=lambda record: order.get(record.spec.run_id, len(order)))
    return Loaded(folder=folder, plan=plan, records=found, damaged=damaged_plan + damaged)


def find_run(loaded: Loaded, wanted: str) -> Record:
    """Return the run of that id, or the only one whose id holds all words of `wanted`.

    A number is the place of the run in the plan, from 1, as the progress of a study counts; and the path of a record
    is its run.

    Raises:
        StoreError: its record is damaged.
        UsageError: there is none or more than one; the text lists the candidates.
    """
    by_id = {record.spec.run_id: record for record in loaded.records}
    wanted = _of_the_plan(loaded, wanted) or wanted
    parts = wanted.casefold().split()
    ids = [wanted] if wanted in by_id else [run_id for run_id in by_id if all(p in run_id.casefold() for p in parts)]
    if len(ids) == 1:
        return by_id[ids[0]]
    if not ids:
        for damaged in loaded.damaged:
            if wanted in Path(damaged.path).stem:
                raise StoreError("the record {path} is damaged: {reason}", path=damaged.path, reason=damaged.reason)
        if not by_id:
            raise UsageError("study {name} has no records yet", name=loaded.name)
        raise UsageError(
            "study {name} has no run {wanted!r}: its runs are {list}",
            name=loaded.name,
            wanted=wanted,
            list=_list(list(by_id)),
        )
    raise UsageError(
        "{wanted!r} is in the names of {ids} runs of study {name}: {list}",
        wanted=wanted,
        ids=len(ids),
        name=loaded.name,
        list=_list(ids),
    )


def _of_the_plan(loaded: Loaded, wanted: str) -> str | None:
    """Return the id of the run that stands at this place in the plan, None for what is no such number."""
    specs = loaded.plan.specs if loaded.plan else ()
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 9 else 0
    return specs[number - 1].run_id if 0 < number <= len(specs) else None


def _list(names: list[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
