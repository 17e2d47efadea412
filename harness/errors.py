"""Every error that Evenbench raises on purpose, drawn once.

EvenbenchError            something the user can read and mend; its text is one sentence
├── UsageError            an argument, a name or a file given by the user is wrong (exit 2)
│   └── DataError         a data file is missing, damaged or not what it says it is
├── EnvironmentFailure    an interpreter or a framework cannot be used on this machine
├── StoreError            a study cannot be written or read
└── ContractError         a backend broke the contract of harness/contract.py
"""

from collections.abc import Iterable, Sequence

LONGEST_COMPARED = 60
"""Characters of a name that are compared with those that are known."""


class EvenbenchError(Exception):
    """An error whose text says what was expected, what came and what to do.

    As a string it is English, for records and programs. Given with its fields apart, `harness.language.said` finds its
    translation for the person who reads it.
    """

    def __init__(self, message: str, /, **fields: object) -> None:
        super().__init__(message.format(**fields) if fields else message)
        self.message = message
        self.fields = fields


class UsageError(EvenbenchError):
    """An argument, a name or a file given by the user is wrong."""


class DataError(UsageError):
    """A data file is missing, damaged or not what it says it is."""


class EnvironmentFailure(EvenbenchError):
    """An interpreter or a framework cannot be used on this machine."""


class StoreError(EvenbenchError):
    """A study cannot be written or read."""


class ContractError(EvenbenchError):
    """A backend broke the contract of `harness/contract.py`."""


def why(error: Exception) -> str:
    """Return what an error says of itself, without the path that the sentence around it names already."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def unknown_name(kind: object, name: str, known: Sequence[str], also: Iterable[str] = ()) -> UsageError:
    """Return the error for a name that no table holds, with the names that it does hold, and the nearest one.

    Args:
        kind: a word of the catalogue, or a `harness.language.Sentence`.
        name: what came.
        known: what is listed.
        also: names that are taken too, and may be the nearest one, but are not listed.
    """
    near, said = nearest(name, (*known, *also)), ", ".join(known)
    if near is None:
        return UsageError("unknown {kind} {name!r}: known are {known}", kind=kind, name=name, known=said)
    return UsageError(
        "unknown {kind} {name!r}: known are {known}; did you mean {near}?", kind=kind, name=name, known=said, near=near
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that somebody who wrote another one most likely meant, whatever the case; None if none is near.

    How near is what difflib calls it (Ratcliff & Metzener 1988).
    """
    from difflib import get_close_matches

    by_small_letters = {word.casefold(): word for word in known}
    found = get_close_matches(name.casefold()[:LONGEST_COMPARED], by_small_letters, n=1)
    return by_small_letters[found[0]] if found else None
