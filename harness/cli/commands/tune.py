"""The command `evenbench tune`: search, prove, store a profile, show what was tried."""

import math
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from harness.cli.choices import choice_options, find_choices, find_interpreters, find_tasks, folder
from harness.cli.devices import those_with_a_device
from harness.cli.names import with_words
from harness.cli.options import data_dir_option, filled, json_option, print_json
from harness.language import _, noop, plain, said

if TYPE_CHECKING:
    from harness.runs.profiles import Profile, Trial
    from harness.runs.tune_trials import Cell

MOST_DISTURBED = 0.2
"""Share of a trial's blocks that others may disturb before it is said."""


def finite_and_above_0(_context: click.Context, parameter: click.Parameter, given: float) -> float:
    """Return a number of seconds that a search can keep to and a profile can hold, or raise a UsageError."""
    from harness.errors import UsageError

    if not 0 < given < math.inf:
        raise UsageError(
            "{option} is a finite number of seconds above 0, but is {given:g}", option=parameter.opts[0], given=given
        )
    return given


@click.command()
@choice_options
@click.option(
    "--preset", default="quick", show_default=True, callback=filled, help="Size of the tasks that is tuned for."
)
@click.option(
    "--budget-s",
    type=float,
    callback=finite_and_above_0,
    default=300.0,
    show_default=True,
    help="Seconds for each task, backend, device and mode; the deciding repeats are made in full, if need be beyond.",
)
@data_dir_option
@json_option
def tune(**asked: Any) -> int:
    """Search the settings that make a backend fastest on this machine.

    Every trial is a worker of its own; a new best is proven equal to the reference with its settings in force; stock
    and the finalists are run again in turn. What wins is stored as a profile of this machine, for one task, preset,
    backend, device and mode: `evenbench run --profile both` runs it beside stock.
    """
    from harness.registry import knobs
    from harness.runs.tune import cells, refuse_set_variables

    asked = with_words(asked)
    tasks = find_tasks(asked["tasks"])
    choices, named = find_choices(asked["backends"], asked["devices"], asked["modes"], warn=say)
    found = find_interpreters(choices, asked["pythons"], named=named, warn=say)
    choices = those_with_a_device(choices, found, asked["devices"], warn=say)
    for backend in dict.fromkeys(choice.backend for choice in choices):
        refuse_set_variables(knobs(backend))
    profiles: list[Profile] = []
    for cell in cells(tasks, choices, asked["preset"], found, data_dir=folder(asked["data_dir"])):
        profiles.append(search(cell, budget_s=asked["budget_s"]))
        if not asked["as_json"]:
            show(profiles[-1])
    if asked["as_json"]:
        print_json(plain(profiles))
    return 1 if any(profile.trials[0].why_not for profile in profiles) else 0


def say(text: str) -> None:
    """Tell the person at the terminal something."""
    click.echo(text, err=True)


def search(cell: "Cell", *, budget_s: float) -> "Profile":
    """Search one cell and store its profile; when interrupted, show what is known and store nothing."""
    from harness.registry import knobs
    from harness.runs import profiles
    from harness.runs.tune import profile_of, search_of

    choice = cell.choice
    name = f"{cell.task.name} {choice.backend} {choice.device} {choice.mode}"
    found = search_of(cell, knobs(choice.backend), budget_s=budget_s, tell=lambda words: say(f"{name} {said(words)}"))
    try:
        profile = profile_of(cell, found)
    except KeyboardInterrupt:
        say(_("stopped; no profile is written for {name}, this is what was tried:").format(name=name))
        table(name, found.trials, to_stderr=True)
        raise
    if not profile.trials[0].why_not:
        say(_("the profile is in {file}").format(file=profiles.write(profile)))
    return profile


def show(profile: "Profile") -> None:
    """Print the trials, best first, and the winner."""
    from harness.knobs import label

    table(f"{profile.task} {profile.backend} {profile.device} {profile.mode}", profile.trials)
    noted = [trial.disturbed for trial in profile.trials if trial.disturbed is not None]
    lines = [_("winner: {settings}").format(settings=label(profile.settings)), said(profile.verdict)]
    if noted and max(noted) > MOST_DISTURBED:
        lines.append(_("Others used this machine meanwhile: what is fast on a busy machine may not be on a quiet one."))
    lines.append("")
    click.echo("\n".join(wrapped for line in lines for wrapped in _wrapped(line)))


def table(name: str, trials: "Iterable[Trial]", *, to_stderr: bool = False) -> None:
    """Print trials, best first: those that were run again, then by the search, those out of the question last."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from harness.knobs import label
    from reports.words.wide_text import Words

    title = _("{name}: trials").format(name=name)
    shown = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
    for heading in (noop("search"), noop("again"), noop("parity")):
        shown.add_column(_(heading), justify="right", no_wrap=True)
    shown.add_column(_("settings"), overflow="fold")
    for trial in sorted(trials, key=lambda t: (bool(t.why_not), not t.repeats, -(t.rate() or 0.0))):
        rate = "-" if trial.examples_per_s is None else f"{trial.examples_per_s:,.0f}"
        again = f"{min(trial.repeats):,.0f}–{max(trial.repeats):,.0f}" if trial.repeats else "-"
        proven = "-" if not trial.parity else _("pass") if trial.parity == "pass" else _("FAIL")
        reason = f"\n{said(trial.why_not)}" if trial.why_not else ""
        shown.add_row(rate, again, proven, Words(label(trial.settings) + reason))
    console = Console(stderr=to_stderr)
    console.print(shown)
    sentence = _("examples/s: in the search; slowest to fastest when run again in turn with stock")
    console.print(sentence, highlight=False)


def _wrapped(line: str) -> list[str]:
    """Return a sentence as lines for a terminal."""
    from reports.words.line_breaks import is_wide
    from reports.words.line_breaks import lines as broken

    return (broken(line, 80) if is_wide(line) else textwrap.wrap(line, 80)) or [""]
