"""Clear error messages, over the same mistakes for all candidates: what one repairs counts for and against nobody.

A mistake that a framework takes as it was meant does no harm there, and leaves nothing to be read. Were it taken out of
that framework's share alone, one silent mistake would weigh more there than elsewhere; so it is taken out of all.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from msgspec import Struct

from harness.language import _
from harness.mistakes import NAMES, blunder, ending
from harness.record import Record
from reports.choose.known import WHOLE, Candidate, Key, Reading
from reports.words import text

NAME = "clear_messages"


class Messages(Struct, frozen=True, kw_only=True):
    """Which mistakes the shares are over."""

    counted: tuple[str, ...] = ()
    """Their names in `harness/mistakes.py`: those that did harm with every candidate that was asked."""
    repaired: dict[str, tuple[str, ...]] = {}
    """By mistake that is left out, the backends that take it as it was meant, or of which it is not known."""


def add_messages(found: Sequence[Candidate], records: Iterable[Record]) -> Messages:
    """Add the readings of the criterion to the candidates, and return what they are over."""
    answers: dict[Key, list[Said]] = {candidate.key: [] for candidate in found} | _answers(records)
    asked = [candidate for candidate in found if answers[candidate.key]]
    repaired: dict[str, tuple[str, ...]] = {}
    for name in NAMES:
        own = dict.fromkeys(one.backend for one in asked if _is_harmless(name, answers[one.key]))
        if own:
            repaired[name] = tuple(own)
    for candidate in found:
        shares = [share for said in answers[candidate.key] if (share := _share(said, repaired)) is not None]
        why = _("each mistake is taken as it was meant by a candidate") if answers[candidate.key] else ""
        reading = Reading(values=(median(shares),)) if shares else Reading(why=why or _("it was not measured"))
        candidate.readings[NAME] = {WHOLE: reading}
    known = {name for candidate in asked for said in answers[candidate.key] for name, _ending in said}
    return Messages(counted=tuple(name for name in NAMES if name in known and name not in repaired), repaired=repaired)


Said = list[tuple[str, str]]
"""Of one record: the mistakes by name, and what became of each."""


def _answers(records: Iterable[Record]) -> dict[Key, list[Said]]:
    """Return what was said, by candidate and record; records of one study hold the same and are taken once."""
    found: dict[Key, list[Said]] = {}
    for record in records:
        said: Said = [(one.name, ending(one)) for one in record.mistakes if one.name in NAMES]
        known = found.setdefault((record.spec.backend, record.spec.mode, record.spec.profile), [])
        if said and said not in known:
            known.append(said)
    return found


def _is_harmless(name: str, answers: Iterable[Said]) -> bool:
    return any(called == name and what in ("as meant", "not observed") for said in answers for called, what in said)


def _share(said: Said, repaired: Mapping[str, object]) -> float | None:
    judged = [what for name, what in said if name not in repaired]
    return judged.count("named") / len(judged) if judged else None


def explained(messages: Messages) -> str | None:
    """Return over which mistakes the shares are, where some are left out; None where all count."""
    if not messages.repaired:
        return None
    left_out = text.names(
        f"{_(blunder(name).title)} ({', '.join(backends)})" for name, backends in messages.repaired.items()
    )
    return _(
        "Clear error messages: over the {count} mistakes that no candidate repairs. What one takes as it was meant "
        "counts for and against nobody: {left_out}."
    ).format(count=len(messages.counted), left_out=left_out)
