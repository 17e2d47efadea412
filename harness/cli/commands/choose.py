"""The command `evenbench choose`: a decision by weighted needs, printed."""

from typing import Any

import click

from harness.cli.options import filled, json_option, print_json, results_option
from harness.language import _


@click.command()
@click.argument("study", required=False)
@click.option(
    "--for",
    "wanted",
    callback=filled,
    metavar="NEEDS",
    help="course, team, or the path of a TOML file with weights and limits.  [default: course and team, in short]",
)
@click.option("--explain", is_flag=True, help="Show what was measured, every value, weight and contribution.")
@results_option
@json_option
def choose(study: str | None, wanted: str | None, **asked: Any) -> int:
    """Choose a framework by weighted needs from what STUDY measured.

    The uncertainty of the measurements is carried through: the answer is the probability of being the best, and what
    cannot be told apart is called a tie. Says which measurement decided, how far one weight would have to move to
    change the order, and which task would change it if it were left out. Without STUDY: from the newest one. Without
    --for: the answers for the course and the team in short. Ends with 1 if nothing can be chosen.
    """
    from harness.records import studies
    from reports.choose import needs
    from reports.choose.choose import choose as decide
    from reports.statistics.study import StudyRead

    wishes = [needs.read(name) for name in ((wanted,) if wanted else needs.shipped())]
    folder = studies.newest(asked["results"]) if study is None else studies.find(study, asked["results"])
    read = StudyRead.of(folder, for_pictures=False)
    for damaged in read.loaded.damaged:
        click.echo(_("{path} was left out: {reason}").format(path=damaged.path, reason=damaged.reason), err=True)
    choices = [decide(read, wish) for wish in wishes]
    if asked["as_json"]:
        print_json(choices[0] if wanted else {choice.needs.name: choice for choice in choices})
    else:
        from rich.console import Console

        from reports.formats import choice_terminal

        for choice in choices:
            choice_terminal.show(choice, Console(), explain=asked["explain"], in_short=wanted is None)
        if wanted is None:
            commands = (f"`evenbench choose --for {choice.needs.name}`" for choice in choices)
            click.echo(_("All of one answer: {commands}").format(commands=", ".join(commands)), err=True)
    return 1 if any(choice.verdict == "none" for choice in choices) else 0
