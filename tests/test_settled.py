"""The steady state: warm-up is discarded, disturbance is left out, and what cannot be told is said."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from records_factory import block, measured, record

from harness.record import Block, Noise
from harness.records import steady
from harness.records.steady import FEWEST_BLOCKS, last_state, read
from reports.frame.frame import frame

CORES = 4
Series = NDArray[np.float64]


def blocks(*step_s: float, steps: int = 10) -> list[Block]:
    return [block("steady", steps, steps * seconds) for seconds in step_s]


def disturbed(item: Block) -> Block:
    return replace(item, noise=Noise(foreign_cpu_seconds=0.5 * CORES * item.seconds))


def noisy(level: Series, sd: float, seed: int) -> Series:
    return level + sd * np.random.default_rng(seed).standard_normal(len(level))


def series(values: Series) -> list[Block]:
    return blocks(*(0.01 * np.exp(values)).tolist())


def test_a_constant_series_is_read_whole() -> None:
    found = read(blocks(*[0.01] * 30), CORES)
    assert (found.outcome, found.discarded, found.disturbed, len(found.blocks)) == ("settled", 0, 0, 30)


@pytest.mark.parametrize("sd", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("count", [8, 20, 60])
def test_flat_noise_loses_no_block(count: int, sd: float) -> None:
    found = [last_state(noisy(np.zeros(count), sd, seed)) for seed in range(100)]
    assert sum(state.holds and state.start == 0 for state in found) >= 97


@pytest.mark.parametrize("count", [10, 20, 40, 60])
def test_a_warm_up_is_discarded_to_the_block(count: int) -> None:
    warm = np.where(np.arange(count) < count // 5, 0.3, 0.0)
    states = [last_state(noisy(warm, 0.02, seed)) for seed in range(50)]
    assert sum(state == (count // 5, True) for state in states) >= 48
    found = read(series(noisy(warm, 0.02, 0)), CORES)
    assert (found.outcome, found.discarded) == ("settled", count // 5)
    assert found.seconds() / 10 / len(found.blocks) == pytest.approx(0.01, rel=0.02)


def test_one_slow_first_block_is_a_warm_up_and_one_in_the_middle_is_not() -> None:
    level = np.zeros(30)
    for place, discarded in ((0, 1), (15, 0), (29, 0)):
        slow = np.where(np.arange(30) == place, 1.0, level)
        assert last_state(noisy(slow, 0.01, 3)) == (discarded, True), place


def test_an_exponential_warm_up_leaves_only_what_is_near_the_level() -> None:
    curve = 0.5 * np.exp(-np.arange(60) / 3)
    for seed in range(20):
        state = last_state(noisy(curve, 0.01, seed))
        assert not state.holds or 5 <= state.start <= 20
        assert curve[state.start :].mean() < steady.TOLERANCE


@pytest.mark.parametrize("count", [40, 60])
def test_a_slow_drift_never_settles(count: int) -> None:
    found = [last_state(noisy(np.linspace(0, 0.2, count), 0.02, seed)) for seed in range(50)]
    assert sum(not state.holds for state in found) >= 45


def test_a_drift_without_any_jump_is_seen() -> None:
    assert not last_state(noisy(np.linspace(0, 0.04, 60), 0.01, 1)).holds


def test_a_jump_in_the_first_half_is_a_new_state_and_one_near_the_end_is_not() -> None:
    for place, outcome in ((20, "settled"), (35, "never settled")):
        items = series(noisy(np.where(np.arange(40) < place, 0.2, 0.0), 0.01, 5))
        found = read(items, CORES)
        assert found.blocks == tuple(items[20:])
        assert found.outcome == outcome
        assert (found.discarded, len(found.blocks)) == (20, 20)  # of a run that never settled, the last half is read


def test_going_back_to_the_same_level_is_the_same_state() -> None:
    interrupted = np.zeros(40)
    interrupted[10:12] = 0.5
    assert last_state(noisy(interrupted, 0.01, 2)) == (0, True)
    higher = np.where(np.arange(40) < 5, steady.TOLERANCE / 2, 0.0)
    assert last_state(noisy(higher, 0.0001, 2)) == (0, True)


def test_disturbed_blocks_are_left_out_and_counted() -> None:
    items = blocks(*[0.01] * 20)
    items[5:9] = [disturbed(block("steady", 10, 1.0)) for _ in range(4)]
    found = read(items, CORES)
    assert (found.outcome, found.disturbed, found.discarded, len(found.blocks)) == ("settled", 4, 0, 16)
    assert found.median_step_s() == pytest.approx(0.01)


def test_a_run_that_was_mostly_disturbed_is_too_noisy_to_say() -> None:
    items = [disturbed(item) if i % 5 else item for i, item in enumerate(blocks(*[0.01] * 20))]
    found = read(items, CORES)
    assert (found.outcome, found.disturbed, len(found.blocks)) == ("too noisy to say", 16, 20)
    assert found.causes == ("other processes",)


def test_few_blocks_are_read_but_say_so() -> None:
    found = read(blocks(*[0.5, *[0.01] * (FEWEST_BLOCKS - 2)]), CORES)
    assert (found.outcome, len(found.blocks)) == ("too few blocks to tell", FEWEST_BLOCKS - 1)
    assert read([block("first", 1, 1.0)], CORES).outcome == ""


@pytest.mark.alone("counts CPU seconds")
def test_ten_thousand_runs_take_a_few_seconds() -> None:
    shapes: list[Callable[[int], Series]] = [
        lambda seed: noisy(np.zeros(40), 0.05, seed),
        lambda seed: noisy(np.where(np.arange(40) < 5, 0.3, 0.0), 0.02, seed),
    ]
    found = [shape(seed) for seed in range(100) for shape in shapes]
    last_state(found[1])  # imports
    start = time.process_time()
    for values in found:
        last_state(values)
    assert (time.process_time() - start) / len(found) < 0.002


def test_the_frame_reads_the_settled_and_undisturbed_blocks_alone() -> None:
    items = [*blocks(*[0.05] * 3), *blocks(*[0.01] * 20)]
    items[7] = disturbed(block("steady", 10, 9.0))
    row = frame([record(found=measured(blocks=tuple(items)))]).iloc[0]
    assert row["throughput_examples_per_s"] == pytest.approx(6400)
    assert (row["step_s"], row["median_step_s"]) == pytest.approx((0.01, 0.01))
    assert (row["steady_blocks"], row["discarded_blocks"], row["disturbed_blocks"]) == (19, 3, 1)
    assert row["steady_state"] == "settled"
    assert row["comparable"]


def test_a_run_that_is_too_noisy_is_shown_and_not_comparable() -> None:
    items = [disturbed(item) for item in blocks(*[0.01] * 10)]
    row = frame([record(found=measured(blocks=tuple(items)))]).iloc[0]
    assert row["throughput_examples_per_s"] == pytest.approx(6400)
    assert not row["comparable"]
    assert row["why_not_comparable"] == "too noisy to say: 10 of 10 steady blocks were disturbed by other processes"
