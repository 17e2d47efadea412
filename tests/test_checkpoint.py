"""A long training that was stopped goes on from its last checkpoint, and a finished one leaves none."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from small_machines import BOTTOM, PER_EPOCH, STAGES, machine_task, run_job

from backends.numpy.boltzmann import NumpyBoltzmann
from harness.boltzmann import State
from harness.contract import Arrays
from harness.record import Outcome
from harness.worker import boltzmann_run
from harness.worker.__main__ import attempt
from harness.worker.boltzmann_run import BoltzmannRun
from harness.worker.stages import Checkpoint

A: State = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "velocity.weight": np.ones((2, 3), np.float32)}
B: State = {"weight": np.full((3, 1), 0.1, np.float32), "chain": np.zeros((4, 1), np.float32)}


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "not there yet" / "checkpoint.npz"
    first = Checkpoint(str(path))
    assert (first.stage, first.epoch, first.train_s, first.done) == (None, 0, 0.0, {})
    first.save({"one": A}, "two", B, epoch=7, train_s=1.5)
    again = Checkpoint(str(path))
    assert (again.stage, again.epoch, again.train_s) == ("two", 7, 1.5)
    assert same(again.state, B)
    assert again.done.keys() == {"one"}
    assert same(again.done["one"], A)
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.npz"]


def test_the_latest_save_counts(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    Checkpoint(str(path)).save({}, "one", A, epoch=1, train_s=1.0)
    Checkpoint(str(path)).save({"one": A}, "two", B, epoch=2, train_s=2.0)
    again = Checkpoint(str(path))
    assert (again.stage, again.epoch) == ("two", 2)
    assert same(again.done["one"], A)


def test_without_a_path_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = Checkpoint(None)
    checkpoint.save({}, "one", A, epoch=1, train_s=1.0)
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


def test_removing_twice_is_no_error(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "checkpoint.npz"))
    checkpoint.save({}, "one", A, epoch=1, train_s=1.0)
    checkpoint.remove()
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


class Counter:
    """Counts the updates of every stage, and can fail at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail_at: tuple[str, int] | None = None
        self.updates: dict[str, int] = {}
        right = NumpyBoltzmann.train

        def train(
            program: NumpyBoltzmann,
            order: np.ndarray,
            rates: np.ndarray,
            *,
            gibbs_steps: int,
            tape: Arrays | None = None,
        ) -> None:
            name = program.stage.name
            for _ in range(len(order)):
                if self.fail_at == (name, self.updates.get(name, 0)):
                    raise RuntimeError("the power is out")
                self.updates[name] = self.updates.get(name, 0) + 1
            right(program, order, rates, gibbs_steps=gibbs_steps, tape=tape)

        monkeypatch.setattr(NumpyBoltzmann, "train", train)
        monkeypatch.setattr(boltzmann_run, "CHECKPOINT_EVERY_S", 0.0)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


def go(run: BoltzmannRun) -> Outcome:
    return attempt(run.go)


@pytest.mark.parametrize("updates", [0, 1, PER_EPOCH, PER_EPOCH + 1])
def test_a_run_stopped_in_its_second_stage_goes_on_and_does_not_begin_again(
    updates: int, counter: Counter, tmp_path: Path
) -> None:
    job = run_job(tmp_path, machine_task())
    path = Path(str(job.checkpoint))
    counter.fail_at = ("top", updates)
    assert "the power is out" in go(BoltzmannRun(job)).reason
    assert path.is_file()
    kept = Checkpoint(str(path))
    before, counter.fail_at, counter.updates = dict(counter.updates), None, {}
    run = BoltzmannRun(job)
    assert go(run).status == "ok"
    assert counter.updates.get("bottom", 0) <= PER_EPOCH < before["bottom"]
    expected = {"bottom": BOTTOM.epochs} if kept.stage == "bottom" else {"top": STAGES[1].epochs}
    assert counter.updates.get(str(kept.stage), 0) == (expected[str(kept.stage)] - kept.epoch) * PER_EPOCH
    assert run.measured().quality["accuracy"] is not None
    total = run.train_seconds()
    assert total is not None
    assert total > kept.train_s > 0
    assert not path.exists()


def test_a_run_stopped_after_its_last_stage_goes_on_too(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = run_job(tmp_path, machine_task())
    right = BoltzmannRun.nets

    def fail(run: BoltzmannRun, order: np.ndarray) -> None:
        raise RuntimeError("the power is out")

    monkeypatch.setattr(BoltzmannRun, "nets", fail)
    assert "the power is out" in go(BoltzmannRun(job)).reason
    monkeypatch.setattr(BoltzmannRun, "nets", right)
    counter.updates = {}
    run = BoltzmannRun(job)
    assert go(run).status == "ok"
    assert "bottom" not in counter.updates
    assert "top" not in counter.updates
    assert not Path(str(job.checkpoint)).exists()


def test_a_stage_goes_on_with_the_very_state_that_was_saved(counter: Counter, tmp_path: Path) -> None:
    job = run_job(tmp_path, machine_task())
    counter.fail_at = ("top", PER_EPOCH)
    go(BoltzmannRun(job))
    kept = Checkpoint(job.checkpoint)
    seen: dict[str, State] = {}

    class Watching(BoltzmannRun):
        def build_stage(self, stage, state, *, seed):  # type: ignore[no-untyped-def]
            seen[stage.name] = state
            return super().build_stage(stage, state, seed=seed)

    counter.fail_at = None
    run = Watching(job)
    go(run)
    assert kept.stage == "top"
    assert same(seen["top"], kept.state)
    assert same(run.done["bottom"], kept.done["bottom"])
    assert "bottom" not in seen


def test_what_a_watch_found_outlives_a_stop_right_after_it(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = (*STAGES[:2], replace(STAGES[2], epochs=4))
    job = run_job(tmp_path, machine_task(stages, watch_epochs=2))
    monkeypatch.setattr(boltzmann_run, "CHECKPOINT_EVERY_S", 1e6)
    counter.fail_at = ("joint", 2 * PER_EPOCH)
    assert "the power is out" in go(BoltzmannRun(job)).reason
    kept = Checkpoint(job.checkpoint)
    assert (kept.stage, kept.epoch) == ("joint", 2)
    counter.fail_at = None
    run = BoltzmannRun(job)
    assert go(run).status == "ok"
    assert [stage.name for stage in run.measured().stages].count("joint, epoch 2") == 1
