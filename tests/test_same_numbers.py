"""One study in every format: each number that the formats share is read back, and is the same everywhere.

Exact formats must give back the very summary; rounded ones must show its numbers by their own rounding.
"""

import html
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from records_factory import FAIL, died, machine_record, measured, record, stages, write_study

from harness.record import Memory, Record
from harness.records import studies
from reports.content.cells import verdict
from reports.formats import export
from reports.formats.latex import SPELLED
from reports.formats.report import ENDINGS, FORMATS, render
from reports.frame.columns import STAGES, VERDICTS
from reports.frame.frame import frame
from reports.frame.frame import stages as frame_of_stages
from reports.page.exhibit import Exhibit
from reports.page.exhibits.all import exhibits
from reports.statistics.rows import Group, Row
from reports.statistics.study import StudyRead
from reports.statistics.summary import summarize
from reports.words import text

NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


class Shown(NamedTuple):
    """The numbers of one row as people read them."""

    label: str
    rate: str
    low: str
    high: str
    slower: str
    first: str
    epoch: str
    accuracies: str
    mean_accuracy: str
    memory: str
    verdict: str


def records() -> list[Record]:
    """Return runs whose numbers all differ: stock and tuned, one without parity, one that died, and stages."""
    found = []
    for place, (backend, more) in enumerate(
        [("torch", {}), ("torch", {"profile": "tuned"}), ("tensorflow", {"mode": "graph"}), ("mindspore", {})]
    ):
        for repeat in range(3):
            memory = Memory(host_peak_bytes=(300 + 17 * place + repeat) * 10**6, import_bytes=(200 + place) * 10**6)
            seconds = 0.01 * (1 + 0.37 * place) * (1 + 0.013 * repeat**2)
            facts = measured(seconds, 0.9 + 0.01 * place + 0.001 * repeat, memory=memory)
            parity = {"parity": FAIL} if backend == "mindspore" else {}
            found.append(record(backend, repeat=repeat, found=facts, **parity, **more))  # type: ignore[arg-type]
    found += [died("numpy", status="timeout", reason="too slow")]
    found += [machine_record("torch", repeat=repeat, parts=stages(0.01 + repeat / 997)) for repeat in range(2)]
    found += [machine_record("tensorflow", repeat=repeat, parts=stages(0.02 + repeat / 991)) for repeat in range(2)]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study with its reports in every format that goes into a file, and the terminal's in `terminal`."""
    path = write_study(tmp_path_factory.mktemp("same") / "s", records())
    stream = io.StringIO()
    render(path, ("terminal", "md", "csv", "parquet", "latex"), stdout=stream, more=("full",))
    render(path, ("json",), path.parent / "report.json")
    (path / "terminal").write_text(stream.getvalue(), "utf-8")
    return path


@pytest.fixture(scope="module")
def groups(folder: Path) -> tuple[Group, ...]:
    return summarize(frame(studies.load(folder).records))


def label(row: Row) -> str:
    return f"{row.backend} {row.mode}{'' if row.profile == 'stock' else f' ({row.profile})'}"


def expected(row: Row) -> Shown:
    """Return what a rounded format has to say of a row."""
    speed, found = row.throughput_examples_per_s, row.to_fastest
    interval = f" ({text.number(found.low)}–{text.number(found.high)})" if found else ""
    slower = text.NOTHING if row.times_slower is None else f"{text.number(row.times_slower)}×{interval}"
    return Shown(
        label=label(row),
        rate=text.rate(speed.median if speed else None),
        low=text.rate(speed.low) if speed else "",
        high=text.rate(speed.high) if speed else "",
        slower=slower,
        first=text.seconds(row.time_to_first_step_s),
        epoch=text.seconds(row.epoch_s),
        accuracies=" ".join(f"{item.value:.4f}" for item in row.quality) or text.NOTHING,
        mean_accuracy=text.NOTHING if row.quality_mean is None else f"{row.quality_mean:.4f}",
        memory=text.megabytes(row.host_peak_bytes),
        verdict=verdict(row),
    )


def test_the_summary_follows_from_the_records_alone(groups: tuple[Group, ...]) -> None:
    by_label = {label(row): row for row in groups[0].rows}
    for name, place in {"torch eager": 0, "torch eager (tuned)": 1, "tensorflow graph": 2}.items():
        steps = [0.01 * (1 + 0.37 * place) * (1 + 0.013 * repeat**2) for repeat in range(3)]
        row = by_label[name]
        assert row.throughput_examples_per_s is not None
        assert row.throughput_examples_per_s.median == pytest.approx(64 / float(np.median(steps)))
        assert row.seconds_per_example == pytest.approx([step / 64 for step in steps])
        assert row.host_peak_bytes == (301 + 17 * place) * 10**6
        assert [item.value for item in row.quality] == pytest.approx([0.9 + 0.01 * place + 0.001 * r for r in range(3)])
    assert by_label["tensorflow graph"].times_slower == pytest.approx(1.74)


