"""The exhibits: every number of a picture stands in its table, and nothing is drawn that is not shown to be so."""

import itertools
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from records_factory import FAIL, block, damage, died, machine_record, measured, record, spec, stages, write_study

from harness.record import Block, Ceiling, Evaluation, Memory, Noise, Phases, Record
from harness.records import studies
from harness.records.studies import Loaded
from harness.spec import RunSpec
from reports.page import style
from reports.page.exhibit import Exhibit
from reports.page.exhibits import curves
from reports.page.exhibits.all import exhibits
from reports.page.exhibits.machine import command, repeat
from reports.statistics import methods
from reports.statistics.study import StudyRead

CEILINGS = (
    Ceiling(library="torch", matmul_flops_per_s=2e11, copy_bytes_per_s=2e10),
    Ceiling(library="tensorflow", matmul_flops_per_s=1e11, copy_bytes_per_s=1e10),
)


def of(items: Sequence[Record]) -> dict[str, Any]:
    """Return the exhibits of these records by name."""
    loaded = Loaded(folder=Path("s"), plan=None, records=list(items), damaged=[])
    found = exhibits(StudyRead.of_loaded(loaded))
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def run(backend: str, step_s: float, repeat: int = 0, **more: Any) -> Record:
    """Return a run with three evaluations, both kinds of memory and ceilings."""
    evaluations = tuple(
        Evaluation(steps=steps, train_seconds=steps * step_s, quality={"accuracy": 0.5 + steps / 1000 + repeat / 100})
        for steps in (22, 66, 110)
    )
    facts = {"evaluations": evaluations, "blocks": blocks(step_s), **more.pop("facts", {})}
    memory = Memory(host_peak_bytes=300_000_000 + repeat, import_bytes=200_000_000, device_peak_bytes=50_000_000)
    found = measured(step_s, **({"memory": memory} | facts))
    return replace(record(backend, repeat=repeat, found=found, **more), ceilings=CEILINGS)


def blocks(step_s: float, disturbed: float | None = None) -> tuple[Block, ...]:
    """Return the blocks of 110 steps, ten of them steady, one of these disturbed if that is asked for."""
    steady = [block("steady", 10, 10 * step_s * (1 + place / 1000)) for place in range(10)]
    found = [block("first", 1, 0.5), block("calibration", 9, 9 * step_s), *steady]
    if disturbed is not None:
        noise = Noise(foreign_cpu_seconds=disturbed)
        found.append(replace(block("steady", 10, disturbed), noise=noise))
    return tuple(found)


def study() -> list[Record]:
    """Return a study with everything in it."""
    found = [run("torch", 0.01 * (1 + repeat / 50), repeat) for repeat in range(3)]
    found += [run("torch", 0.005 * (1 + repeat / 50), repeat, profile="tuned") for repeat in range(3)]
    found += [run("tensorflow", 0.02 * (1 + repeat / 50), repeat, mode="graph") for repeat in range(3)]
    found += [run("mindspore", 0.001, repeat, parity=FAIL) for repeat in range(2)]
    found += [run("numpy", 0.4, facts={"blocks": blocks(0.4, disturbed=9.0)})]
    found += [died("torch", mode="graph", status="timeout", reason="took too long")]
    return [*found, machine_record("torch", parts=stages(0.01)), machine_record("torch", repeat=1)]


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    return of(study())


def values(grid_of: Exhibit) -> list[float]:
    """Return all numbers of a table, those inside texts too."""
    assert grid_of.grid is not None
    cells = [cell for row in grid_of.grid.rows for cell in row]
    inside = [float(word) for cell in cells if cell.value is None for word in re.findall(r"[\d.]*\d", cell.shown)]
    return [cell.value for cell in cells if cell.value is not None] + inside


def drawn(figure: Any) -> list[float]:
    """Return all numbers that a picture shows: not the places of its rows, and not the outlines of its bands."""
    found: list[float] = []
    for trace in figure.data:
        axis = figure.layout[f"yaxis{(trace.yaxis or 'y')[1:]}"]
        if trace.type == "box":
            parts = [trace.q1, trace.median, trace.q3, trace.lowerfence, trace.upperfence]
        elif trace.type == "scatter" and trace.fill == "toself":
            parts = [trace.y]
        else:
            parts = [trace.x] if axis.tickvals is not None else [trace.x, trace.y]
            error, middle = (trace.error_x, trace.x) if axis.tickvals is not None else (trace.error_y, trace.y)
            for sign, ends in ((1, error.array), (-1, error.arrayminus)):
                if ends is not None:
                    parts.append([m + sign * e for m, e in zip(middle, ends, strict=True) if e is not None])
        found += [float(value) for part in parts for value in part if value is not None]
    return found


