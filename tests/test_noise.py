"""The noise guard: what others do is seen, what the worker does itself is not held against it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.environments.machine import available_cores
from harness.measure import noise
from harness.measure.noise import Guard, Look, disturbances
from harness.record import Block, Noise

STAT = """cpu  300 0 100 900 0 0 0 50 0 0
cpu0 100 10 50 500 5 1 2 20 0 0
cpu1 200 20 50 400 5 1 2 30 0 0
intr 1 2 3
"""


def block(seconds: float = 0.1, **seen: float) -> Block:
    return Block(kind="steady", steps=1, seconds=seconds, cpu_seconds=seconds, noise=Noise(**seen))  # type: ignore[arg-type]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep some processors busy, in processes of their own."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    time.sleep(0.3)
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def watched(guard: Guard, seconds: float, *, working: bool) -> Noise:
    before = guard.look(time.process_time())
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if not working:
            time.sleep(0.01)
    return guard.between(before, guard.look(time.process_time()))


@pytest.mark.alone("makes every processor busy")
def test_a_foreign_process_is_seen() -> None:
    guard = Guard(available_cores())
    with busy(len(guard.cores)):
        noise = watched(guard, 0.5, working=True)
    assert noise.foreign_cpu_seconds is not None
    assert "other processes" in disturbances(
        block(0.5, foreign_cpu_seconds=noise.foreign_cpu_seconds), len(guard.cores)
    )


@pytest.mark.alone("counts the CPU seconds of others")
def test_own_work_is_not_taken_for_foreign() -> None:
    guard = Guard(available_cores())
    idle = min((watched(guard, 0.3, working=False).foreign_cpu_seconds or 0.0) for _ in range(3))
    working = min((watched(guard, 0.3, working=True).foreign_cpu_seconds or 0.0) for _ in range(3))
    assert working < idle + 0.15  # half of what it worked itself; others may come and go


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"foreign_cpu_seconds": 0.009}, ()),
        ({"foreign_cpu_seconds": 0.011}, ("other processes",)),
        ({"steal_seconds": 0.01}, ()),
        ({"steal_seconds": 0.02}, ("the hypervisor",)),
        ({"throttled_seconds": 0.0011}, ("the control group's quota",)),
        ({"load": 9.0, "involuntary_switches": 50}, ()),
    ],
)
def test_the_rule_is_as_stated(seen: dict[str, float], why: tuple[str, ...]) -> None:
    assert disturbances(block(0.1, **seen), 2) == why


def test_a_block_without_counters_is_not_blamed() -> None:
    assert disturbances(Block(kind="steady", steps=1, seconds=0.1, cpu_seconds=0.1), 2) == ()
    assert disturbances(block(0.1), 2) == ()


def test_only_the_workers_processors_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stat").write_text(STAT)
    (tmp_path / "usage").write_text("1000000000 5000000000 \n")
    monkeypatch.setattr(noise, "STAT", tmp_path / "stat")
    monkeypatch.setattr(noise, "BUSY_V1", tmp_path / "usage")
    assert Guard((1,)).look(0.0).busy_s == 5.0
    assert Guard((0, 1)).look(0.0).busy_s == 6.0
    monkeypatch.setattr(noise, "BUSY_V1", tmp_path / "none")
    look = Guard((1,)).look(0.0)
    assert look.busy_s == pytest.approx(2.73)
    assert look.steal_s == pytest.approx(0.3)


def test_ticks_are_given_their_own_coarseness() -> None:
    guard = Guard((0, 1))
    before = Look(busy_s=10.0, own_s=1.0, steal_s=None, throttled_s=None, switches=3)
    after = Look(busy_s=10.2, own_s=1.1, steal_s=None, throttled_s=None, switches=5)
    guard.fine = True
    assert guard.between(before, after).foreign_cpu_seconds == pytest.approx(0.1)
    guard.fine = False
    found = guard.between(before, after)
    assert found.foreign_cpu_seconds == pytest.approx(0.06)
    assert found.involuntary_switches == 2
    assert found.steal_seconds is None


def test_a_system_without_counters_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STAT", "BUSY_V1", "STAT_V1"):
        monkeypatch.setattr(noise, name, tmp_path / "none")
    guard = Guard((0,))
    guard.cgroup = None
    found = guard.between(guard.look(0.0), guard.look(0.1))
    assert (found.foreign_cpu_seconds, found.steal_seconds, found.throttled_seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("nr_periods 9\nthrottled_usec 2500000\n", 2.5),
        ("nr_periods 9\nthrottled_time 2500000000\n", 2.5),
        ("x 1\n", None),
    ],
)
def test_both_kinds_of_control_groups_are_read(text: str, seconds: float | None, tmp_path: Path) -> None:
    path = tmp_path / "cpu.stat"
    path.write_text(text)
    guard = Guard((0,))
    guard.cgroup = path
    assert guard.look(0.0).throttled_s == seconds
