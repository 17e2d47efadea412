"""The language of what a person reads: messages from catalogue files, chosen once per command or request.

Code holds English and wraps it in `_`; the catalogues under `harness/locale/` hold the other languages (gettext's own
form, so that any translator's tool reads them). Nothing else in Evenbench asks which language it speaks.

What is found out far from a reader travels as `Words`: a message that is whole, or a `Sentence` with its fields apart.
It is put together where it is read, by `said`, and in records too, in English, with the `Sentence` beside it.
"""

import gettext
import locale
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from harness.errors import EvenbenchError, unknown_name

LANGUAGES = ("en", "zh")
"""The first is the language of the code, and the one of those who ask for none that is here."""
DOMAIN = "evenbench"
CATALOGUES = Path(__file__).parent / "locale"
OWN_WORDS = ("kind", "what", "less", "metric")
"""Fields that hold words of the code, and no names or paths."""
SENTENCES = ("hint", "remedy", "reason", "problem", "told_by", "first", "second")
"""Fields that hold what somebody else said, of the code or not."""

_language: ContextVar[str] = ContextVar("language", default=LANGUAGES[0])


def _(message: str) -> str:
    """Return a message in the language in use; fill its fields in afterwards, by `.format`."""
    return _catalogue(_language.get()).gettext(message) if message else message


def ngettext(one: str, many: str, count: int) -> str:
    """Return the one of two messages that goes with a count, in the language in use."""
    return _catalogue(_language.get()).ngettext(one, many, count)


def noop(message: str) -> str:
    """Return the message as it is, marked for the catalogue: `_` looks it up when it is shown."""
    return message


@dataclass(frozen=True, init=False)
class Sentence:
    """A message and what is filled into it, kept apart until somebody reads it; as a string it is English.

    The twin of `EvenbenchError`, which is raised. What JSON cannot hold of the fields is kept as text. No Struct, since
    `evenbench --help` speaks too, and imports no msgspec.
    """

    message: str
    fields: "dict[str, Sentence | str | int | float]"

    def __init__(self, message: str, /, **fields: object) -> None:
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "fields", {name: _kept(value) for name, value in fields.items()})

    @classmethod
    def of(cls, error: EvenbenchError) -> "Sentence":
        """Return what an error says, to be kept."""
        return cls(error.message, **error.fields)

    def __str__(self) -> str:
        return _filled(self.message, self.fields)


Words = Sentence | str
"""What is said: a `Sentence`, or a message that has no fields, marked by `noop`."""


def joined(parts: Iterable[Words], between: str = noop("{first}; {second}")) -> Words:
    """Return sentences as one, each two put into `between`; nothing for none of them."""
    whole, *others = (*parts,) or ("",)
    for part in others:
        whole = Sentence(between, first=whole, second=part)
    return whole


class Told(TypedDict):
    """How a record holds what is said: finished, and the sentence that it was made of, where there is one."""

    reason: str
    said: Sentence | None


def told(words: Words) -> Told:
    """Return the two fields of a record that say why."""
    return {"reason": str(words), "said": words if isinstance(words, Sentence) else None}


def finished(words: Mapping[str, Words]) -> dict[str, str]:
    """Return the English texts of several reasons, by the same names."""
    return {name: str(one) for name, one in words.items()}


def apart(words: Mapping[str, Words]) -> dict[str, Sentence]:
    """Return those of several reasons that have fields, by the same names."""
    return {name: one for name, one in words.items() if isinstance(one, Sentence)}


def plain(value: Any) -> Any:
    """Return data for other programs, in which every sentence is its English text and stands but once."""
    if isinstance(value, Sentence):
        return str(value)
    if names := getattr(value, "__struct_fields__", None):
        return {name: plain(getattr(value, name)) for name in names if name != "said"}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def said(words: EvenbenchError | Words, look_up: Callable[[Words], str] | None = None) -> str:
    """Return a sentence in the language in use, with the words in it.

    Args:
        words: what is said.
        look_up: says the sentences in it, and the text in its fields of `SENTENCES`; None: as this function does.
    """
    if isinstance(words, str):
        return _(words)
    inner = look_up or said
    fields: dict[str, object] = dict(words.fields)
    for name, value in fields.items():
        if isinstance(value, EvenbenchError):
            fields[name] = said(value, look_up)
        elif isinstance(value, Sentence) or (name in SENTENCES and isinstance(value, str)):
            fields[name] = inner(value)
        elif name in OWN_WORDS and isinstance(value, str):
            fields[name] = _(value)
    return _filled(_(words.message), fields) if fields else _(words.message)


class _Word(str):
    """Text that fits where a number was expected: the one that was not finite, or that another version wrote."""

    def __format__(self, form: str) -> str:
        try:
            return super().__format__(form)
        except ValueError:
            return str(self)


def _filled(message: str, fields: Mapping[str, object]) -> str:
    if not fields:
        return message
    return message.format(**{name: _Word(v) if isinstance(v, str) else v for name, v in fields.items()})


def _kept(value: object) -> Sentence | str | int | float:
    if isinstance(value, EvenbenchError):
        return Sentence.of(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return value if isinstance(value, Sentence | int) and not isinstance(value, bool) else str(value)


def is_translated(message: str) -> bool:
    """Return whether the catalogue in use has this message; the language of the code has all."""
    return not message or _language.get() == LANGUAGES[0] or _(message) != message


def current() -> str:
    """Return the language in use, as HTML and BCP 47 write it."""
    return _language.get()


@contextmanager
def use(language: str) -> Iterator[None]:
    """Speak a language inside the `with` block.

    Raises:
        UsageError: it is none of `LANGUAGES`.
    """
    token = _language.set(check(language))
    try:
        yield
    finally:
        _language.reset(token)


def speak(language: str) -> None:
    """Speak a language from now on, until the end of the `use` block that this is called in.

    Raises:
        UsageError: it is none of `LANGUAGES`.
    """
    _language.set(check(language))


def check(language: str) -> str:
    """Return the language, or raise the UsageError that lists those that there are."""
    if language not in LANGUAGES:
        raise unknown_name("language", language, LANGUAGES)
    return language


def of_the_user() -> str:
    """Return the language that the locale's variables ask for, in the order that gettext reads them."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for name in os.environ.get(variable, "").split(":"):
            found = (locale.normalize(name).split("_")[0] if name else "").lower()
            if found in LANGUAGES:
                return found
            if found in ("c", "posix") or (variable != "LANGUAGE" and found):
                return LANGUAGES[0]
    return LANGUAGES[0]


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, [language], fallback=True)
