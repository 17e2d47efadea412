"""Training that stops when a validation split says so: never trained on, and its best evaluation counts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from backends.numpy.adapter import NumpyBackend
from harness.data.prepare import prepare
from harness.errors import DataError, UsageError
from harness.layers import Dense
from harness.measure import honesty
from harness.optimizers import SGD
from harness.record import Honesty, Measured, Outcome
from harness.records import evidence
from harness.registry import task as named_task
from harness.spec import EarlyStopping, Preset, RunSpec, Target, Task
from harness.worker import run as worker_run
from harness.worker.jobs import RunJob
from harness.worker.run import Run, merit

TRAIN, HELD_OUT, TEST, STEPS = 40, 8, 8, 60
EPOCH = 4


class Scripted:
    """A program whose accuracy at every evaluation is given beforehand; it learns nothing."""

    def __init__(self, test: list[float], validation: list[float]) -> None:
        self.scripts = {"test": test, "train": validation}
        self.at = {"test": 0, "train": 0}
        self.trained: list[int] = []
        self.last = 0

    def load(self, arrays: Any) -> None:
        pass

    def train(self, order: np.ndarray) -> None:
        self.trained += order.ravel().tolist()
        self.last = len(order)

    def synchronize(self) -> None:
        pass

    def losses(self) -> np.ndarray:
        return np.ones(self.last, np.float32)

    def predict(self, split: str, indices: np.ndarray) -> np.ndarray:
        """Call as many examples right as the script says, at last as at its end; every label is 0."""
        script = self.scripts[split]
        share = script[min(self.at[split], len(script) - 1)]
        self.at[split] += 1
        right = np.arange(len(indices)) < round(share * len(indices))
        return np.stack([right, ~right], axis=1).astype(np.float32)

    def host(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def device_memory(self) -> Any:
        from harness.contract import DeviceMemory

        return DeviceMemory(reason="a test")


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    test: list[float],
    validation: list[float] | None,
    patience: int = 2,
    target: float = 0.0,
    dataset: str = "none",
    asked: bool = False,
) -> tuple[Outcome, Measured, Scripted]:
    """Do a run with as many evaluations as the script has."""
    program, called = Scripted(test, validation or []), f"only+target={target}" if asked else "only"

    class Backend(NumpyBackend):
        def build(self, *_: Any, **__: Any) -> Any:
            return program

    monkeypatch.setattr(worker_run, "resolve", lambda _: Backend)
    for question in ("waits", "remembers"):  # they train on, which is not what is tested here
        monkeypatch.setattr(honesty, question, lambda *_, **__: Honesty())
    preset = Preset(
        dataset="none",
        epochs=1,
        batch_size=EPOCH,
        optimizer=SGD(learning_rate=0.1),
        target=Target(at_least=target),
        evaluations=len(test),
        measure_s=0.0,
        inference_s=0.0,
        early_stopping=EarlyStopping(patience=patience) if validation else None,
    )
    task = Task(
        name="scripted",
        version=1,
        summary="scripted",
        input_shape=(1,),
        layers=(Dense(units=2),),
        loss="softmax_cross_entropy",
        datasets=("none",),
        presets={called: preset},
    )
    sizes = {"train_x": (TRAIN, 1), "train_y": (TRAIN,), "test_x": (TEST, 1), "test_y": (TEST,)}
    for name, shape in sizes.items():
        np.save(folder / f"{name}.npy", np.zeros(shape, np.float32 if name.endswith("x") else np.int32))
    np.save(folder / "order.npy", np.tile(np.arange(EPOCH, dtype=np.int32), (STEPS, 1)))
    np.save(folder / "validation.npy", np.arange(TRAIN - HELD_OUT, TRAIN, dtype=np.int32))
    np.savez(folder / "weights.npz", nothing=np.zeros(1))
    (folder / "out").mkdir()
    job = RunJob(
        adapter="scripted",
        out=str(folder / "out"),
        cores=(0,),
        spec=RunSpec(
            task="scripted", task_version=1, backend="numpy", mode="eager", preset=called, dataset=dataset, seed=0,
            repeat=0, timeout_s=60,
        ),
        task=task,
        preset=preset,
        arrays={name: str(folder / f"{name}.npy") for name in sizes},
        order=str(folder / "order.npy"),
        weights=str(folder / "weights.npz"),
        validation=str(folder / "validation.npy") if validation else None,
    )  # fmt: skip
    done = Run(job)
    outcome = done.go()
    measured = done.measured()
    done.leave_evidence()
    assert done.measured().phases.evaluate_s == measured.phases.evaluate_s
    return outcome, measured, program


def test_training_stops_after_so_many_evaluations_without_a_better_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, measured, program = run(
        tmp_path,
        monkeypatch,
        test=[0.125, 0.5, 0.75, 1.0, 1.0, 1.0],
        validation=[0.25, 0.75, 0.5, 0.625, 1.0, 1.0],
        target=0.5,
    )
    assert outcome.status == "ok"
    assert measured.stopped_early is True
    assert [e.validation["accuracy"] for e in measured.evaluations] == [0.25, 0.75, 0.5, 0.625]
    assert [e.steps for e in measured.evaluations] == [10, 20, 30, 40]
    assert measured.quality == {"accuracy": 0.5}, "the quality is that of the best evaluation on the validation split"
    assert len(program.trained) == 40 * EPOCH


def test_the_best_on_validation_counts_even_if_another_was_better_on_the_test_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, measured, _ = run(tmp_path, monkeypatch, test=[0.5, 0.25, 1.0], validation=[0.25, 0.75, 0.5], target=0.9)
    assert measured.quality == {"accuracy": 0.25}
    answers = evidence.decode((tmp_path / "out" / evidence.FILE).read_bytes()).answers
    assert answers is not None
    assert answers.counts == ((2, 6), (0, 0)), "evidence is of the evaluation that counts, too"
    assert outcome.status == "missed_target"
    assert "0.2500" in outcome.reason


@pytest.mark.parametrize(
    ("dataset", "asked", "status"),
    [("none", False, "missed_target"), ("others", False, "ok"), ("others", True, "missed_target")],
)
def test_a_target_is_that_of_the_presets_own_data_unless_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, asked: bool, status: str
) -> None:
    how: dict[str, Any] = {"test": [0.25], "validation": None, "target": 0.9, "dataset": dataset, "asked": asked}
    outcome, measured, _ = run(tmp_path, monkeypatch, **how)
    assert measured.quality == {"accuracy": 0.25}
    assert outcome.status == status


def test_an_equal_evaluation_is_no_improvement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, measured, _ = run(tmp_path, monkeypatch, test=[0.125, 0.25, 0.5, 0.75, 1.0], validation=[0.5] * 5)
    assert measured.stopped_early is True
    assert len(measured.evaluations) == 3
    assert measured.quality == {"accuracy": 0.125}, "of equal ones the first counts"


def test_training_that_keeps_improving_goes_on_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    better = [0.125, 0.25, 0.375, 0.5]
    _, measured, program = run(tmp_path, monkeypatch, test=better, validation=better, patience=1)
    assert measured.stopped_early is False
    assert len(measured.evaluations) == 4
    assert len(program.trained) == STEPS * EPOCH


def test_an_end_that_comes_by_itself_is_not_called_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, measured, _ = run(tmp_path, monkeypatch, test=[0.5] * 3, validation=[0.5] * 3, patience=2)
    assert measured.stopped_early is False
    assert len(measured.evaluations) == 3


def test_without_a_validation_split_the_last_evaluation_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, measured, _ = run(tmp_path, monkeypatch, test=[1.0, 0.5, 0.25], validation=None)
    assert measured.stopped_early is False
    assert measured.quality == {"accuracy": 0.25}
    assert all(e.validation == {} for e in measured.evaluations)


def test_a_smaller_error_is_the_better_one_and_what_is_not_finite_the_worst() -> None:
    assert merit({"accuracy": 0.9}) > merit({"accuracy": 0.8}) > merit({"accuracy": None})
    assert merit({"mean_squared_error": 0.1}) > merit({"mean_squared_error": 0.2}) > merit({"mean_squared_error": None})


LSTM_TASK = named_task("lstm-text")


def stopping(share: float) -> Preset:
    return replace(LSTM_TASK.preset("smoke"), epochs=2, early_stopping=EarlyStopping(share=share))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("seed", [0, 1])
def test_examples_held_out_are_never_trained_on(seed: int) -> None:
    preset = stopping(0.1)
    found = prepare(LSTM_TASK, preset, dataset="reviews-en", seed=seed, data_dir=None)
    order, held_out = np.load(found.order), np.load(str(found.validation))
    examples = found.examples["train"]
    assert len(set(held_out.tolist())) == round(0.1 * examples)
    assert not np.isin(order, held_out).any()
    assert order.max() < examples
    steps = (examples - len(held_out)) // preset.batch_size
    assert order.shape == (2 * steps, preset.batch_size)
    for epoch in np.split(order, 2):
        assert len(np.unique(epoch)) == epoch.size


@pytest.mark.usefixtures("home")
def test_another_seed_holds_out_other_examples() -> None:
    one, other = (
        np.load(str(prepare(LSTM_TASK, stopping(0.1), dataset="reviews-en", seed=s, data_dir=None).validation))
        for s in (0, 1)
    )
    assert not np.array_equal(one, other)


@pytest.mark.usefixtures("home")
def test_a_share_that_holds_out_nothing_or_everything_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"a share of the training examples between 0 and 1, not 1\.0"):
        prepare(LSTM_TASK, stopping(1.0), dataset="reviews-en", seed=0, data_dir=None)
    with pytest.raises(DataError, match="a share of 1e-06 for validation is none"):
        prepare(LSTM_TASK, stopping(1e-6), dataset="reviews-en", seed=0, data_dir=None)
    with pytest.raises(DataError, match="training examples without the .* held out for validation, fewer than one"):
        prepare(LSTM_TASK, stopping(0.999), dataset="reviews-en", seed=0, data_dir=None)
