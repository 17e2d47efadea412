"""What a run leaves of what its net learned: right, small, taken outside every clock, and never worth a run."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fakes import entries
from msgspec.structs import replace
from test_failing_well import SETTING, XOR

import backends
from backends.numpy.adapter import NumpyBackend
from harness import registry
from harness.data.prepare import Prepared, prepare
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.layers import Dense
from harness.record import Measured, Outcome, ParityVerdict, Record
from harness.records import evidence
from harness.records.evidence import LONGEST_TEXT, MOST_BYTES, Answers, Evidence, Example
from harness.runs import evidence as evidence_kept
from harness.runs.execute import Ready, execute
from harness.runs.launch import Ended, judge
from harness.spec import RunSpec, Task
from harness.worker import __main__
from harness.worker import evidence as worker_evidence
from harness.worker.jobs import Result, RunJob

LENET = registry.task("lenet-mnist")
TEXT = registry.task("lstm-text")
FRAMEWORK = registry.framework_names()[0]


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())


def run(task: Task, dataset: str, folder: Path, python: str, *, backend: str, **more: Any) -> tuple[Record, Prepared]:
    """Do one run of a task at its smallest size and return its record and its data."""
    preset = task.preset("smoke")
    folder.mkdir(exist_ok=True)
    mode = registry.entry(backend).default_mode
    spec = RunSpec(
        task=task.name, task_version=task.version, backend=backend, mode=mode, preset="smoke", dataset=dataset,
        seed=0, repeat=0, timeout_s=120,
    )  # fmt: skip
    data = prepare(task, preset, dataset=dataset, seed=0, data_dir=None)
    ready = Ready(
        spec=spec,
        task=task,
        data=data,
        interpreter=Interpreter(python=python, source="--python", reason="a test"),
        parity=ParityVerdict(passed=True),
        **more,
    )
    return execute(ready, SETTING, folder), data


def left(folder: Path, record: Record) -> Evidence:
    return evidence.decode(evidence.path(folder, record.spec.run_id).read_bytes())


@pytest.fixture(scope="module")
def lenet(
    tmp_path_factory: pytest.TempPathFactory, python_of: Callable[[str], str], home: Path
) -> tuple[Record, Evidence, Prepared]:
    folder = tmp_path_factory.mktemp("lenet")
    record, data = run(LENET, "digits", folder, python_of(FRAMEWORK), backend=FRAMEWORK)
    return record, left(folder, record), data


def answers_of(found: Evidence) -> Answers:
    assert found.answers is not None
    return found.answers


def test_the_confusion_matrix_is_that_of_the_outputs_that_the_accuracy_was_computed_from(
    lenet: tuple[Record, Evidence, Prepared],
) -> None:
    record, found, data = lenet
    assert record.outcome.status == "ok"
    assert found.started_at == record.started_at
    answers = answers_of(found)
    labels = np.load(data.arrays["test_y"])
    assert answers.hits / answers.examples == record.measured.quality["accuracy"]
    assert [sum(row) for row in answers.counts] == np.bincount(labels, minlength=10).tolist()
    counted = np.zeros((10, 10), int)
    np.add.at(counted, (labels, np.array(answers.predicted)), 1)
    assert counted.tolist() == [list(row) for row in answers.counts]
    assert len(answers.probabilities) == len(labels)


def test_the_worst_mistakes_are_wrong_and_the_surest_come_first(lenet: tuple[Record, Evidence, Prepared]) -> None:
    _record, found, data = lenet
    answers = answers_of(found)
    labels, pictures = np.load(data.arrays["test_y"]), np.load(data.arrays["test_x"])
    probabilities = [item.probability for item in answers.wrong]
    assert len(answers.wrong) == 12
    assert probabilities == sorted(probabilities, reverse=True)
    wrong = np.array(answers.predicted) != labels
    assert probabilities[0] == pytest.approx(np.array(answers.probabilities)[wrong].max(), abs=1e-3)
    for item in answers.wrong:
        assert (item.label, item.predicted) == (labels[item.index], answers.predicted[item.index])
        assert item.label != item.predicted
    height, width, channels = answers.picture_shape or (0, 0, 0)
    assert (height, width, channels) == (32, 32, 1)
    shown = np.frombuffer(answers.wrong[0].picture, np.uint8).reshape(32, 32)
    assert np.corrcoef(shown.ravel(), pictures[answers.wrong[0].index].ravel())[0, 1] > 0.9999
    assert shown[0].max() == 0, "the border is black"


def test_a_runs_evidence_is_small(lenet: tuple[Record, Evidence, Prepared]) -> None:
    assert len(evidence.encode(lenet[1])) < 40_000


def test_a_test_split_as_large_as_mnists_fits_and_a_larger_one_is_not_listed() -> None:
    random = np.random.default_rng(0)
    for examples, listed in ((10_000, 10_000), (25_000, 0)):
        outputs = (3 * random.standard_normal((examples, 10))).astype(np.float32)
        arrays: dict[str, Any] = {"test_x": np.zeros((examples, 1, 32, 32), np.float32)}
        arrays["test_y"] = random.integers(0, 10, examples)
        answers = worker_evidence.answers_of(LENET, outputs, arrays)
        assert len(answers.predicted) == len(answers.probabilities) == listed
        assert answers.examples == examples
        assert len(evidence.encode(Evidence(answers=answers))) < 120_000 < MOST_BYTES


@pytest.mark.parametrize("dataset", ["reviews-en", "reviews-zh"])
def test_the_texts_of_either_language_belong_to_their_labels(
    dataset: str, tmp_path: Path, python_of: Callable[[str], str]
) -> None:
    record, data = run(TEXT, dataset, tmp_path, python_of(FRAMEWORK), backend=FRAMEWORK)
    answers = answers_of(left(tmp_path, record))
    folder = Path(data.arrays["test_x"]).parent
    words = json.loads((folder / "words.json").read_text("utf-8"))
    rows, labels = np.load(data.arrays["test_x"]), np.load(data.arrays["test_y"])
    assert answers.names == ("bad", "good")
    assert answers.hits / answers.examples == record.measured.quality["accuracy"]
    assert len(answers.wrong) == len(answers.right) == 6
    for item in (*answers.wrong, *answers.right):
        assert item.label == labels[item.index]
        assert item.text == " ".join(words[number] for number in rows[item.index] if number)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answers.right[0].text) == (dataset == "reviews-zh")


def test_a_surface_is_that_of_the_net_that_was_evaluated_and_not_of_the_one_trained_on(
    tmp_path: Path, python_of: Callable[[str], str]
) -> None:
    record, data = run(XOR, "xor", tmp_path, python_of(FRAMEWORK), backend=FRAMEWORK, same_seed=("other",))
    surface = left(tmp_path, record).surface
    assert surface is not None
    assert (surface.low, surface.high, len(surface.outputs)) == ((-0.5, -0.5), (1.5, 1.5), 41)
    assert {(point.x, point.y) for point in surface.points} == {((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)}
    with np.load(tmp_path / f".{record.spec.run_id}.outcome.npz") as kept:  # the parameters at the evaluation
        weights = {n.removeprefix("parameters/"): kept[n] for n in kept.files if n.startswith("parameters/")}
    preset = XOR.preset("smoke")
    program = NumpyBackend().build(XOR, preset.optimizer, device="cpu", mode="eager", weights=weights, seed=0)
    program.load({name: np.load(path) for name, path in data.arrays.items()})
    expected = program.predict("test", np.arange(4, dtype=np.int32)).ravel()
    points = np.load(data.arrays["test_x"])
    outputs = np.array(surface.outputs, np.float64)
    corners = np.array([outputs[10 + 20 * int(y), 10 + 20 * int(x)] for x, y in points])
    np.testing.assert_allclose(corners, np.asarray(expected), rtol=1e-5, atol=1e-6)


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    for name in ("raises", "diverges", "aborts"):
        run(XOR, "xor", tmp_path, sys.executable, backend=name)
    assert not list(tmp_path.iterdir())


def test_a_task_that_has_no_evidence_leaves_none(tmp_path: Path) -> None:
    record, _data = run(registry.task("cosine"), "cosine", tmp_path, sys.executable, backend="well")
    assert record.outcome.status == "ok"
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_twice_but_what_an_attempt_without_a_record_left(tmp_path: Path) -> None:
    first, _data = run(XOR, "xor", tmp_path, sys.executable, backend="well")
    path = evidence.path(tmp_path, first.spec.run_id)
    path.write_bytes(evidence.encode(Evidence(started_at="of an attempt that was cut off")))
    again, _data = run(XOR, "xor", tmp_path, sys.executable, backend="well")
    assert left(tmp_path, again).started_at == again.started_at
    (tmp_path / f"{again.spec.run_id}.json").write_text("the record")
    before = path.read_bytes()
    evidence_kept.write(path, Evidence(reason="another"))
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [evidence.FILE]


def job(folder: Path, task: Task = XOR) -> RunJob:
    (folder / "out").mkdir(parents=True)
    spec = RunSpec(
        task=task.name, task_version=1, backend="numpy", mode="eager", preset="smoke", dataset="xor", seed=0, repeat=0,
        timeout_s=60,
    )  # fmt: skip
    return RunJob(
        adapter="backends.numpy.adapter:backend", out=str(folder / "out"), cores=available_cores(), spec=spec,
        task=task, preset=task.preset("smoke"), arrays={}, order="", weights="",
    )  # fmt: skip


class Failing:
    """A run whose evidence cannot be made."""

    def __init__(self, job: RunJob) -> None:
        self.job = job

    def leave_evidence(self) -> None:
        raise RuntimeError("the second program does not compile\nand more")


def test_what_goes_wrong_with_evidence_is_its_reason_and_not_the_runs(tmp_path: Path) -> None:
    asked = job(tmp_path)
    __main__.leave_evidence(Failing(asked))  # type: ignore[arg-type]
    data = Prepared(arrays={}, order="", weights="", fingerprint="", examples={})
    evidence_kept.keep(tmp_path / "out", tmp_path, "r", data=data, started_at="now")
    found = evidence.decode(evidence.path(tmp_path, "r").read_bytes())
    assert found == Evidence(started_at="now", reason="RuntimeError: the second program does not compile")


def test_a_worker_that_dies_after_its_result_has_a_good_record_and_a_reason_for_the_evidence(tmp_path: Path) -> None:
    result = Result(outcome=Outcome(status="ok"), measured=Measured())
    ended = Ended(result=result, returncode=-11, interrupted=False, stderr_tail="", kernel_killed_for_memory=False)
    assert judge(ended, 60).status == "ok"
    stopped = replace(ended, returncode=None, interrupted=True)
    assert judge(stopped, 60).status == "interrupted", "else a study would go on after Ctrl-C"
    data = Prepared(arrays={}, order="", weights="", fingerprint="", examples={})
    evidence_kept.keep(tmp_path, tmp_path, "r", data=data, started_at="now", ending="the worker ended with SIGSEGV")
    assert "SIGSEGV" in evidence.decode(evidence.path(tmp_path, "r").read_bytes()).reason


def test_the_result_is_written_before_evidence_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no phase, no memory figure and no total can hold a part of it."""
    asked, calls = job(tmp_path), []

    class Recording:
        job = asked

        def go(self) -> Outcome:
            calls.append("go")
            return Outcome(status="ok")

        def measured(self) -> Measured:
            calls.append("measured")
            return Measured()

        def leave_evidence(self) -> None:
            calls.append("evidence")

    monkeypatch.setattr(__main__, "bind", lambda _job: None)
    monkeypatch.setattr(__main__, "run_of", lambda _job: Recording())
    monkeypatch.setattr(__main__, "write_result", lambda _folder, _result: calls.append("written"))
    (tmp_path / "job.json").write_bytes(msgspec.json.encode(asked))
    __main__.main(str(tmp_path / "job.json"))
    assert calls == ["go", "measured", "written", "evidence"]


