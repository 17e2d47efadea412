"""The machine of Evenbench: plan, isolate, measure, record. Imports no framework and no pandas.

The files in this folder are the words that tasks and backends are written in; the packages beside them are the machine.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Answer for what notebooks took from here before it moved to `reports`; goes with version 0.2."""
    if name not in ("load", "figures"):
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    import warnings

    import reports

    warnings.warn(f"harness.{name} is reports.{name} now, and goes with version 0.2", FutureWarning, stacklevel=2)
    return getattr(reports, name)