def test_every_number_of_a_picture_stands_in_its_table(everything: dict[str, Any]) -> None:
    found = everything
    assert {
        "throughput", "loss-1", "quality-1", "loss-2", "phases", "memory", "tuning", "limits", "noise", "repeats",
        "failures", "not-comparable", "machine",
    } <= set(found)  # fmt: skip
    pictures = {name: one for name, one in found.items() if one.figure is not None}
    del pictures["parity"]  # a heat map's numbers are colours: tests/test_parity_exhibits.py
    for name, one in pictures.items():
        table = np.array(values(one))
        shown = drawn(one.figure)
        assert shown, name
        for value in shown:
            assert np.isclose(table, value, rtol=6e-3 if name == "noise" else 1e-4).any(), (name, value)


def test_every_picture_has_a_title_a_note_and_a_text_with_its_numbers(everything: dict[str, Any]) -> None:
    for one in everything.values():
        assert one.title
        assert re.fullmatch(r"[a-z0-9-]+", one.name)
        assert one.grid is not None
        assert all(len(row) == len(one.grid.headers) for row in one.grid.rows)
        if one.figure is not None:
            assert one.note.endswith(".")
            assert re.search(r"\d", one.alt), one.name


def test_the_interval_is_that_of_the_processes_and_one_process_has_none() -> None:
    found = of([*(run("torch", 0.01 * (1 + i / 50), i) for i in range(3)), run("tensorflow", 0.02)])["throughput"]
    torch, tensorflow = found.figure.data
    speeds = [64 / (0.01 * (1 + i / 50) * 1.0045) for i in range(3)]
    expected = methods.mean_interval([math.log(speed) for speed in speeds])
    assert torch.x[0] == pytest.approx(math.exp(expected.mean))
    assert torch.x[0] + torch.error_x.array[0] == pytest.approx(math.exp(expected.high))
    assert torch.x[0] - torch.error_x.arrayminus[0] == pytest.approx(math.exp(expected.low))
    assert tensorflow.error_x.array == (None,)
    assert "A row of one process has no interval." in found.note
    assert found.figure.layout.xaxis.range[0] == 0


def test_what_is_not_comparable_is_hatched_and_said_so_and_never_called_fastest(everything: dict[str, Any]) -> None:
    found = everything["throughput"]
    panel = [trace for trace in found.figure.data if (trace.yaxis or "y") == "y"]
    hatched = [trace for trace in panel if trace.marker.pattern.shape == style.HATCHED]
    assert sum(len(trace.x) for trace in hatched) == 2
    assert max(x for trace in panel for x in trace.x) in {x for trace in hatched for x in trace.x}
    assert "Hatched" in found.note
    assert "torch eager (tuned) is fastest" in found.alt
    assert "mindspore" not in found.alt.partition("Not comparable:")[0]
    assert "mindspore eager" in found.alt.partition("Not comparable:")[2]
    names = found.figure.layout.yaxis.ticktext
    assert [name for name in names if name.endswith("†")] == ["mindspore eager †", "numpy eager †", "torch graph †"]
    assert all("mindspore" not in one.alt for name, one in everything.items() if name in ("memory", "limits"))


def test_a_tie_is_not_called_a_victory() -> None:
    noisy = [0.01, 0.013, 0.011]
    items = [run("torch", step, i) for i, step in enumerate(noisy)]
    items += [run("tensorflow", 1.02 * step, i) for i, step in enumerate(noisy)]
    alt = of(items)["throughput"].alt
    assert "which shows no difference" in alt
    assert "fastest" not in alt
    assert "slower" not in alt


def test_an_interval_beyond_the_picture_is_cut_and_said_so() -> None:
    found = of([run("torch", 0.01), run("torch", 0.03, 1), run("tensorflow", 0.02), run("tensorflow", 0.0201, 1)])
    shown = found["throughput"]
    longest = max(x for trace in shown.figure.data for x in trace.x)
    assert shown.figure.layout.xaxis.range[1] == pytest.approx(1.5 * longest)
    assert "The interval of torch eager reaches beyond the picture" in shown.note


