"""What others do to the machine: waited for, warned of, probed before every turn, and told where it moves a ratio."""

import math
import os
from collections.abc import Iterator, Sequence

import psutil
import pytest

from harness.cli.quantities import parse_seconds
from harness.cli.quiet import BUSY, QUIET, others, wait_for_quiet, warn_of_others
from harness.environments.machine import available_cores
from harness.errors import UsageError
from harness.measure.probe import FEWEST, SLOW, Probe
from reports.statistics import looks
from reports.statistics.looks import Turn

CORES = (0, 1)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("10min", 600),
        ("10", 600),
        ("90s", 90),
        ("1h", 3600),
        ("1.5 m", 90),
        (" 2 MIN ", 120),
        (".5h", 1800),
        ("5sec", 5),
    ],
)
def test_a_time_is_read_as_people_write_it(given: str, seconds: float) -> None:
    assert parse_seconds("--budget", given) == pytest.approx(seconds)


@pytest.mark.parametrize("given", ["", "0", "-1", "ten", "500ms", "5months", "nan", "1e9h", "10 min utes", "٣min"])
def test_another_time_is_one_sentence(given: str) -> None:
    with pytest.raises(UsageError, match="--budget is a time above 0, such as 10min, 90s or 1h; received"):
        parse_seconds("--budget", given)


def test_the_share_of_others_lies_between_nothing_and_the_whole_machine() -> None:
    assert 0 <= others(available_cores(), look_s=0.1) <= 1.5  # ticks are coarse beside a tenth of a second


def shares(*values: float) -> Iterator[float]:
    yield from values


def test_it_waits_until_others_are_quiet_and_says_so_once() -> None:
    said: list[str] = []
    paused: list[float] = []
    found = shares(0.8, 0.4, QUIET / 2)
    wait_for_quiet(CORES, 60.0, said.append, look=lambda cores: next(found), pause=paused.append)
    assert len(paused) == 2
    assert said == ["other programs take 80% of the processors: waiting up to 1 min for quiet"]


def test_after_its_time_it_is_measured_beside_them() -> None:
    said: list[str] = []
    wait_for_quiet(CORES, 1e-9, said.append, look=lambda cores: 0.8, pause=lambda seconds: pytest.fail("too late"))
    assert said[-1] == "they still take 80%: it is measured beside them"


@pytest.mark.parametrize(("share", "sentences"), [(BUSY + 0.1, 1), (BUSY - 0.1, 0)])
def test_a_busy_machine_is_said_at_once(share: float, sentences: int) -> None:
    said: list[str] = []
    warn_of_others(CORES, said.append, look=lambda cores: share)
    assert len(said) == sentences


def test_a_probe_answers_and_is_stopped_in_between() -> None:
    with Probe(available_cores()) as probe:
        process = psutil.Process(probe.process.pid)
        found = [probe() for _ in range(3)]
        assert all(seconds is not None and 0 < seconds < 10 for seconds in found)
        assert probe.seen == found
        os.waitid(os.P_PID, probe.process.pid, os.WSTOPPED | os.WNOWAIT)
        assert process.status() == psutil.STATUS_STOPPED
        process.kill()
        process.wait()
        assert probe() is None
    assert not process.is_running()


def test_a_probe_is_slow_beside_the_quiet_ones_of_its_study() -> None:
    probe = Probe(CORES)
    probe.seen = [0.001] * (FEWEST - 1)
    assert not probe.is_slow(1.0)
    probe.seen.append(0.001)
    assert probe.is_slow(0.001 * SLOW * 1.01)
    assert not probe.is_slow(0.001 * SLOW * 0.99)
    assert not probe.is_slow(None)


def rounds(ratios: Sequence[float], probes: Sequence[float]) -> tuple[dict[str, looks.Turns], dict[str, looks.Turns]]:
    """Return one round of two rows, with the ratio and the probe of every turn."""
    a = {n: Turn(math.log(ratio), probe_s=probe) for n, (ratio, probe) in enumerate(zip(ratios, probes, strict=True))}
    b = {n: Turn(0.0, probe_s=probe) for n, probe in enumerate(probes)}
    return {"r": a}, {"r": b}


def test_a_ratio_that_is_another_one_while_the_machine_is_busy_is_told_as_two() -> None:
    wobble = [1 + 0.01 * (n % 3) for n in range(24)]
    probes = [0.001] * 12 + [0.002] * 12
    found = looks.by_state(*rounds([w * (1.0 if n < 12 else 1.5) for n, w in enumerate(wobble)], probes))
    assert found is not None
    assert math.exp(found[0]) == pytest.approx(1.01, abs=0.005)
    assert math.exp(found[1]) == pytest.approx(1.515, abs=0.005)


@pytest.mark.parametrize(
    ("ratios", "probes"),
    [
        ([1.01] * 24, [0.001] * 12 + [0.002] * 12),  # one ratio
        ([1.0] * 20 + [1.5] * 4, [0.001] * 20 + [0.002] * 4),  # too few busy turns
        ([1.0, 1.5] * 12, [0.001] * 24),  # no state that the probe tells apart
    ],
)
def test_else_it_is_one(ratios: Sequence[float], probes: Sequence[float]) -> None:
    assert looks.by_state(*rounds(ratios, probes)) is None
