"""Which study and which run is meant, and all that can be read of it. Needs no pandas."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.errors import StoreError, UsageError
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
    """Return the folder of a study, named inside the results folder or by its path.

    Raises:
        UsageError: there is none; the text lists those that there are.
    """
    for folder in (results / study, given_path(str(study), "STUDY")):
        if str(study) and _holds_a_study(folder):
            return check_path(folder, "STUDY")
    raise UsageError("there is no study {study!r}: {studies}", study=str(study), studies=known_studies(results))


def newest(results: Path) -> Path:
    """Return the folder of the study that was created last.

    Raises:
        UsageError: there is none.
    """
    folders = everything(results)
    if not folders:
        raise UsageError(
            "{studies}: `{command}` makes one",
            studies=known_studies(results),
            command=next_command("run", results=results),
        )
    return max(folders, key=lambda folder: (created_at(folder), folder.name))


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
    """Return the run of that id, or the only one whose id holds `wanted`.

    Raises:
        StoreError: its record is damaged.
        UsageError: there is none or more than one; the text lists the candidates.
    """
    by_id = {record.spec.run_id: record for record in loaded.records}
    ids = [wanted] if wanted in by_id else [run_id for run_id in by_id if wanted in run_id]
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


def _list(names: list[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
