"""How much memory the worker took, read from the kernel's own counters.

`host_peak_bytes` is the peak of the process's resident memory (VmHWM, kept by the kernel, so that no spike is missed)
less the pages that are files (RssFile: shared libraries and memory-mapped data) less the anonymous memory that the
process held before the framework was imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import registry
from harness.language import Sentence, Words, noop
from harness.record import Memory

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")

RAN_OUT = (
    "out of memory",
    "bad_alloc",
    "cannot allocate memory",
    "can't allocate memory",
    "unable to allocate",
    "can't start new thread",
    "thread creation failed",
    "pthread_create failed",
)
"""What Python, the C and C++ libraries and those of threads, whose stacks need some, say when there is no memory left.
A backend names its framework's own words in its entry."""


def says_it_ran_out(text: str) -> bool:
    """Return whether a text says that memory ran out, in the words of a library or of any backend."""
    lower = text.lower()
    return any(words in lower for words in (*RAN_OUT, *registry.memory_words()))


def status_bytes(field: str) -> int | None:
    """Return a field of /proc/self/status in bytes, or None where the kernel does not tell."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024  # the kernel writes kB and means KiB
    return None


class HostMemory:
    """Remembers the anonymous memory at construction, before the framework comes in."""

    def __init__(self) -> None:
        self._before = status_bytes("RssAnon")
        self._import_bytes: int | None = None
        self._earlier_peak = 0

    def imported(self) -> None:
        """Note what the import of the framework took."""
        now = status_bytes("RssAnon")
        if self._before is not None and now is not None:
            self._import_bytes = now - self._before

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Keep the peak free of what is done here for Evenbench's own sake.

        The kernel's peak is set back to the present state (`man 5 proc`, clear_refs); where it refuses, all counts.
        """
        peak = self._peak()
        try:
            yield
        finally:
            with suppress(OSError):
                CLEAR_REFS.write_text("5")
                self._earlier_peak = max(self._earlier_peak, peak or 0)

    def _peak(self) -> int | None:
        peak, files = status_bytes("VmHWM"), status_bytes("RssFile")
        return None if peak is None or files is None else peak - files

    def read(self) -> Memory:
        """Return the host's figures so far."""
        peak = self._peak()
        if self._before is None or peak is None:
            return Memory(
                reasons={"host_peak_bytes": noop("this system has no /proc/self/status with VmHWM and RssFile")}
            )
        peak = max(peak, self._earlier_peak)
        return Memory(host_peak_bytes=max(0, peak - self._before), import_bytes=self._import_bytes)


def device_process_bytes(device_kind: str) -> tuple[int | None, Words | None]:
    """Return the driver's view of this process's device memory in bytes, or None with the reason."""
    if device_kind == "cpu":
        return None, noop("the device is the CPU")
    if device_kind != "gpu":
        return None, Sentence("no counter for {device} is read yet", device=device_kind)
    try:
        import pynvml
    except ImportError:
        return None, noop("nvidia-ml-py is not installed in the backend's environment")
    import os

    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        processes = [p for h in handles for p in pynvml.nvmlDeviceGetComputeRunningProcesses(h)]
    except pynvml.NVMLError as error:
        return None, Sentence("NVML answered: {error}", error=error)
    mine = [p.usedGpuMemory for p in processes if p.pid == os.getpid() and p.usedGpuMemory is not None]
    return (sum(mine), None) if mine else (None, noop("NVML does not list this process"))
