"""The two tables, read: names to tasks and to adapters. The seam where third parties' entry points will join."""

from importlib import import_module
from typing import Any

import backends
import tasks
from harness.errors import ContractError, unknown_name
from harness.spec import Task


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks in the order of their table."""
    return tuple(tasks.TABLE)


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends in the order of their table, the reference last."""
    return tuple(backends.TABLE)


def framework_names() -> tuple[str, ...]:
    """Return the names of the backends that are compared: all but the reference."""
    return tuple(name for name in backends.TABLE if name != backends.REFERENCE)


def reference_name() -> str:
    """Return the name of the backend that parity compares with."""
    return backends.REFERENCE


def task(name: str) -> Task:
    """Return the task of that name.

    Raises:
        UsageError: no table holds the name.
    """
    if name not in tasks.TABLE:
        raise unknown_name("task", name, task_names())
    found = resolve(tasks.TABLE[name])()
    if not isinstance(found, Task):
        raise ContractError(f"{tasks.TABLE[name]} must return a Task, but returned {type(found).__name__}")
    return found


def adapter(name: str) -> str:
    """Return the import string of a backend's adapter; only a worker may resolve it.

    Raises:
        UsageError: no table holds the name.
    """
    if name not in backends.TABLE:
        raise unknown_name("backend", name, backend_names())
    return backends.TABLE[name]


def resolve(import_string: str) -> Any:
    """Import what `module:name` stands for."""
    module, _, attribute = import_string.partition(":")
    return getattr(import_module(module), attribute)
