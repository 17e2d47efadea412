"""The two tables and the plug-ins, read: names to tasks and to backends."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backends
import tasks
from harness import versions
from harness.contract import Backend, Entry
from harness.errors import ContractError, UsageError, unknown_name
from harness.registry import plugins
from harness.registry.plugins import Plugin
from harness.spec import Task

if TYPE_CHECKING:
    from harness.knobs import Knob


ALL = "all"
"""What stands for every name of a table."""


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks in the order of their table, those of plug-ins last."""
    return (*tasks.TABLE, *plugins.task_table())


def task_groups() -> dict[str, tuple[str, ...]]:
    """Return the names that stand for several tasks; `main` is what a run does that names none."""
    return dict(tasks.GROUPS)


def task_aliases() -> dict[str, str]:
    """Return what people call tasks too, each with the task's name."""
    return dict(tasks.ALIASES)


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Return task names with every group and alias replaced by its tasks, each name once; `all` are those of all.

    Case does not count, nor which of `-` and `_` stands between words. What no table holds comes back as it is.
    """
    known: dict[str, tuple[str, ...]] = {_plain(alias): (name,) for alias, name in task_aliases().items()}
    known |= {_plain(name): (name,) for name in task_names()}
    known |= {_plain(name): members for name, members in task_groups().items()} | {ALL: task_names()}
    return tuple(dict.fromkeys(task for name in names for task in known.get(_plain(name), (name,))))


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends in the order of their table, then those of plug-ins, the reference last."""
    return tuple(_backends())


def _backends() -> dict[str, Entry]:
    """Return all entries by name."""
    own = dict(backends.TABLE)
    last = {name: own.pop(name) for name in (reference_name(),) if name in own}
    return own | {name: found for name, found in plugins.backend_entries().items() if name not in own} | last


def installed_plugins() -> tuple[Plugin, ...]:
    """Return all plug-ins that are installed, each with its problem where it has one."""
    return plugins.installed()


def pins_folder(name: str) -> Path:
    """Return the folder in which a backend's pins lie."""
    base = versions.base(name)
    own = Path(str(backends.__file__)).parent / base
    return own if base in backends.TABLE else plugins.folder(entry(base)) or own


def backend_aliases() -> dict[str, str]:
    """Return what people call backends too, each with the backend's name."""
    return {alias: name for name, described in _backends().items() for alias in described.aliases}


def backend_called(name: str) -> str:
    """Return the backend that people call so, whatever the case, with the release behind an `@`.

    What no table holds comes back as it is.
    """
    plain, at, release = name.partition("@")
    known = {alias.casefold(): found for alias, found in backend_aliases().items()}
    known |= {found.casefold(): found for found in backend_names()}
    return known.get(plain.casefold(), plain) + at + release


def mode_called(backend: str, mode: str) -> str:
    """Return the mode that the users of a backend call so, whatever the case; any other word comes back as it is."""
    plain = mode.casefold()
    return entry(backend).mode_aliases.get(plain, plain)


def mode_aliases() -> tuple[str, ...]:
    """Return what the users of any backend call its modes too."""
    return tuple(dict.fromkeys(alias for described in _backends().values() for alias in described.mode_aliases))


def reference_name() -> str:
    """Return the name of the backend that parity compares with."""
    return backends.REFERENCE


def framework_names() -> tuple[str, ...]:
    """Return the names of the backends that are compared: all but the reference."""
    return tuple(name for name in backend_names() if name != reference_name())


def main_names() -> tuple[str, ...]:
    """Return the names of the frameworks whose environments are made where none is named."""
    return tuple(backends.MAIN)


def reference() -> Backend:
    """Return the reference itself, which runs wherever NumPy is."""
    found: Backend = resolve(backends.TABLE[reference_name()].adapter)()
    return found


def task(name: str) -> Task:
    """Return the task of that name.

    Raises:
        UsageError: no table holds the name.
    """
    if name in (found := plugins.task_table()):
        return found[name]
    table = tasks.TABLE
    if name not in table:
        raise unknown_name("task", name, (*task_names(), *task_groups(), ALL), also=task_aliases())
    made = resolve(table[name])()
    if not isinstance(made, Task):
        raise ContractError(f"{table[name]} must return a Task, but returned {type(made).__name__}")
    return made


def entry(name: str) -> Entry:
    """Return the description of a backend, whichever release of its framework the name asks for (`torch@2.12.0`).

    Raises:
        UsageError: no table holds the name, or what stands behind an `@` is no release.
    """
    table = _backends()
    plain = versions.base(name)
    if plain not in table:
        raise unknown_name("backend", name, backend_names(), also=backend_aliases())
    if versions.wanted(name) is not None and plain == reference_name():
        raise UsageError(
            "{name!r} cannot be: {plain} is the reference, and runs with the NumPy that Evenbench has",
            name=name,
            plain=plain,
        )
    return table[plain]


def knobs(name: str) -> "tuple[Knob, ...]":
    """Return the knobs that a backend declares, none where it has none."""
    found = entry(name).knobs
    return () if found is None else tuple(resolve(found))


def variables() -> tuple[str, ...]:
    """Return the beginnings of the variables that backends say may change their speed or rounding, knobs included."""
    own = (start for described in _backends().values() for start in described.variables)
    knobbed = (knob.variable for name in backend_names() for knob in knobs(name))
    return tuple(dict.fromkeys((*own, *knobbed)))


def caches() -> tuple[str, ...]:
    """Return the variables that name the folders in which backends keep what they have compiled."""
    return tuple(dict.fromkeys(name for described in _backends().values() for name in described.caches))


def not_inherited() -> tuple[str, ...]:
    """Return the variables that backends say no worker may take over from the shell."""
    return tuple(dict.fromkeys(name for described in _backends().values() for name in described.not_inherited))


def memory_words() -> tuple[str, ...]:
    """Return what backends say, in small letters, where memory ran out."""
    return tuple(words for described in _backends().values() for words in described.memory_words)


def resolve(import_string: str) -> Any:
    """Import what `module:name` stands for."""
    module, _, attribute = import_string.partition(":")
    return getattr(import_module(module), attribute)
