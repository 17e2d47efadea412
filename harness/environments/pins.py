"""The pins of a backend's environment: `requirements*.txt` beside its adapter, read but never resolved here."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from harness import registry, versions
from harness.errors import UsageError, unknown_name
from harness.language import Sentence

Variant = Literal["cpu", "gpu", "ascend"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
DEFAULT_DISK_GB = 3.0
WORKERS_OWN = ("msgspec", "psutil", "nvidia-ml-py")
"""What Evenbench's worker needs, whatever the framework."""
_PIN = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[[^]]*\])?==(?P<version>\S+)")


class Pins(Struct, frozen=True, kw_only=True):
    """What has to be installed, and what that needs."""

    path: Path
    requirements: tuple[str, ...]
    """The lines to install, included files in place; where a release was asked for, with that one's pin."""
    sha256: str
    """Of the requirements alone, included files too: a changed comment rebuilds nothing."""
    disk_bytes: int
    """Room that the build takes, from the file's own line `# disk: 1.2 GB`."""


def pins_file(backend: str, variant: Variant = "cpu") -> Path:
    """Return where the pins of a backend's variant lie, whether the file exists or not."""
    return registry.pins_folder(backend) / ("requirements.txt" if variant == "cpu" else f"requirements-{variant}.txt")


def variants(backend: str) -> tuple[Variant, ...]:
    """Return the variants that a backend has pins for; none for the reference."""
    return tuple(variant for variant in VARIANTS if pins_file(backend, variant).is_file())


def read(backend: str, variant: Variant = "cpu") -> Pins:
    """Return the pins of a backend's variant; those of `torch@2.12.0` are torch's with its own pin replaced.

    Raises:
        UsageError: there is no such backend, or it has no pins for this variant.
    """
    entry = registry.entry(backend)
    if not variants(backend):
        raise UsageError(
            "{backend} needs no environment: it runs in the command line's own interpreter", backend=backend
        )
    if variant not in variants(backend):
        raise unknown_name(Sentence("variant of {backend}", backend=backend), variant, variants(backend))
    path = pins_file(backend, variant)
    size = re.search(r"^# disk: ([\d.]+) GB$", path.read_text("utf-8"), re.MULTILINE)
    lines = requirements(path)
    if (version := versions.wanted(backend)) is not None:
        if pinned(backend) is None:
            raise UsageError(
                "{path} has no pin of {framework}, so that no other release can take its place",
                path=path,
                framework=entry.framework,
            )
        lines = _with_release(lines, packages(backend), version)
    return Pins(
        path=path,
        requirements=lines,
        sha256=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        disk_bytes=int(1e9 * (float(size[1]) if size else DEFAULT_DISK_GB)),
    )


def requirements(path: Path) -> tuple[str, ...]:
    """Return the lines of a requirements file without comments, those of the files that it includes (`-r`) in place."""
    found: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        included = re.fullmatch(r"(?:-r|--requirement)[ =]\s*(\S+)", text)
        found += requirements(path.parent / included[1]) if included else [text] if text else []
    return tuple(found)


def pinned(backend: str) -> str | None:
    """Return the release of its framework that a backend's plain pins name, or None where they name none."""
    path = pins_file(backend)
    found = [_PIN.fullmatch(line) for line in (requirements(path) if path.is_file() else ())]
    return next((pin["version"] for pin in found if pin and pin["name"] in packages(backend)), None)


def packages(backend: str) -> tuple[str, ...]:
    """Return the names under which a backend's framework may be installed, the plain one first."""
    entry = registry.entry(backend)
    return (entry.framework,) if entry.package is None else (entry.package, f"{entry.package}-gpu")


def canonical(backend: str) -> str:
    """Return the name whose environment serves a backend: that without a release where the pins have that very one."""
    version, own = versions.wanted(backend), pinned(backend)
    return versions.base(backend) if version and own and versions.same(version, own) else backend


def relaxed(lines: Iterable[str], own: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return requirements in which the framework chooses the releases of its companions, and these companions' names.

    The framework's own pin stays, and so do those of what the worker itself needs; everything else (Keras, NumPy,
    torch-npu) loses its number, so that what the framework's own metadata allow is taken.
    """
    kept, freed = [], []
    for line in lines:
        pin = _PIN.fullmatch(line)
        if pin and pin["name"] not in (*own, *WORKERS_OWN):
            freed.append(pin["name"])
            line = f"{pin['name']}{pin['extras'] or ''}"
        kept.append(line)
    return tuple(kept), tuple(dict.fromkeys(freed))


def _with_release(lines: Iterable[str], own: tuple[str, ...], version: str) -> tuple[str, ...]:
    found = [(line, _PIN.fullmatch(line)) for line in lines]
    return tuple(
        f"{pin['name']}{pin['extras'] or ''}=={version}" if pin and pin["name"] in own else line for line, pin in found
    )
