"""Runs of equal seeds: bit for bit where the backend is deterministic, told apart where it is not."""

from pathlib import Path

import numpy as np
import pytest
from fakes import entries
from msgspec.structs import replace
from small_machines import BATCH, machine_task, run_job
from test_failing_well import SETTING, new_store, plan_of

import backends
from harness.record import Record, Twin
from harness.records import same_seed
from harness.records.store import Store
from harness.registry import task
from harness.runs.conductor import Conductor
from harness.runs.executors.executor import Nobody
from harness.runs.plan import Wish, plan
from harness.spec import Choice, RunSpec
from harness.worker.__main__ import attempt, run_of
from harness.worker.boltzmann_run import training
from harness.worker.stages import Checkpoint


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())


def planned(*names: str, repeats: int = 2, seeds: tuple[int, ...] | None = (0,)) -> tuple[RunSpec, ...]:
    choices = tuple(Choice(backend=name, device="cpu", mode="eager") for name in names)
    return plan(Wish(tasks=(task("xor"),), choices=choices, preset="smoke", repeats=repeats, seeds=seeds))


def conduct(store: Store, wanted: tuple[RunSpec, ...]) -> tuple[Record, ...]:
    chosen = plan_of(wanted, with_ceilings=False)
    return Conductor(chosen, store.missing(wanted), store=store, setting=SETTING, listener=Nobody()).run()


def run(folder: Path, wanted: tuple[RunSpec, ...]) -> tuple[Record, ...]:
    return conduct(new_store(folder, wanted), wanted)


def test_a_deterministic_backend_is_its_own_twin_bit_for_bit(tmp_path: Path) -> None:
    first, second, third = run(tmp_path / "s", planned("well", repeats=3))
    assert first.twin is None
    for later in (second, third):
        assert later.twin == Twin(
            run_id=first.spec.run_id, identical=True, largest_loss_difference=0.0, largest_parameter_difference=0.0
        )
    assert list((tmp_path / "s").glob(".*")) == [], "nothing is kept once all twins are done"


def test_a_backend_that_draws_from_the_system_is_told_apart(tmp_path: Path) -> None:
    _, second = run(tmp_path / "s", planned("random"))
    assert second.twin is not None
    assert not second.twin.identical
    assert 0 < (second.twin.largest_loss_difference or 0) < 1
    assert 0 < (second.twin.largest_parameter_difference or 0) < 1


def test_runs_of_different_seeds_have_no_twins_and_write_nothing(tmp_path: Path) -> None:
    wanted = planned("well", repeats=2, seeds=None)
    assert [same_seed.Twins(wanted).of(spec) for spec in wanted] == [(), ()]
    assert [record.twin for record in run(tmp_path / "s", wanted)] == [None, None]
    assert not list((tmp_path / "s").rglob("*.npz"))


def test_the_twin_of_a_run_before_the_study_was_resumed_is_found(tmp_path: Path) -> None:
    wanted = planned("well")
    store = new_store(tmp_path / "s", wanted)

    class Once(Nobody):
        """Stops the study before the second run."""

        begun = 0

        def started(self, spec: RunSpec) -> None:
            self.begun += 1
            if self.begun == 2:
                raise KeyboardInterrupt

    chosen = plan_of(wanted, with_ceilings=False)
    with pytest.raises(KeyboardInterrupt):
        Conductor(chosen, wanted, store=store, setting=SETTING, listener=Once()).run()
    assert same_seed.kept_path(store.folder, wanted[0].run_id).is_file()
    (second,) = conduct(store, wanted)
    assert second.twin is not None
    assert second.twin.identical


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", None])
def test_a_missing_or_damaged_file_gives_no_twin(tmp_path: Path, content: bytes | None) -> None:
    same_seed.write(str(tmp_path), [0.5], {"w": np.ones(3, np.float32)})
    found, kept = tmp_path / same_seed.OUTCOME, same_seed.kept_path(tmp_path, "first")
    if content is not None:
        kept.write_bytes(content)
    assert same_seed.settle(found, "second", twins=("first",), folder=tmp_path) is None
    assert same_seed.settle(tmp_path / "missing.npz", "third", twins=("first",), folder=tmp_path) is None


