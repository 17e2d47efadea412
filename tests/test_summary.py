"""The summary: medians over processes, ranks among equals only, and every failure a row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from records_factory import FAIL, LENET, MACHINE, PASS, UNCHECKED, Processes, died, measured, record

from harness.record import ParityVerdict, Record
from reports.content.cells import verdict
from reports.frame.frame import frame
from reports.statistics.rows import Group, Row
from reports.statistics.summary import summarize
from reports.statistics.verdicts import compare


def group(records: Sequence[Record]) -> Group:
    (found,) = summarize(frame(records))
    return found


def rows(records: Sequence[Record]) -> dict[str, Row]:
    return {f"{row.backend} {row.mode}": row for row in group(records).rows}


def runs(backend: str, *step_s: float, **more: Any) -> list[Record]:
    facts: dict[str, Any] = {"versions": {backend: "1"}}
    return [record(backend, repeat=i, found=measured(s, **facts), **more) for i, s in enumerate(step_s)]


def test_throughput_is_the_median_over_processes_with_their_range() -> None:
    spread = rows(runs("torch", 0.01, 0.02, 0.04))["torch eager"].throughput_examples_per_s
    assert spread is not None
    assert (spread.median, spread.low, spread.high) == pytest.approx((3200, 1600, 6400))
    assert spread.runs == 3
    assert spread.relative() == pytest.approx(1.5)


def test_ranks_go_by_the_median_and_say_how_many_times_slower() -> None:
    found = group([*runs("torch", 0.02, 0.021), *runs("tensorflow", 0.01, 0.0101), *runs("mindspore", 0.1, 0.1)]).rows
    assert [(row.backend, row.rank, row.shares_place) for row in found] == [
        ("tensorflow", 1, False),
        ("torch", 2, False),
        ("mindspore", 3, False),
    ]
    assert [row.times_slower for row in found] == pytest.approx([1.0, 2.04, 9.95], rel=0.01)
    assert found[0].to_fastest is None
    for row in found[1:]:
        against = row.to_fastest
        assert against is not None
        assert against.verdict == "slower"
        assert against.low is not None
        assert against.high is not None
        assert 1 < against.low < (row.times_slower or 0) < against.high


def test_rows_that_are_not_shown_to_be_slower_share_the_place_of_the_fastest() -> None:
    items = [*runs("torch", 0.010, 0.014, 0.012), *runs("tensorflow", 0.013, 0.016, 0.011)]
    found = group([*items, *runs("mindspore", 0.1, 0.101, 0.102)]).rows
    assert [(row.backend, row.rank, row.shares_place) for row in found] == [
        ("torch", 1, True),
        ("tensorflow", 1, True),
        ("mindspore", 3, False),
    ]


def test_the_last_two_places_are_shared_where_no_order_of_the_two_is_shown() -> None:
    items = [*runs("torch", 0.010, 0.0101, 0.0102), *runs("tensorflow", 0.10, 0.14, 0.12)]
    found = group([*items, *runs("mindspore", 0.11, 0.13, 0.15)]).rows
    assert [(row.rank, row.shares_place) for row in found] == [(1, False), (2, True), (2, True)]


def test_one_process_shows_nothing_and_does_not_hide_the_fastest_of_the_others() -> None:
    found = group([*runs("torch", 0.010, 0.0101), *runs("tensorflow", 0.05, 0.0501), *runs("mindspore", 0.001)]).rows
    assert [(row.backend, row.rank) for row in found] == [("torch", 1), ("mindspore", 1), ("tensorflow", 2)]
    single = found[1].to_fastest
    assert single is not None
    assert (single.verdict, single.low) == ("no difference shown", None)
    assert "one process" in single.why
    assert found[1].times_slower == pytest.approx(0.0995, rel=0.01)


def noisy_runs(backend: str, step_s: float, random: np.random.Generator, count: int = 5) -> list[Record]:
    return runs(backend, *(step_s * np.exp(0.02 * random.standard_normal(count))).tolist())


def test_a_planted_faster_row_is_found_and_equal_rows_are_not_told_apart() -> None:
    random, found_it, told_apart = np.random.default_rng(7), 0, 0
    for _ in range(40):
        equal = noisy_runs("torch", 0.01, random) + noisy_runs("tensorflow", 0.01, random)
        found = group(equal + noisy_runs("mindspore", 0.008, random))
        found_it += [row.backend for row in found.rows if row.rank == 1] == ["mindspore"]
        pair = next(item for item in found.comparisons if {item.a, item.b} == {1, 2})
        told_apart += pair.verdict != "no difference shown"
    assert found_it >= 39
    assert told_apart <= 4


def test_every_pair_is_compared_once_and_the_other_way_round_is_the_same() -> None:
    found = group(
        [*runs("torch", 0.02, 0.021), *runs("tensorflow", 0.01, 0.0101), *runs("mindspore", 0.1, parity=FAIL)]
    )
    assert [(item.a, item.b) for item in found.comparisons] == [(0, 1), (0, 2), (1, 2)]
    first = found.comparisons[0]
    assert (first.verdict, first.reversed().verdict) == ("faster", "slower")
    assert first.ratio is not None
    assert first.reversed().ratio == pytest.approx(1 / first.ratio)
    assert first.reversed().reversed() == replace(
        first, **{name: pytest.approx(getattr(first, name)) for name in ("ratio", "low", "high")}
    )
    assert {item.verdict for item in found.comparisons[1:]} == {"not comparable"}
    for row, item in zip(found.rows[1:2], found.comparisons, strict=False):
        assert row.to_fastest == item.reversed()


def test_holm_looks_at_all_groups_of_a_study() -> None:
    near = [*runs("torch", 0.0100, 0.0101, 0.0102), *runs("tensorflow", 0.0103, 0.01035, 0.0104)]
    assert group(near).comparisons[0].verdict == "faster"
    other = [replace(item, dataset_fingerprint="ffff") for i in "abcd" for item in runs(f"{i}", 0.01, 0.0100001)]
    found = next(part for part in summarize(frame([*near, *other])) if len(part.rows) == 2)
    assert found.comparisons[0].verdict == "no difference shown"


def test_accuracies_are_compared_per_seed_within_the_margin() -> None:
    def with_accuracy(backend: str, *values: float) -> list[Record]:
        return [
            record(backend, repeat=i, found=measured(0.01, v, versions={backend: "1"})) for i, v in enumerate(values)
        ]

    good, same = with_accuracy("torch", 0.9, 0.901, 0.902), with_accuracy("tensorflow", 0.901, 0.9, 0.902)
    found = group([*good, *same, *with_accuracy("mindspore", 0.8, 0.801, 0.802)])
    says = {(found.rows[i.a].backend, found.rows[i.b].backend): i.accuracy_verdict for i in found.comparisons}
    assert sorted(says.values()) == ["different", "different", "equivalent"]
    assert says.get(("torch", "tensorflow"), says.get(("tensorflow", "torch"))) == "equivalent"
    row = next(row for row in found.rows if row.backend == "torch")
    assert (row.accuracy_low, row.accuracy_high) == pytest.approx((0.901 - 0.00248, 0.901 + 0.00248), abs=1e-5)


def test_runs_of_one_seed_are_one_value_of_accuracy() -> None:
    items = [record(seed=seed, repeat=i, found=measured(accuracy=0.9 + i / 10)) for i, seed in enumerate((0, 0, 1))]
    row = rows(items)["torch eager"]
    assert row.accuracy_per_seed == pytest.approx({0: 0.95, 1: 1.1})


def test_equal_seeds_are_compared_seed_by_seed() -> None:
    """One seed is bad for all frameworks alike, as on the digits; without pairing it would hide everything."""
    values = {"torch": (0.958, 0.925, 0.972), "tensorflow": (0.957, 0.924, 0.972)}

    def compared(first_seed: int) -> tuple[str, str]:
        items = [
            record(backend, repeat=i, seed=i + shift, found=measured(accuracy=value, versions={backend: "1"}))
            for backend, shift in (("torch", 0), ("tensorflow", first_seed))
            for i, value in enumerate(values[backend])
        ]
        (found,) = group(items).comparisons
        return found.accuracy_test, found.accuracy_verdict

    assert compared(0) == ("paired by seed", "equivalent")
    assert compared(1) == ("Welch", "not shown")


@pytest.mark.parametrize("parity", [FAIL, UNCHECKED, ParityVerdict(passed=None)])
def test_a_row_without_parity_is_shown_and_never_ranked(parity: ParityVerdict) -> None:
    found = group([*runs("torch", 0.01), *runs("tensorflow", 0.0001, parity=parity)]).rows
    assert [(row.backend, row.rank, row.comparable) for row in found] == [
        ("torch", 1, True),
        ("tensorflow", None, False),
    ]
    assert found[1].throughput_examples_per_s is not None
    assert found[1].times_slower is None
    assert found[1].to_fastest is None
    assert found[1].why_not_comparable


def test_one_run_without_parity_spoils_its_row() -> None:
    first, second = runs("torch", 0.01, 0.01)
    row = rows([first, replace(second, parity=FAIL)])["torch eager"]
    assert (row.parity, row.comparable, row.rank) == ({"pass": 1, "fail": 1}, False, None)


PARITIES = st.sampled_from([PASS, FAIL, UNCHECKED])
STATUSES = st.sampled_from(["ok", "missed_target", "diverged", "timeout", "crashed", "interrupted"])
ITEM = st.tuples(
    st.sampled_from(["torch", "tensorflow", "mindspore"]), PARITIES, STATUSES, st.floats(1e-4, 1.0), st.booleans()
)


@settings(max_examples=50)
@given(st.lists(ITEM, min_size=1, max_size=8))
def test_whatever_happens_every_run_has_a_row_and_only_sound_rows_are_ranked(items: list[Any]) -> None:
    records = [
        record(backend, repeat=i, parity=parity, status=status, found=measured(step) if full else None)
        if full
        else died(backend, repeat=i, parity=parity, status=status)
        for i, (backend, parity, status, step, full) in enumerate(items)
    ]
    by_id = {item.spec.run_id: item for item in records}
    found = [row for part in summarize(frame(records)) for row in part.rows]
    assert sorted(run_id for row in found for run_id in row.run_ids) == sorted(by_id)
    for row in found:
        measured_runs = [
            item
            for item in map(by_id.__getitem__, row.run_ids)
            if item.outcome.status in ("ok", "missed_target") and item.measured.blocks
        ]
        assert (row.rank is not None) == (
            bool(measured_runs) and all(item.parity.passed is True for item in measured_runs)
        )
        assert row.comparable == (row.rank is not None) == (not row.why_not_comparable)


def test_a_row_whose_runs_all_failed_stands_there_with_its_reasons() -> None:
    failed = [
        died("torch", repeat=0, status="timeout", reason="too long"),
        died("torch", repeat=1, status="timeout", reason="too long"),
        died("torch", repeat=2, reason="signal SIGSEGV"),
    ]
    row = rows(failed)["torch eager"]
    assert (row.runs, row.ok_runs, row.status) == (3, 0, {"timeout": 2, "crashed": 1})
    assert row.reasons == ("too long", "signal SIGSEGV")
    assert row.throughput_examples_per_s is None
    assert (row.quality, row.comparable, row.rank) == ((), False, None)


def test_failed_runs_join_the_row_of_those_that_got_further() -> None:
    row = rows([*runs("torch", 0.01, 0.01), died("torch", repeat=2, status="timeout")])["torch eager"]
    assert (row.status, row.comparable, row.framework_version) == ({"ok": 2, "timeout": 1}, True, "1")


def test_numbers_of_runs_that_did_not_end_are_left_out() -> None:
    stopped = record("torch", repeat=1, status="timeout", found=measured(0.0001, 0.1, versions={"torch": "1"}))
    row = rows([*runs("torch", 0.01), stopped])["torch eager"]
    assert row.throughput_examples_per_s is not None
    assert row.throughput_examples_per_s.high == pytest.approx(6400)
    assert [item.value for item in row.quality] == [0.9]


def test_quality_is_listed_in_the_order_of_the_seeds() -> None:
    records = [record(seed=seed, repeat=0, found=measured(accuracy=seed / 10)) for seed in (3, 1, 2)]
    row = rows(records)["torch eager"]
    assert [(item.seed, item.value) for item in row.quality] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert (row.quality_mean, row.quality_min, row.quality_max) == pytest.approx((0.2, 0.1, 0.3))


def test_a_task_without_accuracy_is_judged_by_its_own_metric() -> None:
    row = rows([record(found=measured(quality={"mean_squared_error": 0.25}))])["torch eager"]
    assert (row.metric, row.quality_mean) == ("mean_squared_error", 0.25)


OTHER_TASK = replace(LENET, parity_batch=LENET.parity_batch + 1)


@pytest.mark.parametrize(
    ("changes", "split"),
    [
        ({"machine": replace(MACHINE, cpu="Another CPU")}, {"machine"}),
        ({"machine": replace(MACHINE, kernel="7.0")}, {"machine"}),
        ({"dataset_fingerprint": "ffff"}, {"dataset_fingerprint"}),
        ({"task": OTHER_TASK}, {"task_fingerprint"}),
        ({"task_version": 2}, {"task_version"}),
    ],
)
def test_what_is_not_the_same_is_not_pooled_and_said(changes: dict[str, Any], split: set[str]) -> None:
    found = summarize(frame([record(repeat=0), record(repeat=1, **changes)]))
    assert [len(part.rows) for part in found] == [1, 1]
    assert [part.rows[0].runs for part in found] == [1, 1]
    assert all(set(part.split_by) == split for part in found)
    assert all(part.rows[0].rank == 1 for part in found)


def test_versions_of_a_framework_are_rows_of_their_own() -> None:
    old, new = (record(repeat=i, found=measured(versions={"torch": version})) for i, version in enumerate("12"))
    assert [row.framework_version for row in group([old, new]).rows] == ["1", "2"]


def test_baselines_are_those_of_the_group_and_differing_ones_are_all_kept() -> None:
    items = [record(repeat=i, baselines={"bag_of_words_accuracy": value}) for i, value in enumerate((0.88, 0.88, 0.9))]
    assert group(items).baselines == {"bag_of_words_accuracy": (0.88, 0.9)}
    assert group(runs("torch", 0.01)).baselines == {}


def test_an_empty_frame_has_no_groups() -> None:
    assert summarize(frame([])) == ()


def test_a_framework_against_itself_is_called_different_in_at_most_one_of_twenty_studies() -> None:
    """An A/A test of the whole way: six equal rows, three processes each, so fifteen pairs in a study."""
    random, wrong, tries = np.random.default_rng(11), 0, 150
    for _ in range(tries):
        seconds = np.exp(0.05 * random.standard_normal((6, 3)))
        ((*pairs,),) = compare([[Processes(tuple(row)) for row in seconds.tolist()]])
        wrong += any(item.verdict != "no difference shown" for item in pairs)
    assert wrong / tries <= 0.05 + 2 * (0.05 * 0.95 / tries) ** 0.5


def test_a_row_without_accuracy_has_no_verdict_on_it() -> None:
    items = [*runs("torch", 0.01, 0.0101), *runs("tensorflow", 0.01, 0.0101)]
    without = [replace(item, measured=replace(item.measured, quality={})) for item in items]
    (found,) = group(without).comparisons
    assert (found.accuracy_verdict, found.accuracy_difference) == ("not comparable", None)


def test_a_row_that_nothing_can_be_compared_with_is_not_called_the_fastest() -> None:
    found = rows(runs("torch", 0.01, 0.02, 0.04) + runs("tensorflow", 0.01, parity=FAIL))
    alone, other = found["torch eager"], found["tensorflow eager"]
    assert (alone.alone, verdict(alone)) == (True, "no other row")
    assert (other.alone, verdict(other)) == (False, "not comparable")
