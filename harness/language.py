"""The language of what a person reads: messages from catalogue files, chosen once per command or request.

Code holds English and wraps it in `_`; the catalogues under `harness/locale/` hold the other languages (gettext's own
form, so that any translator's tool reads them). Nothing else in Evenbench asks which language it speaks. Text that
stands in a record is data: it is looked up like any message, and shown as it is where the catalogue lacks it.
"""

import gettext
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from harness.errors import EvenbenchError, unknown_name

LANGUAGES = ("en", "zh")
"""The first is the language of the code, and the one of those who ask for none that is here."""
DOMAIN = "evenbench"
CATALOGUES = Path(__file__).parent / "locale"
OWN_WORDS = ("kind", "what", "hint", "remedy", "reason", "problem", "told_by", "less")
"""Fields of errors that hold words of the code, and no names or paths."""

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


def said(error: EvenbenchError) -> str:
    """Return the sentence of an error in the language in use; what its fields of `OWN_WORDS` hold is looked up too."""
    fields = dict(error.fields)
    for name, value in fields.items():
        if isinstance(value, EvenbenchError):
            fields[name] = said(value)
        elif name in OWN_WORDS and isinstance(value, str):
            fields[name] = _(value)
    return _(error.message).format(**fields) if fields else _(error.message)


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
