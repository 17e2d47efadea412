"""What a container gives of a machine, by its control groups of version 1 and 2, and which processors are one core.

Read below a root that the tests replace. The files of version 1 are those of Linux's `cgroup-v1/memory.rst` and
`sched-bwc.rst`, those of version 2 of its `cgroup-v2.rst`. The limits of a group's parents hold for it too.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

ROOT = Path("/")
GROUPS = "sys/fs/cgroup"


class Limits(Struct, frozen=True, kw_only=True):
    """Of the control groups that this process is in; None where there is none."""

    processors: float | None = None
    """CPU seconds per second."""
    memory_bytes: int | None = None


def limits(root: Path = ROOT) -> Limits:
    """Return the limits of this process's control groups, the narrowest of each kind."""
    quotas = [*_quotas_v2(root), *_quotas_v1(root)]
    memory = [
        int(text)
        for name, controller in (("memory.max", ""), ("memory.limit_in_bytes", "memory"))
        for folder in _folders(root, controller)
        if (text := _read(folder / name)).isdecimal()
    ]
    return Limits(processors=min(quotas, default=None), memory_bytes=min(memory, default=None))


def _quotas_v2(root: Path) -> Iterator[float]:
    for folder in _folders(root, ""):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _quotas_v1(root: Path) -> Iterator[float]:
    for folder in _folders(root, "cpu"):
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):  # -1 is no quota
            yield int(quota) / int(period)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and of its parents; of version 2, which has one tree, without a name.

    In a container the path may be the host's, and lie nowhere here: then only the parents that are there count.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(","):
            parts = Path(path.lstrip("/")).parts
            for mount in (names, controller) if controller else ("", "unified"):
                yield from (Path(root, GROUPS, mount, *parts[:number]) for number in range(len(parts), -1, -1))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def whole_processors(cores: Sequence[int], root: Path = ROOT) -> tuple[int, ...]:
    """Return as many of some processors as the quota gives whole ones, at least one.

    More threads than that would be held back in the middle of every step. Those on different cores are taken first.
    """
    quota = limits(root).processors
    if quota is None or quota >= len(cores):
        return tuple(cores)
    hyperthreads: Counter[str] = Counter()
    order = []
    for number in sorted(cores):
        core = _core(number, root)
        order.append((hyperthreads[core], number))
        hyperthreads[core] += 1
    return tuple(sorted(number for _, number in sorted(order)[: max(1, math.floor(quota))]))


def physical_cores(cores: Sequence[int], root: Path = ROOT) -> int | None:
    """Return how many cores some processors are threads of, None where the system does not tell."""
    known = {_core(number, root) for number in cores}
    return None if any(name.startswith("?") for name in known) or not known else len(known)


def _core(number: int, root: Path) -> str:
    """Return what the threads of one core have in common."""
    topology = root / f"sys/devices/system/cpu/cpu{number}/topology"
    return _read(topology / "core_cpus_list") or _read(topology / "thread_siblings_list") or f"?{number}"
