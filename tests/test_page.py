"""The page as a text: complete, escaped, small, and its first screen never says more than the verdicts."""

import re
from collections.abc import Sequence
from pathlib import Path

import pages
import plotly.graph_objects as go
import pytest
from click.testing import CliRunner
from records_factory import FAIL, MACHINE, died, measured, record, write_study

from harness.cli.commands.report import report as report_command
from harness.errors import UsageError
from harness.record import Machine, Record
from reports.formats.report import render, render_several
from reports.frame.frame import frame
from reports.page import tables
from reports.page.answer import answer
from reports.page.drawing import chart
from reports.page.exhibit import Exhibit
from reports.page.exhibits.all import exhibits
from reports.page.html import page
from reports.statistics.summary import summarize
from reports.words.table import grid, number, words


def several(backend: str, step_s: float, *, of: str = "digits", accuracy: float = 0.9) -> list[Record]:
    """Return three runs that hardly differ."""
    return [
        record(backend, repeat=i, found=measured(step_s * (1 + i / 1e4), accuracy + i / 1e4), dataset=of)
        for i in range(3)
    ]


def sentences(items: Sequence[Record]) -> tuple[str, ...]:
    return answer([("s", summarize(frame(items)))]).sentences


def test_the_answer_names_the_fastest_and_by_how_much() -> None:
    said = sentences([*several("torch", 0.01), *several("tensorflow", 0.02), *several("mindspore", 0.04)])
    found = re.fullmatch(
        r"lenet-mnist: torch eager is the fastest; slower are tensorflow eager 2\.00× \((.+)–(.+)\), "
        r"mindspore eager 4\.00× \(.+–.+\)\.",
        said[0],
    )
    assert found
    assert float(found[1]) <= 2 <= float(found[2])


def test_the_answer_calls_a_tie_a_tie() -> None:
    tied = [record("torch", repeat=i, found=measured(0.01 + i / 1e3)) for i in range(3)]
    tied += [record("tensorflow", repeat=i, found=measured(0.0101 + i / 1e3)) for i in range(3)]
    assert sentences(tied)[0] == "lenet-mnist: no difference in speed from torch eager is shown for tensorflow eager."
    said = sentences([*tied, *several("mindspore", 0.5)])[0]
    assert said.startswith(
        "lenet-mnist: no difference in speed from torch eager is shown for tensorflow eager; slower: "
    )


def test_the_answer_says_nothing_of_single_runs() -> None:
    single = [record("torch", found=measured(0.01)), record("tensorflow", found=measured(0.1))]
    assert sentences(single) == ("lenet-mnist: nothing can be shown, for no two rows have two processes each.",)


def test_the_answer_says_what_is_not_comparable() -> None:
    failed = [record("tensorflow", repeat=i, parity=FAIL, found=measured(0.001)) for i in range(2)]
    said = sentences([*several("torch", 0.01), *failed])
    assert said[0] == ("lenet-mnist: only torch eager is comparable, so that there is nothing to compare it with.")
    assert said[-1] == "1 of 2 rows is not comparable; the table says why."
    assert sentences(failed)[0] == "lenet-mnist: no row is comparable."
    found = answer([("s", summarize(frame([*several("torch", 0.01), *failed])))])
    assert found.groups[0].rows[1].kind == "apart"
    assert FAIL.reason in found.groups[0].rows[1].why


def test_the_answer_says_where_accuracies_differ() -> None:
    worse = [*several("torch", 0.01), *several("tensorflow", 0.02, accuracy=0.5)]
    assert "Accuracy is shown to differ from that of the fastest row for tensorflow eager in lenet-mnist." in sentences(
        worse
    )
    equal = [*several("torch", 0.01), *several("tensorflow", 0.02)]
    assert "Accuracy is equivalent to that of the fastest row wherever it could be judged." in sentences(equal)


def test_many_comparisons_are_counted_not_named() -> None:
    items = [item for name in "abcdefg" for backend, s in (("torch", 0.01), ("tensorflow", 0.02)) for item in
             several(backend, s, of=name)]  # fmt: skip
    items += [record("torch", dataset="h"), record("torch", dataset="h", mode="graph")]
    said = sentences(items)
    assert said[0] == (
        "Of 8 comparisons, 7 have a row that is faster than every other comparable one: torch eager in 7 of them."
    )
    assert said[1] == "In 1 comparison nothing can be shown, for want of comparable rows or of processes."


