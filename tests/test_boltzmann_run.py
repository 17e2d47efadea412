"""A whole run of a Boltzmann machine on the reference: its stages, what is asked of it, its pictures, its failures."""

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from small_machines import BOTTOM, FIRST, JOINT, PER_EPOCH, PIXELS, SECOND, STAGES, TEST, TOP, machine_task, run_job

from backends.numpy.boltzmann import NumpyBoltzmann
from harness.boltzmann import Rbm, Stage, WakeSleep, state_shapes, statistics_names
from harness.contract import Arrays
from harness.record import Measured, Outcome
from harness.records import machines, pictures
from harness.spec import Task
from harness.worker.__main__ import attempt, run_of
from harness.worker.boltzmann_run import BoltzmannRun
from harness.worker.process import read_result
from harness.worker.stages import epoch_means


def go(folder: Path, task: Task) -> tuple[Outcome, Measured]:
    run = run_of(run_job(folder, task))
    assert isinstance(run, BoltzmannRun)
    outcome = attempt(run.go)
    return outcome, run.measured()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Measured, Path]:
    """Return how a run with all that can be asked of a machine ended."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    outcome, measured = go(folder, machine_task(labels=(10,), temperatures=50, sampling_runs=10))
    return outcome, measured, folder / "out"


def test_a_deep_machine_goes_through_its_stages_in_their_order(whole: tuple[Outcome, Measured, Path]) -> None:
    outcome, measured, _ = whole
    assert (outcome.status, outcome.reason) == ("ok", "")
    assert [stage.name for stage in measured.stages] == [
        "bottom",
        "bottom, trained",
        "top",
        "top, trained",
        "joint, composed",
        "joint",
        "joint, trained",
        "linear probe",
        "fine-tuned",
        "random start",
        "fine-tuned, 10 labels",
        "random start, 10 labels",
    ]


def test_every_stage_says_what_it_did_and_what_came_out(whole: tuple[Outcome, Measured, Path]) -> None:
    found = {stage.name: stage for stage in whole[1].stages}
    for stage in STAGES:
        told = found[stage.name]
        assert told.updates == stage.epochs * PER_EPOCH
        assert sum(block.steps for block in told.blocks) >= told.updates
        assert told.train_s > 0
        assert set(told.statistics) == set(statistics_names(stage))
        assert {len(means) for means in told.statistics.values()} == {stage.epochs}
    assert set(found["bottom, trained"].quality) == {"pseudo_log_likelihood"}
    bound = {"bound", "bound_is_reliable", "log_z", "sample_size_uniform", "sample_size_rates", "mean_field_iterations"}
    assert set(found["joint, composed"].quality) == set(found["joint, trained"].quality) == bound
    for name in ("linear probe", "fine-tuned", "random start"):
        assert set(found[name].quality) == {"accuracy"}
        assert found[name].updates > 0


def test_the_quality_holds_every_figure_and_the_accuracy_is_the_fine_tuned_nets(
    whole: tuple[Outcome, Measured, Path],
) -> None:
    measured = whole[1]
    found = {stage.name: stage for stage in measured.stages}
    assert set(measured.quality) == {
        "probe_accuracy",
        "accuracy",
        "random_start_accuracy",
        "accuracy_10",
        "random_start_accuracy_10",
        "bound",
        "bound_is_reliable",
    }
    assert measured.quality["accuracy"] == found["fine-tuned"].quality["accuracy"]
    assert measured.quality["accuracy_10"] == found["fine-tuned, 10 labels"].quality["accuracy"]
    assert measured.quality["probe_accuracy"] == found["linear probe"].quality["accuracy"]
    assert measured.quality["bound"] == found["joint, trained"].quality["bound"]


def test_the_record_counts_all_stages_and_the_fine_tuning_as_training(whole: tuple[Outcome, Measured, Path]) -> None:
    measured = whole[1]
    found = {stage.name: stage for stage in measured.stages}
    spent = sum(found[stage.name].train_s for stage in STAGES)
    assert measured.phases.train_s == pytest.approx(spent)
    (evaluation,) = measured.evaluations
    assert evaluation.train_seconds == pytest.approx(spent + found["fine-tuned"].train_s)
    assert evaluation.steps == sum(stage.epochs for stage in STAGES) * PER_EPOCH
    assert all(getattr(measured.phases, name) is not None for name in measured.phases.__struct_fields__)


def test_what_is_known_is_saved_on_the_way(whole: tuple[Outcome, Measured, Path]) -> None:
    saved = read_result(whole[2])
    assert saved is not None
    assert saved.outcome is None, "only the worker says how a run ended"
    assert saved.measured is not None
    assert saved.measured.stages == whole[1].stages


def test_the_pictures_are_those_of_the_last_stage(whole: tuple[Outcome, Measured, Path]) -> None:
    with np.load(whole[2] / pictures.ARRAYS) as file:
        shapes = {name: file[name].shape for name in file.files}
        assert all(np.isfinite(file[name]).all() for name in file.files)
    assert shapes == {"filters": (FIRST, PIXELS), "reconstructions": (2 * TEST, PIXELS), "samples": (8, PIXELS)}


@pytest.mark.parametrize(
    ("stages", "shown"),
    [
        ((replace(BOTTOM, doubled="none"),), {"filters", "reconstructions"}),
        ((replace(BOTTOM, doubled="none", persistent=True),), {"filters", "reconstructions", "samples"}),
        ((replace(BOTTOM, doubled="none"), replace(TOP, doubled="none", recognise_copies=1)), set()),
    ],
    ids=["rbm", "pcd", "belief net"],
)
def test_other_machines_go_through_as_well(stages: tuple[Rbm, ...], shown: set[str], tmp_path: Path) -> None:
    task = machine_task(stages)
    if len(stages) == 1:
        task = replace(task, layers=(*task.layers[:2], task.layers[-1]))
    outcome, measured = go(tmp_path / "run", task)
    assert outcome.status == "ok"
    names = [name for stage in stages for name in (stage.name, f"{stage.name}, trained")]
    assert [stage.name for stage in measured.stages] == [*names, "linear probe", "fine-tuned", "random start"]
    assert set(measured.quality) == {"probe_accuracy", "accuracy", "random_start_accuracy"}
    with np.load(tmp_path / "run" / "out" / pictures.ARRAYS) as file:
        assert set(file.files) == shown


def test_a_belief_net_is_judged_before_and_after_it_is_untied(tmp_path: Path) -> None:
    up_down = WakeSleep(
        name="up-down", epochs=2, learning_rate=0.01, weight_decay=0, visible=PIXELS, hidden1=FIRST, hidden2=SECOND
    )
    task = machine_task((BOTTOM, TOP, up_down), temperatures=50, sampling_runs=10)
    _, measured = go(tmp_path / "run", task)
    found = {stage.name: stage.quality for stage in measured.stages}
    told = {"bound", "bound_is_reliable", "log_z", "sample_size_uniform", "sample_size_rates"}
    assert set(found["up-down, untied"]) == set(found["up-down, trained"]) == told
    assert measured.quality["bound"] == found["up-down, trained"]["bound"] != found["up-down, untied"]["bound"]


def test_a_machine_is_judged_and_kept_on_its_way(tmp_path: Path) -> None:
    stages = (BOTTOM, TOP, replace(JOINT, epochs=5))
    task = machine_task(stages, watch_epochs=2, temperatures=20, sampling_runs=5)
    _, measured = go(tmp_path / "run", task)
    names = [stage.name for stage in measured.stages]
    start = names.index("joint, composed")
    assert names[start : start + 5] == [
        "joint, composed",
        "joint, epoch 2",
        "joint, epoch 4",
        "joint",
        "joint, trained",
    ]
    found = {stage.name: stage for stage in measured.stages}
    errors = found["joint"].statistics["reconstruction_error"]
    for epoch in (2, 4):
        told = found[f"joint, epoch {epoch}"].quality
        assert set(told) == {"reconstruction_error", "accuracy", *found["joint, trained"].quality}
        assert told["reconstruction_error"] == errors[epoch - 1]
    folder = tmp_path / "run" / "kept" / "machines"
    assert sorted(path.name for path in folder.iterdir()) == ["joint-0002.npz", "joint-0004.npz", "joint-0005.npz"]
    shapes = {name: value.shape for name, value in machines.read(folder / "joint-0005.npz").items()}
    expected = state_shapes(stages[-1], JOINT.chains)
    assert shapes == {name: shape for name, shape in expected.items() if not name.startswith("velocity.")}


def test_watching_changes_nothing_of_the_training(tmp_path: Path) -> None:
    found = [go(tmp_path / str(every), machine_task(watch_epochs=every))[1] for every in (0, 1)]
    plain, watched = ({stage.name: stage for stage in measured.stages} for measured in found)
    for name, stage in plain.items():
        assert (watched[name].statistics, watched[name].quality) == (stage.statistics, stage.quality)


def test_without_temperatures_the_bound_is_missing_with_the_reason(tmp_path: Path) -> None:
    _, measured = go(tmp_path / "run", machine_task())
    (told,) = [stage for stage in measured.stages if stage.name == "joint, trained"]
    assert "bound" not in told.quality
    assert "no temperatures" in told.remarks["bound"]


def test_equal_seeds_give_equal_results(tmp_path: Path) -> None:
    found = [go(tmp_path / name, machine_task())[1] for name in ("one", "two")]
    assert found[0].quality == found[1].quality
    assert [s.statistics for s in found[0].stages] == [s.statistics for s in found[1].stages]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_number_that_is_not_finite_ends_the_run_as_diverged(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = NumpyBoltzmann.train

    def train(
        self: NumpyBoltzmann, order: np.ndarray, rates: np.ndarray, *, gibbs_steps: int, tape: Arrays | None = None
    ) -> None:
        right(self, order, rates, gibbs_steps=gibbs_steps, tape=tape)
        if self.stage.name == stage.name:
            next(value for name, value in self.w.items() if name.startswith("weight"))[:] = np.nan

    monkeypatch.setattr(NumpyBoltzmann, "train", train)
    with np.errstate(all="ignore"):
        outcome, measured = go(tmp_path / "run", machine_task())
    assert outcome.status == "diverged"
    assert "became nan" in outcome.reason
    assert stage.name in outcome.reason or stage == JOINT
    assert f"{stage.name}, trained" not in [told.name for told in measured.stages]


def test_means_over_epochs_are_null_where_they_are_not_finite() -> None:
    assert epoch_means([1, 3, 5, 7, float("nan"), 1], 2) == (2, 6, None)
    assert epoch_means([], 2) == ()


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (10, 1), (11, 2), (100, 10)])
@pytest.mark.parametrize("side", [4, 28])
def test_a_sheet_has_ten_pictures_in_a_row_with_a_line_around_each(count: int, rows: int, side: int) -> None:
    image = pictures.sheet(np.full((count, side * side), 0.25), symmetric=False)
    assert image.size == (2 * (10 * (side + 1) + 1), 2 * (rows * (side + 1) + 1))
    values = np.asarray(image)
    assert values[4, 4] == 64
    assert values[0, 0] == 128


def test_probabilities_run_from_black_to_white_and_weights_around_grey() -> None:
    tile = np.array([[0.0, 1.0, 0.5, 0.5]])
    inside = (slice(2, 6, 2), slice(2, 6, 2))
    assert np.asarray(pictures.sheet(tile, symmetric=False))[inside].tolist() == [[0, 255], [128, 128]]
    weights = np.array([[-3.0, 3.0, 0.0, 1.5], [0, 0, 0, 0]])
    assert np.asarray(pictures.sheet(weights, symmetric=True))[inside].tolist() == [[0, 255], [128, 191]]


def test_pictures_are_written_once_and_only_if_there_are_any(tmp_path: Path) -> None:
    arrays, folder = tmp_path / pictures.ARRAYS, tmp_path / "pictures"
    pictures.save(arrays, folder)
    assert not folder.exists()
    np.savez(arrays, filters=np.ones((3, 16)), samples=np.zeros((20, 16)))
    pictures.save(arrays, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["filters.png", "samples.png"]
    with Image.open(folder / "samples.png") as image:
        assert image.size == (2 * 51, 2 * 11)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    np.savez(arrays, filters=np.zeros((1, 16)))
    pictures.save(arrays, folder)
    assert {path.stat().st_mtime for path in folder.iterdir()} == {0}


def test_the_hidden_layers_of_the_small_machine_differ_in_size() -> None:
    """Else a mix-up of the two would go unnoticed in the tests above."""
    assert len({PIXELS, FIRST, SECOND, JOINT.chains}) == 4


def test_an_array_that_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "pictures.npz", allow=np.array(False), filters=np.zeros((3, 9), np.float32))
    pictures.save(tmp_path / "pictures.npz", tmp_path / "sheets")
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["filters.png"]
