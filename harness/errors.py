"""Every error that Evenbench raises on purpose, drawn once.

EvenbenchError            something the user can read and mend; its text is one sentence
├── UsageError            an argument, a name or a file given by the user is wrong (exit 2)
│   └── DataError         a data file is missing, damaged or not what it says it is
├── EnvironmentFailure    an interpreter or a framework cannot be used on this machine
├── StoreError            a study cannot be written or read
└── ContractError         a backend broke the contract of harness/contract.py
"""


class EvenbenchError(Exception):
    """An error whose text says what was expected, what came and what to do."""


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


def unknown_name(kind: str, name: str, known: "list[str] | tuple[str, ...]") -> UsageError:
    """Return the error for a name that no table holds, with the names that it does hold."""
    return UsageError(f"unknown {kind} {name!r}: known are {', '.join(known)}")
