"""A guard for our common names: `backends`, `tasks` and `reports` must be the ones that lie beside `harness`."""

import importlib.util
from pathlib import Path

PACKAGES = ("evenbench", "harness", "backends", "tasks", "reports")


def strangers() -> tuple[str, ...]:
    """Return our packages that Python would take from somewhere else than from beside this file."""
    beside = Path(__file__).resolve().parents[2]
    return tuple(name for name in PACKAGES if not _lies_in(name, beside))


def _lies_in(name: str, folder: Path) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve().parent.parent == folder
