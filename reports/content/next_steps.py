"""What to do after a study: the commands that finish it, mend it, sharpen it, and show the rest of it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from harness.language import _
from harness.records.next_command import next_command
from harness.records.studies import Loaded
from harness.whole_files import shown_path
from reports.statistics.looks import MOST_ROUNDS
from reports.statistics.methods import FEWEST
from reports.statistics.power import reachable
from reports.statistics.rows import Group

DEFAULT_PRESET = "quick"
ENOUGH = 3
"""Repeats, where one process each shows nothing."""
ABOUT_THE_STUDY = {
    "--study": True, "--results": True, "--repeats": True, "--seed": True, "--turns": False, "--alone": False,
    "--json": False, "--until": True,
}  # fmt: skip
"""Options of `run` that another study does not take over, and whether they have a value."""


class Step(Struct, frozen=True, kw_only=True):
    """One line at the end of an answer."""

    what: str
    typed: str
    """A command, or the path of a file."""


def steps(loaded: Loaded, groups: Sequence[Group], page: Path | None = None) -> list[Step]:
    """Return what to do next, the most urgent first.

    Args:
        loaded: the study.
        groups: its groups.
        page: the study's report as a page, if it was written.
    """
    return list(_steps(loaded, groups, page))


def _steps(loaded: Loaded, groups: Sequence[Group], page: Path | None) -> Iterator[Step]:
    results, name = loaded.folder.resolve().parent, loaded.folder.resolve().name
    is_merged = loaded.plan is not None and bool(loaded.plan.merged_from)
    if loaded.missing() and (command := loaded.resume_command()):
        yield Step(what=_("Finish it:"), typed=command)
    elif not is_merged:
        yield from _better(loaded, groups, results)
    failed = [row for group in groups for row in group.rows if not row.comparable and not row.is_disturbed]
    if failed:
        run = failed[0].run_ids[0]
        yield Step(what=_("A failed run:"), typed=next_command("show", run, "--study", name, results=results))
    if page is not None:
        yield Step(what=_("Page:"), typed=shown_path(page))
    if any(sum(row.comparable for row in group.rows) > 1 for group in groups):
        command = next_command("choose", name, "--for", "course", results=results)
        yield Step(what=_("Choose:"), typed=command)
    if groups:
        yield Step(what=_("All numbers:"), typed=next_command("report", name, "--full", results=results))
        yield Step(what=_("What words mean:"), typed=next_command("report", name, "--legend", results=results))


def _better(loaded: Loaded, groups: Sequence[Group], results: Path) -> Iterator[Step]:
    """Yield what would measure again what was disturbed, and what would show what was not shown."""

    def typed(some: Iterable[Group], *options: str) -> str:
        return next_command(*again(loaded, some), *options, results=results)

    if disturbed := [group for group in groups if any(row.is_disturbed for row in group.rows)]:
        if loaded.plan is not None and any(spec.design.turns for spec in loaded.plan.specs):
            yield Step(what=_("Measure again:"), typed=typed(disturbed))
        else:
            yield Step(what=_("Measure in turns:"), typed=typed(disturbed, "--turns"))
    until_decided = loaded.plan is not None and loaded.plan.until_decided
    single = [group for group in groups if sum(row.comparable for row in group.rows) > 1 and not _can_show(group)]
    if single and not until_decided:
        yield Step(what=_("To see anything:"), typed=typed(single, "--repeats", str(ENOUGH)))
    if loaded.plan is not None and loaded.plan.until_decided:
        if any(_is_open(group) and _has_looks_left(group) for group in groups) and (go := loaded.resume_command()):
            yield Step(what=_("Decide the rest:"), typed=go)
        return
    if found := reachable(groups):
        unsettled = [group for group in groups if _is_open(group)]
        turns = any(item.rounds for group in unsettled for item in group.comparisons)
        options = ("--repeats", str(found.repeats), *(("--turns",) if turns else ()))
        yield Step(what=_("To see {ratio}:").format(ratio=f"{found.ratio:g}×"), typed=typed(unsettled, *options))


def _can_show(group: Group) -> bool:
    return sum(row.comparable and len(row.seconds_per_example) >= FEWEST for row in group.rows) > 1


def _is_open(group: Group) -> bool:
    return any(
        (item.p is not None or item.rounds) and item.verdict == "no difference shown" for item in group.comparisons
    )


def _has_looks_left(group: Group) -> bool:
    return any((item.rounds or 0) < MOST_ROUNDS for item in group.comparisons)


def again(loaded: Loaded, groups: Iterable[Group]) -> tuple[str, ...]:
    """Return the words that ran a study, without those that say how often and under which name.

    Where its plan does not tell them, those that run the tasks of some groups.
    """
    words = list(loaded.plan.command) if loaded.plan else []
    if words[:1] != ["run"] or "--resume" in words:
        some = list(groups)
        presets = {group.preset for group in some} - {DEFAULT_PRESET}
        tasks = (word for task in dict.fromkeys(group.task for group in some) for word in ("--task", task))
        return ("run", *tasks, *(word for preset in presets for word in ("--preset", preset)))
    kept, rest = ["run"], iter(words[1:])
    for word in rest:
        if (takes := ABOUT_THE_STUDY.get(word.partition("=")[0])) is None:
            kept.append(word)
        elif takes and "=" not in word:
            next(rest, None)
    return tuple(kept)
