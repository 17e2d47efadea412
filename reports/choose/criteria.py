"""The criteria of a choice: what each one is measured by, in which unit, and on which scale it becomes a value.

Three scales. `ratio`: the logarithm of how many times worse than the best one. `points`: how far below the best one.
`share`: the number itself. On the first two, what two candidates differ by depends on these two alone, unless one of
them has run out of scale; see docs/choosing.md.
"""

from typing import Literal

from msgspec import Struct

from harness.language import noop

Scale = Literal["ratio", "points", "share"]
Spread = Literal["processes", "once", "exact"]
"""processes: one number per process or seed. once: measured a single time. exact: counted, or without chance."""


class Criterion(Struct, frozen=True, kw_only=True):
    """One thing that can be asked of a framework."""

    name: str
    """As in the weights."""
    title: str
    """As people read it, in the language of the code."""
    unit: str
    """Of the number that is shown."""
    scale: Scale
    spread: Spread
    column: str = ""
    """Where a run's own number stands: a column of the frame, or one made by `candidates.py`; less is better on the
    scale `ratio`."""
    per_task: bool = True
    """Measured on every task; else once per installation or backend."""
    shown_per: float = 1.0
    """What the number is divided by to be shown."""
    inverted: bool = False
    """Shown as its reciprocal: a rate instead of seconds."""


CRITERIA = (
    Criterion(
        name="device_available",
        title=noop("wanted device available"),
        unit=noop("share"),
        scale="share",
        spread="exact",
        per_task=False,
    ),
    Criterion(
        name="throughput",
        title=noop("throughput"),
        unit=noop("examples/s"),
        scale="ratio",
        spread="processes",
        column="seconds_per_example",
        inverted=True,
    ),
    Criterion(
        name="time_to_accuracy",
        title=noop("time to accuracy"),
        unit=noop("s"),
        scale="ratio",
        spread="processes",
        column="target_s",
    ),
    Criterion(
        name="start_up",
        title=noop("start-up to first step"),
        unit=noop("s"),
        scale="ratio",
        spread="processes",
        column="start_up_s",
    ),
    Criterion(
        name="host_memory",
        title=noop("host memory"),
        unit=noop("MB"),
        scale="ratio",
        spread="processes",
        column="host_peak_bytes",
        shown_per=1e6,
    ),
    Criterion(
        name="install_size",
        title=noop("install size"),
        unit=noop("MB"),
        scale="ratio",
        spread="exact",
        column="install_bytes",
        per_task=False,
        shown_per=1e6,
    ),
    Criterion(
        name="install_minutes",
        title=noop("install time"),
        unit=noop("min"),
        scale="ratio",
        spread="once",
        column="install_s",
        per_task=False,
        shown_per=60,
    ),
    Criterion(
        name="adapter_code",
        title=noop("adapter's code"),
        unit=noop("lines"),
        scale="ratio",
        spread="exact",
        column="adapter_lines",
        per_task=False,
    ),
    Criterion(
        name="clear_messages",
        title=noop("clear error messages"),
        unit=noop("share"),
        scale="share",
        spread="exact",
        column="clear_messages",
        per_task=False,
    ),
    Criterion(
        name="device_coverage",
        title=noop("device coverage"),
        unit=noop("share"),
        scale="share",
        spread="exact",
        per_task=False,
    ),
    Criterion(
        name="quality",
        title=noop("quality reached"),
        unit=noop("accuracy"),
        scale="points",
        spread="processes",
        column="accuracy",
    ),
)
"""In the order of the tables."""