def test_a_file_whose_end_is_missing_gives_no_twin(tmp_path: Path) -> None:
    same_seed.write(str(tmp_path), [0.5], {"w": np.ones(3000, np.float32)})
    found, kept = tmp_path / same_seed.OUTCOME, same_seed.kept_path(tmp_path, "first")
    damaged = bytearray(found.read_bytes())
    damaged[2000:2100] = bytes(100)
    kept.write_bytes(damaged)
    assert same_seed.compare(kept, found, run_id="first") is None


def compared(folder: Path, one: dict[str, np.ndarray], two: dict[str, np.ndarray], *losses: list[float]) -> Twin:
    paths = []
    for number, (parameters, values) in enumerate(zip((one, two), losses or ([1.0], [1.0]), strict=True)):
        (folder / str(number)).mkdir()
        same_seed.write(str(folder / str(number)), values, parameters)
        paths.append(folder / str(number) / same_seed.OUTCOME)
    found = same_seed.compare(*paths, run_id="first")
    assert found is not None
    return found


def test_the_largest_differences_are_found_wherever_they_are(tmp_path: Path) -> None:
    large = np.full(2 * same_seed.CHUNK + 7, 2.0, np.float32)
    other = large.copy()
    other[-1] = 2.5
    found = compared(tmp_path, {"a": large, "b": large}, {"a": large, "b": other}, [1.0, 2.0], [1.0, 2.25])
    assert not found.identical
    assert found.largest_parameter_difference == pytest.approx(0.5 / 2.5)
    assert found.largest_loss_difference == 0.25


def test_the_smallest_difference_in_one_bit_counts(tmp_path: Path) -> None:
    zero = np.zeros(3, np.float32)
    found = compared(tmp_path, {"a": zero}, {"a": -zero})
    assert not found.identical
    assert found.largest_parameter_difference == 0.0


def test_another_number_of_steps_or_another_shape_is_a_difference(tmp_path: Path) -> None:
    shapes = {"a": np.ones(3, np.float32)}, {"a": np.ones(4, np.float32)}
    assert compared(tmp_path, *shapes, [1.0, 2.0, 3.0], [1.0, 2.5]) == Twin(
        run_id="first", identical=False, largest_loss_difference=0.5, largest_parameter_difference=None
    )


def test_a_boltzmann_machine_keeps_the_states_of_its_stages_and_the_losses_of_the_last(tmp_path: Path) -> None:
    job = replace(run_job(tmp_path / "one", machine_task()), keep_outcome=True)
    assert attempt(run_of(job).go).status == "ok"
    with np.load(Path(job.out, same_seed.OUTCOME)) as found:
        assert len(found[same_seed.LOSSES]) == 2 * 40 // BATCH
        assert {"bottom", "top", "joint"} == {name.split("/")[1] for name in found.files if name != same_seed.LOSSES}


def test_a_machine_that_goes_on_from_a_checkpoint_is_no_twin(tmp_path: Path) -> None:
    job = replace(run_job(tmp_path / "one", machine_task()), keep_outcome=True)
    job = replace(job, checkpoint=str(tmp_path / "c.npz"))
    whole = run_of(job)
    assert attempt(whole.go).status == "ok"
    done = dict(whole.done)  # type: ignore[attr-defined]
    joint = done.pop("joint")
    Checkpoint(job.checkpoint, belongs_to=training(job)).save(done, "joint", joint, epoch=1, train_s=1.0)
    Path(job.out, same_seed.OUTCOME).unlink()
    assert attempt(run_of(job).go).status == "ok"
    assert not Path(job.out, same_seed.OUTCOME).exists()
