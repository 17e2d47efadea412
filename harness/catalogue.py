"""What the catalogues are made of: Babel's extractor for the command line's files, whose help texts are messages too.

`make catalogue` calls it, by the table `[tool.babel]` in pyproject.toml. Nothing here runs when Evenbench does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import click

from harness import cli_report, registry
from harness.cli_help import paragraphs


def extract(
    file: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield the messages of one of the command line's files: those in its code, and the help of its commands.

    The summaries of the tasks are with the commands that list them.
    """
    from babel.messages.extract import extract_python

    found: Iterable[Any] = extract_python(file, keywords, comment_tags, options)
    yield from (tuple(message[:4]) for message in found)
    module = import_module(f"harness.{Path(file.name).stem}")
    commands = [value for value in vars(module).values() if isinstance(value, click.Command)]
    listed = (said for _module, _name, said in getattr(module, "COMMANDS", {}).values())
    summaries = [registry.task(name).summary for name in registry.task_names()] if module is cli_report else []
    yield from ((1, "_", text, []) for text in dict.fromkeys([*listed, *help_of(commands), *summaries]))


def help_of(commands: Iterable[click.Command]) -> Iterator[str]:
    """Yield every paragraph of help of these commands and of those below them."""
    for command in commands:
        yield from paragraphs(command.help)
        yield from paragraphs(command.short_help)
        for parameter in command.params:
            yield from paragraphs(getattr(parameter, "help", None))
        if isinstance(command, click.Group):
            yield from help_of(command.commands.values())
