"""Two studies, B against A: what changed around them, a verdict for every row that both have, and what got worse.

Two rules. Runs of different task definitions or data are not compared, and every refusal names both. All rows of the
comparison are one grid: Holm's method looks at all of its p-values together, those of each measure for themselves.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import UsageError
from harness.language import Sentence, _
from harness.record import Record
from reports.compare import limit as gate
from reports.compare.changes import Change, changes, hardware
from reports.compare.limit import Tested
from reports.compare.pairing import KEY, StudyRow, pair, refusals
from reports.statistics import verdicts
from reports.statistics.study import StudyRead
from reports.statistics.verdicts import Comparison
from reports.words import text
from reports.words.record_words import said
from reports.words.sentences import note

WORSE, NOTHING_SHOWN = 1, 3
"""Exit codes; 2 is that of a wrong call."""
What = Literal["parity", "ending", "slower"]


class Worse(Struct, frozen=True, kw_only=True):
    """Something for which a comparison fails."""

    what: What
    reason: str


class ComparedRow(Struct, frozen=True, kw_only=True):
    """A row that both studies have; numbers are of B against A."""

    a: StudyRow
    b: StudyRow
    refused: tuple[str, ...] = ()
    """Why the two are not of one thing, in sentences."""
    found: Comparison
    """`a` in it is the row of B: above 1, B is the slower. Not comparable where the rows are refused."""
    tested: dict[str, Tested] = {}
    """By measure, where a limit was given."""
    worse: tuple[Worse, ...] = ()

    def is_compared(self) -> bool:
        """Return whether there is a ratio."""
        return self.found.ratio is not None


class Compared(Struct, frozen=True, kw_only=True):
    """The whole comparison."""

    a: str
    b: str
    created_a: str
    created_b: str
    """When each was planned, empty where that is not known."""
    machines_a: tuple[str, ...]
    machines_b: tuple[str, ...]
    changes: tuple[Change, ...]
    lines: tuple[ComparedRow, ...]
    only_a: tuple[StudyRow, ...]
    only_b: tuple[StudyRow, ...]
    unclear: tuple[tuple[tuple[str, ...], int, int], ...]
    """Keys of which both studies have several rows, with how many."""
    damaged: tuple[tuple[str, str, str], ...]
    """Study, file and reason."""
    limit: float | None = None
    """By how much a row may be slower, as a share."""

    def is_on_other_machines(self) -> bool:
        """Return whether the studies ran on machines that differ in more than the system's version."""
        return set(self.machines_a) != set(self.machines_b)

    def why_nothing(self) -> str:
        """Return why no row was compared, or nothing where one was."""
        if any(line.is_compared() for line in self.lines):
            return ""
        if not self.lines:
            return _("nothing is comparable: {a} and {b} have no row in common").format(a=self.a, b=self.b)
        reasons = dict.fromkeys(reason for line in self.lines for reason in (line.refused or (line.found.why,)))
        return _("nothing is comparable: {reasons}").format(reasons="; ".join(list(reasons)[:3]))

    def why_untested(self) -> str:
        """Return why no row was tested against the limit, or nothing where one was or none is given."""
        if self.limit is None or any(line.tested for line in self.lines):
            return ""
        return _(
            "nothing could be shown to be slower: no row has two processes or more in both studies, and one shows "
            "nothing of how the next would come out; run both with --repeats 3"
        )

    def why_nothing_shown(self) -> str:
        """Return why the comparison, as it was asked for, could show nothing at all; nothing where it could."""
        return self.why_nothing() or self.why_untested()

    def is_worse(self) -> bool:
        """Return whether a row got worse in a way for which the comparison fails."""
        return any(line.worse for line in self.lines)

    def exit_code(self) -> int:
        """Return 1 where a row got worse, 3 where nothing could be shown, 0 where nothing worse is shown."""
        return WORSE if self.is_worse() else NOTHING_SHOWN if self.why_nothing_shown() else 0


