"""A comparison of two studies in words: machines, changes, verdicts by measure, what could not be compared."""

from collections.abc import Sequence
from pathlib import Path

from harness.language import _, ngettext, noop
from reports.compare.changes import Change
from reports.compare.limit import MEASURES
from reports.compare.studies import Compared
from reports.compare.tables import labels, memory, place_label, quality, speeds
from reports.statistics.methods import ALPHA, POWER
from reports.words import text
from reports.words.document import Document, Part

MOST = 40
"""Lines of one list."""
WORSE = {
    "parity": noop("{row}: passed parity in {a}, but not in {b}: {reason}"),
    "ending": noop("{row}: a run in {b} ended as none in {a} did: {reason}"),
    "slower": noop("{row}: shown to be slower by more than {limit}, in {reason}"),
}


def document(found: Compared) -> Document:
    """Return what is to be said of a comparison."""
    names = labels(found)
    parts = [_changes(found.changes)]
    if failures := _failures(found, names):
        parts.insert(0, Part(title=_("Worse"), items=text.first(failures, MOST, noop("and {count} other lines"))))
    parts += [part for part in (*speeds(found, names), quality(found, names), memory(found, names)) if part]
    parts += _left_out(found, names)
    if any(line.is_compared() for line in found.lines):
        parts.append(Part(title=_("How to read it"), items=_legend(found)))
    return Document(
        title=_("{b} against {a}").format(a=found.a, b=found.b),
        lead=(_machines(found), *_summary(found)),
        parts=tuple(parts),
    )


def _machines(found: Compared) -> str:
    before, after = _several(found.machines_a), _several(found.machines_b)
    if not (found.machines_a and found.machines_b):
        return _("A study without a record names no machine.")
    if found.is_on_other_machines():
        return _(
            "Different machines: {before} in {a}, {after} in {b}. Every ratio mixes the machine with the frameworks."
        ).format(before=before, after=after, a=found.a, b=found.b)
    return _("On the same kind of machine: {machine}.").format(machine=after)


def _several(values: Sequence[str]) -> str:
    return _(" or ").join(text.first(values, 3, noop("and {count} other values")))


def _summary(found: Compared) -> list[str]:
    """Return how many rows there are of each verdict, and what the limit came to."""
    lead = []
    dates = [text.when(created) for created in (found.created_a, found.created_b)]
    lead.append(_("A is {a}, planned {on_a}; B is {b}, planned {on_b}.").format(
        a=found.a, b=found.b, on_a=dates[0], on_b=dates[1]
    ))  # fmt: skip
    if why := found.why_nothing():
        return [*lead, _sentence(why)]
    verdicts = [line.found.verdict for line in found.lines if line.is_compared()]
    said = ngettext(
        "{count} row compared; in training B is: {verdicts}.",
        "{count} rows compared; in training B is: {verdicts}.",
        len(verdicts),
    )
    return [
        *lead,
        said.format(count=len(verdicts), verdicts=_counted(verdicts)),
        *_inference(found),
        *_gate(found),
    ]


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}."


def _inference(found: Compared) -> list[str]:
    """Return a sentence on each measure of inference in which a difference is shown."""
    said = []
    for measure in MEASURES:
        shown = [line.found.inference[measure].verdict for line in found.lines if measure in line.found.inference]
        if set(shown) & {"slower", "faster"}:
            said.append(_("In {measure} B is: {verdicts}.").format(measure=_(measure), verdicts=_counted(shown)))
    return said


def _counted(verdicts: Sequence[str]) -> str:
    return ", ".join(
        _("{verdict} in {count}").format(verdict=_(verdict), count=verdicts.count(verdict))
        for verdict in ("slower", "faster", "no difference shown")
    )


def _gate(found: Compared) -> list[str]:
    """Return what was tested against the limit, and what a pass could have missed."""
    if found.limit is None:
        return []
    limit = text.percent(found.limit, 1 if round(1000 * found.limit) % 10 else 0)
    tested = [test for line in found.lines for test in line.tested.values()]
    compared = [line for line in found.lines if line.is_compared()]
    shown = sum(test.shown for test in tested)
    said = ngettext(
        "Slower by more than {limit}: shown of {shown} of {count} measurement that was tested.",
        "Slower by more than {limit}: shown of {shown} of {count} measurements that were tested.",
        len(tested),
    ).format(limit=limit, shown=shown, count=len(tested))
    lead = [said] if tested else [_sentence(found.why_untested())]
    if tested:
        lead.append(
            _(
                "What could have been shown ({power} power), in the steadiest and the least steady row: {measures}; "
                "less can pass unseen."
            ).format(power=text.percent(POWER, 0), measures=", ".join(_could_show(found)))
        )
    if untested := [line for line in compared if "training" not in line.tested]:
        lead.append(
            ngettext(
                "{count} row was not tested, for one process shows nothing of how the next would come out.",
                "{count} rows were not tested, for one process shows nothing of how the next would come out.",
                len(untested),
            ).format(count=len(untested))
        )
    return lead


