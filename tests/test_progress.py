"""What a person sees while a study runs: numbers, and how long it will take, from what took how long before."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from records_factory import MACHINE, block, died, measured, record, spec, write_study

from harness.cli.progress import Progress, figures, how_long, roughly, time_left
from harness.record import Noise, Record
from harness.records.durations import Durations


def took(seconds: float, backend: str = "torch", **more: object) -> Record:
    found = measured()
    return record(backend, found=replace(found, phases=replace(found.phases, total_s=seconds)), **more)  # type: ignore[arg-type]


def test_a_finished_run_is_said_with_its_speed_and_quality(capsys: pytest.CaptureFixture[str]) -> None:
    item = record(found=measured(0.01, 0.958))
    with Progress([item.spec, spec(repeat=1)]) as progress:
        progress.finished(item)
    assert capsys.readouterr().err == "1/2 lenet-mnist torch cpu eager seed 0 ok, 6,400 examples/s, 0.958\n"


def test_a_run_without_numbers_has_none_and_a_disturbed_one_says_so() -> None:
    assert figures(died()) == ""
    noisy = tuple(replace(block("steady", 10, 0.1), noise=Noise(foreign_cpu_seconds=10.0)) for _ in range(10))
    assert figures(record(found=measured(blocks=noisy))) == ", 6,400 examples/s, 0.900, disturbed"
    assert figures(record(found=measured(12.3456, None))) == ", 5.18 examples/s"


def test_the_time_left_is_that_of_runs_like_those_that_are_left() -> None:
    durations = Durations([took(10.0), took(30.0), took(14.0), took(100.0, "mindspore")])
    assert durations.of(spec(repeat=7)) == 14.0
    assert durations.of(spec("mindspore", mode="graph")) == 100.0
    assert durations.of(spec("tensorflow")) is None
    assert durations.of(spec(preset="full")) is None
    left = [spec(repeat=3), spec(repeat=4), spec("mindspore"), spec("tensorflow")]
    assert durations.expected(left) == (128.0, 1)
    assert time_left(durations, left[:3]) == "about 2 min left"
    assert time_left(durations, left) == "about 2 min left, and 1 run of unknown length"
    assert time_left(durations, left[3:]) == "time left unknown"
    assert time_left(durations, []) == ""


def test_a_run_that_died_early_says_nothing_of_the_next() -> None:
    assert Durations([died()]).of(spec()) is None


def test_earlier_studies_of_the_same_processor_are_looked_at(tmp_path: Path) -> None:
    write_study(tmp_path / "here", [took(10.0)])
    write_study(tmp_path / "elsewhere", [took(99.0, machine=replace(MACHINE, cpu="Another CPU"))])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "study.json").write_text("{")
    assert Durations.of_earlier(tmp_path, "Test CPU").of(spec(repeat=5)) == 10.0
    assert Durations.of_earlier(tmp_path, "Third CPU").of(spec(repeat=5)) is None
    assert Durations.of_earlier(tmp_path / "none", "Test CPU").expected([spec()]) == (0, 1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "about 1 s"), (42.4, "about 42 s"), (601.0, "about 10 min"), (9000.0, "about 2.5 h")],
)
def test_times_are_said_as_a_person_says_them(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


def test_a_plan_says_how_long_it_takes_or_that_this_is_not_known() -> None:
    durations = Durations([took(60.0)])
    assert how_long(durations.expected([spec()]), 1) == "about 1 min, by earlier runs here; preparing comes on top"
    assert re.search("of 1 run nothing is known", how_long(durations.expected([spec(), spec("tensorflow")]), 2))
    assert "is not known" in how_long(durations.expected([spec("tensorflow")]), 1)
