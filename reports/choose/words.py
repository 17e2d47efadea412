"""A choice in sentences and cells, once for the terminal and the page. A tie is called a tie."""

from collections.abc import Sequence

from harness.language import _
from reports.choose import task_words
from reports.choose.choice import SURE, Choice, Deciding, Move, Otherwise, Scored
from reports.choose.criteria import CRITERIA, Criterion
from reports.choose.known import task_of
from reports.choose.messages import NAME, explained
from reports.words import text
from reports.words.table import Cell, Table, grid, number, words


def criterion(name: str) -> Criterion:
    """Return the criterion of a name."""
    return next(item for item in CRITERIA if item.name == name)


def title(name: str) -> str:
    """Return a criterion as people read it."""
    return _(criterion(name).title)


def verdict(choice: Choice) -> str:
    """Return the decision in a sentence."""
    best = choice.best()
    if choice.verdict == "none":
        if choice.tasks_left_out and not choice.tasks:
            return _("Nothing can be chosen: the needs leave out all tasks of this study.")
        if choice.dropped:
            return _("Nothing can be chosen: no criterion that has a weight tells the candidates apart.")
        return _("Nothing in this study can be chosen: no row of it is comparable and within the limits.")
    if choice.verdict == "only one":
        return _only(choice, best[0])
    if hangs := hangs_on(choice):
        return hangs
    if choice.verdict == "winner":
        return _("{leader} is the best choice for the needs {needs}, with a probability of {chance}.").format(
            leader=choice.leader, needs=choice.needs.name, chance=text.chance(_probability(choice, choice.leader))
        )
    return _("A tie between {names} for the needs {needs}: none is the best with a probability of {sure}.").format(
        names=_(" and ").join(choice.tied), needs=choice.needs.name, sure=text.percent(SURE, 0)
    )


def hangs_on(choice: Choice) -> str | None:
    """Return the decision where a plausible alternative gives another one, None where none does."""
    what = text.names(_(one.build) or title(one.criterion) for one in choice.hangs_on())
    if not what:
        return None
    if choice.verdict == "winner":
        return _(
            "{leader} is the best choice for the needs {needs}, with a probability of {chance}, but that depends on: "
            "{what}."
        ).format(
            leader=choice.leader,
            needs=choice.needs.name,
            chance=text.chance(_probability(choice, choice.leader)),
            what=what,
        )
    return _(
        "A tie between {names} for the needs {needs}: none is the best with a probability of {sure}; that depends on: "
        "{what}."
    ).format(names=_(" and ").join(choice.tied), needs=choice.needs.name, sure=text.percent(SURE, 0), what=what)


def otherwise(choice: Choice) -> list[str]:
    """Return what comes out under each alternative that changes the answer."""
    return [_other(one) for one in choice.hangs_on()]


def _other(found: Otherwise) -> str:
    where = _("Without {criterion}").format(criterion=title(found.criterion)) if found.criterion else ""
    if found.build:
        where = _("With {build} ({size})").format(
            build=_(found.build), size=text.sizes(float(found.install_bytes), 0.0)[0]
        )
    if found.verdict == "tie":
        return _("{where}: a tie between {names}.").format(where=where, names=_(" and ").join(found.tied))
    return _("{where}: {leader}, {chance}.").format(
        where=where, leader=found.leader, chance=text.chance(found.probability_best)
    )


def messages(choice: Choice) -> str | None:
    """Return over which mistakes the shares of clear messages are, None where they do not count or all do."""
    counts = any(used.name == NAME and used.weight > 0 for used in choice.criteria) or NAME in choice.dropped
    return explained(choice.messages) if counts else None


def not_measured(choice: Choice) -> str:
    """Return what people expect of a choice and no harness can measure."""
    names = text.names(map(_, choice.not_measured))
    return _("Not measured, for no harness can: {names}.").format(names=names)


def _only(choice: Choice, left: Scored) -> str:
    if len(choice.candidates) == 1:
        return _("Only {leader} is left: nothing was compared.").format(leader=left.label)
    return _(
        "Only {backend} is left: no other backend was compared with it. Of its modes and profiles, {leader} has the "
        "highest score."
    ).format(backend=left.backend, leader=left.label)


def _probability(choice: Choice, label: str | None) -> float | None:
    return next((item.probability_best for item in choice.candidates if item.label == label), None)


