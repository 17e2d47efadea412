"""What other projects add: backends and tasks found by entry points, looked at once, and never believed unseen.

A plug-in is an installed distribution with entry points in `evenbench.backends` (a name, and where its `Entry` is) or
`evenbench.tasks` (a name, and the function that returns its `Task`). The module that one names is light: it
imports no framework, and says with `CONTRACT` for which version of the contract it was written. What is wrong with a
plug-in becomes one sentence, its `problem`; such a plug-in is left out, and nothing else is disturbed by it.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

import backends
import tasks
from harness.contract import CONTRACT, Entry
from harness.language import Sentence, Words, noop
from harness.spec import Mode, Task

Kind = Literal["backend", "task"]
KINDS: tuple[Kind, ...] = get_args(Kind)
VARIABLE = "EVENBENCH_PLUGINS"
"""`none` leaves all plug-ins out, as if they were not installed."""
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class Plugin(Struct, frozen=True, kw_only=True):
    """One entry point of another distribution, and what it led to: `found`, or the `problem` that leaves it out."""

    kind: Kind
    name: str
    distribution: str
    """Name and version of the project that it is from."""
    value: str
    """`module:attribute`."""
    found: Entry | Task | None = None
    problem: Words | None = None


def installed() -> tuple[Plugin, ...]:
    """Return all plug-ins that are installed, those with a problem too."""
    return () if os.environ.get(VARIABLE) == "none" else _installed()


@cache
def _installed() -> tuple[Plugin, ...]:
    return tuple(plugin for kind in KINDS for plugin in _of(kind))


def backend_entries() -> dict[str, Entry]:
    """Return the entries of the plug-ins' backends that can be used, by name."""
    return {plugin.name: plugin.found for plugin in installed() if isinstance(plugin.found, Entry)}


def task_table() -> dict[str, Task]:
    """Return the plug-ins' tasks that can be used, by name."""
    return {plugin.name: plugin.found for plugin in installed() if isinstance(plugin.found, Task)}


def package(adapter: str) -> Path | None:
    """Return the folder of the package that a plug-in's adapter lies in; None for an adapter that is no plug-in's."""
    top = _top(adapter)
    if top not in {_top(entry.adapter) for entry in backend_entries().values()}:
        return None
    spec = find_spec(top)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def folder(entry: Entry) -> Path | None:
    """Return the folder in which a plug-in's pins lie; None where the entry is no plug-in's."""
    top = package(entry.adapter)
    return None if top is None else Path(top.parent, *entry.adapter.partition(":")[0].split(".")[:-1], entry.pins)


def _top(import_string: str) -> str:
    return import_string.partition(":")[0].partition(".")[0]


def _of(kind: Kind) -> Iterator[Plugin]:
    points = tuple(entry_points(group=f"evenbench.{kind}s"))
    counts = Counter(point.name for point in points)
    for point in points:
        from_whom = f"{point.dist.name} {point.dist.version}" if point.dist else "?"
        common = {"kind": kind, "name": point.name, "distribution": from_whom, "value": point.value}
        if counts[point.name] > 1:
            others = ", ".join(sorted(one.dist.name for one in points if one.name == point.name and one.dist))
            why: Words = Sentence("several plug-ins have this name, and none of them is used: {names}", names=others)
            yield Plugin(**common, problem=why)  # type: ignore[arg-type]
            continue
        found, problem = _looked_at(kind, point)
        yield Plugin(**common, found=None if problem else found, problem=problem)  # type: ignore[arg-type]


def _looked_at(kind: Kind, point: EntryPoint) -> tuple[Entry | Task | None, Words | None]:
    if not NAME.fullmatch(point.name):
        return None, noop("a name has small letters, digits, and -, _ or . between them: rename the entry point")
    if point.name in (*backends.TABLE, *tasks.TABLE, *tasks.GROUPS):
        return None, noop("Evenbench itself has something of this name: rename the entry point")
    before = set(sys.modules)
    try:
        with redirect_stdout(sys.stderr):  # whatever it prints is no part of our answer
            found = point.load()
    except (Exception, SystemExit) as error:
        return None, Sentence("it cannot be loaded: {error}", error=_said(error))
    written_for = getattr(sys.modules[point.module], "CONTRACT", None)
    if written_for != CONTRACT:
        return None, Sentence(
            "it was written for version {theirs} of the contract, and this Evenbench has version {ours} (`CONTRACT` in "
            "{module}): install releases of both that go together",
            theirs=written_for,
            ours=CONTRACT,
            module=point.module,
        )
    return _wrong_entry(point, found, before) if kind == "backend" else _wrong_task(point, found)


def _wrong_entry(point: EntryPoint, found: object, before: set[str]) -> tuple[Entry | None, Words | None]:
    if not isinstance(found, Entry):
        return None, Sentence("{value} is to be an Entry, but is of type {type}", value=point.value, type=_type(found))
    if unknown := [mode for mode in found.modes if mode not in get_args(Mode)]:
        known = ", ".join(get_args(Mode))
        return None, Sentence("its entry names the modes {modes}, but there are {known}", modes=unknown, known=known)
    if found.default_mode not in found.modes:
        return None, Sentence("its default mode {mode} is none of its modes", mode=found.default_mode)
    module = found.adapter.partition(":")[0]
    if "." not in module or _top(module) != _top(point.module):
        return None, Sentence(
            "its adapter {adapter} is to be a module of the package {package}, apart from the light one",
            adapter=found.adapter,
            package=_top(point.module),
        )
    if found.framework in sys.modules and found.framework not in before:
        return None, Sentence(
            "{module} imports {framework}, which only its adapter may: every command would wait for it",
            module=point.module,
            framework=found.framework,
        )
    return found, None


def _wrong_task(point: EntryPoint, function: object) -> tuple[Task | None, Words | None]:
    try:
        found = function() if callable(function) else function
    except (Exception, SystemExit) as error:
        return None, Sentence("{value} raises {error}", value=point.value, error=_said(error))
    if not isinstance(found, Task):
        return None, Sentence("{value} is to return a Task, not {type}", value=point.value, type=_type(found))
    if found.name != point.name:
        return None, Sentence("its task calls itself {theirs}, not {name}", theirs=found.name, name=point.name)
    return found, None


def _type(value: object) -> str:
    return type(value).__name__


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"