@pytest.mark.parametrize("name", ["csv", "parquet", "json"])
def test_an_exact_format_gives_back_the_very_frames_and_the_summary(
    name: str, folder: Path, groups: tuple[Group, ...]
) -> None:
    loaded = studies.load(folder).records
    runs, parts = frame(loaded), frame_of_stages(loaded)
    if name == "csv":
        found = export.from_csv((folder / "report.csv").read_text("utf-8"))
        of_stages = export.from_csv((folder / "report.stages.csv").read_text("utf-8"), STAGES)
        pairs = export.from_csv((folder / "report.verdicts.csv").read_text("utf-8"), VERDICTS)
    elif name == "parquet":
        names = ("report.parquet", "report.stages.parquet", "report.verdicts.parquet")
        found, of_stages, pairs = (pd.read_parquet(folder / name) for name in names)
    else:
        written = (folder.parent / "report.json").read_bytes()
        found, of_stages = export.from_json(written.decode())
        content = msgspec.json.decode(written)
        assert msgspec.convert(content["summary"], tuple[Group, ...], strict=False) == groups
        pairs = export._typed(content["verdicts"], VERDICTS)
    pd.testing.assert_frame_equal(found, runs, check_exact=True)
    pd.testing.assert_frame_equal(of_stages, parts, check_exact=True)
    pd.testing.assert_frame_equal(pairs, export.verdicts(groups), check_exact=True)
    assert summarize(found) == groups


def rows_of(groups: Iterable[Group]) -> list[Shown]:
    return [expected(row) for group in groups for row in group.rows]


def in_markdown(page: str) -> list[Shown]:
    """Return the rows of the first table of every section."""
    rendered = str(MarkdownIt("commonmark").enable("table").render(page))
    found = []
    for table in re.findall(r"<table>(.*?)</table>", rendered, re.DOTALL):
        lines = [
            [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL)]
            for line in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        ]
        if lines[0][0] == "rank":
            found += [_of_markdown(dict(zip(lines[0], line, strict=True))) for line in lines[1:]]
    return found


def _of_markdown(cells: dict[str, str]) -> Shown:
    low, _dash, high = cells["min–max"].partition("–")
    accuracies = cells["accuracy per seed"]
    each = [float(one) for one in accuracies.split()] if accuracies != text.NOTHING else []
    return Shown(
        label=cells["backend"],
        rate=cells["examples/s"],
        low=low,
        high=high,
        slower=cells["× slower"],
        first=cells["first step s"],
        epoch=cells["epoch s"],
        accuracies=accuracies,
        mean_accuracy=f"{sum(each) / len(each):.4f}" if each else text.NOTHING,
        memory=cells["memory MB"],
        verdict=cells["verdict"],
    )


def test_markdown_shows_the_summary(folder: Path, groups: tuple[Group, ...]) -> None:
    assert in_markdown((folder / "report.md").read_text("utf-8")) == rows_of(groups)


def test_the_comparison_notices_a_single_wrong_digit(folder: Path, groups: tuple[Group, ...]) -> None:
    page = (folder / "report.md").read_text("utf-8")
    right = expected(groups[0].rows[0])
    for number in (right.rate, right.first, right.memory, right.accuracies.split()[0]):
        wrong = page.replace(f" {number} ", f" {number[:-1]}{(int(number[-1]) + 1) % 10} ", 1)
        assert wrong != page
        assert in_markdown(wrong) != rows_of(groups)


def plain(words: str) -> str:
    """Return what LaTeX would print."""
    for character, spelled in sorted(SPELLED.items(), key=lambda pair: -len(pair[1])):
        words = words.replace(spelled, character)
    return words


def test_latex_shows_the_summary(folder: Path, groups: tuple[Group, ...]) -> None:
    lines = (folder / "report.tex").read_text("utf-8").splitlines()
    found = [[plain(cell.strip()) for cell in line.removesuffix(r"\\").split(" & ")] for line in lines if " & " in line]
    found = [cells for cells in found if cells[0] != "framework"]
    rows = [row for group in groups for row in group.rows]
    for cells, row, shown in zip(found, rows, rows_of(groups), strict=True):
        several = row.throughput_examples_per_s is not None
        rate = f"{shown.rate} ({shown.low}–{shown.high})" if several else shown.rate
        assert cells == [
            shown.label,
            str(len(row.seconds_per_example)),
            rate,
            shown.slower,
            shown.mean_accuracy,
            shown.memory,
            shown.verdict,
        ]


