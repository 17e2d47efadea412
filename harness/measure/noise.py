"""The noise guard: what others did on the worker's processors while a block was timed, and when that spoils it.

Looked at right before and right after a block, outside its clock. The processors' busy time comes from the finest
counter that the system has: the root control group's (nanoseconds), or else /proc/stat (ticks of 10 ms). What of it
the worker did not use itself was used by others.
"""

import os
import resource
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from harness.language import noop
from harness.record import Block, Noise

MOST_FOREIGN = 0.05
"""Share of the processors' time that others may take before a block counts as disturbed."""
MOST_STEAL = 0.05
"""Share of the processors' time that the hypervisor may take; it is told in ticks, so one tick is let pass."""
MOST_THROTTLED = 0.01
"""Share of the block's time for which the control group may be held back."""
TICK_S = 0.01  # USER_HZ, by which /proc counts: 100 on x86 and ARM, whatever the kernel's own rate

STAT = Path("/proc/stat")
LOAD = Path("/proc/loadavg")
BUSY_V1 = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage_percpu")
STAT_V1 = Path("/sys/fs/cgroup/cpu/cpu.stat")
FREQUENCY = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq"


class Look(Struct, frozen=True, kw_only=True):
    """All counters at one moment; null where the system has none."""

    busy_s: float | None
    """Seconds for which the worker's processors were busy, since the system started."""
    own_s: float
    steal_s: float | None
    throttled_s: float | None
    switches: int


class Guard:
    """Looks at the counters of some processors."""

    def __init__(self, cores: Iterable[int]) -> None:
        self.cores = tuple(cores)
        self.fine = _read(BUSY_V1) is not None
        self.cgroup = _own_cgroup()

    def look(self, own_s: float) -> Look:
        """Return the counters as they are now, given the process's own CPU seconds; takes about 0.1 ms."""
        ticks = _ticks(self.cores)
        busy = _busy_v1(self.cores) if self.fine else None
        return Look(
            busy_s=ticks[0] if busy is None and ticks else busy,
            own_s=own_s,
            steal_s=ticks[1] if ticks else None,
            throttled_s=_throttled(self.cgroup),
            switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        )

    def between(self, before: Look, after: Look) -> Noise:
        """Return what happened from one look to the next."""
        own = after.own_s - before.own_s
        busy = _difference(before.busy_s, after.busy_s)
        allowance = 0.0 if self.fine else 2 * TICK_S * len(self.cores)  # each end of each processor's count
        return Noise(
            load=_load(),
            foreign_cpu_seconds=None if busy is None else max(0.0, busy - own - allowance),
            steal_seconds=_difference(before.steal_s, after.steal_s),
            throttled_seconds=_difference(before.throttled_s, after.throttled_s),
            involuntary_switches=after.switches - before.switches,
            mhz=_mhz(self.cores),
        )


AND = noop("{first} and {second}")
"""Between two of what disturbed a block."""


def disturbances(block: Block, cores: int) -> tuple[str, ...]:
    """Return why a block timed on so many processors is not to be read: the stated rule, the same for all backends."""
    noise = block.noise
    if noise is None:
        return ()
    room = cores * block.seconds
    stolen = noise.steal_seconds or 0.0
    found: tuple[str, ...] = ()
    if (noise.foreign_cpu_seconds or 0.0) > MOST_FOREIGN * room:
        found += (noop("other processes"),)
    if stolen > TICK_S and stolen > MOST_STEAL * room:
        found += (noop("the hypervisor"),)
    if (noise.throttled_seconds or 0.0) > MOST_THROTTLED * block.seconds:
        found += (noop("the control group's quota"),)
    return found


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _busy_v1(cores: tuple[int, ...]) -> float | None:
    text = _read(BUSY_V1)
    if text is None:
        return None
    nanoseconds = text.split()
    return sum(int(nanoseconds[core]) for core in cores if core < len(nanoseconds)) / 1e9


def _ticks(cores: tuple[int, ...]) -> tuple[float, float] | None:
    """Return the busy and the stolen seconds of some processors by /proc/stat."""
    text = _read(STAT)
    if text is None:
        return None
    wanted = {f"cpu{core}" for core in cores}
    busy = stolen = 0
    for line in text.splitlines():
        name, *counts = line.split()
        if name in wanted:
            # what follows these eight, the time of guests, is in the first two already (`man 5 proc`)
            user, nice, system, _idle, _waiting, hard, soft, steal = map(int, counts[:8])
            busy += user + nice + system + hard + soft
            stolen += steal
        elif not name.startswith("cpu"):
            break  # the processors come first; the long lines of interrupts need not be read
    return busy * TICK_S, stolen * TICK_S


def _own_cgroup() -> Path | None:
    """Return the file that tells for how long the worker's control group was held back, if there is one."""
    for line in (_read(Path("/proc/self/cgroup")) or "").splitlines():
        if line.startswith("0::"):  # the one line of version 2; others are hierarchies of version 1
            path = Path("/sys/fs/cgroup", line[3:].lstrip("/"), "cpu.stat")
            if path.is_file():
                return path
    return STAT_V1 if STAT_V1.is_file() else None


def _throttled(path: Path | None) -> float | None:
    text = _read(path) if path else None
    for line in (text or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "throttled_usec":  # version 2; version 1 tells nanoseconds
            return int(value) / 1e6
        if name == "throttled_time":
            return int(value) / 1e9
    return None


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _mhz(cores: tuple[int, ...]) -> float | None:
    """Return the mean frequency of at most four of the processors."""
    texts = [_read(Path(FREQUENCY.format(core))) for core in cores[:4]]
    known = [int(text) / 1000 for text in texts if text]
    return sum(known) / len(known) if known else None
