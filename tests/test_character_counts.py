"""The baseline of characters: its smoothed counts worked out by hand, and every place counted once."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from harness import registry
from harness.data.baselines import character_counts
from harness.data.prepare import Prepared
from harness.runs.executors import bench


def arrays(train: list[list[int]], test: list[list[int]]) -> dict[str, Any]:
    """Return x and y of texts, each one character longer than its row."""
    whole = {"train": np.array(train, np.int32), "test": np.array(test, np.int32)}
    return {f"{split}_x": rows[:, :-1] for split, rows in whole.items()} | {
        f"{split}_y": rows[:, 1:] for split, rows in whole.items()
    }


BY_HAND = arrays([[0, 1, 0, 1]], [[0, 1, 0, 1], [1, 1, 0, 0]])
EMPTY = {0: (1 + 2 / 2) / 5, 1: (2 + 2 / 2) / 5}
"""Of the empty past, after which 0 came once and 1 twice: two kinds, three times."""
AFTER_0 = (2 + EMPTY[1]) / 3
"""That 1 comes."""
AFTER_1 = (1 + EMPTY[0]) / 2
"""That 0 comes, as it did once."""
AFTER_01, AFTER_10 = (1 + AFTER_1) / 2, (1 + AFTER_0) / 2
AFTER_010 = (1 + AFTER_10) / 2


def test_the_figures_are_those_worked_out_by_hand() -> None:
    first = (AFTER_0, AFTER_01, AFTER_010)
    second = (1 - AFTER_1, AFTER_1, 1 - AFTER_10)  # "11" and "110" were never seen, "1" and "10" were
    found = character_counts.figures(BY_HAND, vocabulary=2)
    assert found == {
        "character_counts_accuracy": pytest.approx(4 / 6),
        "character_counts_bits_per_place": pytest.approx(-sum(map(math.log2, (*first, *second))) / 6),
    }


def test_what_was_never_seen_is_as_likely_as_its_share_of_all_characters() -> None:
    found = character_counts.figures(arrays([[0, 0]], [[1, 1]]), vocabulary=4)
    assert found["character_counts_bits_per_place"] == pytest.approx(-math.log2((0 + 1 / 4) / 2))


@pytest.mark.parametrize("length", [1, 2, 5])
def test_pasts_taken_some_at_a_time_give_the_same_and_probabilities_sum_to_one(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    made = arrays(draw.integers(0, 5, (40, length + 1)).tolist(), draw.integers(0, 5, (20, length + 1)).tolist())
    whole = character_counts.figures(made, vocabulary=5)
    monkeypatch.setattr(character_counts, "MOST_PROBABILITIES", 10)
    assert character_counts.figures(made, vocabulary=5) == pytest.approx(whole)
    counts = [character_counts._counted(np.array([2, 2, 3, 4])), character_counts._counted(np.array([3, 9]))]
    np.testing.assert_allclose(character_counts.predicted(counts, np.arange(5), 5).sum(axis=1), 1)


def test_a_run_on_characters_has_it_beside_it_and_it_is_computed_once(tmp_path: Path) -> None:
    for name, values in BY_HAND.items():
        np.save(tmp_path / f"{name}.npy", values)
    paths = {name: str(tmp_path / f"{name}.npy") for name in BY_HAND}
    data = Prepared(arrays=paths, order="", weights="", fingerprint="", examples={})
    task = registry.task("char-rnn")
    found = bench._baselines(task, data)
    assert found["character_counts_accuracy"] > 0
    (tmp_path / "test_x.npy").unlink()
    assert bench._baselines(replace(task), data) == found
