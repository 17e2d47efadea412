"""The help of the command line in the language in use.

Commands and options are written in plain English, where they are defined. What is shown is a copy of them, every
paragraph looked up in the catalogue; lines are broken by the cells that a terminal needs, of which a Chinese character
takes two. The words of click itself come from the same catalogue, by the way that gettext has for that.
"""

import gettext
import inspect
import os
from collections.abc import Iterable, Iterator
from copy import copy
from typing import TypeVar

import click

from harness.language import CATALOGUES, DOMAIN, _, noop
from reports.words.line_breaks import is_wide, lines

C = TypeVar("C", bound=click.Command)

OF_CLICK = (
    noop("Usage:"),
    noop("Options"),
    noop("Commands"),
    noop("Show this message and exit."),
    noop("Show the version and exit."),
    noop("Try '{command} {option}' for help."),
    noop("Error: {message}"),
    noop("default: {default}"),
    noop("required"),
    noop("No such option {name!r}."),
    noop("No such command {name!r}."),
    noop("Missing command."),
    noop("Missing argument"),
    noop("Missing option"),
    noop("Invalid value: {message}"),
    noop("Invalid value for {param_hint}: {message}"),
    noop("{value!r} is not a valid {number_type}."),
    noop("{value} is not in the range {range}."),
)
"""Words and sentences of click that a person meets here."""
OF_CLICK_COUNTED = (("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),)
"""Those for one thing and for several."""


class Formatter(click.HelpFormatter):
    """Writes help whose characters are not all of one width."""

    def write_text(self, text: str) -> None:
        """Write paragraphs, broken into lines."""
        if not is_wide(text):
            super().write_text(text)
            return
        width = max(self.width - self.current_indent, 11)
        broken = [" " * self.current_indent + line for part in paragraphs(text, "\n\n") for line in lines(part, width)]
        self.write("\n".join(broken) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names, each with its explanation beside it, or below it where the name is long."""
        found = list(rows)
        if not any(is_wide(text) for _name, text in found):
            super().write_dl(found, col_max, col_spacing)
            return
        column = min(max(len(name) for name, _text in found), col_max) + col_spacing
        first, rest = " " * self.current_indent, " " * (self.current_indent + column)
        for name, text in found:
            broken = lines(" ".join(text.split()), max(self.width - len(rest), 10))
            fits = len(name) <= column - col_spacing
            self.write(f"{first}{name:{column}}{broken.pop(0)}\n" if fits and broken else f"{first}{name}\n")
            self.write("".join(f"{rest}{line}\n" for line in broken))


class Context(click.Context):
    """A context whose help is written by `Formatter`."""

    formatter_class = Formatter


def paragraphs(text: str | None, between: str = "\n\n") -> Iterator[str]:
    """Yield the paragraphs of a help text, each as one line: the messages of the catalogue."""
    for part in inspect.cleandoc(text or "").split("\f")[0].split(between):
        if words := part.split():
            yield " ".join(words)


def said(text: str | None) -> str | None:
    """Return a help text in the language in use; one that is not in the catalogue comes back as it is."""
    found = list(paragraphs(text))
    looked_up = list(map(_, found))
    return text if looked_up == found else "\n\n".join(looked_up)


def translated(command: C) -> C:
    """Return a copy of a command, and of all below it, whose help is in the language in use."""
    shown = copy(command)
    shown.context_class = Context
    shown.help, shown.short_help = said(command.help), said(command.short_help)
    shown.params = [_parameter(parameter) for parameter in command.params]
    if isinstance(shown, click.Group):
        shown.commands = {name: translated(below) for name, below in shown.commands.items()}
    return shown


def _parameter(parameter: click.Parameter) -> click.Parameter:
    if not isinstance(parameter, click.Option):
        return parameter
    shown = copy(parameter)
    shown.help = said(parameter.help)
    return shown


def make_click_speak(language: str) -> None:
    """Let click say its own words in a language.

    They come from the process's own catalogue, which gettext finds by the variable LANGUAGE; workers do not inherit it.
    """
    gettext.bindtextdomain(DOMAIN, str(CATALOGUES))
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = language
