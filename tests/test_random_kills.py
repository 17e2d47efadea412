"""A study that is killed at random, again and again, loses no record and leaves nothing over."""

from pathlib import Path

import pytest

from benchmarks import random_kills
from benchmarks.random_kills import Kills


def test_a_dozen_random_kills_lose_nothing_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_kills, "RUNS", 4)
    monkeypatch.setattr(random_kills, "LONGEST_WAIT_S", 4.0)
    kills = Kills(tmp_path, seed=5)
    kills.go(12)
    assert kills.done.total() == 12
    assert {what.split()[0] for what in kills.done} == set(random_kills.WHOM)
