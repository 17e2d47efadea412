"""The command `evenbench power`: how many repeats would show a difference, by the spread of a study."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import json_option, print_json, results_option
from harness.cli.quantities import parse_share
from harness.errors import UsageError
from harness.language import _, noop
from harness.records.next_command import next_command

if TYPE_CHECKING:
    from reports.statistics.power import Need, Reachable, Repeats
    from reports.statistics.sessions import Session


@click.command()
@click.argument("names", metavar="[STUDY]...", nargs=-1)
@click.option(
    "--difference", default="5%", show_default=True, metavar="SHARE", help="Difference to be shown: 5% or 0.05."
)
@click.option(
    "--power", default="0.8", show_default=True, metavar="SHARE", help="Share of the studies that would show it."
)
@results_option
@json_option
def power(names: tuple[str, ...], difference: str, power: str, results: Path, as_json: bool) -> None:
    """Say how many repeats each pair of rows needs, by the spread in STUDY (without it: the newest one).

    Of several studies of one machine it says too how far ratios move from one to another.
    """
    wanted = parse_share("--difference", difference, most=10.0)
    target = parse_share("--power", power, most=1.0)
    from harness.records import studies
    from reports.content.next_steps import again
    from reports.statistics.power import needs, reachable
    from reports.statistics.sessions import sessions
    from reports.statistics.study import StudyRead

    here = results
    folders = list(dict.fromkeys(studies.find(name, here).resolve() for name in names)) or [studies.newest(here)]
    folder = folders[0]
    every = [StudyRead.of(one, for_pictures=False) for one in folders]
    read, groups = every[0], every[0].groups
    machines = dict.fromkeys(record.machine.cpu for one in every for record in one.loaded.records)
    if len(every) > 1 and len(machines) > 1:  # of a merged study, rows of several are not compared anyway
        raise UsageError(
            "these studies are of several processors ({machines}), whose ratios differ for that alone: name studies of "
            "one machine",
            machines=", ".join(map(str, machines)),
        )
    found = needs(groups, ratio=1 + wanted, power=target)
    if not found.pairs:
        raise UsageError(
            "study {study} has no two comparable rows of at least two processes each, so no spread "
            "is known: `{command}` makes them",
            study=folder.resolve().name,
            command=next_command("run", "--repeats", "3", results=here),
        )
    if as_json:
        facts = {"study": folder.resolve().name, "repeats": found.repeats(), "needs": found}
        print_json(facts | ({"sessions": sessions([one.groups for one in every])} if len(every) > 1 else {}))
        return
    _show(found)
    if len(every) > 1:
        _show_sessions(sessions([one.groups for one in every]))
    if within_reach := reachable(groups, target):
        command = next_command(*again(read.loaded, groups), "--repeats", str(within_reach.repeats), results=here)
        _suggest(within_reach, command)


def _show_sessions(found: "Sequence[Session]") -> None:
    """Say how far ratios move from study to study."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from reports.words import text
    from reports.words.wide_text import Words

    console = Console()
    if not found:
        console.print(
            _("No pair of rows took turns in two of these studies, so that no spread over sessions is known.")
        )
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for header in (noop("pair"), noop("ratio, study by study"), noop("over sessions")):
        table.add_column(_(header), overflow="fold")
    for one in found:
        pair = f"{one.table}: {one.a} / {one.b}"
        table.add_row(Words(text.printable(pair)), ", ".join(map(text.ratio, one.ratios)), text.percent(one.sd_log))
    console.print(Words(""))
    console.print(table)


def _suggest(found: "Reachable", command: str) -> None:
    """Say what a few more repeats would show of the pairs that are open, which is what a person can act on."""
    sentence = _("Within reach: {repeats} repeats show {ratio}× of every open pair: {command}")
    click.echo(sentence.format(repeats=found.repeats, ratio=f"{found.ratio:g}", command=command))


def _show(found: "Repeats") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.words import text
    from reports.words.wide_text import Words

    console = Console()

    def plain(words: str) -> Text:
        return Words(text.printable(words))

    sentence = _("Repeats that show a ratio of {ratio}× in {power} of the studies")
    console.print(plain(sentence.format(ratio=text.number(found.ratio), power=text.percent(found.power, 0))))
    for title in dict.fromkeys(need.table for need in found.pairs):
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
        for header in (noop("row"), noop("against")):
            table.add_column(_(header), overflow="fold")
        for header in (noop("spread"), noop("repeats"), noop("could show"), noop("needs")):
            table.add_column(_(header), justify="right")
        for need in (need for need in found.pairs if need.table == title):
            repeats = dict.fromkeys((need.processes_a, need.processes_b))
            table.add_row(
                plain(need.a),
                plain(need.b),
                _spread(need),
                _(" and ").join(map(str, repeats)),
                text.ratio(need.smallest_ratio),
                _needs(need),
            )
        console.print(Text(""))
        console.print(plain(title), style="bold")
        console.print(table)
    console.print(Text(""))
    console.print(
        plain(
            _(
                "For every pair: {repeats} repeats. Level {level}: 5 % over {pairs} pairs, Holm's strictest. "
                "The spread (of a process's seconds, pooled) comes from few processes and is itself uncertain."
            ).format(
                repeats=_repeats(found.repeats(), found.pairs), level=text.number(found.alpha), pairs=len(found.pairs)
            )
        )
    )
    for row in found.left_out:
        click.echo(_("left out, for one process has no spread: {row}").format(row=text.printable(row)), err=True)


def _spread(need: "Need") -> str:
    """Return how far a pair spreads; of rows in turns also from turn to turn, and from round to round alone."""
    from reports.words import text

    if need.turn_sd is None or need.round_sd is None:
        return text.percent(need.sd_log)
    return _("{spread} (turns {turns}, rounds {rounds})").format(
        spread=text.percent(need.sd_log), turns=text.percent(need.turn_sd), rounds=text.percent(need.round_sd)
    )


def _needs(need: "Need") -> str:
    """Return how many repeats a pair needs, and how long these take where that is known."""
    if need.minutes is None:
        return _repeats(need.repeats, (need,))
    return _("{repeats} ({minutes:.0f} min)").format(repeats=_repeats(need.repeats, (need,)), minutes=need.minutes)


def _repeats(count: int | None, pairs: "Sequence[Need]") -> str:
    """Return the number of repeats that some pairs need, or how far they were counted: rounds less far."""
    from reports.statistics.looks import MOST_ROUNDS_NEEDED
    from reports.statistics.methods import MOST_REPEATS

    if count is not None:
        return f"{count:,}"
    in_turns = any(need.round_sd is not None and need.repeats is None for need in pairs)
    return _("over {count:,}").format(count=MOST_ROUNDS_NEEDED if in_turns else MOST_REPEATS)
