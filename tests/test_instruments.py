"""Inference, roofline, energy, equal seeds, order and break-even: from made-up records to what a reader sees."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from records_factory import LENET, block, measured, record, write_study
from rich.console import Console

from harness.record import Block, Ceiling, Energy, Inference, Noise, Phases, Record, Twin
from harness.records.studies import Loaded
from reports.content import instruments
from reports.content.break_even import pays_after
from reports.content.content import Content, Section, content
from reports.content.instruments import NO_TWINS, ORDER
from reports.content.legend import legend
from reports.formats import export, show, terminal
from reports.formats.markdown import markdown
from reports.frame.frame import frame
from reports.frame.instruments import _quantiles, clean_latencies, figures
from reports.frame.work import training_step
from reports.statistics.study import StudyRead
from reports.statistics.summary import summarize

QUIET, LOUD = Noise(foreign_cpu_seconds=0.0), Noise(foreign_cpu_seconds=200.0)
CEILINGS = (
    Ceiling(library="torch", matmul_flops_per_s=1e11, copy_bytes_per_s=1e10),
    Ceiling(library="numpy", matmul_flops_per_s=2e11, copy_bytes_per_s=5e9),
    Ceiling(library="mindspore", reason="it took longer than its limit"),
)
WORK = training_step(LENET, LENET.preset("quick").optimizer, 64)


def calls(seconds: float, noise: Noise | None = QUIET, steps: int = 50) -> Block:
    return replace(block("steady", steps, seconds * steps), noise=noise)


def inference(median_s: float = 0.001) -> tuple[Inference, ...]:
    """Return 100 calls between half and one and a half of the median, 50 disturbed ones, and two blocks at batch 64."""
    latencies = tuple(median_s * (0.505 + 0.01 * i) for i in range(100))
    single = Inference(
        batch_size=1,
        first_call_s=0.25,
        blocks=(calls(median_s), calls(1.0, LOUD), calls(median_s)),
        latencies=(*latencies[:50], *(50 * [9.0]), *latencies[50:]),
    )
    batched = Inference(
        batch_size=64, first_call_s=0.5, blocks=(calls(0.002, steps=10), calls(5.0, LOUD), calls(0.002, steps=30))
    )
    return single, batched


def ran(backend: str = "torch", *, found: dict[str, Any] | None = None, **more: Any) -> Record:
    """Return a record; what is not a fact of `record` is changed in the finished Record."""
    in_record = {name: more.pop(name) for name in ("ceilings", "twin", "started_at") if name in more}
    facts = {"versions": {backend: "1.2.3"}} | (found or {})
    return replace(record(backend, found=measured(**facts), **more), **in_record)


def said(records: Sequence[Record]) -> Content:
    loaded = Loaded(folder=Path("s"), plan=None, records=list(records), damaged=[])
    return content(StudyRead.of_loaded(loaded))


def table(section: Section, title: str) -> dict[str, dict[str, str]]:
    """Return the cells of a table by figure and backend."""
    (found,) = (table for table in section.tables if table.title.startswith(title))
    return {row[0]: dict(zip(found.headers[1:], row[1:], strict=True)) for row in found.shown()}


def test_latency_and_throughput_are_those_of_the_undisturbed_blocks() -> None:
    found = figures(ran(found={"inference": inference()}), None)
    assert found["latency_median_s"] == pytest.approx(0.001)
    assert found["latency_p95_s"] == pytest.approx(0.00145, rel=0.01)
    assert found["latency_p99_s"] == pytest.approx(0.00149, rel=0.01)
    assert found["inference_examples_per_s"] == pytest.approx(64 / 0.002)
    assert found["inference_disturbed_blocks"] == 2


def test_calls_that_do_not_belong_to_the_blocks_give_no_latency() -> None:
    single = inference()[0]
    assert len(clean_latencies(single, 4)) == 100
    assert clean_latencies(replace(single, latencies=single.latencies[1:]), 4) == ()
    warm = replace(single, blocks=(replace(calls(0.001), kind="calibration"), *single.blocks))
    assert list(clean_latencies(warm, 4)) == list(clean_latencies(single, 4)), (
        "calls of the steady blocks alone were kept"
    )


def test_where_all_blocks_were_disturbed_there_is_no_number_but_a_sentence() -> None:
    single, batched = inference()
    loud = tuple(replace(item, blocks=(calls(0.001, LOUD, 150),)) for item in (single, batched))
    found = figures(ran(found={"inference": loud}), None)
    assert (found["latency_median_s"], found["inference_examples_per_s"]) == (None, None)
    (section,) = said([ran(found={"inference": loud})]).sections
    assert any("blocks of forward passes that others disturbed, not read: 2." in line for line in section.remarks)


def test_the_inference_table_has_milliseconds_and_the_batch() -> None:
    (section,) = said([ran(found={"inference": inference()}), ran("mindspore")]).sections
    shown = table(section, instruments.INFERENCE)
    assert shown["latency of one example, ms: median"] == {"torch eager": "1.00", "mindspore eager": "—"}
    assert shown["examples/s at batch 64"]["torch eager"] == "32,000"
    assert shown["first call"]["torch eager"] == "250"


def of_speeds(backend: str, *medians: float, **more: Any) -> list[Record]:
    return [
        ran(backend, repeat=i, found={"inference": inference(median_s)}, **more) for i, median_s in enumerate(medians)
    ]


def test_inference_has_verdicts_of_its_own() -> None:
    slow, quick, even = (0.00200, 0.00202, 0.00198), (0.00100, 0.00101, 0.00099), (0.000995, 0.001005, 0.001015)
    records = [*of_speeds("torch", *slow), *of_speeds("tensorflow", *quick), *of_speeds("mindspore", *even)]
    (group,) = summarize(frame(records))
    (section,) = said(records).sections
    cells = table(section, instruments.INFERENCE)["× slower than the quickest"]
    assert cells["tensorflow eager"] == "1.00×"
    assert cells["torch eager"].startswith("2.00× (1.9")
    assert cells["torch eager"].endswith(" slower")
    assert cells["mindspore eager"].endswith("no difference shown")
    pairs = export.verdicts([group]).to_dict("records")
    assert {pair["verdict"] for pair in pairs} == {"no difference shown"}, "their training is equally fast"
    (found,) = (p for p in pairs if {p["backend"], p["other_backend"]} == {"torch", "tensorflow"})
    assert found["latency_verdict"] in ("slower", "faster")
    assert max(found["latency_ratio"], 1 / found["latency_ratio"]) == pytest.approx(2.0, rel=0.01)
    assert found["inference_verdict"] == "no difference shown"


def test_inference_that_gives_other_outputs_is_not_comparable() -> None:
    other = tuple(replace(item, largest_difference=0.002) for item in inference())
    records = [
        *of_speeds("torch", 0.001, 0.0011),
        *(ran("tensorflow", repeat=i, found={"inference": other}) for i in (0, 1)),
    ]
    (section,) = said(records).sections
    assert table(section, instruments.INFERENCE)["× slower than the quickest"]["tensorflow eager"] == "—"
    (line,) = (line for line in section.remarks if "differ from the evaluation's" in line)
    assert line.startswith("tensorflow eager: ")
    assert "2.0e-03" in line


def test_the_roofline_compares_a_step_with_the_limits_of_its_own_and_of_the_best_library() -> None:
    found = figures(ran(ceilings=CEILINGS), 0.01)
    reached = WORK.flops / 0.01
    assert found["flops_per_step"] == 64 * 2 * (3 * 416_520 - 117_600)
    assert found["share_of_own_matmul"] == pytest.approx(reached / 1e11)
    assert found["share_of_best_matmul"] == pytest.approx(reached / 2e11)
    assert found["best_matmul_library"] == "numpy"
    assert found["roofline_flops_per_s"] == pytest.approx(min(2e11, WORK.flops / WORK.least_bytes * 1e10))
    assert found["share_of_roofline"] == pytest.approx(reached / float(str(found["roofline_flops_per_s"])))


def test_a_library_without_limits_still_has_its_share_of_the_best_and_the_reason() -> None:
    runs = [ran(ceilings=CEILINGS), ran("mindspore", ceilings=CEILINGS)]
    (section,) = said(runs).sections
    shown = table(section, instruments.ROOFLINE)
    assert shown["share of that"]["mindspore eager"] == "—"
    assert shown["share of the best product (numpy)"]["mindspore eager"].endswith(" %")
    assert any("mindspore eager" in line and "longer than its limit" in line for line in section.remarks)


def test_without_ceilings_there_is_no_roofline() -> None:
    assert figures(ran(), 0.01)["share_of_roofline"] is None
    (section,) = said([ran()]).sections
    assert section.tables == ()


def test_energy_is_joules_per_thousand_examples_or_one_line_with_the_reason() -> None:
    used = Energy(joules={"rapl package-0": 30.0, "nvml 0": 34.0}, seconds=1.0, steps=10)
    (section,) = said([ran(found={"energy": used})]).sections
    assert table(section, instruments.ENERGY)["J per 1,000 examples"] == {"torch eager": "100"}
    why = {"energy": Energy(reasons={"rapl": "this system has no RAPL counters"})}
    (section,) = said([ran(found=why), ran("mindspore", found=why)]).sections
    assert section.tables == ()
    assert [line for line in section.remarks if "RAPL" in line] == ["energy: this system has no RAPL counters."]


def test_equal_seeds_are_bit_identical_or_have_their_largest_difference() -> None:
    same = Twin(run_id="x", identical=True, largest_loss_difference=0.0, largest_parameter_difference=0.0)
    other = Twin(run_id="x", identical=False, largest_loss_difference=2e-4, largest_parameter_difference=0.5)
    runs = [
        ran(seed=0), ran(repeat=1, seed=0, twin=same), ran("mindspore", seed=0),
        ran("mindspore", repeat=1, seed=0, twin=other),
    ]  # fmt: skip
    (section,) = said(runs).sections
    shown = table(section, instruments.TWINS)
    assert shown["losses and parameters"] == {"torch eager": "bit-identical", "mindspore eager": "differ"}
    assert shown["largest difference of losses"] == {"torch eager": "—", "mindspore eager": "0.00020"}
    assert shown["largest difference of parameters"]["mindspore eager"] == "0.50"
    assert NO_TWINS not in section.remarks


def test_where_one_pair_of_three_differs_it_is_counted() -> None:
    pairs = [Twin(run_id="x", identical=same) for same in (True, False, True)]
    runs = [ran(seed=0), *(ran(repeat=i, seed=0, twin=twin) for i, twin in enumerate(pairs, start=1))]
    (section,) = said(runs).sections
    assert table(section, instruments.TWINS)["losses and parameters"]["torch eager"] == "1 of 3 differ"


def test_without_equal_seeds_the_report_says_how_to_see_them() -> None:
    (section,) = said([ran(), ran(repeat=1)]).sections
    assert NO_TWINS in section.remarks


def test_the_order_of_the_runs_is_shown_round_by_round() -> None:
    begun = {("torch", 0): 3, ("mindspore", 0): 1, ("torch", 1): 2, ("mindspore", 1): 4}
    runs = [
        ran(name, repeat=repeat, started_at=f"2026-11-21T00:0{minute}:00+00:00")
        for (name, repeat), minute in begun.items()
    ]
    (section,) = said(runs).sections
    assert table(section, ORDER) == {
        "round 1, seed 0": {"torch eager": "3", "mindspore eager": "1"},
        "round 2, seed 1": {"torch eager": "2", "mindspore eager": "4"},
    }


def mode(name: str, *, build_s: float, first_s: float, step_s: float, **more: Any) -> Record:
    phases = Phases(import_s=1.0, build_s=build_s, load_s=0.1, first_step_s=first_s, total_s=9.0)
    blocks = (block("first", 1, first_s), block("steady", 10, 10 * step_s), block("steady", 10, 10 * step_s))
    return ran(mode=name, found={"phases": phases, "blocks": blocks}, **more)


EAGER = mode("eager", build_s=0.5, first_s=0.5, step_s=0.004)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (mode("graph", build_s=0.5, first_s=10.5, step_s=0.002), "torch graph pays after 5,000 steps"),
        (mode("graph", build_s=0.5, first_s=10.5, step_s=0.008), "torch graph never pays"),
        (mode("graph", build_s=0.5, first_s=0.25, step_s=0.002), "torch graph pays from the first step"),
    ],
)
def test_compiling_pays_after_the_steps_that_win_back_its_cost(graph: Record, words: str) -> None:
    (section,) = said([EAGER, graph]).sections
    (line,) = (line for line in section.remarks if "pays" in line)
    assert words in line
    assert "instead of 4.00 ms" in line


def test_compiling_whose_steps_overlap_with_eager_ones_shows_no_gain() -> None:
    graphs = [
        mode("graph", build_s=0.5, first_s=10.5, step_s=step_s, repeat=i) for i, step_s in enumerate((1e-3, 5e-3))
    ]
    (section,) = said([EAGER, *graphs]).sections
    assert [line for line in section.remarks if "overlap" in line] == [
        "torch graph against torch eager: the ranges of their steps overlap, no gain is shown."
    ]


def test_compiling_is_not_judged_without_eager_or_without_parity() -> None:
    graph = mode("graph", build_s=0.5, first_s=10.5, step_s=0.002)
    for runs in ([graph], [EAGER, replace(graph, parity=replace(graph.parity, passed=False))]):
        (section,) = said(runs).sections
        assert not any("pays" in line for line in section.remarks)


@pytest.mark.parametrize(("extra", "gain", "steps"), [(10, 0.002, 5000), (-1, 0.1, 0), (1, 0, None), (1, 0.3, 4)])
def test_the_break_even_is_the_first_whole_step(extra: float, gain: float, steps: int | None) -> None:
    assert pays_after(extra, gain) == steps


def test_every_format_shows_the_tables_and_the_legend_explains_them(tmp_path: Path) -> None:
    twin = Twin(run_id="x", identical=True)
    used = Energy(joules={"rapl package-0": 30.0}, seconds=1.0, steps=10)
    run = ran(found={"inference": inference(), "energy": used}, ceilings=CEILINGS, twin=twin)
    found = said([run])
    stream = io.StringIO()
    terminal.show(found, Console(file=stream, width=100))
    page = markdown(found)
    for title in (instruments.INFERENCE, instruments.ROOFLINE, instruments.ENERGY, instruments.TWINS):
        assert title in stream.getvalue()
        assert f"### {title}" in page
        assert any(line.startswith(f"“{title}”") for line in legend([run]))
    alone = Console(file=io.StringIO(), width=100)
    show.show(run, alone)
    assert "share of best matmul" in alone.file.getvalue()  # type: ignore[attr-defined]
    folder = write_study(tmp_path / "s", [run])
    assert (folder / f"{run.spec.run_id}.json").exists()


def test_a_record_without_instruments_has_columns_without_numbers() -> None:
    (row,) = frame([replace(ran(), task=replace(LENET, presets={}))]).to_dict("records")
    assert math.isnan(row["latency_median_s"])
    assert math.isnan(row["joules"])
    assert row["twin"] == ""


def test_quantiles_are_those_of_numpy() -> None:
    random = np.random.default_rng(3)
    for count in (1, 2, 3, 20, 1000):
        calls = np.sort(random.lognormal(-8, 1, count))
        assert _quantiles(calls.tolist(), (0.5, 0.95, 0.99)) == pytest.approx(
            np.quantile(calls, (0.5, 0.95, 0.99)).tolist()
        )


def test_bits_and_intersections_stand_in_a_table_of_their_own_where_there_are_any() -> None:
    quality = {"accuracy": 0.5, "bits_per_place": 1.25}
    (section,) = said([ran(found={"quality": quality}), ran("mindspore")]).sections
    shown = table(section, instruments.PLACES)
    assert shown == {"bits per place": {"torch eager": "1.25", "mindspore eager": "—"}}
    assert not any(one.title.startswith(instruments.PLACES) for one in said([ran()]).sections[0].tables)
