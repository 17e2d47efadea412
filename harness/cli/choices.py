"""The options that say what to run where, shared by `run` and `parity`, and their way from words to choices."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from harness import registry
from harness.cli.names import DEVICES_CALLED, MODES, device_called, words
from harness.cli.options import filled
from harness.environments import interpreters
from harness.environments import machine as facts
from harness.environments.installation import installed_packages
from harness.environments.machine import available_cores
from harness.errors import EnvironmentFailure, UsageError, unknown_name
from harness.language import _, said
from harness.spec import Choice, DeviceKind

if TYPE_CHECKING:
    from harness.environments.interpreters import Interpreter
    from harness.runs.plan import Tuned
    from harness.spec import Mode, Task

F = TypeVar("F", bound=Callable[..., Any])
MULTIPLE = "Several by commas, by blanks or by repeating the option; all."
MOST_SEEDS = 10_000
LARGEST_SEED = 2**32 - 1
"""That every framework takes."""
SMALLEST_SIZE = 64 * 10**6
"""Bytes; below, not even the interpreter can load its libraries."""
LARGEST_SIZE = 10**18
"""Bytes; the system takes no limit of memory much above."""


TASK = click.option(
    "--task",
    "tasks",
    multiple=True,
    callback=filled,
    help=f"Task or group of tasks. {MULTIPLE}  [default: main]",
)
BACKEND = click.option(
    "--backend",
    "backends",
    multiple=True,
    callback=filled,
    help=f"Backend to run on; torch@2.12.0 is that release of it. {MULTIPLE}  "
    "[default: every framework that works here]",
)
DEVICE = click.option(
    "--device",
    "devices",
    multiple=True,
    callback=filled,
    help=f"cpu, gpu or npu (Ascend). {MULTIPLE}  [default: cpu]",
)
MODE = click.option(
    "--mode",
    "modes",
    multiple=True,
    callback=filled,
    help=f"eager, graph, xla, default or all. {MULTIPLE}  [default: what the framework's tutorial uses]",
)
SET = click.option(
    "--set",
    "changes",
    multiple=True,
    callback=filled,
    metavar="KEY=VALUE",
    help="Change the preset for this call: batch_size, epochs, optimizer, learning_rate, ... Repeatable.",
)
PYTHON = click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="NAME=PATH",
    help="Interpreter for a backend, instead of its managed environment; repeatable.",
)


def choice_options(command: F) -> F:
    """Add the options that say what to run where."""
    return click.argument("what", nargs=-1, metavar="[TASK]...")(TASK(BACKEND(DEVICE(MODE(SET(PYTHON(command)))))))


def where_options(command: F) -> F:
    """Add the options that say where alone: on which backends and devices, with which interpreters."""
    return click.argument("what", nargs=-1, metavar="[BACKEND]...")(BACKEND(DEVICE(PYTHON(command))))


def parse_seeds(values: Iterable[str]) -> tuple[int, ...] | None:
    """Return seeds from words such as `3`, `0,1,2` and `0-99`, or None for no words.

    Raises:
        UsageError: a word is neither a number nor a range, or there are too many seeds.
    """
    seeds: dict[int, None] = {}
    for word in words(values):
        match = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", word)
        if match is None or not int(match[1]) <= (last := int(match[2] or match[1])) <= LARGEST_SEED:
            raise UsageError(
                "--seed takes numbers from 0 to {largest} and ranges such as 0-99, but got {word!r}",
                largest=LARGEST_SEED,
                word=word,
            )
        found = range(int(match[1]), last + 1)
        seeds |= dict.fromkeys(found[: MOST_SEEDS + 1])
        if len(seeds) > MOST_SEEDS:
            raise UsageError(
                "--seed takes up to {most:,} seeds, but got more with {word!r}", most=MOST_SEEDS, word=word
            )
    return tuple(seeds) or None


def parse_bytes(text: str | None) -> int | None:
    """Return bytes from words such as `4GB`, `512MB` or `4GiB`.

    Raises:
        UsageError: the text is not a size, or one that no process can have.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]i?)?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(
            "a size is a number with MB, GB, MiB or GiB behind it, such as 4GB, but got {text!r}", text=text
        )
    unit = (match[2] or "").lower()
    base = 1024 if unit.endswith("i") else 1000
    size = float(match[1]) * base ** " kmg".index(unit[0] if unit else " ")
    if not 1 <= size < LARGEST_SIZE:
        raise UsageError(
            "--memory-limit is a size above 0 and below 1,000,000,000 GB, such as 4GB, but got {text!r}", text=text
        )
    if size < SMALLEST_SIZE:
        example = f"{match[1]}GB"
        raise UsageError(
            "--memory-limit {text} is {size:,} bytes, but nothing can start in less than 64 MB: write {example} if you "
            "meant gigabytes",
            text=text,
            size=int(size),
            example=example,
        )
    return int(size)


