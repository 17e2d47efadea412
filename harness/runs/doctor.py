"""What `evenbench doctor` finds: per backend what serves it and what spoils it here, then the machine's own troubles.

Every trap comes with the sentence that mends it. A harmful one spoils numbers or stops a run; the others are worth
knowing. Nothing is printed here.
"""

import os
import platform
import shutil
from collections.abc import Iterator, Mapping

import psutil
from msgspec import Struct
from msgspec.structs import replace

from harness import __version__, registry
from harness.contract import Trap
from harness.environments import interpreters, managed
from harness.environments.home import home
from harness.environments.limits import limits, physical_cores
from harness.environments.machine import allowed_cores, available_cores
from harness.environments.siblings import strangers
from harness.errors import EnvironmentFailure, UsageError
from harness.language import Sentence, Words
from harness.measure.conditions import not_inherited
from harness.runs.execute import describe
from harness.worker.jobs import Description

LARGEST_MATMUL_ERROR = 1e-3
"""A 512x512 product of N(0, 1) entries errs by about 1e-4 in true float32, by 1e-2 in TF32, by 0.3 in bfloat16."""
LEAST_MEMORY_BYTES = 2_000_000_000
LEAST_DISK_BYTES = 5_000_000_000


class Machine(Struct, frozen=True, kw_only=True):
    """What the machine-wide checks look at."""

    python: str
    cores: int
    """Processors that a run uses: by this process's affinity, cut to the whole ones of its quota."""
    load_1min: float
    memory_free_bytes: int
    home: str
    disk_free_bytes: int
    not_passed_on: tuple[str, ...]
    """Variables of this shell that no worker takes over, for they would make it compute something else."""
    strangers: tuple[str, ...]
    """Sibling packages that do not lie beside `harness`."""
    allowed: int = 0
    """Processors that this process may use, by its affinity alone."""
    cpu_quota: float | None = None
    memory_limit_bytes: int | None = None
    physical_cores: int | None = None
    """Cores that the processors which a run uses are hyperthreads of."""
    plugins: tuple[Sentence, ...] = ()
    """What is wrong with the plug-ins that are left out."""


class Checkup(Struct, frozen=True, kw_only=True):
    """One backend on this machine; `error` says why it does not work, and is None if it does."""

    backend: str
    python: str | None = None
    source: str | None = None
    reason: Words | None = None
    error: Sentence | None = None
    description: Description | None = None
    traps: tuple[Trap, ...] = ()


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All that was found; `healthy` if every backend asked for works and no harmful trap applies."""

    evenbench: str
    healthy: bool
    machine: Machine
    traps: tuple[Trap, ...]
    """Of the machine as a whole."""
    backends: tuple[Checkup, ...]


def examine(backend: str, overrides: Mapping[str, str], machine: Machine) -> Checkup:
    """Return what serves a backend here, what it says about itself, and its traps."""
    try:
        chosen = interpreters.find(backend, overrides)
    except (EnvironmentFailure, UsageError) as error:
        return Checkup(backend=backend, error=Sentence.of(error))
    checkup = Checkup(backend=backend, python=chosen.python, source=chosen.source, reason=chosen.reason)
    try:
        description = describe(backend, chosen)
    except EnvironmentFailure as error:
        return replace(checkup, error=Sentence.of(error))
    timed = backend != registry.reference_name()  # what slows the reference down spoils nothing
    traps = backend_traps(description, machine.cores) if timed else description.traps
    return replace(checkup, description=description, traps=traps)


def conclude(machine: Machine, backends: tuple[Checkup, ...]) -> Diagnosis:
    """Return the whole, with the verdict."""
    traps = machine_traps(machine)
    found = [*traps, *(trap for checkup in backends for trap in checkup.traps)]
    healthy = not any(trap.harmful for trap in found) and all(checkup.error is None for checkup in backends)
    return Diagnosis(evenbench=__version__, healthy=healthy, machine=machine, traps=traps, backends=backends)


def backend_traps(description: Description, cores: int) -> tuple[Trap, ...]:
    """Return the adapter's own traps and those that its description shows, one of each name."""
    found = {trap.name: trap for trap in _shown_traps(description, cores)}
    found |= {trap.name: trap for trap in description.traps}  # the adapter's own sentence knows the framework better
    return tuple(found.values())