def test_the_terminal_shows_the_numbers_of_the_summary_and_no_others(folder: Path, groups: tuple[Group, ...]) -> None:
    page = (folder / "terminal").read_text("utf-8")
    assert max(len(line) for line in page.splitlines() if "evenbench" not in line) <= 80
    blocks = page.split("\n\n")
    speeds = [block for block in blocks if block.startswith("rank")]
    costs = [block for block in blocks if "memory MB\n───" in block]
    assert len(speeds) == len(costs) == len(groups)
    for group, speed, cost in zip(groups, speeds, costs, strict=True):
        rows = [(row, expected(row)) for row in group.rows]
        in_speed = [f"{row.rank or ''} {shown.rate} {shown.slower} {text.counted(row.status)}" for row, shown in rows]
        assert numbers(speed) == numbers(" ".join(in_speed))
        in_cost = [
            " ".join((one.low, one.high, one.first, one.epoch, one.accuracies, one.memory)) for _row, one in rows
        ]
        assert numbers(cost.partition("\nSteady state")[0]) == numbers(" ".join(in_cost))
        order = [speed.index(f" {shown.rate} ") for _row, shown in rows if shown.rate != text.NOTHING]
        assert order == sorted(order)


def numbers(words: str) -> Counter[str]:
    return Counter(NUMBER.findall(words.replace("–", " ")))


def table(found: dict[str, Exhibit], name: str) -> list[dict[str, tuple[str, float | None]]]:
    grid = found[name].grid
    assert grid is not None
    rows = [dict(zip(grid.headers, row, strict=True)) for row in grid.rows]
    return [{header: (cell.shown, cell.value) for header, cell in row.items()} for row in rows]


def test_the_exhibits_show_the_summary(folder: Path, groups: tuple[Group, ...]) -> None:
    loaded = studies.load(folder)
    found = {one.name: one for one in exhibits(StudyRead.of_loaded(loaded))}
    rows = [row for group in groups for row in group.rows]
    for cells, row, shown in zip(table(found, "throughput"), rows, rows_of(groups), strict=True):
        speed, against = row.throughput_examples_per_s, row.to_fastest
        assert cells["row"][0] == shown.label
        assert cells["median examples/s"] == (shown.rate, speed.median if speed else None)
        assert cells["× slower"] == (text.number(row.times_slower), row.times_slower)
        assert cells["× slower from"][1] == (against.low if against else None)
        assert cells["× slower to"][1] == (against.high if against else None)
        assert cells["verdict"][0] == shown.verdict
    for cells, row, shown in zip(table(found, "memory"), rows, rows_of(groups), strict=True):
        value = None if row.host_peak_bytes is None else row.host_peak_bytes / 1e6
        assert cells["host's peak, MB"] == (shown.memory, value)
    for cells, row in zip(table(found, "phases"), rows, strict=True):
        firsts = [cells[f"{phase}, s"][1] for phase in ("import", "build", "load data", "first step")]
        known = [value for value in firsts if value is not None]
        assert (sum(known) if known else None) == row.time_to_first_step_s
    for number, group in enumerate(groups, start=1):
        ends = {cells["row"][0]: cells["accuracy, median"] for cells in table(found, f"quality-{number}")}
        medians = {label(row): np.median([item.value for item in row.quality]) for row in group.rows if row.quality}
        assert {name: shown for name, (shown, _value) in ends.items()} == {k: f"{v:.4f}" for k, v in medians.items()}


def test_every_format_that_there_is_has_been_compared() -> None:
    assert set(FORMATS) <= {"terminal", "md", "csv", "json", "parquet", "latex", "html"}
    assert ENDINGS["latex"] == "tex"


@pytest.mark.skipif("html" not in FORMATS, reason="this tree writes no page yet")
def test_the_page_shows_the_summary(folder: Path, groups: tuple[Group, ...]) -> None:
    render(folder, ("html",), folder.parent / "report.html")
    page = (folder.parent / "report.html").read_text("utf-8")
    lines = [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in re.findall(r"(?s)<t[hd].*?</t[hd]>", line)]
        for line in re.findall(r"(?s)<tr.*?</tr>", page)
    ]
    for shown in rows_of(groups):
        of_row = [line for line in lines if shown.label in line]
        for value in (shown.rate, shown.first, shown.epoch, shown.memory, shown.accuracies):
            assert any(value in line for line in of_row), (shown.label, value)