def test_a_curve_is_the_median_of_the_runs_with_their_range() -> None:
    items = [
        run("torch", 0.01, i, facts={"losses": (2.0 + i, 1.0 + i, 0.5 + i, 0.25 + i, 0.125 + i)}) for i in (0, 1, 5)
    ]
    curve = curves.curve([*items, died("torch", status="diverged")], curves.losses)
    assert curve is not None
    assert curve.runs == 3
    assert curve.steps.tolist() == [22, 44, 66, 88, 110]
    assert curve.middle.tolist() == [3.0, 2.0, 1.5, 1.25, 1.125]
    assert (curve.low[0], curve.high[0]) == (2.0, 7.0)
    assert curve.seconds[0] == pytest.approx(0.5 + 0.09 + 0.1 * (1 + 0.001 * 0) + 0.02 * 1.001)


def test_the_seconds_of_a_loss_are_those_of_the_timed_blocks_and_unknown_beyond() -> None:
    item = run("torch", 0.01, facts={"blocks": (block("first", 1, 0.5), block("steady", 4, 2.0))})
    assert curves.seconds_at(item, np.array([1.0, 3.0, 5.0])).tolist() == [0.5, 1.5, 2.5]
    assert math.isnan(curves.seconds_at(item, np.array([6.0]))[0])


def test_a_run_that_stopped_earlier_ends_its_part_of_the_curve() -> None:
    short = run("torch", 0.01, 1, facts={"loss_steps": (22, 44), "losses": (4.0, None)})
    curve = curves.curve([run("torch", 0.01), short], curves.losses)
    assert curve is not None
    assert curve.middle.tolist() == [3.0, 1.0, 0.5, 0.25, 0.125]
    assert curves.curve([died("torch")], curves.losses) is None


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    steps = np.arange(1.0, 1001.0)
    kept = curves.thinned(steps, 50)
    assert len(kept) <= 50
    assert (kept[0], kept[-1]) == (1, 1000)
    assert np.diff(np.log(kept[20:])).max() < 0.3
    assert set(kept) <= set(steps)


def test_phases_add_up_and_the_first_step_is_not_counted_twice() -> None:
    found = of([run("torch", 0.01, i) for i in range(3)])["phases"]
    assert found.grid is not None
    row = dict(zip(found.grid.headers, found.grid.rows[0], strict=True))
    assert row["first step, s"].value == 0.5
    assert row["rest of training, s"].value == 1.0
    assert row["sum, s"].value == 1.0 + 0.25 + 0.125 + 1.5 + 0.0625
    assert sum(trace.x[0] for trace in found.figure.data) == row["sum, s"].value
    assert found.figure.layout.barmode == "stack"
    assert "rest of training takes 34 %" in found.alt or "import takes 34 %" in found.alt


def test_the_devices_memory_is_not_stacked_on_the_hosts() -> None:
    figure = of([run("torch", 0.01), run("tensorflow", 0.01)])["memory"].figure
    imported, rest, device = figure.data
    assert (imported.x, rest.x, device.x) == ((200, 200), (100, 100), (50, 50))
    assert imported.y == rest.y
    assert not set(device.y) & set(rest.y)


def test_tuning_is_shown_only_where_both_profiles_are_there() -> None:
    stock = [run("torch", 0.01 * (1 + i / 50), i) for i in range(3)]
    tuned = [run("torch", 0.005 * (1 + i / 50), i, profile="tuned") for i in range(3)]
    assert "tuning" not in of(stock)
    assert "tuning" not in of(tuned)
    found = of(stock + tuned)["tuning"]
    (point,) = found.figure.data
    assert point.x[0] == pytest.approx(2.0)
    assert point.x[0] - point.error_x.arrayminus[0] > 1.5
    assert "2.00 times as fast as stock" in found.alt
    slower = of(stock + [run("torch", 0.02 * (1 + i / 50), i, profile="tuned") for i in range(3)])["tuning"]
    assert "which is slower" in slower.alt


def test_disturbed_blocks_are_marked_and_counted() -> None:
    found = of([run("torch", 0.01, facts={"blocks": blocks(0.01, disturbed=0.7)})])["noise"]
    crosses = [trace for trace in found.figure.data if trace.type == "scatter"]
    assert len(crosses) == 1
    assert crosses[0].x[0] == pytest.approx(0.07 / (0.01 * 1.0045))
    assert "1 of 11 blocks were disturbed" in found.alt
    assert "(log)" in found.figure.layout.xaxis.title.text


