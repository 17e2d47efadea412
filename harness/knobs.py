"""The knobs of a backend: variables of its worker's environment that may change the speed, and never what is computed.

A backend declares them in `backends/<name>/knobs.py`, as light data that imports no framework, the most promising
first. `evenbench tune` searches their values; stock, the variable unset, is always one of them and is not listed.
"""

from collections.abc import Iterable

from msgspec import Struct

from harness.spec import DeviceKind, Mode


class Knob(Struct, frozen=True, kw_only=True):
    """One variable and the values worth trying; `Here` decides which of them this machine can try at all."""

    name: str
    """What a person calls it."""
    variable: str
    values: tuple[str, ...]
    """Beside stock, which is the variable unset."""
    meaning: str
    """What it does, in which version that was seen, and how."""
    devices: tuple[DeviceKind, ...] = ("cpu",)
    modes: tuple[Mode, ...] | None = None
    """None: all."""
    counts_cores: bool = False
    """The values are numbers of threads: tried as far as they are below the number of cores."""
    cpu_flag: str | None = None
    """What the processor must have for the values to differ from stock, in the words of `/proc/cpuinfo`."""
    systems: tuple[str, ...] = ()
    """In the words of `platform.system()`; empty: all."""


class Here(Struct, frozen=True, kw_only=True):
    """What of this machine decides which knobs there are."""

    system: str
    cpu_flags: tuple[str, ...]
    cores: int
    """That a worker may use."""


def usable(knobs: Iterable[Knob], here: Here, *, device: DeviceKind, mode: Mode) -> dict[str, tuple[str, ...]]:
    """Return variable to values, stock aside, of the knobs that can do anything here, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for knob in knobs:
        if device not in knob.devices or (knob.modes is not None and mode not in knob.modes):
            continue
        if knob.systems and here.system not in knob.systems:
            continue
        if knob.cpu_flag is not None and knob.cpu_flag not in here.cpu_flags:
            continue
        if values := _values(knob, here):
            found[knob.variable] = values
    return found


def _values(knob: Knob, here: Here) -> tuple[str, ...]:
    if knob.counts_cores:
        return tuple(value for value in knob.values if int(value) < here.cores)
    return knob.values


def label(settings: dict[str, str]) -> str:
    """Return settings in one line, as they are set in a shell."""
    return " ".join(f"{variable}={value}" for variable, value in settings.items()) or "stock"