def ranking(choice: Choice) -> Table:
    """Return the candidates that stand for their backends, best first."""
    rows = tuple(
        (
            words(item.label),
            number(item.probability_best, text.chance(item.probability_best)),
            number(item.score, f"{item.score:.3f}"),
            words(f"{item.score_low:.3f}–{item.score_high:.3f}"),
        )
        for item in choice.best()
    )
    headers = (_("candidate"), _("is the best with"), _("score"), _("95 % of the draws"))
    return grid(headers, rows)


def pairs(choice: Choice) -> list[str]:
    """Return a sentence on every pair that is a tie, or that no task compares."""
    lines = []
    for pair in choice.pairs:
        if not pair.meet_on_a_task:
            lines.append(
                _("{a} shares no measured task with {b}: by tasks the two cannot be compared.").format(
                    a=pair.a, b=pair.b
                )
            )
        elif pair.tie:
            lines.append(
                _("{a} and {b}: a tie, {a} is the better one with a probability of {chance}.").format(
                    a=pair.a, b=pair.b, chance=text.chance(pair.probability_a_better)
                )
            )
    return lines


def deciding(choice: Choice) -> str | None:
    """Return what decided it."""
    best = choice.best()
    if choice.deciding is None or len(best) < 2:
        return None
    found = choice.deciding
    fields = {
        "criterion": title(found.criterion),
        "leader": best[0].label,
        "other": best[1].label,
        "margin": f"{found.margin:.3f}",
        "adds": f"{found.adds:.3f}",
        "shown": _shown_of(found),
    }
    if found.changes_the_order:
        return _(
            "The deciding measurement is {criterion} ({shown}): it adds {adds} to the score of {leader}, which leads "
            "{other} by {margin}; were it equal, {other} would lead."
        ).format(**fields)
    return _(
        "The measurement that counts most is {criterion} ({shown}): it makes up {adds} of the {margin} by which "
        "{leader} leads {other}; were it equal, {leader} would still lead."
    ).format(**fields)


def _shown_of(found: Deciding) -> str:
    numbers = (found.leader, found.runner_up)
    first, second = (_("failed") if value is None else raw(found.criterion, value) for value in numbers)
    return _("{first} against {second} {unit}").format(
        first=first, second=second, unit=_(criterion(found.criterion).unit)
    )


def raw(name: str, value: float | None) -> str:
    """Return a criterion's number without its unit."""
    if value is None:
        return text.NOTHING
    return f"{value:.4f}" if name == "quality" else f"{value:,.0f}" if name == "adapter_code" else text.number(value)


def move(choice: Choice) -> str | None:
    """Return how far one weight would have to move to change who leads."""
    if len(choice.best()) < 2:
        return None
    if not choice.moves:
        return _("No change of a single weight makes another one lead.")
    return _("The smallest change of one weight that makes another one lead: {change}").format(
        change=one_move(choice.moves[0])
    )


def one_move(found: Move) -> str:
    """Return a change of one weight and what comes of it."""
    fields = {
        "criterion": title(found.criterion),
        "weight": text.number(found.weight),
        "then": text.number(found.then),
        "share": text.percent(found.share),
        "share_then": text.percent(found.share_then),
        "winner": found.winner,
    }
    if found.then > found.weight:
        return _(
            "{criterion} above {then} instead of {weight} ({share_then} of all weight instead of {share}); then "
            "{winner} leads."
        ).format(**fields)
    return _(
        "{criterion} below {then} instead of {weight} ({share_then} of all weight instead of {share}); then "
        "{winner} leads."
    ).format(**fields)


def measured(choice: Choice) -> Table:
    """Return what was measured, criterion by candidate, in units."""
    best = choice.best()
    rows = []
    for used in choice.criteria:
        rows.append(
            [words(_what(choice, used.name, used.tasks)), *(_raw(used.name, item.raw[used.name]) for item in best)]
        )
        if used.name == "install_size":
            builds = [words(text.names(item.builds) or text.NOTHING) for item in best]
            rows.append([words(_("build of that size")), *builds])
    headers = (_("measured"), *(item.label for item in best))
    return grid(headers, rows, _("What was measured (means over {tasks})").format(tasks=", ".join(choice.tasks)))


def _raw(name: str, value: float | None) -> Cell:
    return number(value, raw(name, value))


def builds(choice: Choice) -> str | None:
    """Return which builds the install sizes are those of, None where they do not count."""
    names = text.names(build for item in choice.best() for build in item.builds)
    if not names or not any(used.name == "install_size" and used.weight > 0 for used in choice.criteria):
        return None
    return _("Install size is that of {builds}; another build of the same release may have another size.").format(
        builds=names
    )


