"""The options that several commands share, each as a decorator."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def results_option(command: F) -> F:
    """Add `--results DIR`, the folder that holds the studies."""
    option = click.option(
        "--results",
        default="results",
        envvar="EVENBENCH_RESULTS",
        show_default=True,
        metavar="DIR",
        help="Folder that holds the studies; EVENBENCH_RESULTS sets it too.",
    )
    return option(command)


def json_option(command: F) -> F:
    """Add `--json`: data for programs on stdout instead of tables for people."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