def test_texts_that_cannot_be_found_are_a_reason(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "words.json").write_text("[]")
    np.save(tmp_path / "test_x.npy", np.ones((1, 2), np.int32))
    answers = Answers(
        counts=((0, 1), (0, 0)), unanswered=(0, 0), wrong=(Example(index=0, label=0, predicted=1, probability=0.9),)
    )
    (tmp_path / "out" / evidence.FILE).write_bytes(evidence.encode(Evidence(answers=answers)))
    data = Prepared(arrays={"test_x": str(tmp_path / "test_x.npy")}, order="", weights="", fingerprint="", examples={})
    evidence_kept.keep(tmp_path / "out", tmp_path, "r", data=data, started_at="now")
    found = evidence.decode(evidence.path(tmp_path, "r").read_bytes())
    assert found.answers is None
    assert "the words of the texts cannot be found" in found.reason


def test_of_a_long_text_the_last_words_are_kept() -> None:
    words = [f"word{number}" for number in range(200)]
    kept = evidence_kept.last_words(words)
    assert len(kept) == LONGEST_TEXT
    assert kept.startswith("… ")
    assert kept.endswith(" word198 word199")
    assert evidence_kept.last_words(["a", "b"]) == "a b"


def test_outputs_that_are_not_finite_count_as_wrong_and_are_no_answers() -> None:
    outputs = np.array([[5, 1], [np.nan, 9], [0, 3], [np.inf, 0]], np.float32)
    task = replace(LENET, layers=(Dense(units=2),), input_shape=(4,))
    answers = worker_evidence.answers_of(
        task, outputs, {"test_x": np.zeros((4, 4), np.float32), "test_y": np.array([0, 1, 0, 0])}
    )
    assert answers.counts == ((1, 1), (0, 0))
    assert answers.unanswered == (1, 1)
    assert answers.predicted == (0, -1, 1, -1)
    assert [item.index for item in answers.wrong] == [2]
    assert answers.hits / answers.examples == 0.25


