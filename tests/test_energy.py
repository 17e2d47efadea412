"""Energy: read from a made-up folder of counters, through the wrap-around, and null with the reason without one."""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from records_factory import block

from harness.measure.energy import Meter, nvml_counters, rapl_counters

RANGE_UJ = 1_000_000_000


def zone(powercap: Path, number: str, name: str, energy_uj: int) -> Path:
    folder = powercap / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder


def use(folder: Path, energy_uj: int) -> None:
    path = folder / "energy_uj"
    path.write_text(f"{(int(path.read_text()) + energy_uj) % RANGE_UJ}\n")


def test_the_energy_of_steady_blocks_is_added_up_by_package(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "0", "package-0", 5), zone(tmp_path, "1", "package-1", 7)
    memory, core = zone(tmp_path, "0:0", "dram", 0), zone(tmp_path, "0:1", "core", 0)
    zone(tmp_path, "2", "psys", 0)
    meter = Meter("cpu", powercap=tmp_path)
    for kind, steps in (("first", 1), ("calibration", 9), ("steady", 10), ("short", 3), ("steady", 10)):
        for folder, joules in ((first, 2), (second, 3), (memory, 1), (core, 1)):
            use(folder, joules * 1_000_000)
        meter.after(block(kind, steps, 0.1))  # type: ignore[arg-type]
    found = meter.read()
    assert found.joules == pytest.approx({"rapl package-0": 6, "rapl package-0 dram": 3, "rapl package-1": 9})
    assert found.steps == 23
    assert found.seconds is not None
    assert 0 < found.seconds < 10
    assert found.reasons == {}


def test_an_evaluation_between_the_blocks_is_left_out(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 0)
    meter = Meter("cpu", powercap=tmp_path)
    use(package, 4_000_000)
    meter.after(block("steady", 10, 0.1))
    use(package, 70_000_000)
    meter.skip()
    use(package, 5_000_000)
    meter.after(block("steady", 10, 0.1))
    assert meter.read().joules == pytest.approx({"rapl package-0": 9})


def test_a_counter_that_starts_again_at_zero_loses_nothing(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", RANGE_UJ - 1_000_000)
    meter = Meter("cpu", powercap=tmp_path)
    for _ in range(7):
        use(package, 400_000_000)
        meter.after(block("steady", 10, 0.1))
    assert meter.read().joules["rapl package-0"] == pytest.approx(2800)


def test_without_counters_there_is_a_reason_and_no_number(tmp_path: Path) -> None:
    meter = Meter("cpu", powercap=tmp_path / "nowhere")
    meter.after(block("steady", 10, 0.1))
    found = meter.read()
    assert (found.joules, found.seconds, found.steps) == ({}, None, 0)
    assert "no RAPL counters" in found.reasons["rapl"]


def test_a_run_without_a_steady_block_has_no_energy_but_a_reason(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 0)
    assert Meter("cpu", powercap=tmp_path).read().reasons == {"blocks": "no steady block was measured"}


def test_a_counter_for_root_alone_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "0", "package-0", 0)
    read_text = Path.read_text

    def refuse(path: Path, *args: object, **more: object) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, os.strerror(13), str(path))
        return read_text(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", refuse)
    counters, reason = rapl_counters(tmp_path)
    assert counters == ()
    assert reason is not None
    assert "root only" in str(reason)


def test_a_damaged_counter_is_a_reason(tmp_path: Path) -> None:
    (zone(tmp_path, "0", "package-0", 0) / "energy_uj").write_text("many\n")
    assert "cannot be read" in str(rapl_counters(tmp_path)[1])
    (tmp_path / "only").mkdir()
    zone(tmp_path / "only", "0", "psys", 0)
    assert "none of the RAPL counters" in str(rapl_counters(tmp_path / "only")[1])


def test_a_counter_that_goes_away_leaves_no_sum_with_a_gap(tmp_path: Path) -> None:
    package = zone(tmp_path, "0", "package-0", 0)
    meter = Meter("cpu", powercap=tmp_path)
    meter.after(block("steady", 10, 0.1))
    (package / "energy_uj").rename(package / "away")
    meter.after(block("steady", 10, 0.1))
    (package / "away").rename(package / "energy_uj")
    meter.after(block("steady", 10, 0.1))
    found = meter.read()
    assert found.joules == {}
    assert "all the time" in found.reasons["rapl package-0"]


class FakeNvml(ModuleType):
    """As much of `pynvml` as is used: a card that has taken 5 kJ, and 2 J more at every look."""

    class NVMLError(Exception):
        """What NVML answers."""

    def __init__(self, answer: str | None = None) -> None:
        super().__init__("pynvml")
        self.answer = answer
        self.millijoules = 5_000_000
        self.asked: list[object] = []

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        self.asked.append(index)
        return "card"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.asked.append(uuid)
        return "card"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        if self.answer:
            raise self.NVMLError(self.answer)
        self.millijoules += 2000
        return self.millijoules


@pytest.mark.parametrize(("visible", "asked"), [(None, 0), ("3,1", 3), ("GPU-7a", "GPU-7a")])
def test_the_energy_of_the_gpu_in_use_is_read(
    visible: str | None, asked: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", card)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    meter = Meter("gpu", powercap=tmp_path)
    for _ in range(3):
        meter.after(block("steady", 10, 0.1))
    assert card.asked == [asked]
    assert meter.read().joules == pytest.approx({f"nvml {asked}": 6.0})
    card.answer = "GPU is lost"
    meter.after(block("steady", 10, 0.1))
    assert meter.read().joules == {}


def test_a_gpu_that_does_not_count_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml("Not Supported"))
    counters, reason = nvml_counters("gpu")
    assert (counters, str(reason)) == ((), "NVML answered: Not Supported")


def test_a_gpu_that_is_not_there_is_a_reason_and_a_cpu_needs_none() -> None:
    assert nvml_counters("cpu") == ((), None)
    assert "npu" in str(nvml_counters("npu")[1])
    counters, reason = nvml_counters("gpu")
    assert bool(counters) != bool(reason)
