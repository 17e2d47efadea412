"""The verdicts in words and cells: the ratio to the fastest row, what could have been shown, and the accuracies."""

from collections.abc import Iterator

from harness.language import _, noop
from harness.records.steady import Outcome
from harness.spec import PLANT, PLANTED
from reports.content.cells import NOT_COMPARABLE
from reports.statistics.looks import MOST_ROUNDS, level, rounds_needed
from reports.statistics.methods import ALPHA, EQUAL, MARGIN, POWER, strictest
from reports.statistics.rows import Group
from reports.statistics.verdicts import Comparison
from reports.words import text
from reports.words.table import Cell, Table, grid, number, words

SETTLED: Outcome = "settled"
OPEN = "no difference shown"
SHOWN_RATIO = 1.1
"""The difference that an open pair is asked for."""
PAIRS = noop("Every pair")
HEADERS = (
    noop("row"), noop("against"), noop("× slower"), noop("verdict"), noop("p (Holm)"), noop("shown in 80 %"),
    noop("accuracy difference"), noop("accuracy verdict"),
)  # fmt: skip


def lines(group: Group, comparisons: int) -> Iterator[str]:
    """Yield what is to be said below the table of a group.

    Args:
        group: as `summarize` returns it.
        comparisons: pairs of the whole study, for which Holm's method adjusts.
    """
    yield from _steady(group)
    yield from _in_turns(group, comparisons)
    yield from _smallest(group, comparisons)
    yield from _accuracies(group)


def pairs(group: Group) -> Table | None:
    """Return the table of all pairs of comparable rows, None where there is none."""
    rows = [_cells(item, group) for item in group.comparisons if item.verdict != NOT_COMPARABLE]
    return grid(tuple(map(_, HEADERS)), rows, _(PAIRS)) if rows else None


def _cells(item: Comparison, group: Group) -> tuple[Cell, ...]:
    accuracy = text.NOTHING
    if item.accuracy_difference is not None:
        accuracy = _("{difference} ({low} to {high}), {test}").format(
            difference=_signed(item.accuracy_difference),
            low=_signed(item.accuracy_low),
            high=_signed(item.accuracy_high),
            test=_(item.accuracy_test),
        )
    said = verdict_word(item)
    return (
        words(group.rows[item.a].label),
        words(group.rows[item.b].label),
        number(item.ratio, text.ratio(item.ratio, item.low, item.high)),
        words(_("{what}: {reason}").format(what=said, reason=text.quoted(item.why)) if item.why else said),
        number(item.p_holm, text.number(item.p_holm, 2)),
        number(item.smallest_ratio, text.ratio(item.smallest_ratio)),
        words(accuracy),
        words(_(item.accuracy_verdict)),
    )


def verdict_word(item: Comparison) -> str:
    """Return the verdict in words, with the margin that rows are called equal within."""
    if item.verdict == EQUAL:
        return _("equal within {within}").format(within=text.percent(item.within, 0))
    return _(item.verdict)


def _in_turns(group: Group, comparisons: int) -> Iterator[str]:
    """Yield a line on the pairs that took turns, how far their rounds lie apart, and what open ones would need."""
    yield from _controls(group)
    known = [item.round_spread for item in group.comparisons if item.round_spread is not None]
    turns = [item.turn_spread for item in group.comparisons if item.turn_spread is not None]
    if known and turns:
        yield _(
            "In turns: pairs are compared round by round, over {rounds} rounds; the ratios of the rounds spread by "
            "{low} to {high}, those of single turns by {turns_low} to {turns_high}."
        ).format(
            rounds=max(item.rounds or 0 for item in group.comparisons),
            low=text.percent(min(known)),
            high=text.percent(max(known)),
            turns_low=text.percent(min(turns)),
            turns_high=text.percent(max(turns)),
        )
    for item in group.comparisons:
        if item.neighbours:
            yield _("{a} and {b} did not fit into the memory together, and were measured one after the other.").format(
                a=group.rows[item.a].label, b=group.rows[item.b].label
            )
        if item.ratio_quiet and item.ratio_busy:
            yield _(
                "{a} and {b}: the ratio depends on the machine's state, {quiet} while it was quiet and {busy} while it "
                "was not."
            ).format(
                a=group.rows[item.a].label,
                b=group.rows[item.b].label,
                quiet=text.ratio(item.ratio_quiet),
                busy=text.ratio(item.ratio_busy),
            )
        if item.rounds and item.verdict == OPEN and item.round_spread is not None:
            yield _needed(item, group, comparisons)


