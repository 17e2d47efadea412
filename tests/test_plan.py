"""The plan: pure, complete, and the same every time."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.registry import task, task_names
from harness.runs.plan import Wish, plan
from harness.spec import Choice

TASKS = tuple(task(name) for name in task_names())
CHOICES = tuple(Choice(backend=name, device="cpu", mode="eager") for name in ("a", "b", "c"))


def wish(**changes: object) -> Wish:
    return Wish(**({"tasks": TASKS, "choices": CHOICES, "preset": "quick", "repeats": 3} | changes))  # type: ignore[arg-type]


@given(repeats=st.integers(1, 5), seeds=st.none() | st.lists(st.integers(0, 99), min_size=1, unique=True))
def test_every_round_holds_every_cell_once(repeats: int, seeds: list[int] | None) -> None:
    specs = plan(wish(repeats=repeats, seeds=None if seeds is None else tuple(seeds)))
    cells = len(TASKS) * len(CHOICES)
    assert len(specs) == repeats * (1 if seeds is None else len(seeds)) * cells
    for start in range(0, len(specs), cells):
        block = specs[start : start + cells]
        assert len({(s.task, s.backend) for s in block}) == cells
        assert len({(s.seed, s.repeat) for s in block}) == 1
    assert len({s.run_id for s in specs}) == len(specs)


def test_the_order_is_shuffled_and_the_same_every_time() -> None:
    specs = plan(wish(repeats=20))
    assert specs == plan(wish(repeats=20))
    firsts = Counter(s.backend for s in specs[:: len(TASKS) * len(CHOICES)])
    assert len(firsts) == 3


def test_a_data_set_that_one_task_does_not_take_is_refused() -> None:
    with pytest.raises(UsageError, match="xor does not take the data set 'mnist'"):
        plan(wish(dataset="mnist"))


def test_the_presets_own_limits_are_taken_unless_told_otherwise() -> None:
    assert {s.timeout_s for s in plan(wish())} == {t.preset("quick").timeout_s for t in TASKS}
    assert {s.timeout_s for s in plan(wish(timeout_s=7.0))} == {7.0}


def test_the_noise_budget_reaches_every_run_and_must_be_a_time() -> None:
    assert {s.noise_budget_s for s in plan(wish())} == {5.0}
    assert {s.noise_budget_s for s in plan(wish(noise_budget_s=0.0))} == {0.0}
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="--noise-budget is a finite number of seconds from 0"):
            plan(wish(noise_budget_s=wrong))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -5.0, 0.0])
def test_a_limit_of_time_is_finite_and_above_0_for_json_holds_nothing_else(wrong: float) -> None:
    with pytest.raises(UsageError, match="--timeout is a finite number of seconds above 0"):
        plan(wish(timeout_s=wrong))


@pytest.mark.parametrize("many", [{"repeats": 10**9}, {"repeats": 101, "seeds": tuple(range(100))}])
def test_more_runs_than_anybody_waits_for_are_refused_before_they_fill_the_memory(many: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="up to 10,000 times"):
        plan(wish(**many))
