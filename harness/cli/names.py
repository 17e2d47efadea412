"""The names that people type: words of a list, and what a word that stands alone means.

Aliases of backends and tasks stand in their tables; here are those of the kinds of device, and nothing else.
"""

import re
from collections.abc import Iterable
from typing import Any, get_args

from harness import registry, versions
from harness.errors import UsageError, nearest
from harness.spec import DeviceKind, Mode, variant_name

MODES = (*get_args(Mode), "default", registry.ALL)
DEVICES_CALLED = {"cuda": "gpu", "nvidia": "gpu", "ascend": "npu", "processor": "cpu"}
"""What people call a kind of device too, in small letters."""


def words(values: Iterable[str]) -> tuple[str, ...]:
    """Split at commas and blanks, drop what is empty or there already, keep the order."""
    return tuple(dict.fromkeys(word for value in values for word in value.replace(",", " ").split()))


def with_words(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a command was asked, each word that stands alone beside the names of its kind.

    So `run lenet` names a task, and `--backend torch tensorflow` two backends. A number is a seed where `--seed` is.
    What `--set` changes becomes a part of the preset's name.

    Raises:
        UsageError: a word is no name that this command takes, or a change is none.
    """
    found = {name: list(asked[name]) for name in ("tasks", "backends", "devices", "modes", "seeds") if name in asked}
    for word in words(asked["what"]):
        kind = _kind_of(word)
        if kind is None and found.get("seeds") and re.fullmatch(r"\d[\d-]*", word):
            kind = "seeds"
        if kind not in found:
            raise _no_name(word, found)
        found[kind].append(word)
    asked = asked | {name: tuple(values) for name, values in found.items()}
    if "changes" in asked:
        asked["preset"] = variant_name(asked["preset"], words(asked["changes"]))
    return asked


def _kind_of(word: str) -> str | None:
    """Return the option that takes a word, None where it is no name at all."""
    if registry.expanded((word,))[0] in registry.task_names():
        return "tasks"
    if versions.base(registry.backend_called(word)) in registry.backend_names():
        return "backends"
    if device_called(word) in get_args(DeviceKind):
        return "devices"
    return "modes" if word.casefold() in (*MODES, *registry.mode_aliases()) else None


def _no_name(word: str, kinds: Iterable[str]) -> UsageError:
    """Return the error for a word that names nothing of these kinds."""
    names: dict[str, tuple[str, ...]] = {
        "tasks": (*registry.task_names(), *registry.task_groups(), *registry.task_aliases()),
        "backends": (*registry.backend_names(), *registry.backend_aliases()),
        "devices": get_args(DeviceKind),
        "modes": MODES,
    }
    known = [name for kind in kinds for name in names.get(kind, ())]
    near = nearest(word, known)
    if near is None:
        return UsageError(
            "{word!r} is no task, backend, device or mode that is taken here: `evenbench list` shows what there is",
            word=word,
        )
    return UsageError(
        "{word!r} is no task, backend, device or mode that is taken here; did you mean {near}? `evenbench list` shows "
        "what there is",
        word=word,
        near=near,
    )


def backends_called(values: Iterable[str]) -> tuple[str, ...]:
    """Return the backends that people call so; `all` is every framework."""
    found: dict[str, None] = {}
    for word in map(registry.backend_called, words(values)):
        found |= dict.fromkeys(registry.framework_names() if word.casefold() == registry.ALL else (word,))
    return tuple(found)


def device_called(word: str) -> str:
    """Return the kind of device that people call so; any other word comes back in small letters."""
    plain = word.casefold()
    return DEVICES_CALLED.get(plain, plain)
