"""The machine and the revision of Evenbench itself, gathered once per study and never inside a timed part."""

import functools
import os
import platform
import subprocess
import tempfile
from pathlib import Path

import psutil

from harness.environments.limits import limits, physical_cores, whole_processors
from harness.errors import UsageError, why
from harness.record import Machine
from harness.whole_files import check_path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds `harness`, `backends`, `tasks` and `reports`."""


@functools.cache
def machine() -> Machine:
    """Return the facts of this computer."""
    from cpuinfo import get_cpu_info

    cpu = get_cpu_info()
    given, memory = limits(), psutil.virtual_memory().total
    return Machine(
        cpu=cpu.get("brand_raw") or platform.processor() or "unknown",
        cpu_flags=tuple(cpu.get("flags", ())),
        cores=os.cpu_count() or 1,
        memory_bytes=memory,
        system=platform.system(),
        kernel=platform.release(),
        python=platform.python_version(),
        cpu_quota=given.processors,
        memory_limit_bytes=given.memory_bytes if (given.memory_bytes or memory) < memory else None,
        physical_cores=physical_cores(range(os.cpu_count() or 1)),
    )


def git_revision() -> str | None:
    """Return the commit of the harness, with `-dirty` behind it if files differ, or None outside a git checkout."""
    if not (ROOT / ".git").exists():
        return None
    try:
        # Without tags, whose names would stand in place of the commit.
        command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def available_cores() -> tuple[int, ...]:
    """Return the processors that a run is to use: those this process may use, cut to the whole ones of its quota."""
    return whole_processors(allowed_cores())


def allowed_cores() -> tuple[int, ...]:
    """Return the processors that this process may use, by its affinity, which a `cpuset` narrows too."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def temporary_folder() -> Path:
    """Return the folder for what is needed for a moment: TMPDIR, or the system's.

    Raises:
        UsageError: none can be written, or its name cannot stand in a job.
    """
    try:
        return check_path(Path(tempfile.gettempdir()), "TMPDIR")
    except FileNotFoundError as error:
        raise UsageError(
            "no temporary folder can be written: name one with TMPDIR, or make room ({reason})", reason=why(error)
        ) from error
