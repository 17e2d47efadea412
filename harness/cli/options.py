"""The options that several commands share, each as a decorator, and what options are checked for."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from harness.errors import UsageError
from harness.records.next_command import DEFAULT_RESULTS, RESULTS_VARIABLE
from harness.whole_files import given_path
from reports.words.json_text import for_stream

F = TypeVar("F", bound=Callable[..., Any])
FOR_EVERY_RUN = (
    "resume",
    "results",
    "pythons",
    "data_dir",
    "budget",
    "wait_for_quiet",
    "live",
    "executor",
    "address",
    "on",
    "no_parity",
    "no_mistakes",
    "dry_run",
    "as_json",
)
"""The options that say where and how, not what: a study that is gone on with takes them too."""


def filled(_context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    """Return what an option was given, unless that is blank, as an unset variable of a shell is: none asked for that.

    Raises:
        UsageError: it is blank, or one of several is.
    """
    for one in (given,) if isinstance(given, str) else given or ():
        if not one.replace(",", "").strip():
            raise UsageError(
                "{option} is blank, it received {given!r}: give it a value or leave it out",
                option=parameter.opts[0],
                given=one,
            )
    return given


def as_path(context: click.Context, parameter: click.Parameter, given: str | None) -> Path | None:
    """Return what an option that takes a path was given, if it can be one, None where it was not given.

    Raises:
        UsageError: it is blank, or no path.
    """
    text = filled(context, parameter, given)
    return None if text is None else given_path(text, parameter.opts[0])


def as_folder(context: click.Context, parameter: click.Parameter, text: str | None) -> Path | None:
    """Return the path of a folder, which need not be there yet.

    Raises:
        UsageError: it cannot be a path here, or a file lies there.
    """
    path = as_path(context, parameter, text)
    if path is not None and os.path.isfile(path):
        raise UsageError(
            "{option} names a folder, but {path} is a file: name the folder that holds the studies",
            option=parameter.opts[0],
            path=path,
        )
    return path


def results_option(command: F) -> F:
    """Add `--results DIR`, the folder that holds the studies."""
    option = click.option(
        "--results",
        default=DEFAULT_RESULTS,
        envvar=RESULTS_VARIABLE,
        show_default=True,
        metavar="DIR",
        callback=as_folder,
        help="Folder that holds the studies; EVENBENCH_RESULTS sets it too.",
    )
    return option(command)


def data_dir_option(command: F) -> F:
    """Add `--data-dir DIR`, the folder of the user's own copies of the data."""
    option = click.option(
        "--data-dir",
        envvar="EVENBENCH_DATA",
        callback=as_path,
        help="Folder with the original data files.  [default: EVENBENCH_DATA]",
    )
    return option(command)


def json_option(command: F) -> F:
    """Add `--json`: data for programs on stdout instead of tables for people."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(value: Any) -> None:
    """Print data for another program, whole under every encoding of stdout."""
    import msgspec

    click.echo(for_stream(msgspec.json.format(msgspec.json.encode(value)).decode(), sys.stdout))


def refuse_what_is_planned(context: click.Context) -> None:
    """Raise if an option was given that a study to be gone on with has settled when it was planned."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in FOR_EVERY_RUN:
            raise UsageError(
                "--resume goes on with a study as it was planned, and {option} belongs to the plan: leave it out, or "
                "start a new study",
                option=option.opts[0] if isinstance(option, click.Option) else "TASK",
            )