def test_failures_say_why_and_how_to_run_them_again(tmp_path: Path) -> None:
    items = [record("torch"), died("tensorflow", mode="graph", seed=7, status="out_of_memory", reason="no memory left")]
    folder = write_study(tmp_path / "s", items, planned=[spec("mindspore")])
    damage(folder)
    loaded = studies.load(folder)
    found: dict[str, Any] = {one.name: one for one in exhibits(StudyRead.of_loaded(loaded))}
    rows = [[cell.shown for cell in row] for row in found["failures"].grid.rows]
    assert [row[5] for row in rows] == ["out_of_memory", "damaged record", "no record"]
    assert rows[0][6] == "no memory left"
    assert found["failures"].note == "3 runs did not end well, have no record or a damaged one."
    commands = [row[1].shown for row in found["commands"].grid.rows]
    options = (
        "--task lenet-mnist --backend tensorflow --mode graph --preset quick --dataset digits --seed 7 --repeats 1"
    )
    assert commands == ["evenbench run", f"evenbench run {options}"]


def test_a_command_that_repeats_a_study_does_not_say_where_it_was_kept() -> None:
    words = ("run", "--results", "/home/x", "--task", "a b", "--study=one", "--repeats", "5")
    assert command(words) == "evenbench run --task 'a b' --repeats 5"
    assert "--device gpu" in repeat(spec(device="gpu"))
    assert "--profile tuned" in repeat(spec(profile="tuned"))
    assert isinstance(spec(), RunSpec)


def test_the_machine_and_every_version_stand_in_a_table(everything: dict[str, Any]) -> None:
    grid = everything["machine"].grid
    assert grid is not None
    rows = {tuple(cell.shown for cell in row) for row in grid.rows}
    assert {("machine", "processor", "Test CPU"), ("machine", "memory", "8.0 GB"), ("torch", "threads", "4")} <= rows
    assert ("torch", "numpy", "2.4.0") in rows or ("torch", "torch", "2.13.0") in rows


def test_a_study_of_nothing_and_one_of_failures_alone_have_no_pictures() -> None:
    assert of([]) == {}
    found = of([died("torch"), died("tensorflow")])
    assert {name for name, one in found.items() if one.figure is not None} == {"parity"}
    assert {"failures", "not-comparable", "machine", "commands", "parity"} == set(found)


def test_pictures_do_not_grow_with_the_processes() -> None:
    def size(processes: int) -> int:
        items = [run(name, 0.01 * (1 + i / 9999), i) for name in ("torch", "tensorflow") for i in range(processes)]
        return sum(len(one.figure.to_json()) for one in of(items).values() if one.figure is not None)

    assert size(200) < 2 * size(100)
    assert size(200) < 500_000


def test_very_many_groups_and_rows_are_cut_and_the_rest_is_mentioned() -> None:
    items = [run("torch", 0.01, dataset=f"data{number}") for number in range(26)]
    found = of(items)
    assert "2 more groups are not drawn" in found["throughput"].note
    assert "2 more groups are not drawn" in found["learning-left-out"].note
    assert len([name for name in found if name.startswith("loss-")]) == 24
    many = of([run(f"torch{number}", 0.01) for number in range(42)])
    assert len(many["loss-1"].figure.data) <= 2 * 40
    assert "2 more rows are not drawn" in many["throughput"].note


def test_colours_follow_the_names_and_modes_differ_by_more_than_colour() -> None:
    one, other = style.colours(["torch", "mindspore"]), style.colours(["torch", "tensorflow", "numpy"])
    assert one["torch"] == other["torch"]
    every = style.colours(["torch", "mindspore", "tensorflow", "numpy", "mine"])
    assert len(set(every.values())) == 5
    looks = style.looks([("torch", "eager", "stock"), ("torch", "graph", "stock"), ("torch", "eager", "tuned")])
    assert len({look.colour for look in looks.values()}) == 1
    assert len({(look.symbol, look.dash) for look in looks.values()}) == 3
    assert len(set(style.symbols(every).values())) == 5


