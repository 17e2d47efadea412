"""The finding of a report in one sentence, over all its comparisons: never more than the verdicts say."""

from collections.abc import Sequence

from msgspec import Struct

from harness.language import _, ngettext
from reports.content.places import Found
from reports.statistics.rows import Row
from reports.words import text

MOST_NAMED = 4


class Standing(Struct, kw_only=True):
    """How a row's name stands over the comparisons in which something can be shown."""

    appears: int = 0
    leads: int = 0
    """Comparisons in which it is faster than every other comparable row."""
    slower: list[float] = []
    """How many times slower it is where that is shown."""


def headline(found: Sequence[Found]) -> str:
    """Return the sentence, without a full stop; one that nothing is shown where nothing is."""
    telling = [item for item in found if len(item.comparable()) > 1 and item.can_show()]
    if not telling:
        return _("Nothing can be compared yet") if found else _("There is nothing to compare yet")
    standings = _standings(telling)
    clauses = [_ahead(standings, len(telling)), *_mixed(standings), *_behind(standings)]
    shown = text.clauses(clause for clause in clauses if clause)
    return shown[:1].upper() + shown[1:] if shown[:1].isascii() and not _begins_with_a_name(shown, standings) else shown


def _begins_with_a_name(shown: str, standings: dict[str, Standing]) -> bool:
    return shown.startswith(tuple(standings))


def _standings(telling: Sequence[Found]) -> dict[str, Standing]:
    standings: dict[str, Standing] = {}
    for item in telling:
        for row in item.comparable():
            one = standings.setdefault(row.label, Standing())
            one.appears += 1
            if row.rank is not None and row.rank > 1:
                one.slower.append(_ratio(row))
            elif not item.ties():
                one.leads += 1
    return standings


def _ratio(row: Row) -> float:
    return row.times_slower or float("nan")


def _ahead(standings: dict[str, Standing], comparisons: int) -> str:
    """Return who is fastest, or between whom no difference is shown."""
    best = [name for name, one in standings.items() if not one.slower]
    if len(best) == 1 and standings[best[0]].leads == comparisons:
        return ngettext(
            "{name} is the fastest", "{name} is the fastest in all {count} comparisons", comparisons
        ).format(name=best[0], count=comparisons)
    if len(best) == 2:
        return _("between {a} and {b} no difference in speed is shown").format(a=best[0], b=best[1])
    if len(best) > 2:
        return _("none of {names} is shown to be slower than the fastest").format(names=_listed(best))
    return ""


def _behind(standings: dict[str, Standing]) -> list[str]:
    """Return by how much the rows are slower that are so wherever something can be shown."""
    behind = [(name, one) for name, one in standings.items() if one.slower and len(one.slower) == one.appears]
    clauses = []
    for name, one in behind[:MOST_NAMED]:
        low, high = text.number(min(one.slower), 2), text.number(max(one.slower), 2)
        sentence = _("{name} is {low} to {high} times slower") if low != high else _("{name} is {low} times slower")
        clauses.append(sentence.format(name=name, low=low, high=high))
    if (more := len(behind) - MOST_NAMED) > 0:
        clauses.append(ngettext("so is {count} other", "so are {count} others", more).format(count=more))
    return clauses


def _mixed(standings: dict[str, Standing]) -> list[str]:
    """Return how often the rows lead, or are slower, that are slower in some comparisons and not in others."""
    mixed = [(name, one) for name, one in standings.items() if 0 < len(one.slower) < one.appears]
    return [
        _("{name} is the fastest in {count} of {all} comparisons").format(name=name, count=one.leads, all=one.appears)
        if one.leads
        else _("{name} is slower in {count} of {all} comparisons").format(
            name=name, count=len(one.slower), all=one.appears
        )
        for name, one in mixed[:MOST_NAMED]
    ]


def _listed(names: Sequence[str]) -> str:
    shown = _(", ").join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    if more <= 0:
        return shown
    return ngettext("{names} and {count} other", "{names} and {count} others", more).format(names=shown, count=more)
