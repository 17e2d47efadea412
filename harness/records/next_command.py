"""The commands that messages tell people to type: they find the results folder that this command had."""

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "evenbench"

DEFAULT_RESULTS = "results"
RESULTS_VARIABLE = "EVENBENCH_RESULTS"


def next_command(*words: str, results: Path) -> str:
    """Return a command of Evenbench for a shell; it names the results folder where that is not the default one."""
    default = os.environ.get(RESULTS_VARIABLE) or DEFAULT_RESULTS
    is_default = os.path.realpath(results) == os.path.realpath(os.path.expanduser(default))
    return shlex.join((program(), *words, *(() if is_default else ("--results", str(results)))))


def program() -> str:
    """Return what starts Evenbench in this shell: its name where PATH holds it, else the path that was typed."""
    typed = sys.argv[0]
    return typed if Path(typed).name == NAME and shutil.which(NAME) is None else NAME
