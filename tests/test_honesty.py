"""Programs that do not work while the clock runs are caught, and those that do are not suspected."""

import numpy as np
import pytest
from msgspec.structs import replace
from records_factory import PASS, measured, record

from harness.measure import honesty
from harness.measure.clock import Stopwatch
from harness.measure.honesty import MOST_FRESH_OVER_SEEN, MOST_UNFINISHED, doubts
from harness.record import Honesty
from harness.runs import selftest
from harness.runs.selftest import Selftest
from harness.runs.selftest_cases import CASES, TURNS, Case, honest, number
from harness.spec import Mode
from reports.frame.frame import frame

HONEST = Honesty(unfinished_share=0.01, train_fresh_over_seen=1.02, predict_fresh_over_seen=0.98)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Selftest:
    return selftest.conduct(lambda name: None)


@pytest.mark.alone("measures rates that are known")
def test_what_is_known_comes_out_and_every_liar_is_caught(found: Selftest) -> None:
    """This is `evenbench selftest`; what a busy machine spoils is called too noisy, and nothing else may be."""
    deviating = [finding for finding in found.findings if finding.verdict == "DEVIATES"]
    assert not deviating
    assert found.passed
    assert all(finding.excusable for finding in found.findings if finding.verdict == "too noisy")


@pytest.mark.alone("measures rates that are known")
def test_every_case_says_something_and_no_liar_passes_for_honest(found: Selftest) -> None:
    assert {finding.case for finding in found.findings} == {case.name for case in (*CASES, TURNS)}
    liars = {case.name for case in CASES if case.name.startswith("liar")}
    assert len(liars) >= 4
    assert {finding.case for finding in found.findings if finding.verdict == "caught"} == liars


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"unfinished_share": MOST_UNFINISHED + 0.01}, "still to do"),
        ({"train_fresh_over_seen": MOST_FRESH_OVER_SEEN + 0.1}, "mini-batches"),
        ({"predict_fresh_over_seen": MOST_FRESH_OVER_SEEN + 0.1}, "outputs"),
    ],
)
def test_a_run_that_is_doubted_is_not_comparable(change: dict[str, float], word: str) -> None:
    (sentence,) = doubts(replace(HONEST, **change), "eager")
    assert word in str(sentence)
    table = frame([record(parity=PASS, found=measured(honesty=replace(HONEST, **change)))])
    assert not table["comparable"].iloc[0]
    assert word in table["why_not_comparable"].iloc[0]


def test_an_honest_run_and_one_that_was_not_asked_are_believed() -> None:
    for asked in (HONEST, Honesty(), Honesty(compiled={}), Honesty(compiled={"graph": 0})):
        assert doubts(asked, "eager") == ()
        assert frame([record(found=measured(honesty=asked))])["comparable"].iloc[0]


@pytest.mark.parametrize(
    ("mode", "compiled", "doubted"),
    [
        ("eager", {}, False),
        ("eager", {"graph": 2}, True),
        ("graph", {"graph": 2}, False),
        ("graph", {"graph": 0}, True),
        ("graph", {}, True),
        ("xla", {"graph": 3, "xla": 1}, False),
        ("xla", {"graph": 3, "xla": 0}, True),
        ("graph", None, False),
    ],
)
def test_a_run_in_another_mode_than_its_own_is_not_comparable(
    mode: Mode, compiled: dict[Mode, int] | None, doubted: bool
) -> None:
    asked = replace(HONEST, compiled=compiled)
    assert bool(doubts(asked, mode)) == doubted
    assert frame([record(mode=mode, found=measured(honesty=asked))])["comparable"].iloc[0] != doubted


@pytest.mark.alone("times calls of a few milliseconds")
def test_a_ratio_survives_a_machine_that_is_busy_now_and_then() -> None:
    watch, calls = Stopwatch(), iter(range(10_000))

    def call(examples: object) -> None:
        took = 0.03 if next(calls) % 3 == 1 else 0.01
        watch.wait_until(watch.seconds() + took)

    fresh = np.arange(3, dtype=np.int32)
    assert honesty.ratio(call, lambda: fresh, fresh) < MOST_FRESH_OVER_SEEN


@pytest.mark.alone("waits by the clock")
def test_a_wait_ends_when_it_should() -> None:
    watch = Stopwatch()
    watch.wait_until(0.02)
    assert watch.seconds() >= 0.02
    watch.wait_until(0.01)


def test_a_wrong_number_deviates_and_only_what_a_busy_machine_does_is_excused() -> None:
    case = Case(name="x", backend="honest", judge=honest)

    def verdict(measured: float | None) -> tuple[str, str]:
        found = number(case, "rate", 100.0, measured, unit="/s", most_off=0.01, slow=-1)
        return found.verdict, selftest.excused(found).verdict

    assert verdict(100.9) == ("as known", "as known")
    assert verdict(102.0) == ("DEVIATES", "DEVIATES")
    assert verdict(98.0) == ("DEVIATES", "too noisy")
    assert verdict(None) == ("DEVIATES", "DEVIATES")
