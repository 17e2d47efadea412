"""`evenbench power`: the repeats that it asks for are those that show the difference."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from records_factory import FAIL, block, measured, record, write_study

from harness.cli.commands.power import power
from harness.cli.quantities import parse_share
from harness.errors import UsageError
from harness.record import Record
from reports.frame.frame import frame
from reports.statistics import methods
from reports.statistics.power import Repeats, needs, reachable
from reports.statistics.study import StudyRead
from reports.statistics.summary import summarize


def runs(backend: str, *step_s: float, **more: Any) -> list[Record]:
    return [record(backend, repeat=i, found=measured(s, versions={backend: "1"}), **more) for i, s in enumerate(step_s)]


def spread(step_s: float, sd: float) -> list[float]:
    """Return three times whose logarithms have just this standard deviation."""
    return [step_s * math.exp(sd * place) for place in (-1, 0, 1)]


STUDY = [
    *runs("torch", *spread(0.01, 0.02)),
    *runs("tensorflow", *spread(0.02, 0.04)),
    *runs("mindspore", 0.05, parity=FAIL),
    *runs("torch", 0.01, mode="graph"),
]


def found(records: list[Record], ratio: float = 1.05, power: float = 0.8) -> Repeats:
    return needs(summarize(frame(records)), ratio=ratio, power=power)


def test_the_pooled_spread_of_a_pair_decides() -> None:
    all_of_it = found(STUDY)
    (pair,) = all_of_it.pairs
    sd = math.sqrt((0.02**2 + 0.04**2) / 2)
    assert (pair.a, pair.b, pair.processes_a, pair.processes_b) == ("torch eager", "tensorflow eager", 3, 3)
    assert pair.sd_log == pytest.approx(sd)
    assert pair.repeats == all_of_it.repeats() == methods.repeats_needed(sd, 1.05, 0.05, 0.8)
    assert all_of_it.left_out == ("torch graph (lenet-mnist · quick · digits · cpu)",)


def test_a_smaller_difference_more_power_and_more_pairs_need_more_repeats() -> None:
    few = found(STUDY).repeats() or 0
    more = [*STUDY, *runs("mindspore", *spread(0.03, 0.01))]
    for other in (found(STUDY, ratio=1.02), found(STUDY, power=0.95), found([r for r in more if r.parity != FAIL])):
        assert (other.repeats() or 0) > few
    assert found(STUDY, ratio=1.00001).repeats() is None


def test_as_many_repeats_as_asked_for_show_the_difference() -> None:
    count = found(STUDY, ratio=1.1).repeats() or 0
    sd, random = math.sqrt((0.02**2 + 0.04**2) / 2), np.random.default_rng(5)
    shown = [
        methods.welch(
            (sd * random.standard_normal(count)).tolist(), (math.log(1.1) + sd * random.standard_normal(count)).tolist()
        ).p
        < methods.ALPHA
        for _ in range(1000)
    ]
    assert 0.77 <= np.mean(shown) <= 0.97


def test_the_command_shows_a_table_and_json(tmp_path: Path) -> None:
    write_study(tmp_path / "s", STUDY)
    done = CliRunner().invoke(power, ["--results", str(tmp_path)], catch_exceptions=False, env={"COLUMNS": "80"})
    needed = found(STUDY).repeats()
    assert f"For every pair: {needed} repeats" in done.stdout
    assert "torch eager" in done.stdout
    within_reach = reachable(summarize(frame(STUDY)))
    assert ("Within reach: " in done.stdout) == (within_reach is not None)
    assert "left out, for one process has no spread: torch graph" in done.stderr
    done = CliRunner().invoke(
        power, ["s", "--difference", "0.02", "--json", "--results", str(tmp_path)], catch_exceptions=False
    )
    as_json = json.loads(done.stdout)
    assert (as_json["study"], as_json["repeats"]) == ("s", found(STUDY, ratio=1.02).repeats())
    assert as_json["needs"]["pairs"][0]["a"] == "torch eager"


def test_what_is_within_reach_is_suggested(tmp_path: Path) -> None:
    write_study(tmp_path / "s", [*runs("torch", 0.01, 0.011, 0.012), *runs("tensorflow", 0.0102, 0.0112, 0.0122)])
    done = CliRunner().invoke(power, ["--results", str(tmp_path)], catch_exceptions=False)
    found = reachable(StudyRead.of(tmp_path / "s").groups)
    assert found is not None
    said = f"Within reach: {found.repeats} repeats show {found.ratio:g}× of every open pair: evenbench run"
    assert done.stdout.splitlines()[-1].startswith(said)
    assert f"--repeats {found.repeats}" in done.stdout.splitlines()[-1]


def test_a_study_without_a_spread_is_one_sentence(tmp_path: Path) -> None:
    write_study(tmp_path / "s", [record()])
    with pytest.raises(UsageError, match="study s has no two comparable rows"):
        CliRunner().invoke(power, ["s", "--results", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize("given", ["5%", "0.05", " 5 %", "5.0%", ".05"])
def test_a_share_is_read_as_people_write_it(given: str) -> None:
    assert parse_share("--difference", given, most=100) == pytest.approx(0.05)


@pytest.mark.parametrize("given", ["", "five", "-5%", "0", "100%", "nan", "5%%", "1e-2"])
def test_another_share_is_one_sentence(given: str) -> None:
    with pytest.raises(UsageError, match="--power is a share above 0 and below 100%, such as 5% or 0.05; received"):
        parse_share("--power", given, most=1)


def test_rounds_are_counted_less_far_than_processes(tmp_path: Path) -> None:
    wild = {"torch": (0.01, 0.01, 0.01), "tensorflow": (0.01, 0.03, 0.2)}
    records = []
    for repeat in range(3):
        ids = tuple(record(name, repeat=repeat).spec.run_id for name in wild)
        for name, steps in wild.items():
            turns = tuple(replace(block("steady", 10, 10 * steps[repeat]), turn=n) for n in range(24))
            found = measured(blocks=turns, versions={name: "1"})
            records.append(replace(record(name, repeat=repeat, found=found), live_with=ids))
    said = CliRunner().invoke(power, [str(write_study(tmp_path / "s", records))], catch_exceptions=False).output
    assert "For every pair: over 100 repeats." in " ".join(said.split())
