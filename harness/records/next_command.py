"""The commands that messages tell people to type: they find the results folder that this command had."""

import os
import shlex
from pathlib import Path

DEFAULT_RESULTS = "results"
RESULTS_VARIABLE = "EVENBENCH_RESULTS"


def next_command(*words: str, results: Path) -> str:
    """Return a command of Evenbench for a shell; it names the results folder where that is not the default one."""
    default = os.environ.get(RESULTS_VARIABLE) or DEFAULT_RESULTS
    is_default = os.path.realpath(results) == os.path.realpath(os.path.expanduser(default))
    return shlex.join(("evenbench", *words, *(() if is_default else ("--results", str(results)))))
