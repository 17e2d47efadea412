"""Keeps the catalogues with the code: `make catalogue` collects its messages, merges them into each, and compiles it.

What is new stands in the catalogue without a translation until somebody writes one, and the tests fail until then.
Nothing here runs when Evenbench does; Babel is needed for development only.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import click

from harness import registry
from harness.cli import help
from harness.cli.commands import list as list_tasks
from harness.cli.help import OF_CLICK_COUNTED, paragraphs
from harness.language import CATALOGUES, DOMAIN, LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("harness", "reports", "backends", "tasks")
METHODS = [
    ("cli/**.py", "harness.cli.translations:extract"),
    ("**.py", "python"),
    ("**.html.j2", "jinja2"),
]
"""Which files of these folders hold messages, and what finds them; the first pattern that fits is a file's own."""
ERRORS = ("UsageError", "DataError", "EnvironmentFailure", "StoreError", "unknown_name")
"""What makes errors, whose first argument is a message; `Sentence` makes sentences of one."""
KEYWORDS: dict[str, Any] = {"_": None, "ngettext": (1, 2), "noop": None} | dict.fromkeys((*ERRORS, "Sentence"), (1,))


def path_of(language: str) -> Path:
    """Return the catalogue of a language, as translators write it; the compiled one lies beside it."""
    return CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def messages() -> Any:
    """Return a catalogue of all messages of the code, in the order of folders and files, without translations."""
    from babel.messages.catalog import Catalog
    from babel.messages.extract import extract_from_dir

    found = Catalog(domain=DOMAIN)
    for folder in FOLDERS:
        for file, _line, message, *_rest in extract_from_dir(ROOT / folder, METHODS, keywords=KEYWORDS):
            found.add(message, locations=[(f"{folder}/{file}", 0)])
    return found


def merged(language: str) -> Any:
    """Return the catalogue of a language with exactly the messages of the code."""
    from babel.messages.pofile import read_po

    with path_of(language).open("rb") as file:
        found = read_po(file, locale=language, domain=DOMAIN)
    template = messages()
    template.creation_date = found.creation_date  # it says nothing, and would change every time
    found.update(template, no_fuzzy_matching=True)
    return found


def write(language: str) -> list[str]:
    """Merge and compile the catalogue of a language, and return the messages that it does not translate."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import write_po

    found = merged(language)
    path = path_of(language)
    with path.open("wb") as file:
        write_po(file, found, width=0, ignore_obsolete=True, include_lineno=False)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, found)
    return [str(message.id) for message in found if message.id and not message.string]


def extract(
    file: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield the messages of one of the command line's files: those in its code, and the help of its commands.

    The summaries of the tasks are with the commands that list them.
    """
    from babel.messages.extract import extract_python

    found: Iterable[Any] = extract_python(file, keywords, comment_tags, options)
    yield from (tuple(message[:4]) for message in found)
    module = import_module(".".join(Path(file.name).resolve().relative_to(ROOT).with_suffix("").parts))
    commands = [value for value in vars(module).values() if isinstance(value, click.Command)]
    counted = OF_CLICK_COUNTED if module is help else ()
    yield from ((1, "ngettext", both, []) for both in counted)
    summaries = [registry.task(name).summary for name in registry.task_names()] if module is list_tasks else []
    yield from ((1, "_", text, []) for text in dict.fromkeys([*help_of(commands), *summaries]))


def help_of(commands: Iterable[click.Command]) -> Iterator[str]:
    """Yield every paragraph of help of these commands and of those below them."""
    for command in commands:
        yield from paragraphs(command.help)
        yield from paragraphs(command.short_help)
        for parameter in command.params:
            yield from paragraphs(getattr(parameter, "help", None))
        if isinstance(command, click.Group):
            yield from help_of(command.commands.values())


if __name__ == "__main__":
    for language in LANGUAGES[1:]:
        for message in write(language):
            click.echo(f"{path_of(language)} does not translate: {message}")
