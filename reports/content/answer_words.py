"""The sentences below the answer's table: who leads, who is slower, what was not shown, what was disturbed.

They are said of the whole study, a row with the tasks in which it holds, and never say more than the verdicts do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.language import _, ngettext, noop
from harness.records.studies import Loaded
from reports.content.places import Found
from reports.statistics.looks import LOOKS
from reports.statistics.methods import EQUAL
from reports.statistics.ranking import TOO_NOISY
from reports.statistics.rows import Row
from reports.words import text

MOST_PLACES = 3
"""Tasks that a sentence names; more are counted."""
MOST_REASONS = 2
"""Rows that failed whose reasons stand in the answer; `show` tells those of every run."""
LONGEST_REASON = 160
"""Characters of such a reason."""
MOST_NAMED = 3
"""Rows, or pairs, that a sentence names."""
HARDLY_ANY = 10.0
"""A ratio beyond which its size says no more than that next to nothing could have been shown."""


def sentences(found: Sequence[Found]) -> Iterator[str]:
    """Yield what is to be said of some groups; each sentence is one thought, and none is said without a reason."""
    rows = [row for item in found for row in item.group.rows]
    if not rows:
        return
    yield from _speeds(found)
    yield from _apart(rows)
    yield from _accuracies(found)
    yield from _parity(rows)
    machines = len({item.group.machine for item in found})
    if machines > 1:
        yield _(
            "The rows come from {count} machines or choices of processors, and only rows of the same one are compared."
        ).format(count=machines)


def lacking(loaded: Loaded) -> Iterator[str]:
    """Yield what a study lacks: records, and such as can be read."""
    if not loaded.records:
        yield _("There is nothing to compare yet.")
    if loaded.plan is not None and loaded.missing():
        yield _("{count} of {planned} planned runs have a record.").format(
            count=len(loaded.records), planned=len(loaded.plan.specs)
        )
    if damaged := [item.path for item in loaded.damaged]:
        yield _("Damaged and left out: {files}.").format(
            files=text.names(text.first(damaged, MOST_NAMED, noop("and {count} other files")))
        )


def _speeds(found: Sequence[Found]) -> Iterator[str]:
    several = [item for item in found if len(item.comparable()) > 1]
    if not several:
        yield from _nothing_to_compare(found)
        return
    if not any(item.can_show() for item in several):
        if any(row.until_decided and row.runs > 1 for item in several for row in item.group.rows):
            sentence = _("Nothing is shown before {rounds} rounds are made: the budget was spent before.")
            yield sentence.format(rounds=min(LOOKS))
        else:
            yield _("Nothing can be shown of one process each: repeats show how the next would come out.")
        return
    where = _Where(several, of=len(found))
    leads = [_in(label, where.said(places)) for label, places in where.leading().items()]
    if leads:
        yield _("The fastest: {rows}.").format(rows=_listed(leads))
    behind: dict[str, list[str]] = {}
    for label, (places, ratios) in where.slower().items():
        behind.setdefault(where.said(places), []).append(f"{label} {_range(ratios)}")
    if behind:
        slower = [_in(_few(rows), places) for places, rows in behind.items()]
        yield _("Slower than the fastest: {rows}.").format(rows=_listed(slower))
    equal = [_in(pair, where.said(places)) for pair, (places, _shown) in where.tied(equal=True).items()]
    if equal:
        yield _("Equal within 5 %: {pairs}.").format(pairs=_listed(equal))
    if unseen := where.tied(equal=False, why=TOO_NOISY):
        pairs = [_in(pair, where.said(places)) for pair, (places, _shown) in unseen.items()]
        yield _("{what}: {reason}.").format(what=_listed(pairs), reason=_(TOO_NOISY))
    if open_pairs := where.tied(equal=False):
        pairs = [_in(pair, where.said(places)) for pair, (places, _shown) in open_pairs.items()]
        largest = max((ratio for _places, shown in open_pairs.values() for ratio in shown), default=None)
        sentence = _("No difference shown: {pairs}.")
        if largest is not None and largest >= HARDLY_ANY:
            sentence = _("No difference shown: {pairs}; so few rounds mostly show none below {ratio}.")
            largest = HARDLY_ANY
        elif largest is not None:
            sentence = _("No difference shown: {pairs}; {ratio} or more would mostly have shown.")
        yield sentence.format(pairs=_listed(pairs), ratio=text.ratio(largest))


def _nothing_to_compare(found: Sequence[Found]) -> Iterator[str]:
    """Yield why there is nothing to compare: no row, or only one, may be."""
    alone = list(dict.fromkeys(row.label for item in found for row in item.comparable()))
    if not alone:
        yield _("No row is comparable.")
    elif len(alone) == 1:
        yield _("Only {row} is comparable: there is nothing to compare it with.").format(row=alone[0])
    else:
        yield _("No task has two comparable rows: there is nothing to compare.")


class _Where:
    """In which of the tasks what is shown of which row."""

    def __init__(self, found: Sequence[Found], *, of: int) -> None:
        self.found = found
        self.of = of
        """Tasks of the study, in which there may be nothing to compare."""

    def said(self, places: Sequence[str]) -> str:
        """Return the names of some tasks, or their number; nothing where the study has no other one."""
        if self.of == 1:
            return ""
        if 1 < len(places) == self.of:
            return _("all {count} tasks").format(count=len(places))
        if len(places) > MOST_PLACES:
            return _("{count} of {all} tasks").format(count=len(places), all=len(self.found))
        return text.names(places)

    def leading(self) -> Mapping[str, list[str]]:
        """Return the rows that are shown to be faster than every other one, and where."""
        leads: dict[str, list[str]] = {}
        for item in self.found:
            if not item.ties() and item.slower():
                leads.setdefault(item.fastest(), []).append(item.place)
        return dict(sorted(leads.items(), key=lambda pair: -len(pair[1])))

    def slower(self) -> Mapping[str, tuple[list[str], list[float]]]:
        """Return the rows that are shown to be slower than the fastest, where, and how many times."""
        behind: dict[str, tuple[list[str], list[float]]] = {}
        for item in self.found:
            for row in item.slower():
                places, ratios = behind.setdefault(row.label, ([], []))
                places.append(item.place)
                ratios.append(row.times_slower or 1.0)
        return behind

    def tied(self, *, equal: bool, why: str = "") -> Mapping[str, tuple[list[str], list[float]]]:
        """Return the pairs with the fastest that are shown to be equal, or of which nothing is shown for some reason.

        Returns:
            By the names of the two, where that is so and, of every place, the ratio that it would have shown.
        """
        pairs: dict[frozenset[str], tuple[str, list[str], list[float]]] = {}
        for item in self.found:
            for row in item.ties():
                if row.to_fastest is None or row.to_fastest.p is None or (row.to_fastest.verdict == EQUAL) != equal:
                    continue
                if row.to_fastest.why != why:
                    continue
                name = _("{a} and {b}").format(a=item.fastest(), b=row.label)
                _name, places, shown = pairs.setdefault(frozenset((item.fastest(), row.label)), (name, [], []))
                places.append(item.place)
                shown += [row.to_fastest.smallest_ratio] if row.to_fastest.smallest_ratio else []
        return {name: (places, shown) for name, places, shown in pairs.values()}


def _apart(rows: Sequence[Row]) -> Iterator[str]:
    """Yield how many rows are not comparable: for other programs, and for other reasons."""
    disturbed = sum(row.is_disturbed for row in rows)
    if disturbed:
        yield ngettext(
            "{count} of {all} rows was disturbed by other programs and is not compared.",
            "{count} of {all} rows were disturbed by other programs and are not compared.",
            disturbed,
        ).format(count=disturbed, all=len(rows))
    others = sum(not row.comparable for row in rows) - disturbed
    if others:
        yield ngettext(
            "{count} of {all} rows failed, or could not be proven to compute the same.",
            "{count} of {all} rows failed, or could not be proven to compute the same.",
            others,
        ).format(count=others, all=len(rows))
        told = [_why(row) for row in rows if not row.comparable and not row.is_disturbed]
        yield _("Why: {reasons}.").format(reasons=_listed(told, MOST_REASONS))


def _why(row: Row) -> str:
    """Return what happened to a row that is not compared, with the first reason that is known."""
    reasons = row.reasons if row.ok_runs < row.runs and row.reasons else row.why_not_comparable
    what = text.counted(row.status) if row.ok_runs < row.runs else _("not comparable")
    if not reasons:
        return _("{what}: {reason}").format(what=row.label, reason=what)
    return _("{row}: {what}: {reason}").format(
        row=row.label, what=what, reason=text.printable(text.quoted(reasons[0]), LONGEST_REASON)
    )


def _accuracies(found: Sequence[Found]) -> Iterator[str]:
    """Yield a sentence on the verdicts on accuracy against the fastest rows."""
    judged = [
        (item, row.label, row.to_fastest.accuracy_verdict)
        for item in found
        for row in item.comparable()
        if row.to_fastest and row.to_fastest.accuracy_difference is not None
    ]
    different = [_in(label, item.place) for item, label, said in judged if said == "different"]
    if different:
        yield _("Accuracy is shown to differ from that of the fastest row for {rows}.").format(rows=_listed(different))
    elif judged and all(said == "equivalent" for *_names, said in judged):
        yield _("Accuracy is equivalent to that of the fastest row wherever it could be judged.")
    elif judged:
        yield _("No row's accuracy is shown to be different from that of the fastest row.")


def _parity(rows: Sequence[Row]) -> Iterator[str]:
    """Yield how many of the rows with numbers were proven to compute the same."""
    measured = [row for row in rows if row.seconds_per_example]
    if measured:
        yield _("Parity: {count} of {all} rows compute the same as the reference.").format(
            count=sum(row.passed_parity for row in measured), all=len(measured)
        )


def _in(what: str, where: str) -> str:
    return what if not where else _("{row} in {place}").format(row=what, place=where)


def _range(ratios: Iterable[float]) -> str:
    found = sorted(ratios)
    low, high = text.number(found[0]), text.number(found[-1])
    return f"{low}×" if low == high else _("{low}× to {high}×").format(low=low, high=high)


def _listed(clauses: Sequence[str], most: int = MOST_NAMED) -> str:
    """Return clauses in a row, the first few of many."""
    shown, more = text.clauses(clauses[:most]), len(clauses) - most
    return shown if more <= 0 else _more(shown, more)


def _few(names: Sequence[str]) -> str:
    """Return rows side by side, the first few of many."""
    shown, more = text.names(names[:MOST_NAMED]), len(names) - MOST_NAMED
    return shown if more <= 0 else _more(shown, more)


def _more(shown: str, more: int) -> str:
    return ngettext("{names} and {count} other", "{names} and {count} others", more).format(names=shown, count=more)
