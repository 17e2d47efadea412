"""The pins of a backend's environment: `requirements*.txt` beside its adapter, read but never resolved here."""

import hashlib
import re
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from harness import registry
from harness.errors import UsageError, unknown_name

Variant = Literal["cpu", "gpu", "ascend"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
DEFAULT_DISK_GB = 3.0


class Pins(Struct, frozen=True, kw_only=True):
    """What has to be installed, and what that needs."""

    path: Path
    sha256: str
    """Of the requirements alone, included files too: a changed comment rebuilds nothing."""
    disk_bytes: int
    """Room that the build takes, from the file's own line `# disk: 1.2 GB`."""


def pins_file(backend: str, variant: Variant = "cpu") -> Path:
    """Return where the pins of a backend's variant lie, whether the file exists or not."""
    folder = Path(str(import_module("backends").__file__)).parent / backend
    return folder / ("requirements.txt" if variant == "cpu" else f"requirements-{variant}.txt")


def variants(backend: str) -> tuple[Variant, ...]:
    """Return the variants that a backend has pins for; none for the reference."""
    return tuple(variant for variant in VARIANTS if pins_file(backend, variant).is_file())


def read(backend: str, variant: Variant = "cpu") -> Pins:
    """Return the pins of a backend's variant.

    Raises:
        UsageError: there is no such backend, or it has no pins for this variant.
    """
    registry.entry(backend)
    if not variants(backend):
        raise UsageError(f"{backend} needs no environment: it runs in the command line's own interpreter")
    if variant not in variants(backend):
        raise unknown_name(f"variant of {backend}", variant, variants(backend))
    path = pins_file(backend, variant)
    size = re.search(r"^# disk: ([\d.]+) GB$", path.read_text("utf-8"), re.MULTILINE)
    return Pins(
        path=path,
        sha256=hashlib.sha256("\n".join(requirements(path)).encode()).hexdigest(),
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