def compare_studies(first: StudyRead, second: StudyRead, *, limit: float | None = None) -> Compared:
    """Compare study B with study A, which it follows.

    Args:
        first: A, the older one, or the one that sets the standard.
        second: B, the newer one.
        limit: the share by which a row may be slower before that is a failure, such as 0.05.

    Raises:
        UsageError: the two are one study.
    """
    a, b = first.loaded, second.loaded
    if a.folder.resolve() == b.folder.resolve():
        raise UsageError("{name} would be compared with itself: name two studies", name=a.name)
    paired = pair(first.groups, second.groups)
    endings = [{record.spec.run_id: record for record in loaded.records} for loaded in (a, b)]
    refused = [_refusals(*places, names=(a.name, b.name)) for places in paired.pairs]
    both = [(right.row, left.row) for left, right in paired.pairs]
    found = verdicts.compare(
        [[] if why else list(sides) for sides, why in zip(both, refused, strict=True)]
    )  # one grid, for Holm's method
    judged = [one[0] if one else _refused(why) for one, why in zip(found, refused, strict=True)]
    comparable = [sides if item.ratio is not None else None for sides, item in zip(both, judged, strict=True)]
    tested = gate.tests(comparable, limit) if limit is not None else [{} for _pair in both]
    lines = tuple(
        ComparedRow(
            a=left,
            b=right,
            refused=why,
            found=item if why else _explained(item, left, right, names=(a.name, b.name)),
            tested=tests,
            worse=(*_worse(left, right, endings), *_slower(tests, limit)),
        )
        for (left, right), why, item, tests in zip(paired.pairs, refused, judged, tested, strict=True)
    )
    return Compared(
        a=a.name,
        b=b.name,
        created_a=a.plan.created_at if a.plan else "",
        created_b=b.plan.created_at if b.plan else "",
        machines_a=hardware(a.records),
        machines_b=hardware(b.records),
        changes=changes(a.records, b.records),
        lines=lines,
        only_a=paired.only_a,
        only_b=paired.only_b,
        unclear=paired.unclear,
        damaged=tuple((loaded.name, item.path, item.reason) for loaded in (a, b) for item in loaded.damaged),
        limit=limit,
    )


def _refusals(a: StudyRow, b: StudyRow, *, names: tuple[str, str]) -> tuple[str, ...]:
    """Return why two rows are not of one thing, naming both."""
    sentences = {
        "task_version": _("{a} has version {of_a} of the task, {b} has version {of_b}"),
        "task_fingerprint": _("the task's definition has the fingerprint {of_a} in {a}, {of_b} in {b}"),
        "dataset_fingerprint": _("the data have the fingerprint {of_a} in {a}, {of_b} in {b}"),
    }
    return tuple(
        sentences[name].format(
            a=names[0],
            b=names[1],
            of_a=getattr(a.group, name) or _("none"),
            of_b=getattr(b.group, name) or _("none"),
        )
        for name in refusals(a, b)
    )


def _refused(why: tuple[str, ...]) -> Comparison:
    return Comparison(a=0, b=1, processes_a=0, processes_b=0, verdict="not comparable", why="; ".join(why))


def _explained(found: Comparison, a: StudyRow, b: StudyRow, *, names: tuple[str, str]) -> Comparison:
    """Return the comparison with the study's own reason where a row is not comparable."""
    reasons = [
        _("in {study}: {reason}").format(
            study=name,
            reason=text.clauses(map(said, place.row.why_not_comparable[:2])) or text.counted(place.row.status),
        )
        for name, place in zip(names, (a, b), strict=True)
        if not place.row.comparable
    ]
    return replace(found, why="; ".join(reasons)) if reasons else found


def _worse(a: StudyRow, b: StudyRow, records: Sequence[dict[str, Record]]) -> list[Worse]:
    """Return what a row of B does not reach that the row of A did: parity, and every run's ending."""
    found = []
    if a.row.passed_parity and not b.row.passed_parity:
        reasons = {records[1][run_id].parity.reason: None for run_id in b.row.run_ids}
        found.append(Worse(what="parity", reason="; ".join(filter(None, reasons)) or text.shared(b.row.parity)))
    before = {records[0][run_id].outcome.status for run_id in a.row.run_ids}
    new = [records[1][run_id].outcome for run_id in b.row.run_ids if records[1][run_id].outcome.status not in before]
    for status in dict.fromkeys(outcome.status for outcome in new):
        if status == "ok":
            continue
        why = next((one.said or one.reason for one in new if one.status == status and one.reason), None)
        reason = Sentence("{kind}: {reason}", kind=status, reason=why) if why else status
        found.append(Worse(what="ending", reason=note(reason)))
    return found


def _slower(tests: dict[str, Tested], limit: float | None) -> list[Worse]:
    return [
        Worse(what="slower", reason=measure) for measure, tested in tests.items() if tested.shown and limit is not None
    ]


def key_of(line: ComparedRow) -> dict[str, str]:
    """Return what a row is called by, with the backend's name in B."""
    return dict(zip(KEY, line.b.key(), strict=True))