def find_tasks(values: Iterable[str]) -> "tuple[Task, ...]":
    """Return the tasks of these names or groups, or the main ones."""
    return tuple(map(registry.task, registry.expanded(words(values) or ("main",))))


def find_choices(
    backends: Iterable[str], devices: Iterable[str], modes: Iterable[str], *, warn: Callable[[str], None]
) -> "tuple[tuple[Choice, ...], bool]":
    """Return the wanted (backend, device, mode) triples, and whether the backends were named by the user.

    A mode that a backend does not have is left out with a warning, as long as another backend has it.

    Raises:
        UsageError: a name is unknown, or no backend has any of the modes.
    """
    named = tuple(dict.fromkeys(map(registry.backend_called, words(backends))))
    every = not named or registry.ALL in map(str.casefold, named)
    if every:
        named = (*registry.framework_names(), *(name for name in named if name.casefold() != registry.ALL))
    wanted = tuple(word.casefold() for word in words(modes)) or ("default",)
    for mode in wanted:
        if mode not in (*MODES, *registry.mode_aliases()):
            raise unknown_name("mode", mode, MODES, also=registry.mode_aliases())
    places = _devices(devices)
    found: dict[Choice, None] = {}
    for backend in dict.fromkeys(named):
        for mode in _modes(backend, wanted, warn):
            found |= dict.fromkeys(Choice(backend=backend, device=device, mode=mode) for device in places)
    if not found:
        raise UsageError("no chosen backend has a mode {modes}", modes=", ".join(wanted))
    return tuple(found), not every


def _modes(backend: str, wanted: Iterable[str], warn: Callable[[str], None]) -> "tuple[Mode, ...]":
    """Return the modes of a backend that are wanted; those that it lacks are told."""
    entry = registry.entry(backend)
    own: dict[Any, None] = {}
    for word in wanted:
        mode = registry.mode_called(backend, word)
        own |= dict.fromkeys({"default": (entry.default_mode,), registry.ALL: entry.modes}.get(mode, (mode,)))
    for mode in own:
        if mode not in entry.modes:
            sentence = _("{backend} has no {mode} mode, only {modes}: left out")
            warn(sentence.format(backend=backend, mode=mode, modes=", ".join(entry.modes)))
    return tuple(mode for mode in own if mode in entry.modes)


def _devices(values: Iterable[str]) -> "tuple[DeviceKind, ...]":
    """Return the kinds of device that are wanted, in the order of their table.

    Raises:
        UsageError: there is none of a name.
    """
    named = tuple(map(device_called, words(values)))
    for device in named:
        if device not in (*get_args(DeviceKind), registry.ALL):
            raise unknown_name("device", device, (*get_args(DeviceKind), registry.ALL), also=DEVICES_CALLED)
    return tuple(kind for kind in get_args(DeviceKind) if kind in named or registry.ALL in named) or ("cpu",)


def find_interpreters(
    choices: "Iterable[Choice]", pythons: Iterable[str], *, named: bool, warn: Callable[[str], None]
) -> "Mapping[tuple[str, DeviceKind], Interpreter]":
    """Return the interpreter of every (backend, device).

    A backend that the user did not name is left out if it has none, with a warning where it should work.

    Raises:
        EnvironmentFailure: a named backend has no interpreter, or none has.
    """
    overrides = interpreters.parse(pythons)
    found = {}
    failures = {}
    for backend, device in dict.fromkeys((c.backend, c.device) for c in choices):
        try:
            found[backend, device] = interpreters.find(backend, overrides, device=device)
        except EnvironmentFailure as error:
            if named:
                raise
            if interpreters.is_expected(backend, overrides):
                failures[backend] = said(error)
    if not found:
        raise EnvironmentFailure("no framework works here yet: run `evenbench env create`, then `evenbench doctor`")
    for backend, reason in failures.items():
        warn(_("{backend} is left out: {reason}").format(backend=backend, reason=reason))
    return found


def find_tuned(
    tasks: "Iterable[Task]",
    choices: "Iterable[Choice]",
    preset: str,
    interpreters: "Mapping[tuple[str, DeviceKind], Interpreter]",
) -> "Tuned":
    """Return the settings of the tuned profile of every task and choice.

    Raises:
        UsageError: one of them has no profile on this machine, or one that does not hold any more.
    """
    from harness.runs import profiles

    machine, cores = facts.machine(), len(available_cores())
    packages = {key: installed_packages(interpreter) for key, interpreter in interpreters.items()}
    return {
        (task.name, choice): profiles.find(
            task.at(preset),
            preset,
            choice,
            machine=machine,
            cores=cores,
            packages=packages[choice.backend, choice.device],
        ).settings
        for task in tasks
        for choice in choices
    }


def folder(path: Path | None) -> Path | None:
    """Return a path made absolute."""
    return None if path is None else path.absolute()