def _what(choice: Choice, name: str, tasks: Sequence[str]) -> str:
    """Return a criterion with its unit, and on how many tasks it was measured if not on all."""
    fields = {"criterion": title(name), "unit": _(criterion(name).unit), "some": len(tasks), "all": len(choice.tasks)}
    if criterion(name).per_task and len(tasks) < len(choice.tasks):
        if len(set(map(task_of, choice.tasks))) < len(choice.tasks):
            return _("{criterion}, {unit} ({some} of {all} tables)").format(**fields)
        return _("{criterion}, {unit} ({some} of {all} tasks)").format(**fields)
    return _("{criterion}, {unit}").format(**fields)


def contributions(choice: Choice) -> Table:
    """Return every value with what it adds to the score, criterion by candidate."""
    best = choice.best()
    rows = [
        (
            words(f"{title(used.name)} · {text.percent(used.share)}"),
            *(_contribution(item.values[used.name], used.share) for item in best),
        )
        for used in choice.criteria
    ]
    rows.append((words(_("score")), *(number(item.score, f"{item.score:.3f}") for item in best)))
    headers = (_("criterion · share of the weight"), *(item.label for item in best))
    title_ = _("Value from 0 to 1 → what it adds to the score")
    return grid(headers, rows, title_)


def _contribution(value: float, share: float) -> Cell:
    return number(share * value, f"{value:.3f} → {share * value:.3f}")


def exclusions(choice: Choice) -> list[str]:
    """Return who is excluded, and why."""
    return [
        _("{candidate} is excluded: {reason}").format(candidate=label, reason=reason)
        for label, reason in choice.excluded
    ]


def remarks(choice: Choice) -> list[str]:
    """Return what is not known, and how it was treated."""
    lines = []
    for why in dict.fromkeys(choice.why_dropped.values()):
        names = text.names(title(name) for name in choice.dropped if choice.why_dropped[name] == why)
        lines.append(_("Left out, so that the weight does not count: {names} ({why}).").format(names=names, why=why))
    weighted = {used.name for used in choice.criteria if used.weight > 0}
    for item in choice.best():
        for name, task, why in item.remarks:
            if name in weighted:
                lines.append(_remark(item, name, task, why))
        if few := [title(name) for name in item.one_process if name in weighted]:
            lines.append(
                _("{candidate}: of one process alone, and so very uncertain: {names}.").format(
                    candidate=item.label, names=", ".join(few)
                )
            )
    return lines


def _remark(item: Scored, name: str, task: str, why: str) -> str:
    fields = {"candidate": item.label, "criterion": title(name), "task": task, "why": why}
    if item.readings[name][task].failed:
        return _("{candidate}, {criterion} on {task}: the worst value, for {why}.").format(**fields)
    if task:
        return _("{candidate}, {criterion} on {task}: not known ({why}), any value counts as likely.").format(**fields)
    return _("{candidate}, {criterion}: not known ({why}), any value counts as likely.").format(**fields)


def others(choice: Choice) -> list[str]:
    """Return the modes and profiles that do not stand for their backends, in a line each."""
    return [
        _("{candidate}: score {score}; another mode or profile of {backend} has a higher one.").format(
            candidate=item.label, score=f"{item.score:.3f}", backend=item.backend
        )
        for item in choice.candidates
        if not item.stands_for_backend
    ]


def method(choice: Choice) -> list[str]:
    """Return how the numbers came about."""
    factor, span = f"{choice.needs.worthless_at:g}", f"{choice.needs.quality_span:g}"
    return [
        task_words.counted(choice),
        *_left_out(choice),
        _(
            "A value is 1 for the best and falls with the logarithm of the ratio to it, to 0 at {factor} times worse; "
            "an accuracy falls to 0 at {span} below the best."
        ).format(factor=factor, span=span),
        _(
            "{draws} draws of what the means may be, with the seed {seed}; formulas and sources: docs/choosing.md."
        ).format(draws=f"{choice.draws:,}", seed=choice.seed),
    ]


def _left_out(choice: Choice) -> list[str]:
    weights = choice.needs.weight_of()
    names = text.names(f"{title(name)} {weights[name]:g}" for name in choice.dropped)
    if not names:
        return []
    return [_("Weights that do not count, for the criterion tells nobody apart here: {names}.").format(names=names)]


def every_move(choice: Choice) -> Sequence[str]:
    """Return every change of a single weight that changes who leads, the smallest first."""
    return [one_move(found) for found in choice.moves]
