"""The two programs that can build a virtual environment, `uv` and `venv` with `pip`, behind one function.

An installer's output is handed on line by line, and its last lines are in the error when it fails: they say what to
mend better than we could. No child outlives `build`, whatever ends it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from harness.errors import EnvironmentFailure, UsageError, unknown_name

Installer = Literal["uv", "pip"]
Say = Callable[[str], None]
CHOICES = ("auto", "uv", "pip")
VARIABLE = "EVENBENCH_INSTALLER"
LAST_LINES = 12
PATIENCE_S = 10
"""How long an installer that was asked to end may take before it is killed."""


def choose(asked: str | None = None) -> Installer:
    """Return the installer to use: as asked, as EVENBENCH_INSTALLER says, or `uv` where it is on PATH, else `pip`.

    `pip` is the right one where pip's own configuration names local wheels, which `uv` does not read.

    Raises:
        UsageError: there is no such installer, or it is not on this machine.
    """
    asked = asked or os.environ.get(VARIABLE) or "auto"
    if asked not in CHOICES:
        raise unknown_name("installer", asked, CHOICES)
    if asked == "uv" and shutil.which("uv") is None:
        raise UsageError("uv is not on PATH: install it, or ask for the installer pip")
    return "uv" if asked != "pip" and shutil.which("uv") else "pip"


def interpreter_in(folder: Path) -> Path:
    """Return where a virtual environment keeps its interpreter."""
    return folder / "bin" / "python"


def build(installer: Installer, folder: Path, requirements: Path, *, say: Say, keep_open: tuple[int, ...] = ()) -> None:
    """Make a virtual environment for this very Python in `folder` and install the requirements into it.

    Args:
        installer: which program does it.
        folder: where; it must not exist.
        requirements: the file of pins.
        say: called with every line of the installer's output.
        keep_open: file descriptors that the installer inherits, so that a lock lives as long as it does.

    Raises:
        EnvironmentFailure: the installer failed; its last lines are in the text.
    """
    python = str(interpreter_in(folder))
    if installer == "uv":
        # Bytecode is compiled now, as pip does, and not by the first import that is timed.
        commands = [
            ["uv", "venv", "--python", sys.executable, str(folder)],
            ["uv", "pip", "install", "--compile-bytecode", "--python", python, "-r", str(requirements)],
        ]
    else:
        quiet = ["--progress-bar", "off", "--no-input", "--disable-pip-version-check"]
        commands = [
            [sys.executable, "-m", "venv", str(folder)],
            [python, "-m", "pip", "install", *quiet, "-r", str(requirements)],
        ]
    for command in commands:
        run(command, say=say, keep_open=keep_open)


def run(command: list[str], *, say: Say, keep_open: tuple[int, ...] = ()) -> None:
    """Run one command of an installer to its end, or to ours.

    Raises:
        EnvironmentFailure: it could not be started, or ended with a status other than 0.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_clean_environment(),
            pass_fds=keep_open,
            start_new_session=True,  # so that all its children can be ended with it
        )
    except OSError as error:
        raise EnvironmentFailure(
            "cannot start {command}: {strerror}", command=command[0], strerror=error.strerror
        ) from error
    with process:
        try:
            for line in process.stdout or ():
                if text := line.rstrip():
                    last.append(text)
                    say(text)
            status = process.wait()
        except BaseException:  # Ctrl-C above all: end the child, then let it go on its way
            _end(process)
            raise
    if status != 0:
        words = "\n  ".join(last) or "(it said nothing)"
        raise EnvironmentFailure(
            "`{command}` ended with status {status}; its last words:\n  {words}",
            command=" ".join(command),
            status=status,
            words=words,
        )


def says_there_is_none(words: str, requirement: str) -> bool:
    """Return whether an installer's last words say that the package index has no such release."""
    name, _, version = requirement.partition("==")
    pip = rf"No matching distribution found for {re.escape(name)}(\[\S*\])?=={re.escape(version)}(\s|$)"
    uv = rf"no version of {re.escape(name)}(\[\S*\])?\s*=={re.escape(version)}(\s|$)|{re.escape(name)} was not found"
    return re.search(f"{pip}|{uv}", re.sub(r"\s+", " ", words)) is not None


def says_they_conflict(words: str) -> bool:
    """Return whether an installer's last words say that no releases can be found that go together."""
    text = re.sub(r"\s+", " ", words)
    return any(
        sign in text for sign in ("ResolutionImpossible", "conflict", "unsatisfiable", "No matching distribution")
    )


def _end(process: "subprocess.Popen[str]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(PATIENCE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def _clean_environment() -> dict[str, str]:
    """Return our environment without what would lead a child's Python back into our own packages."""
    ours = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    # Unbuffered, so that pip's lines are seen when they are written.
    return {name: value for name, value in os.environ.items() if name not in ours} | {"PYTHONUNBUFFERED": "1"}
