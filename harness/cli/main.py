"""The command `evenbench`: the only place that prints to the user and decides the exit code.

0: all well. 1: a run or a check failed. 2: the call was wrong, or what it was to print could not be written. 3: nothing
could be shown. Commands are imported only when they are called, so that `--help` answers at once.
"""

import os
import re
import sys
from importlib import import_module
from typing import Any

import click

from harness import __version__, language
from harness.cli import streams
from harness.cli.help import Context, make_click_speak, translated
from harness.environments.siblings import strangers
from harness.environments.signals import Ending
from harness.errors import EvenbenchError, UsageError, nearest, why
from harness.language import _, noop

COMMANDS = {
    "run": noop("Run tasks on backends, measure them and compare."),
    "tune": noop("Search the settings that make a backend fastest on this machine."),
    "report": noop("Show the comparison of a study."),
    "compare": noop("Compare two studies: versions, machines, commits."),
    "merge": noop("Join studies of several machines in one."),
    "serve": noop("Show all studies on a local, read-only web page."),
    "submit": noop("Hand a study in to a teacher who collects."),
    "power": noop("Say how many repeats would show a difference."),
    "show": noop("Show all that is known of one run."),
    "list": noop("List the tasks, the backends and the studies."),
    "parity": noop("Prove that backends compute the same as the reference."),
    "conformance": noop("Check that a backend or task keeps the contract; for those who write plug-ins."),
    "new": noop("Write the skeleton of a plug-in: a backend or a task."),
    "choose": noop("Choose a framework by weighted needs, from what a study measured."),
    "mistakes": noop("Show what the frameworks say of students' typical mistakes."),
    "doctor": noop("Say what works on this machine, what does not, and how to mend it."),
    "selftest": noop("Measure backends whose figures are known; catch those that lie."),
    "cluster": noop("Show the nodes of a Ray cluster, and what would run where."),
    "env": noop("Make and remove the environments that hold the frameworks."),
}
"""Name of a command, which is that of its file in `commands/`, and what `--help` says of it."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them when they are called."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"harness.cli.commands.{cmd_name}")
        found = (value for value in vars(module).values() if isinstance(value, click.Command))
        return translated(next(command for command in found if command.name == cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words begin with; `--lang` may stand behind it too.

        Raises:
            click.UsageError: there is none of that name; the text says which one was meant, as far as it can be told.
        """
        name, *rest = args
        if name in COMMANDS and name not in WITH_OWN_LANGUAGE:
            rest = _spoken(rest)
        elif name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(_no_such_command(name), ctx)
        return super().resolve_command(ctx, [name, *rest])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of the group itself in the language in use."""
        super(LazyGroup, translated(self)).format_help(ctx, formatter)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the option --help, which click makes before the language is known."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _("Show this message and exit.")
        return option

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(said)) for name, said in COMMANDS.items()])


WITH_OWN_LANGUAGE = ("report",)
"""Commands whose option --lang is that of what they write."""


def _spoken(words: list[str]) -> list[str]:
    """Speak the language that `--lang` names among the words behind a command, and return the others."""
    left = list(words)
    for place, word in enumerate(words[: words.index("--") if "--" in words else None]):
        name, equals, value = word.partition("=")
        if name == "--lang" and (equals or place + 1 < len(words)):
            language.speak(value if equals else words[place + 1])
            make_click_speak(language.current())
            del left[place : place + (1 if equals else 2)]
            break
    return left


def _no_such_command(name: str) -> str:
    near = nearest(name, COMMANDS)
    if near is not None:
        return _("No such command {name!r}: did you mean {near!r}?").format(name=name, near=near)
    from harness import registry

    if registry.expanded((name,))[0] in registry.task_names():
        return _("No such command {name!r}: it is a task, which `evenbench run {name}` runs.").format(name=name)
    sentence = _("No such command {name!r}: the commands are {commands}.")
    return sentence.format(name=name, commands=", ".join(COMMANDS))


def _of_a_preset(option: str) -> str | None:
    """Return the key of `--set` that an option is which others have, such as --epochs; None for any other."""
    from harness.spec import CHANGEABLE

    plain = option.lstrip("-").casefold().replace("-", "_")
    key = {"lr": "learning_rate", "batch": "batch_size"}.get(plain, plain)
    return key if key in CHANGEABLE else None


def _speak(_context: click.Context, _option: click.Parameter, chosen: str | None) -> None:
    language.speak(language.of_the_user() if chosen is None else chosen)
    make_click_speak(language.current())


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="evenbench")
@click.option(
    "--lang",
    metavar="|".join(language.LANGUAGES),
    envvar="EVENBENCH_LANG",
    is_eager=True,
    expose_value=False,
    callback=_speak,
    help="Language of help and reports; it may stand behind the command too.  "
    "[default: EVENBENCH_LANG, else that of the locale]",
)
def evenbench() -> None:
    """Run one deep-learning task on MindSpore, TensorFlow and PyTorch, and compare them so that you can believe it.

    Begin with `evenbench doctor`, then `evenbench run`.
    """


def main() -> None:
    """Run the command line and exit with its code; a mistake of the user is one sentence, never a traceback."""
    Ending().install()
    asked = os.environ.get("EVENBENCH_LANG", "")
    with language.use(asked if asked in language.LANGUAGES else language.of_the_user()):
        make_click_speak(language.current())  # before --lang is read: --help may stand in front of it
        streams.open_patiently()
        code = _ended()
        if failure := streams.lost():
            sentence = _("Error: {message}").format(message=language.said(_cannot_print(failure)))
            click.echo(sentence, err=True)
            code = 2  # never the command's own: for `compare`, 1 says that something got worse
        sys.exit(code)


def _cannot_print(failure: OSError) -> UsageError:
    return UsageError("cannot write to the standard output: {reason}", reason=why(failure))


def shortened(text: str) -> str:
    """Return a sentence with words of more than 300 characters cut: what came may be a whole file, given by mistake."""
    return re.sub(r"\S{300,}", lambda found: f"{found[0][:120]}...{found[0][-60:]}", text)


def _ended() -> int:
    """Run the command and return its exit code."""
    try:
        if found := strangers():
            raise UsageError(
                "the packages {names} that Python finds are not Evenbench's: "
                "start it from its own environment, in which nothing else is called so",
                names=", ".join(found),
            )
        code: Any = evenbench.main(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.NoSuchOption as error:
        if key := _of_a_preset(error.option_name):
            sentence = _("No such option {name!r}: `evenbench run TASK --set {key}=VALUE` makes a variant of a preset.")
            error.message = sentence.format(name=error.option_name, key=key)  # type: ignore[misc]
        error.possibilities = None if key else (error.possibilities or [])[:1]  # type: ignore[misc]  # the nearest
        error.message = shortened(error.message)  # type: ignore[misc]
        error.show()
        return 2
    except click.ClickException as error:
        error.message = shortened(error.message)  # type: ignore[misc]  # final for its readers; it is the one place
        error.show()
        return 2
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("stopped"), err=True)
        return 1
    except EvenbenchError as error:
        click.echo(_("Error: {message}").format(message=shortened(language.said(error))), err=True)
        return 2 if isinstance(error, UsageError) else 1


if __name__ == "__main__":
    main()
