"""Energy by the counters of the hardware, over the steady blocks alone; where there is no counter, the reason.

RAPL counts the joules of whole processor packages and of their memory (`/sys/class/powercap`), NVML those of a whole
GPU: what others do on them is in the figure, and the rest of the computer is not. A counter of RAPL starts again at
zero after `max_energy_range_uj`, within an hour at full power; it is looked at after every block, so none is missed.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from harness.language import Sentence, Words, apart, finished, noop
from harness.measure.clock import Stopwatch
from harness.record import Block, Energy
from harness.spec import DeviceKind

POWERCAP = Path("/sys/class/powercap")
READ = ("steady", "short")
"""The kinds of blocks whose energy is counted: warm training, and nothing else."""


class Counter(NamedTuple):
    """One counter of joules."""

    name: str
    joules: Callable[[], float]
    range_j: float | None = None
    """The largest value, after which it starts again at zero; None: it does not."""


class Meter:
    """Adds up the energy of steady blocks from the differences of the counters between them."""

    def __init__(self, device: DeviceKind, *, powercap: Path = POWERCAP) -> None:
        rapl, why_no_rapl = rapl_counters(powercap)
        nvml, why_no_nvml = nvml_counters(device)
        self.counters = (*rapl, *nvml)
        self.reasons: dict[str, Words] = {
            name: why for name, why in (("rapl", why_no_rapl), ("nvml", why_no_nvml)) if why
        }
        self._joules = {counter.name: 0.0 for counter in self.counters}
        self._seconds = 0.0
        self._steps = 0
        self.skip()

    def skip(self) -> None:
        """Leave out what was used since the last look, such as that of an evaluation."""
        self._last = {counter.name: self._look(counter) for counter in self.counters}
        self._watch = Stopwatch()

    def after(self, block: Block) -> None:
        """Count what was used since the last look if the block that just ended is one that is read."""
        before, seconds = self._last, self._watch.seconds()
        self.skip()  # after every block: the energy of one that is not read must not fall to the next
        if block.kind not in READ:
            return
        self._seconds += seconds
        self._steps += block.steps
        for counter in self.counters:
            name, was, now = counter.name, before[counter.name], self._last[counter.name]
            if name not in self._joules or was is None or now is None:
                self._joules.pop(name, None)  # a gap in the sum would be taken for thrift
                self.reasons.setdefault(name, noop("the counter could not be read all the time"))
                continue
            self._joules[name] += now - was if now >= was or counter.range_j is None else now + counter.range_j - was

    def read(self) -> Energy:
        """Return what was counted so far; without a steady block there is a reason instead of zeros."""
        if not self._steps:
            why = self.reasons | ({"blocks": noop("no steady block was measured")} if self.counters else {})
            return Energy(reasons=finished(why), said=apart(why))
        known = Energy(reasons=finished(self.reasons), said=apart(self.reasons))
        if not self._joules:
            return known
        return replace(known, joules=dict(self._joules), seconds=self._seconds, steps=self._steps)

    @staticmethod
    def _look(counter: Counter) -> float | None:
        try:
            return counter.joules()
        except (OSError, ValueError):
            return None


def rapl_counters(powercap: Path) -> tuple[tuple[Counter, ...], Words | None]:
    """Return the counters of the packages and of their memory, or none and the reason.

    The other parts that RAPL tells of (core, uncore, psys) are inside of these or hold these.
    """
    zones = sorted(powercap.glob("intel-rapl:*"))
    if not zones:
        return (), Sentence("this system has no RAPL counters ({powercap}/intel-rapl:*)", powercap=powercap)
    found = []
    for zone in zones:
        try:
            name = (zone / "name").read_text().strip()
            if name == "dram":
                parent = zone.parent / zone.name.rpartition(":")[0]
                name = f"{(parent / 'name').read_text().strip()} dram"
            elif not name.startswith("package"):
                continue
            counter = _rapl(f"rapl {name}", zone)
            counter.joules()  # a try: the files are there for all, but may be read by root only
        except PermissionError as error:
            return (), Sentence(
                "{path} may be read by root only (since Linux 5.10, CVE-2020-8694)", path=error.filename
            )
        except (OSError, ValueError) as error:
            return (), Sentence("the RAPL counter {path} cannot be read: {error}", path=zone, error=error)
        found.append(counter)
    if not found:
        return (), Sentence("none of the RAPL counters in {path} is that of a package", path=powercap)
    return tuple(found), None


def _rapl(name: str, zone: Path) -> Counter:
    range_j = int((zone / "max_energy_range_uj").read_text()) / 1e6
    return Counter(name, lambda: int((zone / "energy_uj").read_text()) / 1e6, range_j)


def nvml_counters(device: DeviceKind) -> tuple[tuple[Counter, ...], Words | None]:
    """Return the counter of the GPU that the run computes on, or none and the reason."""
    if device != "gpu":
        return (), None if device == "cpu" else Sentence("no energy counter for {device} is read yet", device=device)
    try:
        import pynvml
    except ImportError:
        return (), noop("nvidia-ml-py is not installed in the backend's environment")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip() or "0"
    try:
        # NVML counts all cards, CUDA those of this list: its device 0 is the first one named.
        pynvml.nvmlInit()
        if visible.isdigit():
            handle = pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        else:
            handle = pynvml.nvmlDeviceGetHandleByUUID(visible)  # the list may name cards by UUID instead
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # a try: cards before Volta have no such counter
    except pynvml.NVMLError as error:
        return (), Sentence("NVML answered: {error}", error=error)

    def joules() -> float:
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
        except pynvml.NVMLError as error:
            raise OSError(str(error)) from error  # which `_look` takes for a gap, as it does with RAPL's files

    return (Counter(f"nvml {visible}", joules),), None
