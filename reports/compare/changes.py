"""What is another one in a second study: the machine, Evenbench, and below every backend Python, packages, settings.

Only facts that a record holds are compared. A fact that takes several values in a study is the set of them.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from harness.knobs import label
from harness.language import noop
from harness.measure import conditions
from harness.measure.conditions import PROCESSOR
from harness.record import Machine, Record
from harness.versions import base

MACHINE, PROGRAM, MEMORY = noop("machine"), "evenbench", noop("memory")
HARDWARE = (PROCESSOR, noop("processors"), MEMORY)
"""If one of these differs, it is another machine; a new kernel is a change of the same one."""

Fact = tuple[str, str, str]
"""Scope, name and value."""


class Change(Struct, frozen=True, kw_only=True):
    """A fact that differs between two studies."""

    scopes: tuple[str, ...]
    """`machine`, `evenbench`, or the backends that it was seen at."""
    name: str
    a: tuple[str, ...]
    """Every value in study A, in the order of its runs; none where the fact is not known there."""
    b: tuple[str, ...]


def changes(a: Sequence[Record], b: Sequence[Record]) -> tuple[Change, ...]:
    """Return what differs; a backend that only one of the studies has is left out."""
    before, after = _values(a), _values(b)
    backends = [{base(record.spec.backend) for record in side} for side in (a, b)]
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for scope, name in dict.fromkeys((*before, *after)):
        if scope not in (MACHINE, PROGRAM) and not all(scope in side for side in backends):
            continue
        mine, theirs = before.get((scope, name), ()), after.get((scope, name), ())
        if set(mine) != set(theirs):
            found.setdefault((name, mine, theirs), []).append(scope)
    return tuple(
        Change(scopes=tuple(scopes), name=name, a=mine, b=theirs) for (name, mine, theirs), scopes in found.items()
    )


def hardware(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the machines of a study in words, without what can change on a machine."""
    return tuple(dict.fromkeys(_hardware(record.machine) for record in records))


def _hardware(machine: Machine) -> str:
    return f"{machine.cpu}, {machine.cores} processors, {_memory(machine)}"


def _memory(machine: Machine) -> str:
    return f"{machine.memory_bytes / 1e9:.0f} GB"


def _values(records: Iterable[Record]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        for scope, name, value in _facts(record):
            if value:
                found.setdefault((scope, name), {})[value] = None
    return {key: tuple(values) for key, values in found.items()}


def _facts(record: Record) -> Iterator[Fact]:
    machine, measured, backend = record.machine, record.measured, base(record.spec.backend)
    held = conditions.of(record)
    yield MACHINE, PROCESSOR, held[PROCESSOR]
    yield MACHINE, HARDWARE[1], str(machine.cores)
    yield MACHINE, MEMORY, _memory(machine)
    yield MACHINE, conditions.USED, held[conditions.USED]
    if machine.cpu_quota is not None:
        yield MACHINE, noop("processor quota"), f"{machine.cpu_quota:g}"
    if machine.memory_limit_bytes is not None:
        yield MACHINE, noop("memory limit"), f"{machine.memory_limit_bytes / 1e9:.1f} GB"
    yield MACHINE, noop("system"), f"{machine.system} {machine.kernel}"
    yield MACHINE, noop("processor flags"), " ".join(sorted(machine.cpu_flags))
    yield PROGRAM, noop("version"), record.evenbench
    yield PROGRAM, noop("revision"), record.git_revision or ""
    yield backend, "Python", measured.python
    yield backend, noop("interpreter"), record.interpreter_source
    yield backend, noop("device"), measured.device_name or ""
    for name, version in measured.versions.items():
        yield backend, name, version
    for name, value in measured.settings.items():
        yield backend, name, value
    yield backend, noop("tuned settings"), label(record.tuned_settings) if record.tuned_settings else ""
    for trap in measured.traps:
        yield backend, noop("trap"), trap.name
