"""The command `evenbench parity`: the proof, printed."""

from typing import TYPE_CHECKING, Any

import click

from harness.cli.choices import choice_options, find_choices, find_interpreters, find_tasks
from harness.cli.devices import those_with_a_device
from harness.cli.names import with_words
from harness.cli.options import filled, json_option, print_json
from harness.language import _, noop, plain, said
from harness.parity.levels import LEVELS

if TYPE_CHECKING:
    from harness.parity.levels import Parity


HEADINGS = {"parameters": noop("params"), "gradients": noop("grads")}
LEVELS_SHOWN = (
    noop("parameters"), noop("forward"), noop("loss"), noop("gradients"), noop("update"), noop("stages"),
    noop("losses"),
)  # fmt: skip


@click.command()
@choice_options
@click.option(
    "--preset",
    default="quick",
    show_default=True,
    callback=filled,
    help="Whose model and optimizer are checked: smoke, quick, full or a task's own.",
)
@click.option("--fresh", is_flag=True, help="Compute everything anew; do not use a remembered pass.")
@json_option
def parity(**asked: Any) -> int:
    """Prove that backends compute the same as the reference.

    Hands the same weights and mini-batches to the float64 reference and to every backend, and compares parameters,
    outputs, loss, gradients, one optimizer step and the losses of 20 steps. Without --mode: in every mode. Ends with 1
    if one fails; where a mode or device was named, or all refuse the task, a refusal counts as one.
    """
    from harness.runs.parity import Checker

    def warn(text: str) -> None:
        click.echo(text, err=True)

    asked = with_words(asked)
    tasks = find_tasks(asked["tasks"])
    choices, named = find_choices(asked["backends"], asked["devices"], asked["modes"] or ("all",), warn=warn)
    interpreters = find_interpreters(choices, asked["pythons"], named=named, warn=warn)
    for task in tasks:
        task.preset(asked["preset"])
    choices = those_with_a_device(choices, interpreters, asked["devices"], warn=warn)
    checker = Checker(remember=not asked["fresh"])
    verdicts = []
    for task in tasks:
        for choice in choices:
            click.echo(f"{task.name} {choice.backend} {choice.device} {choice.mode} ...", err=True)
            verdicts.append(
                checker.check(
                    task.at(asked["preset"]),
                    task.preset(asked["preset"]),
                    choice,
                    interpreters[choice.backend, choice.device],
                )
            )
    _print_json(verdicts) if asked["as_json"] else _print_table(verdicts)
    named_one = bool(asked["modes"] or asked["devices"])
    return (
        0 if any(v.passed for v in verdicts) and all(v.passed or (v.refused and not named_one) for v in verdicts) else 1
    )


def _print_json(verdicts: "list[Parity]") -> None:
    print_json(plain(verdicts))


def _print_table(verdicts: "list[Parity]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    devices = list(dict.fromkeys(v.device for v in verdicts))
    several = len(devices) > 1
    for task in dict.fromkeys(v.task for v in verdicts):
        own = [v for v in verdicts if v.task == task]
        table = Table(
            title=_("{task}: largest error per level").format(task=task)
            if several
            else _("{task}: largest error per level, on {device}").format(task=task, device=devices[0]),
            box=SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            title_justify="left",
        )
        for heading in (noop("backend"), noop("on"), noop("mode")) if several else ("backend", "mode"):
            table.add_column(_(heading), no_wrap=True)
        levels = [level for level in LEVELS if any(level in v.levels for v in own)]
        for level in levels:
            table.add_column(_(HEADINGS.get(level, level)), justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for v in own:
            cells = [_cell(v, level) for level in levels]
            table.add_row(v.backend, *([v.device] if several else []), v.mode, *cells, _word(v))
        console.print(table)
    tolerances = {name: level.tolerance for v in verdicts for name, level in v.levels.items()}
    if tolerances:
        allowed = _(", ").join(f"{_(name)} {t:.0e}" for name, t in tolerances.items())
        console.print(_("allowed: {tolerances}").format(tolerances=allowed), highlight=False)
    for v in verdicts:
        if summary := v.summary():
            console.print(Text(f"{v.task} {v.backend} {v.device} {v.mode}: {said(summary)}"))


def _word(verdict: "Parity") -> Any:
    from rich.text import Text

    if verdict.refused:
        return Text(_("refused"), style="yellow")
    return Text(_("pass"), style="green") if verdict.passed else Text(_("FAIL"), style="bold red")


def _cell(verdict: "Parity", level: str) -> Any:
    from rich.text import Text

    if level not in verdict.levels:
        return "-"
    found = verdict.levels[level]
    text = _("differs") if found.error is None else ("0" if found.error == 0 else f"{found.error:.0e}")
    return Text(text, style="" if found.passed else "bold red")
