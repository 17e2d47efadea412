"""A long training that was stopped goes on from its last checkpoint, and a finished one leaves none."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from records_factory import MACHINE
from small_machines import BOTTOM, PER_EPOCH, STAGES, machine_task, run_job

from backends.numpy.boltzmann import NumpyBoltzmann
from harness.boltzmann import Stage, State
from harness.contract import Arrays, Entry
from harness.data.prepare import Prepared
from harness.environments.interpreters import Interpreter
from harness.record import Outcome, ParityVerdict, Record, Status
from harness.records.store import Store
from harness.runs import execute as execution
from harness.runs.launch import Ended
from harness.worker import boltzmann_run
from harness.worker.__main__ import attempt
from harness.worker.boltzmann_run import BoltzmannRun
from harness.worker.jobs import Result, RunJob
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
    found = {stage.name: stage.train_s for stage in run.measured().stages}
    assert sum(found[stage.name] for stage in STAGES) == pytest.approx(total)
    assert found[str(kept.stage)] >= kept.train_s - sum(stage.train_s for stage in kept.measured)
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


def stopped(counter: Counter, folder: Path, stages: tuple[Stage, ...] = STAGES) -> RunJob:
    """Return the job of a run that was stopped in its second stage and left a checkpoint."""
    job = run_job(folder, machine_task(stages))
    counter.fail_at = ("top", PER_EPOCH)
    go(BoltzmannRun(job))
    counter.fail_at, counter.updates = None, {}
    assert Checkpoint(job.checkpoint).stage == "top"
    return job


def changed(path: Path, **arrays: np.ndarray) -> bytes:
    with np.load(path) as file:
        kept = dict(file) | {name.replace("_in_", "/"): value for name, value in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **kept)
    return buffer.getvalue()


def as_array(_: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def flipped(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    return bytes(content)


DAMAGES: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda path: b"",
    "cut off": lambda path: path.read_bytes()[:-200],
    "half": lambda path: path.read_bytes()[: path.stat().st_size // 2],
    "text": lambda path: b"\xff\xfe no archive",
    "one array": as_array,
    "a flipped byte": flipped,
    "another shape": lambda path: changed(path, state_in_weight=np.zeros((2, 2), np.float32)),
    "another type": lambda path: changed(path, state_in_weight=np.full((6, 5), "x")),
    "not finite": lambda path: changed(path, done_in_bottom_in_weight=np.full((16, 6), np.nan, np.float32)),
    "an unknown stage": lambda path: changed(path, stage=np.array("sideways")),
    "an epoch too late": lambda path: changed(path, epoch=np.array(99)),
    "an epoch that is none": lambda path: changed(path, epoch=np.array("soon")),
    "stages that are no JSON": lambda path: changed(path, measured=np.zeros(4, np.uint8)),
    "another training": lambda path: changed(path, belongs_to=np.array("another")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_told_set_aside_and_the_training_begins_anew(
    damage: str, counter: Counter, tmp_path: Path
) -> None:
    job = stopped(counter, tmp_path)
    path = Path(str(job.checkpoint))
    spoilt = DAMAGES[damage](path)
    path.write_bytes(spoilt)
    run = BoltzmannRun(job)
    assert go(run).status == "ok"
    assert counter.updates["bottom"] >= BOTTOM.epochs * PER_EPOCH
    (aside,) = path.parent.glob("*.damaged-1.npz")
    assert aside.read_bytes() == spoilt
    (trap,) = [trap for trap in run.measured().traps if trap.name == "checkpoint"]
    assert not trap.harmful
    assert trap.said is not None
    assert str(aside) in trap.sentence
    assert "the training began anew" in trap.sentence
    assert "\n" not in trap.sentence
    assert not path.exists()


def test_a_checkpoint_that_is_good_is_not_spoken_of(counter: Counter, tmp_path: Path) -> None:
    run = BoltzmannRun(stopped(counter, tmp_path))
    assert go(run).status == "ok"
    assert "bottom" not in counter.updates
    assert [trap for trap in run.measured().traps if trap.name == "checkpoint"] == []


def test_a_checkpoint_of_another_schedule_is_not_gone_on_from(counter: Counter, tmp_path: Path) -> None:
    job = stopped(counter, tmp_path)
    faster = replace(machine_task((replace(BOTTOM, learning_rate=0.1), *STAGES[1:])))
    run = BoltzmannRun(replace(job, task=faster, preset=faster.preset("only")))
    assert go(run).status == "ok"
    assert "bottom" in counter.updates
    assert "of another training" in str(run.checkpoint.trouble)


def test_two_damaged_checkpoints_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        assert Checkpoint(str(path)).trouble is not None
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "checkpoint.damaged-1.npz": b"one",
        "checkpoint.damaged-2.npz": b"two",
    }


def executed(folder: Path, monkeypatch: pytest.MonkeyPatch, ended: Ended) -> tuple[Record, Path]:
    """Return the record of a run that left a checkpoint and ended so, and where the checkpoint lies."""
    task = machine_task()
    spec = run_job(folder / "job", task).spec
    path = folder / "study" / f".{spec.run_id}.checkpoint.npz"
    Checkpoint(str(path)).save({}, "bottom", A, epoch=1, train_s=1.0)
    monkeypatch.setattr(execution, "launch", lambda *_, **__: ended)
    ready = execution.Ready(
        spec=spec,
        task=task,
        data=Prepared(arrays={}, order="", weights="", fingerprint="", examples={}),
        interpreter=Interpreter(python="python", source="current", reason="a test"),
        parity=ParityVerdict(passed=None),
        described=Entry(adapter="nothing:at_all", framework="numpy", modes=("eager",), default_mode="eager"),
    )
    setting = execution.Setting(machine=MACHINE, git_revision=None, cores=(0,))
    return execution.execute(ready, setting, folder / "study"), path


def how(status: Status | None = None, **more: Any) -> Ended:
    result = None if status is None else Result(outcome=Outcome(status=status, reason="it is so"))
    facts: dict[str, Any] = {"returncode": 0, "interrupted": False, "stderr_tail": ""}
    facts["kernel_killed_for_memory"] = False
    return Ended(result=result, **(facts | more))


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        (how(returncode=-9), "crashed"),
        (how(returncode=-9, kernel_killed_for_memory=True), "out_of_memory"),
        (how("out_of_memory"), "out_of_memory"),
        (how("crashed"), "crashed"),
        (how(returncode=None), "timeout"),
    ],
)
def test_a_run_that_was_cut_short_keeps_its_checkpoint_and_says_how_to_go_on(
    ended: Ended, status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, path = executed(tmp_path, monkeypatch, ended)
    assert record.outcome.status == status
    assert path.is_file()
    reason = record.outcome.reason
    assert f"move {record.spec.run_id}.json out of the study's folder" in reason
    assert "run --resume study" in reason
    assert record.outcome.said is not None
    store = Store(path.parent)
    file = store.add(record)
    assert store.missing((record.spec,)) == ()
    file.rename(tmp_path / "moved.json")
    assert store.missing((record.spec,)) == (record.spec,)


def test_an_interrupted_run_keeps_its_checkpoint_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, path = executed(tmp_path, monkeypatch, how(returncode=None, interrupted=True))
    assert path.is_file()
    assert "checkpoint" not in record.outcome.reason


@pytest.mark.parametrize("status", ["ok", "missed_target", "diverged", "unsupported"])
def test_a_training_that_came_to_its_own_end_leaves_no_checkpoint(
    status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, path = executed(tmp_path, monkeypatch, how(status))
    assert (record.outcome.status, record.outcome.reason) == (status, "it is so")
    assert not path.exists()