def test_of_many_comparisons_the_few_that_show_something_are_named() -> None:
    items = [*several("torch", 0.01, of="a"), *several("tensorflow", 0.02, of="a")]
    items += [one for name in "bcdefghi" for one in several("torch", 0.01, of=name)]
    said = sentences(items)
    assert said[0].startswith("lenet-mnist (a): torch eager is the fastest; slower is tensorflow eager 2.00×")
    assert said[1] == "In 8 comparisons nothing can be shown, for want of comparable rows or of processes."


def test_the_rows_of_two_machines_are_two_comparisons_that_their_places_tell_apart() -> None:
    other = Machine(**{name: getattr(MACHINE, name) for name in MACHINE.__struct_fields__} | {"cpu": "Other CPU"})
    items = [*several("torch", 0.01), *several("tensorflow", 0.02)]
    items += [record("torch", repeat=i, mode="graph", machine=other) for i in range(3)]
    found = answer([("s", summarize(frame(items)))])
    assert len(found.groups) == 2
    assert "Other CPU" in found.groups[1].title
    assert (
        found.sentences[-1]
        == "The rows come from 2 machines or choices of processors, and only rows of the same one are compared."
    )


def test_equal_run_ids_of_two_studies_stay_apart() -> None:
    one, two = several("torch", 0.01), several("torch", 0.04)
    assert {item.spec.run_id for item in one} == {item.spec.run_id for item in two}
    found = page([pages.part(one, name="one"), pages.part(two, name="two")])
    rates = re.findall(r'<td class="number">(\d[\d,.]*)</td>', found.partition("</table>")[0])
    assert "6,399" in rates
    assert "1,600" in rates
    assert "one · lenet-mnist" in found
    assert "two · lenet-mnist" in found
    anchors = re.findall(r' id="([^"]+)"', found)
    assert len(anchors) == len(set(anchors))


def test_the_page_needs_no_program_for_its_pictures() -> None:
    found = pages.good_page()
    assert len(found) < 200_000
    assert re.findall(r"<script[^>]*>", found) == ["<script>"]
    assert found.count('class="plot"') == sum(shown.figure is not None for shown in pages.exhibits())


def test_every_cell_of_the_other_reports_stands_on_the_page(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", pages.records())
    render(folder, ("html", "md"))
    shown = (folder / "report.html").read_text("utf-8")
    part = pages.part(pages.records())
    texts = [text for section in part.said.sections for row in section.main.shown() for text in row]
    texts += [
        cell for section in part.said.sections for table in section.tables for row in table.shown() for cell in row
    ]
    texts += [text for section in part.said.sections for text in (*section.notes, *section.below, *section.troubles)]
    texts += [*part.said.legend, *part.said.machines, *part.said.backends]
    missing = [text for text in texts if text.translate(ESCAPED) not in shown]
    assert not missing


ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})


def test_a_huge_reason_leaves_the_page_small() -> None:
    found = pages.hostile_page()
    assert len(found) - len(page([pages.part([], pages.exhibits())])) < 500_000
    assert "10,000,208 characters" in found or re.search(r"… \(10,\d{3},\d{3} characters\)", found)


def test_no_hostile_string_reaches_the_page_as_markup() -> None:
    found = pages.hostile_page()
    body = found[found.index("<body>") :].partition("<script>")[0]
    assert pages.EVIL not in found
    assert "onerror" not in re.sub(r"&lt;.*?&gt;|‹.*?›", "", body)
    assert not re.search("[\x00-\x08\x0e-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069]", body)
    assert "{{7*7}}" in body  # shown, not computed


def test_a_picture_shows_no_number_that_cannot_be_drawn_and_no_text_as_markup() -> None:
    figure = go.Figure(go.Scatter(x=[1.0, 1e308, float("inf"), 2.0], y=[0.0, 1.0, 2.0, 3.0], name="x", mode="markers"))
    figure.update_yaxes(tickvals=[0, 1, 2, 3], ticktext=[pages.EVIL, "\x1b[31m", "c", "d"], title={"text": pages.EVIL})
    found = chart.drawn(figure)
    assert found.count("<path") == 2
    assert pages.EVIL not in found
    assert "<script" not in found
    assert "\x1b" not in found


def test_a_trace_that_nothing_draws_is_a_mistake_and_no_gap() -> None:
    with pytest.raises(TypeError, match="received a trace of the type 'pie'"):
        chart.drawn(go.Figure(go.Pie(values=[1, 2])))


