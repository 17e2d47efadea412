"""The baseline: it learns what words alone say, cannot learn what their order says, and does not see the padding."""

from pathlib import Path

import numpy as np

from harness.data.baselines import bag_of_words

GOOD, BAD, OTHER = 2, 3, 4


def examples(rows: list[list[int]], labels: list[int]) -> dict[str, np.ndarray]:
    x, y = np.array(rows * 10, np.int32), np.array(labels * 10, np.int32)
    return {"train_x": x, "train_y": y, "test_x": x, "test_y": y}


def test_words_that_decide_by_themselves_are_learned_in_any_order() -> None:
    assert bag_of_words.accuracy(examples([[0, GOOD, OTHER], [OTHER, OTHER, BAD]], [1, 0])) == 1


def test_an_order_cannot_be_learned() -> None:
    assert bag_of_words.accuracy(examples([[GOOD, BAD], [BAD, GOOD]], [1, 0])) == 0.5


def test_the_padding_is_not_counted() -> None:
    assert bag_of_words.counts(np.array([[0, 0, 2], [2, 2, 1]], np.int32), 4).toarray().tolist() == [
        [0, 0, 1, 0],
        [0, 1, 2, 0],
    ]


def test_files_are_as_good_as_arrays(tmp_path: Path) -> None:
    arrays = examples([[0, GOOD], [OTHER, BAD], [GOOD, BAD]], [1, 0, 1])
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
    paths = {name: str(tmp_path / f"{name}.npy") for name in arrays}
    assert bag_of_words.accuracy(paths) == bag_of_words.accuracy(arrays)
