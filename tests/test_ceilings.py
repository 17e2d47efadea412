"""The machine's limits, measured by each library: plausible where it works, and a reason where it does not."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import entries
from test_failing_well import HERE_INTERPRETER, SETTING, new_store, plan_of, specs

import backends
from harness import registry
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.measure.clock import fewest_seconds, watched
from harness.record import Block, Ceiling, Noise
from harness.runs import execute
from harness.runs.conductor import Conductor
from harness.runs.execute import ceiling
from harness.runs.executors.executor import Nobody
from harness.worker import describe
from harness.worker.jobs import CeilingJob


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())


@pytest.mark.alone("measures what all processors can do")
@pytest.mark.parametrize("name", registry.backend_names())
def test_every_library_multiplies_and_copies_at_a_plausible_rate(name: str, python_of: Callable[[str], str]) -> None:
    python = Interpreter(python=python_of(name), source="current", reason="a test")
    found = ceiling(name, "cpu", python, available_cores())
    assert found.library == name
    assert found.reason == "" or found.reason.startswith("disturbed by ")
    assert found.matmul_flops_per_s is not None
    assert found.copy_bytes_per_s is not None
    # 64 operations per cycle at 8 GHz; who returns before the work is done seems much faster
    assert 1e8 < found.matmul_flops_per_s < 5e11 * len(available_cores())
    assert 1e8 < found.copy_bytes_per_s < 1e12


def test_a_library_that_fails_is_a_ceiling_with_the_reason() -> None:
    found = ceiling("unimportable", "cpu", HERE_INTERPRETER, available_cores())
    assert (found.library, found.matmul_flops_per_s, found.copy_bytes_per_s) == ("unimportable", None, None)
    assert "libfake.so.1" in found.reason
    nowhere = Interpreter(python="/nowhere/python", source="--python", reason="a test")
    assert "cannot be started" in ceiling("well", "cpu", nowhere, available_cores()).reason


def test_a_study_measures_the_limits_once_and_writes_them_into_every_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def measured(library: str, device: str, interpreter: Interpreter, cores: tuple[int, ...]) -> Ceiling:
        asked.append((library, device, interpreter.python, cores))
        if library == "aborts":
            return Ceiling(library=library, reason="it died")
        return Ceiling(library=library, matmul_flops_per_s=1e11, copy_bytes_per_s=1e10)

    monkeypatch.setattr("harness.runs.executors.bench.ceiling", measured)
    wanted = specs("well", "aborts", repeats=2)
    store = new_store(tmp_path / "study", wanted)
    records = Conductor(plan_of(wanted), wanted, store=store, setting=SETTING, listener=Nobody()).run()
    assert sorted(asked) == [(name, "cpu", sys.executable, SETTING.cores) for name in ("aborts", "numpy", "well")]
    assert len(records) == 4
    for record in records:
        assert {c.library: bool(c.reason) for c in record.ceilings} == {"aborts": True, "numpy": False, "well": False}


@pytest.mark.parametrize(("noisy", "attempts"), [(0, 1), (1, 2), (5, 3)])
def test_a_disturbed_measurement_is_made_again_and_at_last_said(
    noisy: int, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def watched(work: Callable[[], None], cores: tuple[int, ...]) -> Block:
        work()
        begun.append(1)
        foreign = 10.0 if len(begun) <= noisy else 0.0
        noise = Noise(foreign_cpu_seconds=foreign)
        return Block(kind="steady", steps=1, seconds=1.0, cpu_seconds=1.0, noise=noise)

    monkeypatch.setattr(describe, "watched", watched)
    monkeypatch.setattr(describe, "fewest_seconds", lambda call, budget_s: 1.0 / (1 + len(begun)))
    job = CeilingJob(adapter="backends.numpy.adapter:backend", out="", cores=(0, 1), library="numpy", device="cpu")
    found = describe.ceiling(job)
    assert len(begun) == attempts
    assert found.matmul_flops_per_s == 2 * 512**3 * attempts, "the best attempt counts"
    assert found.copy_bytes_per_s == 8 * describe.COPIED_NUMBERS * attempts
    assert found.reason == ("disturbed by other processes in each of 3 attempts: it may be higher" if noisy > 2 else "")


def test_work_is_watched_as_one_block() -> None:
    def work() -> None:
        sum(range(100_000))

    block = watched(work, available_cores())
    assert 0 < block.seconds < 10
    assert block.noise is not None


def test_a_worker_that_dies_while_it_measures_the_limits_is_no_failed_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "CEILING_TIMEOUT_S", 0.01)
    found = ceiling("well", "cpu", HERE_INTERPRETER, available_cores())
    assert "took longer than its limit" in found.reason


@pytest.mark.alone("times calls of a few milliseconds")
def test_the_fastest_of_several_calls_counts_and_the_first_never() -> None:
    from time import sleep

    durations = iter([0.0, 0.03, 0.01, 0.02, 0.02])
    assert 0.01 <= fewest_seconds(lambda: sleep(next(durations)), budget_s=0.0) < 0.02
