"""The statistics: they cover what they promise, find what was planted, and do not find what is not there."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from reports.statistics import methods as s

A, B = [0.1, 0.15, 0.12, 0.2], [0.3, 0.25, 0.4]


def test_welch_is_scipys() -> None:
    found, theirs = s.welch(A, B), stats.ttest_ind(A, B, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.freedom == pytest.approx(theirs.df)


@pytest.mark.parametrize(("count_a", "count_b", "sd_b"), [(3, 3, 1.0), (3, 5, 3.0), (10, 10, 2.0)])
def test_the_interval_covers_the_true_difference_as_often_as_it_says(count_a: int, count_b: int, sd_b: float) -> None:
    random, hits, tries = np.random.default_rng(1), 0, 2000
    for _ in range(tries):
        found = s.welch(
            (1.5 + random.standard_normal(count_a)).tolist(), (sd_b * random.standard_normal(count_b)).tolist()
        )
        hits += found.low <= 1.5 <= found.high
    assert 0.935 <= hits / tries <= 0.975  # Welch's approximation errs on the safe side with three values


def test_the_paired_test_is_scipys() -> None:
    found, theirs = s.paired(A[:3], B), stats.ttest_rel(A[:3], B)
    interval = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert s.paired([0.9, 0.8], [0.8, 0.7]).p == 0
    assert s.paired([0.9, 0.8], [0.9, 0.8]).p == 1
    with pytest.raises(ValueError, match="4 and 3 values cannot be paired"):
        s.paired(A, B)


def test_sides_that_do_not_spread_differ_for_certain_or_not_at_all() -> None:
    assert s.welch([0.1] * 3, [0.1 + 1e-16] * 3).p == 1
    found = s.welch([0.3] * 2, [0.1] * 3)
    assert (found.p, found.low, found.high) == (0, found.difference, found.difference)
    assert found.difference == pytest.approx(0.2)


@pytest.mark.parametrize("few", [[], [1.0]])
def test_one_process_has_no_spread(few: list[float]) -> None:
    for call in (lambda: s.welch(few, A), lambda: s.mean_interval(few), lambda: s.pooled_sd(A, few)):
        with pytest.raises(ValueError, match="expected at least 2"):
            call()


def test_holm_is_stricter_the_more_is_compared() -> None:
    assert s.holm([]) == []
    assert s.holm([0.04]) == [0.04]
    assert s.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert [s.verdict(0.1, p) for p in s.holm([0.01, 0.04, 0.03])] == ["slower", *["no difference shown"] * 2]


def test_holm_is_that_of_statsmodels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gc.collect", lambda: 0)  # statsmodels 0.14 collects at every call, a tenth of a second
    random = np.random.default_rng(4)
    for count in (1, 2, 3, 10, 45):
        p_values = [*random.uniform(0, 0.2, count), 0.05, 0.05]
        assert s.holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_holm_keeps_the_chance_of_any_false_verdict_small() -> None:
    random, wrong, tries = np.random.default_rng(2), 0, 400
    for _ in range(tries):
        sides = random.standard_normal((4, 5)).tolist()
        p_values = [s.welch(a, b).p for i, a in enumerate(sides) for b in sides[:i]]
        wrong += min(s.holm(p_values)) < s.ALPHA
    assert wrong / tries <= 0.065


def test_the_sign_of_the_difference_says_who_is_slower() -> None:
    assert s.verdict(0.2, 0.001) == "slower"
    assert s.verdict(-0.2, 0.001) == "faster"
    assert s.verdict(0.2, 0.05) == "no difference shown"


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ([0.900, 0.901, 0.902], [0.901, 0.900, 0.902], "equivalent"),
        ([0.900, 0.901, 0.902], [0.898, 0.897, 0.896], "equivalent"),  # different, but within the margin
        ([0.900, 0.901, 0.902], [0.850, 0.851, 0.852], "different"),
        ([0.900, 0.901, 0.902], [0.911, 0.912, 0.913], "different"),  # just beyond the margin
        ([0.90, 0.92, 0.94], [0.91, 0.93, 0.95], "not shown"),
        ([0.9, 0.9], [0.9, 0.9], "equivalent"),
        ([0.9, 0.9], [0.8, 0.8], "different"),
    ],
)
def test_equivalence_on_known_cases(a: list[float], b: list[float], says: str) -> None:
    found = s.welch(a, b)
    assert s.equivalence(s.not_equivalent_p(found), found.p) == says


def test_the_two_one_sided_tests_are_those_of_statsmodels() -> None:
    for margin in (0.1, 0.2, 0.4):
        theirs, *_ = ttost_ind(np.array(A), np.array(B), -margin, margin, usevar="unequal")
        assert s.not_equivalent_p(s.welch(A, B), margin) == pytest.approx(theirs)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("count", [5, 20])
def test_the_power_is_that_of_statsmodels(count: int, alpha: float) -> None:
    theirs = TTestIndPower().power(effect_size=1.5, nobs1=count, alpha=alpha)
    assert s.power_of(1.5 / math.sqrt(2 / count), 2 * count - 2, alpha) == pytest.approx(theirs, abs=1e-3)


def test_the_smallest_difference_is_shown_as_often_as_promised() -> None:
    """With three processes and a level so strict that SciPy's noncentral t fails."""
    alpha, random = s.strictest(60), np.random.default_rng(3)
    found = s.Difference(0, 0, 0, 1, math.sqrt(2 / 3), 4)
    a = random.standard_normal((20_000, 3)) + s.smallest_shown(found, alpha)
    shown = stats.ttest_ind(a, random.standard_normal((20_000, 3)), axis=1).pvalue < alpha
    assert shown.mean() == pytest.approx(s.POWER, abs=0.015)


def test_the_repeats_needed_are_the_fewest_that_suffice() -> None:
    for sd, ratio, alpha in ((0.02, 1.05, 0.05), (0.1, 1.01, 0.001), (0.05, 1.2, 0.01)):
        theirs = TTestIndPower().solve_power(effect_size=math.log(ratio) / sd, alpha=alpha, power=0.8)
        needed = s.repeats_needed(sd, ratio, alpha)
        assert needed == math.ceil(theirs)
        assert s.repeats_needed(sd, 1 / ratio, alpha) == needed


def test_what_cannot_be_shown_needs_no_number_and_what_is_obvious_two() -> None:
    assert s.repeats_needed(0.1, 1.0, 0.05) is None
    assert s.repeats_needed(1.0, 1.0001, 0.05) is None
    assert s.repeats_needed(1e-6, 2.0, 0.05) == s.FEWEST


def test_the_mean_has_students_interval() -> None:
    theirs = stats.t.interval(0.95, len(A) - 1, np.mean(A), stats.sem(A))
    assert s.mean_interval(A) == pytest.approx((np.mean(A), *theirs))
    assert s.pooled_sd(A, B) == pytest.approx(math.sqrt((3 * np.var(A, ddof=1) + 2 * np.var(B, ddof=1)) / 5))
