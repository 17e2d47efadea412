"""Evidence of nets that answer at every place: scenes as they were judged, and texts that anybody writes again."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image as Pillow
from records_factory import of_task, record, write_study
from test_evidence import left, run
from test_evidence_exhibits import cells, leave, shown

from backends.numpy.adapter import NumpyBackend
from harness import registry
from harness.model import initial_weights
from harness.records import evidence
from harness.records.evidence import NO_CLASS, Evidence, Line, Scene, Segmentation, Written
from harness.spec import RunSpec, Task
from harness.worker import evidence_places
from harness.worker.jobs import RunJob

UNET, CHARACTERS = registry.task("unet"), registry.task("char-rnn")
FRAMEWORK = registry.framework_names()[0]


def test_scenes_and_texts_are_asked_of_those_nets_only() -> None:
    tasks = [registry.task(name) for name in registry.task_names()]
    assert [task.name for task in tasks if evidence_places.names_pixels(task)] == ["unet"]
    assert [task.name for task in tasks if evidence_places.writes(task)] == ["char-rnn"]


def test_scenes_are_those_that_the_quality_was_computed_from(
    tmp_path: Path, python_of: Callable[[str], str], home: Path
) -> None:
    found_record, data = run(UNET, "digits", tmp_path, python_of(FRAMEWORK), backend=FRAMEWORK)
    found = left(tmp_path, found_record).segmentation
    assert found is not None
    assert (found.shape, found.classes, len(found.scenes)) == ((32, 32, 1), 11, 3)
    labels, pictures = np.load(data.arrays["test_y"]), np.load(data.arrays["test_x"])
    for number, scene in enumerate(found.scenes):
        assert scene.index == number
        assert scene.truth == labels[number].astype(np.uint8).tobytes()
        grey = np.frombuffer(scene.picture, np.uint8)
        assert np.corrcoef(grey, pictures[number].ravel())[0, 1] > 0.9999


def test_an_answer_is_the_largest_output_and_none_where_one_is_not_finite() -> None:
    outputs = np.zeros((1, 3, 2, 2), np.float32)
    outputs[0, :, 0, 0] = 0, 2, 1
    outputs[0, 1, 1, 1] = np.nan
    found = evidence_places.segmentation_of(outputs, {0: bytes(4)}, np.array([[[1, 0], [2, 2]]], np.int32))
    assert list(found.scenes[0].answer) == [1, 0, 0, NO_CLASS]
    assert list(found.scenes[0].truth) == [1, 0, 2, 2]


def job(task: Task, seed: int = 0) -> RunJob:
    spec = RunSpec(
        task=task.name, task_version=1, backend="numpy", mode="eager", preset="smoke", dataset="reviews-en", seed=seed,
        repeat=0, timeout_s=60,
    )  # fmt: skip
    return RunJob(
        adapter="", out="", cores=(0,), spec=spec, task=task, preset=task.preset("smoke"), arrays={}, order="",
        weights="",
    )  # fmt: skip


def test_what_a_net_writes_follows_from_its_weights_and_the_seed() -> None:
    rows = np.arange(48, dtype=np.int32)[np.newaxis]
    arrays: dict[str, Any] = dict.fromkeys(("train_x", "train_y", "test_x", "test_y"), rows)
    weights = initial_weights(CHARACTERS, 0) | {"dense1.bias": np.linspace(0, 2, 64, dtype=np.float32)}
    one, again, other = (
        evidence_places.written_of(job(CHARACTERS, seed), arrays, weights=weights) for seed in (0, 0, 1)
    )
    assert one == again
    assert one.given == tuple(range(16))
    assert [line.drawn for line in one.lines] == [False, True, True]
    assert {len(line.numbers) for line in one.lines} == {120}
    assert one.lines[0] == other.lines[0]
    assert len({line.numbers for line in (*one.lines, *other.lines)}) == 5
    program = NumpyBackend().build(
        CHARACTERS, CHARACTERS.preset("smoke").optimizer, device="cpu", mode="eager", weights=weights, seed=0
    )
    text = [*one.given, *one.lines[0].numbers]
    for end in (16, 47, 48, 100):  # the row is full from 48 on
        seen = text[max(0, end - 48) : end]
        program.load(arrays | {"test_x": np.array([seen + [0] * (48 - len(seen))], np.int32)})
        assert program.predict("test", np.zeros(1, np.int32))[0, len(seen) - 1].argmax() == text[end]


def test_characters_are_drawn_by_their_probabilities() -> None:
    logits = np.log(np.array([[0.2, 0.5, 0.3]] * 4))
    found = evidence_places.chosen(logits, np.array([0.0, 0.69, 0.71]))
    assert found.tolist() == [1, 0, 1, 2]
    with pytest.raises(ValueError, match="finite"):
        evidence_places.chosen(logits * np.inf, np.zeros(3))


def test_a_run_on_characters_leaves_texts_that_begin_where_the_test_split_does(
    tmp_path: Path, python_of: Callable[[str], str], home: Path
) -> None:
    found_record, data = run(CHARACTERS, "reviews-en", tmp_path, python_of(FRAMEWORK), backend=FRAMEWORK)
    found = left(tmp_path, found_record).written
    assert found is not None
    alphabet = json.loads(Path(data.arrays["test_x"]).with_name("alphabet.json").read_text("utf-8"))
    row = np.load(data.arrays["test_x"])[0]
    assert found.given_text == "".join(alphabet[number] for number in row[:16])
    for line in found.lines:
        assert line.text == "".join([*alphabet, *["□"] * 64][number] for number in line.numbers)


SCENE = Scene(index=0, picture=bytes(4), truth=bytes([0, 1, 2, 2]), answer=bytes([0, 1, 1, NO_CLASS]))
FOUND = Segmentation(shape=(2, 2, 1), classes=3, scenes=(SCENE,))


@pytest.mark.parametrize(
    "change",
    [
        {"shape": (2, 3, 1)},
        {"shape": (1, 2, 2)},
        {"classes": 2},
        {"scenes": ()},
        {"scenes": (replace(SCENE, answer=bytes([0, 1, 1, 3])),)},
    ],
)
def test_a_segmentation_that_does_not_hold_together_is_refused(change: dict[str, Any]) -> None:
    content = msgspec.to_builtins(Evidence(segmentation=FOUND)) | {}
    content["segmentation"] |= msgspec.to_builtins(change)
    with pytest.raises(msgspec.ValidationError):
        evidence.decode(msgspec.json.encode(content))


def test_scenes_stand_side_by_side_with_their_shares_in_the_table(tmp_path: Path) -> None:
    item = of_task(UNET, record("torch"))
    folder = write_study(tmp_path / "s", [item])
    leave(folder, item, Evidence(segmentation=FOUND))
    found = shown(folder)["scenes-1"]
    assert cells(found) == [["torch eager", "0", "4", "0.5000", "0.3333"]]
    (image,) = found.images
    assert image.caption == "torch eager (seed 0, repeat 0)"
    assert image.alt.endswith("wrong pixels: 2")
    with Pillow.open(io.BytesIO(image.png)) as picture:
        grey = np.asarray(picture.convert("L"))
    of_pixel = grey[10:32, 10:-10].reshape(2, 11, -1)
    assert of_pixel[1, 5, -1] < 60, "the last answer is none, and black"
    assert of_pixel[0, 5, -1] > 60, "the one above it is right"


def test_what_nets_write_is_quoted_with_the_ends_of_texts_in_it(tmp_path: Path) -> None:
    item = of_task(CHARACTERS, record("torch"))
    folder = write_study(tmp_path / "s", [item])
    lines = (Line(drawn=False, numbers=(1,), text="e<b>\nthe"), Line(drawn=True, numbers=(2,), text="□ \u202ex"))
    leave(folder, item, Evidence(written=Written(given=(1, 2), given_text="the s", lines=lines)))
    found = shown(folder)["written-1"]
    assert [row[1:] for row in cells(found)] == [["the likeliest", "e<b>↵the"], ["drawn", "□ \\u202ex"]]
    assert "“the s”" in found.note
