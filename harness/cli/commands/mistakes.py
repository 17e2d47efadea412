"""The command `evenbench mistakes`: what the frameworks say of students' typical mistakes, printed."""

from typing import TYPE_CHECKING, Any

import click

from harness.cli.choices import find_choices, find_interpreters, where_options
from harness.cli.devices import those_with_a_device
from harness.cli.names import with_words
from harness.cli.options import json_option, print_json
from harness.language import _
from harness.mistakes import clarity, ending
from reports.words.text import printable, seconds

if TYPE_CHECKING:
    from harness.record import Mistake

MOST_SHOWN = 160
"""Characters of a message in the table; --json shows all that is kept."""


@click.command()
@where_options
@click.option("--fresh", is_flag=True, help="Make the mistakes anew; do not use remembered answers.")
@json_option
def mistakes(**asked: Any) -> int:
    """Show what the frameworks say of students' typical mistakes.

    Each mistake is one training step of a small LeNet in the framework's default mode, in a process of its own: wrong
    input size, missing channel axis, label out of range, float labels, wrong dtype, NaN input. Ends with 1 if one
    could not be observed.
    """
    from harness.runs.execute import available_cores
    from harness.runs.mistakes import provoke

    def talk(text: str) -> None:
        click.echo(text, err=True)

    asked = with_words(asked)
    choices, named = find_choices(asked["backends"], asked["devices"], ("default",), warn=talk)
    interpreters = find_interpreters(choices, asked["pythons"], named=named, warn=talk)
    here = dict.fromkeys(
        (choice.backend, choice.device)
        for choice in those_with_a_device(choices, interpreters, asked["devices"], warn=talk)
    )
    found = {
        f"{backend} {device}": provoke(
            backend, device, interpreters[backend, device], available_cores(), remember=not asked["fresh"], say=talk
        )
        for backend, device in here
    }
    _print_json(found) if asked["as_json"] else _print_table(found)
    return 1 if any(one.reason and not one.died for made in found.values() for one in made) else 0


def _print_json(found: "dict[str, tuple[Mistake, ...]]") -> None:
    from harness.language import plain

    answers = {
        name: {
            "clear_messages": clarity(made),
            "mistakes": [plain(one) | {"ending": ending(one)} for one in made],
        }
        for name, made in found.items()
    }
    print_json(answers)


def _print_table(found: "dict[str, tuple[Mistake, ...]]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.content.mistakes import clear_messages, ending_word, overview, said, title
    from reports.formats.terminal import figures

    console = Console()
    for part in figures(overview(found)):
        console.print(part)
    for name, made in found.items():
        console.print(Text(clear_messages(name, made)))
    for name, made in found.items():
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=Text(name), title_justify="left")
        for heading in (_("mistake"), _("what came"), _("s"), _("what was said")):
            table.add_column(heading, overflow="fold")
        for one in made:
            shown = (title(one), ending_word(one), seconds(one.seconds), printable(said(one), MOST_SHOWN))
            table.add_row(*map(Text, shown))
        console.print(table)