def _could_show(found: Compared) -> list[str]:
    """Return by measure the smallest and the largest ratio that could have been shown."""
    said = []
    for measure in MEASURES:
        ratios = [line.tested[measure].could_show for line in found.lines if measure in line.tested]
        if ratios:
            least, most = (text.ratio(edge(ratios)) for edge in (min, max))
            said.append(_("{measure} {least} and {most}").format(measure=_(measure), least=least, most=most))
    return said


def _changes(changes: Sequence[Change]) -> Part:
    title = _("What changed")
    if not changes:
        return Part(title=title, notes=(_("Nothing changed in what the records hold."),))
    grouped: dict[tuple[str, ...], list[str]] = {}
    for change in changes:
        grouped.setdefault(change.scopes, []).append(_change(change))
    items = [f"{', '.join(map(_, scopes))}: {'; '.join(facts)}" for scopes, facts in grouped.items()]
    return Part(title=title, items=text.first(items, MOST, noop("and {count} other lines")))


def _change(change: Change) -> str:
    if all(len(values) == 1 and len(values[0].split()) > 12 for values in (change.a, change.b)):
        mine, theirs = set(change.a[0].split()), set(change.b[0].split())
        return _("{name}: {gone} only in A, {new} only in B").format(
            name=_(change.name), gone=_words(mine - theirs), new=_words(theirs - mine)
        )
    before, after = (_several(values) if values else text.NOTHING for values in (change.a, change.b))
    return f"{_(change.name)} {before} → {after}"


def _words(found: set[str]) -> str:
    return " ".join(text.first(sorted(found), 6, noop("and {count} other words"))) or text.NOTHING


def _failures(found: Compared, names: Sequence[str]) -> list[str]:
    limit = text.percent(found.limit) if found.limit is not None else ""
    return [
        _(WORSE[worse.what]).format(
            row=name, a=found.a, b=found.b, limit=limit,
            reason=_(worse.reason) if worse.what == "slower" else text.quoted(worse.reason),
        )
        for name, line in zip(names, found.lines, strict=True)
        for worse in line.worse
    ]  # fmt: skip


def _left_out(found: Compared, names: Sequence[str]) -> list[Part]:
    """Return lists of the rows that were not compared, and why."""
    both = list(zip(names, found.lines, strict=True))
    refused = [f"{name}: {'; '.join(line.refused)}" for name, line in both if line.refused]
    others = [f"{name}: {line.found.why}" for name, line in both if not line.refused and not line.is_compared()]
    unclear = [
        _("{row}: {a} rows in A and {b} in B; which belong together cannot be told").format(
            row=" ".join(key), a=count_a, b=count_b
        )
        for key, count_a, count_b in found.unclear
    ]
    lists = (
        (_("Refused: not the same task or not the same data"), refused),
        (_("Not comparable"), others),
        (_("Not paired"), unclear),
        (_("Only in {study}").format(study=found.a), list(map(place_label, found.only_a))),
        (_("Only in {study}").format(study=found.b), list(map(place_label, found.only_b))),
        (
            _("Damaged records, left out"),
            [f"{study}, {Path(path).name}: {reason}" for study, path, reason in found.damaged],
        ),
    )
    return [
        Part(title=title, items=text.first(lines, MOST, noop("and {count} other lines")))
        for title, lines in lists
        if lines
    ]


def _legend(found: Compared) -> tuple[str, ...]:
    said = [
        _(
            "time B / A: seconds per example, geometric means of the processes' median blocks; above 1, B is slower. "
            "In brackets: the 95 % interval (Welch's, on logarithms), of this row alone."
        ),
        _(
            "verdict: by the same test at {alpha}, adjusted by Holm's method for all rows of the comparison, which an "
            "interval is not."
        ).format(alpha=text.percent(ALPHA, 0)),
        _(
            "could have shown: the true ratio that would have been shown in four of five such comparisons; a smaller "
            "one can pass unseen."
        ),
    ]
    if found.limit is not None:
        said.append(
            _(
                "Shown to be slower by more than a limit: the interval, adjusted by Holm's method for all rows with "
                "the measure, lies wholly above it."
            )
        )
    return tuple(said)
