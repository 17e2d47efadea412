"""Every error that Evenbench raises on purpose, drawn once.

EvenbenchError            something the user can read and mend; its text is one sentence
├── UsageError            an argument, a name or a file given by the user is wrong (exit 2)
│   └── DataError         a data file is missing, damaged or not what it says it is
├── EnvironmentFailure    an interpreter or a framework cannot be used on this machine
├── StoreError            a study cannot be written or read
└── ContractError         a backend broke the contract of harness/contract.py
"""


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


def unknown_name(kind: object, name: str, known: "list[str] | tuple[str, ...]") -> UsageError:
    """Return the error for a name that no table holds, with the names that it does hold.

    `kind` is a word of the catalogue, or a `harness.language.Sentence`.
    """
    return UsageError("unknown {kind} {name!r}: known are {known}", kind=kind, name=name, known=", ".join(known))