def test_the_surest_come_first_where_float_probabilities_are_all_one() -> None:
    outputs = np.array([[60, 0], [90, 0], [75, 0]], np.float32)
    probabilities, surest = worker_evidence.certainties(outputs, np.ones(3, bool))
    assert probabilities.tolist() == [1.0, 1.0, 1.0]
    assert surest.tolist() == [1, 2, 0]


BROKEN = {
    "a surface of uneven rows": {"surface": {"low": [0, 0], "high": [1, 1], "outputs": [[1.0, 2.0], [1.0]]}},
    "a surface without extent": {"surface": {"low": [0, 0], "high": [0, 1], "outputs": [[1.0, 2.0], [1.0, 2.0]]}},
    "a surface too large": {"surface": {"low": [0, 0], "high": [1, 1], "outputs": [[0.0] * 202] * 202}},
    "a matrix that is not square": {"answers": {"counts": [[1, 2]], "unanswered": [0]}},
    "a negative count": {"answers": {"counts": [[-1]], "unanswered": [0]}},
    "an unknown class": {
        "answers": {
            "counts": [[1]], "unanswered": [0],
            "wrong": [{"index": 0, "label": 0, "predicted": 1, "probability": 0.5}],
        }
    },
    "a wrong answer that is right": {
        "answers": {
            "counts": [[1]], "unanswered": [0],
            "wrong": [{"index": 0, "label": 0, "predicted": 0, "probability": 0.5}],
        }
    },
    "a picture of another size": {
        "answers": {
            "counts": [[1, 0], [0, 0]], "unanswered": [0, 0], "picture_shape": [8, 8, 1],
            "wrong": [{"index": 0, "label": 0, "predicted": 1, "probability": 0.5, "picture": "AAAA"}],
        }
    },
    "a text too long": {
        "answers": {
            "counts": [[1, 0], [0, 0]], "unanswered": [0, 0],
            "wrong": [{"index": 0, "label": 0, "predicted": 1, "probability": 0.5, "text": "x" * 301}],
        }
    },
    "an unknown field": {"surprise": 1},
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_what_does_not_hold_together_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        evidence.decode(msgspec.json.encode(content))


def test_a_surface_is_asked_of_tasks_with_two_inputs_and_one_output_only() -> None:
    having = [name for name in registry.task_names() if worker_evidence.has_surface(registry.task(name))]
    assert having == ["xor"]


def test_shortest_numbers_are_the_same_float32() -> None:
    for value in np.random.default_rng(0).standard_normal(200).astype(np.float32):
        assert np.float32(worker_evidence.shortest(value)) == value
    assert worker_evidence.shortest(np.float32("nan")) is None