def _shown_traps(description: Description, cores: int) -> Iterator[Trap]:
    error = description.matmul_error
    if error is not None and not error <= LARGEST_MATMUL_ERROR:
        why = Sentence(
            "a product of two 512x512 float32 matrices is wrong by {error:.1g}, which is not float32: unset what "
            "lowers the precision of products (ONEDNN_DEFAULT_FPMATH_MODE, TF32 and bfloat16 switches)",
            error=error,
        )
        yield _trap("reduced precision", why)
    if description.flushes_denormals is False:
        why = Sentence(
            "denormal numbers are computed, not flushed to zero; a recurrent net can run many times slower for it than "
            "in a framework that flushes by itself"
        )
        yield _trap("denormals", why, harmful=False)
    threads = description.settings.get("threads", "")
    if threads.isdecimal() and int(threads) not in (0, cores):
        why = Sentence(
            "it computes with {threads} threads where {cores} processors are at hand, so that it is not measured like "
            "the others: unset what sets its threads (OMP_NUM_THREADS and the like)",
            threads=threads,
            cores=cores,
        )
        yield _trap("threads", why)


def _trap(name: str, why: Sentence, *, harmful: bool = True) -> Trap:
    return Trap(name=name, sentence=str(why), said=why, harmful=harmful)


def machine_traps(machine: Machine) -> tuple[Trap, ...]:
    """Return the troubles that no backend can be blamed for."""
    found = []
    if reason := managed.why_not_python(tuple(map(int, machine.python.split(".")[:2]))):
        found.append(_trap("python", reason))
    if machine.strangers:
        names = ", ".join(machine.strangers)
        why = Sentence(
            "{names} come from another project than harness: install Evenbench in an environment of its own",
            names=names,
        )
        found.append(_trap("sibling packages", why))
    if machine.not_passed_on:
        why = Sentence(
            "{names} would change what is computed, or where: what Evenbench runs does not take it over from this "
            "shell, but programs of yours will",
            names=", ".join(machine.not_passed_on),
        )
        found.append(_trap("variables", why, harmful=False))
    if machine.memory_free_bytes < LEAST_MEMORY_BYTES:
        free = machine.memory_free_bytes / 1e9
        found.append(
            _trap("memory", Sentence("only {size:.1f} GB of memory are free: end what else is running", size=free))
        )
    if machine.disk_free_bytes < LEAST_DISK_BYTES:
        why = Sentence(
            "only {size:.1f} GB are free for {path}, and the environments take about 6 GB: make room, or set "
            "EVENBENCH_HOME to a folder on a larger disk",
            size=machine.disk_free_bytes / 1e9,
            path=machine.home,
        )
        found.append(_trap("disk", why, harmful=False))
    found += [_trap("plug-in", why, harmful=False) for why in machine.plugins]
    found += [_trap("container", why, harmful=False) for why in _given(machine)]
    if machine.load_1min > machine.cores / 2:
        why = Sentence(
            "the load average is {load:.1f} on {cores} processors, and one foreign process can make small kernels many "
            "times slower: wait until the machine is quiet before measuring",
            load=machine.load_1min,
            cores=machine.cores,
        )
        found.append(_trap("noise", why, harmful=False))
    return tuple(found)


def _given(machine: Machine) -> Iterator[Sentence]:
    """Yield what a container, or whoever set up its control groups, gives of the machine."""
    if machine.cpu_quota is not None and machine.cpu_quota < machine.allowed:
        yield Sentence(
            "the control group gives {quota:g} processors of {allowed}: runs use {cores}, one thread on each",
            quota=machine.cpu_quota,
            allowed=machine.allowed,
            cores=machine.cores,
        )
    if machine.memory_limit_bytes is not None:
        yield Sentence("the control group gives {size:.1f} GB of memory", size=machine.memory_limit_bytes / 1e9)
    if machine.physical_cores is not None and machine.physical_cores < machine.cores:
        yield Sentence(
            "the {cores} processors are hyperthreads of {physical} cores, and share what these compute with",
            cores=machine.cores,
            physical=machine.physical_cores,
        )


def look_at_machine() -> Machine:
    """Return what the machine-wide checks need, as it is now."""
    folder = home()
    cores, given, memory = available_cores(), limits(), psutil.virtual_memory()
    limit = given.memory_bytes if (given.memory_bytes or memory.total) < memory.total else None
    return Machine(
        python=platform.python_version(),
        cores=len(cores),
        load_1min=os.getloadavg()[0],
        memory_free_bytes=min(memory.available, limit or memory.available),
        home=str(folder),
        disk_free_bytes=shutil.disk_usage(folder).free,
        not_passed_on=tuple(name for name in not_inherited() if os.environ.get(name) and name != "LANGUAGE"),
        strangers=strangers(),
        allowed=len(allowed_cores()),
        cpu_quota=given.processors,
        memory_limit_bytes=limit,
        physical_cores=physical_cores(cores),
        plugins=tuple(left_out()),
    )


def left_out() -> Iterator[Sentence]:
    """Yield what is to be said of each plug-in that cannot be used."""
    for plugin in registry.installed_plugins():
        if plugin.problem is not None:
            yield Sentence(
                "the {kind} {name} of {distribution} is left out: {reason}",
                kind=plugin.kind,
                name=plugin.name,
                distribution=plugin.distribution,
                reason=plugin.problem,
            )