def _needed(item: Comparison, group: Group, comparisons: int) -> str:
    """Return how many rounds, and minutes, would show a difference of 10 % of an open pair."""
    a, b = group.rows[item.a], group.rows[item.b]
    alpha = level(MOST_ROUNDS, comparisons) if a.until_decided else strictest(comparisons)
    needed = rounds_needed(item.round_spread or 0.0, SHOWN_RATIO, alpha)
    took = max(a.round_s or 0.0, b.round_s or 0.0)
    if needed is None or not took:
        return _("{a} and {b}: a difference of 10 % would need {rounds} rounds.").format(
            a=a.label, b=b.label, rounds=needed if needed is not None else _("more than 100")
        )
    more = max(0, needed - (item.rounds or 0))
    return _(
        "{a} and {b}: a difference of 10 % would need {rounds} rounds, {more} more than now: {minutes} min."
    ).format(a=a.label, b=b.label, rounds=needed, more=more, minutes=text.number(more * took / 60, 2))


def _controls(group: Group) -> Iterator[str]:
    """Yield a line on what came out of the controls, whose verdicts are known before."""
    for control in group.controls:
        found = control.found.reversed()
        sentence = (
            _("Control: a twin of {row} with {plant} more work came out at {ratio}: {verdict}.")
            if control.row.profile == PLANTED
            else _("Control: a twin of {row} came out at {ratio}: {verdict}.")
        )
        yield sentence.format(
            row=f"{control.row.backend} {control.row.mode}",
            plant=text.percent(PLANT, 0),
            ratio=text.ratio(found.ratio, found.low, found.high),
            verdict=verdict_word(found),
        )


def _signed(value: float | None) -> str:
    return text.NOTHING if value is None else f"{round(value, 4) + 0.0:+.4f}"  # no minus before a zero


def _steady(group: Group) -> Iterator[str]:
    """Yield a line on runs that did not settle, and one on blocks that are not read."""
    rows = [row for row in group.rows if row.steady_state]
    odd = [row for row in rows if set(row.steady_state) != {SETTLED}]
    outcomes = {outcome for row in odd for outcome in row.steady_state}
    if len(outcomes) == 1 and len(odd) == len(rows):
        yield _("Steady state: {outcome}, in all runs.").format(outcome=_(outcomes.pop()))
    elif odd:
        said = (_("{what}: {reason}").format(what=row.label, reason=text.counted(row.steady_state)) for row in odd)
        yield _("Steady state: {outcomes}.").format(outcomes=text.clauses(said))
    counts = [
        _("{label} {front} in front and {disturbed} disturbed of {recorded}").format(
            label=row.label, front=row.discarded_blocks, disturbed=row.disturbed_blocks, recorded=row.recorded_blocks
        )
        for row in rows
        if row.discarded_blocks or row.disturbed_blocks
    ]
    if counts:
        yield _("Steady blocks left out: {counts}.").format(counts=text.clauses(counts))


def _smallest(group: Group, comparisons: int) -> Iterator[str]:
    """Yield a line on the smallest ratio that studies like this one mostly show; a larger one may have been missed."""
    shown = sorted(
        (item.smallest_ratio, _("{a} and {b}").format(a=group.rows[item.a].label, b=group.rows[item.b].label))
        for item in group.comparisons
        if item.smallest_ratio is not None
    )
    if shown:
        (low, closest), (high, widest) = shown[0], shown[-1]
        sentence = (
            _(
                "Smallest true ratio that {power} of such studies would show (at the level {alpha}/{pairs}): "
                "{low} ({closest}), for others up to {high} ({widest})."
            )
            if len(shown) > 1
            else _(
                "Smallest true ratio that {power} of such studies would show (at the level {alpha}/{pairs}): "
                "{low} ({closest})."
            )
        )
        yield sentence.format(
            power=text.percent(POWER, 0),
            alpha=f"{ALPHA:g}",
            pairs=comparisons,
            low=text.ratio(low),
            closest=closest,
            high=text.ratio(high),
            widest=widest,
        )
    elif sum(row.comparable for row in group.rows) > 1:
        yield _("No difference could have been shown: no two rows have two processes each.")


def _accuracies(group: Group) -> Iterator[str]:
    """Yield a line of mean accuracies with their intervals, and one of how they compare with the fastest row's."""
    means = [
        f"{row.label} {text.quality(row.quality_mean, row.metric)} "
        f"({text.quality(row.accuracy_low, row.metric)}–{text.quality(row.accuracy_high, row.metric)})"
        for row in group.rows
        if row.accuracy_low is not None
    ]
    if means:
        yield _("Accuracy, mean over the seeds with its 95 % interval: {means}.").format(means=text.clauses(means))
    against: dict[str, list[str]] = {}
    for row in group.rows:
        found = row.to_fastest
        if found and found.accuracy_difference is not None:
            shown = f"{row.label} ({_signed(found.accuracy_difference)})"
            against.setdefault(found.accuracy_verdict, []).append(shown)
    if against:
        fastest = next(row.label for row in group.rows if row.rank and not row.to_fastest)
        said = text.clauses(
            _("{what}: {reason}").format(what=_(name), reason=text.names(found)) for name, found in against.items()
        )
        yield _("Accuracy against {fastest}, within {margin}: {verdicts}.").format(
            fastest=fastest, margin=f"{MARGIN:g}", verdicts=said
        )