def test_a_column_sorts_by_the_numbers_that_its_cells_were_made_from() -> None:
    part = pages.part([*several("torch", 0.01), *several("tensorflow", 0.02), *died_runs()])
    table = tables.names_first(part.said.sections[0].main)
    (first, second, third) = part.study.groups[0].rows
    lines = [dict(zip(table.keys, line, strict=True)) for line in table.rows]
    speed, slower = first.throughput_examples_per_s, second.to_fastest
    assert speed is not None
    assert slower is not None
    assert table.keys[0] == "row"
    assert lines[0]["rate"].value == speed.median
    assert lines[0]["range"].value == speed.low
    assert lines[0]["spread"].value == speed.relative()
    assert lines[1]["slower"].value == slower.ratio
    assert lines[1]["qualities"].value == second.quality_mean
    assert (lines[0]["rank"].value, lines[1]["rank"].value) == (1, 2)
    assert {key for key, cell in lines[2].items() if cell.value is not None} == set()
    assert third.runs == 2
    sheet = tables.of(table, "t")
    assert [head.is_number for key, head in zip(table.keys, sheet.heads, strict=True) if key in ("row", "verdict")] == [
        False,
        False,
    ]
    assert next(head for key, head in zip(table.keys, sheet.heads, strict=True) if key == "rate").is_number


def died_runs() -> list[Record]:
    return [died("mindspore", repeat=repeat, status="timeout") for repeat in range(2)]


def test_a_long_table_is_cut_and_says_so() -> None:
    sheet = tables.of(grid(("n",), [(number(float(i)),) for i in range(1000)]), "numbers")
    assert (len(sheet.rows), sheet.left_out) == (tables.MOST_ROWS, 1000 - tables.MOST_ROWS)


def test_rows_with_the_same_name_stand_together() -> None:
    def begins(names: str) -> tuple[int, ...]:
        return tables.of(grid(("a", "b"), [(words(name), number(1.0)) for name in names]), "t").begins

    assert [begins(names) for names in ("", "x", "xx", "xyz", "xxyyz")] == [(), (), (), (), (2, 4)]


def test_every_line_of_a_note_is_a_paragraph() -> None:
    shown = Exhibit(name="x", title="X", note="one <b>\ntwo", grid=grid(("a",), [(words("cell"),)]))
    assert '<p class="note">one &lt;b&gt;</p>\n<p class="note">two</p>' in page([pages.part(pages.records(), (shown,))])


def test_several_studies_make_one_page_and_other_formats_stay_beside_each(tmp_path: Path) -> None:
    folders = [write_study(tmp_path / name, several("torch", 0.01)) for name in ("one", "two")]
    out = tmp_path / "both.html"
    written = render_several(folders, ("md", "html"), out)
    assert set(written) == {folders[0] / "report.md", folders[1] / "report.md", out}
    found = out.read_text("utf-8")
    assert len(re.findall("<strong>2 studies</strong>", found)) == 1
    anchors = re.findall(r'<[a-z0-9]+ (?:[^<>]* )?id="([^"]+)"', found)
    assert len(anchors) == len(set(anchors)) > 40
    assert set(re.findall(r'href="#([^"]+)"', found)) <= set(anchors)
    with pytest.raises(UsageError, match="belongs to none of their folders"):
        render_several(folders, ("html",))
    with pytest.raises(UsageError, match="only the format html joins them"):
        render_several(folders, ("md",), tmp_path / "x.md")
    assert render_several([folders[0], folders[0]], ("html",)) == (folders[0] / "report.html",)


def test_the_command_writes_the_page_by_the_ending_of_its_file(tmp_path: Path) -> None:
    write_study(tmp_path / "s", [*several("torch", 0.01), died("tensorflow")])
    out = tmp_path / "page.html"
    result = CliRunner().invoke(report_command, ["s", "--results", str(tmp_path), "--lang", "en", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert '<html lang="en">' in out.read_text("utf-8")


def test_a_study_without_records_has_a_page(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [])
    render(folder, ("html",))
    assert "There is nothing to compare yet." in (folder / "report.html").read_text("utf-8")


def test_the_real_exhibits_bear_hostile_records() -> None:
    bare = pages.part(pages.hostile(), name="hostile")
    shown = exhibits(bare.study)
    found = page([bare._replace(exhibits=shown)])
    assert pages.EVIL not in found
    assert "<script>window" not in found