def test_the_colour_of_a_framework_never_changes_and_no_two_in_a_study_are_alike() -> None:
    known = style.colours(list(style.PLACES))
    assert list(known.values()) == list(style.COLOURS[: len(style.PLACES)])
    every = style.colours([*style.PLACES, "mine", "yours"])
    assert set(every.values()) == set(style.COLOURS)
    assert {name: every[name] for name in known} == known
    alone, among = style.colours(["mine"]), style.colours(["mine", "torch@2.12.0", "numpy"])
    assert (alone["mine"], among["torch@2.12.0"]) == (among["mine"], known["torch"])


SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""Machado, Oliveira & Fernandes (2009), full severity, on linear RGB."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(colour: str, sight: str) -> Any:
    """Return a colour in CIELAB, as somebody sees it."""
    share = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(SIGHTS[sight] @ linear, 1e-3, 1) / (0.95047, 1, 1.08883))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_colour_blind_can_tell_eight_frameworks_apart(sight: str) -> None:
    """A distance of 2.3 in CIELAB is just noticed; these keep several times as much."""
    pairs = itertools.combinations(style.COLOURS, 2)
    assert min(float(np.linalg.norm(seen(a, sight) - seen(b, sight))) for a, b in pairs) > 12


def test_one_evaluation_is_a_table_and_three_are_a_picture() -> None:
    many = of([run("torch", 0.01, i) for i in range(2)])["quality-1"]
    assert many.figure is not None
    once = (Evaluation(steps=110, train_seconds=1.5, quality={"accuracy": 0.9}),)
    few = of([run("torch", 0.01, i, facts={"evaluations": once}) for i in range(2)])["quality-1"]
    assert few.figure is None
    assert few.grid is not None


def test_a_loss_that_rises_is_not_shown_without_a_word() -> None:
    rising = {"losses": (0.125, 0.25, 0.5, 1.0, 2.0)}
    assert "ends higher than it began" in of([run("torch", 0.01, facts=rising)])["loss-1"].note
    assert "ends higher" not in of([run("torch", 0.01)])["loss-1"].note


def test_names_from_records_are_cut_and_made_printable_in_pictures_but_whole_in_tables() -> None:
    name = "torch\u202e<script>" + "x" * 100
    found = of([run(name, 0.01), run(name[:-1], 0.02)])["throughput"]
    ticks = found.figure.layout.yaxis.ticktext
    assert all("\u202e" not in tick and len(tick) < 80 for tick in ticks)
    assert [row[1].shown for row in found.grid.rows] == [f"{name} eager", f"{name[:-1]} eager"]
    assert sum(len(trace.x) for trace in found.figure.data) == 2


def test_figures_carry_no_template_and_no_background(everything: dict[str, Any]) -> None:
    for one in everything.values():
        if one.figure is not None:
            layout = json.loads(one.figure.to_json())["layout"]
            assert not layout["template"]
            assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == style.CLEAR
            assert layout["height"] > 100


def test_no_number_and_no_name_of_a_record_breaks_an_exhibit() -> None:
    big = 1.7e308
    items = []
    for i in range(2):
        items += [run("tor<b>ch", 1e-320, i), run("x" * 3000, 1e300, i)]
        facts: dict[str, Any] = {"blocks": (block("steady", 1, 5e-324), block("steady", 10**15, big))}
        items += [record("a\x1b[31m", repeat=i, found=measured(losses=(big, -big, big, None, big), **facts))]
        late = Evaluation(steps=10**17, train_seconds=big, quality={"accuracy": big})
        early = Evaluation(steps=0, train_seconds=0.0, quality={"accuracy": -big})
        phases = Phases(import_s=big, build_s=big, load_s=-1.0, first_step_s=big, train_s=1.0, total_s=big)
        memory = Memory(host_peak_bytes=10**30, import_bytes=-5, device_peak_bytes=2**62)
        items += [record("p", repeat=i, found=measured(evaluations=(late, early), phases=phases, memory=memory))]
        steps: dict[str, Any] = {
            "loss_steps": (5, 3, 3, 0, -7),
            "losses": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
            "batch_size": 2**62,
        }
        items += [record("q", repeat=i, found=measured(**steps))]
        ceiling = Ceiling(library="torch", matmul_flops_per_s=1e-300, copy_bytes_per_s=1e-300)
        items += [replace(record("torch", repeat=i), ceilings=(ceiling,), affinity=())]
    for one in of(items).values():
        assert len(one.alt) + len(one.note) < 5_000
        assert "\x1b" not in one.alt
        if one.figure is not None:
            text = one.figure.to_json()
            assert "NaN" not in text
            assert "Infinity" not in text
