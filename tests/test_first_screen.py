"""The page's first screen: the finding, the picture and the files never say more than the verdicts."""

import base64
import csv
import html
import io
import re
from collections.abc import Sequence

import pages
from records_factory import FAIL, measured, record

from harness.record import Record
from reports.content.places import Found, named
from reports.frame.frame import frame
from reports.page import forest
from reports.page.downloads import downloads
from reports.page.headline import headline
from reports.page.html import page
from reports.statistics.summary import summarize


def runs(backend: str, step_s: float, of: str = "digits", spread: float = 1e-4) -> list[Record]:
    return [
        record(backend, repeat=i, found=measured(step_s * (1 + i * spread), 0.9 + i / 1e4), dataset=of)
        for i in range(3)
    ]


def found(items: Sequence[Record]) -> list[Found]:
    return named([("s", summarize(frame(items)))])


def test_the_finding_names_the_fastest_and_by_how_much_over_all_tasks() -> None:
    one = [*runs("torch", 0.01), *runs("tensorflow", 0.02), *runs("mindspore", 0.04)]
    assert headline(found(one)) == (
        "torch eager is the fastest; tensorflow eager is 2.0 times slower; mindspore eager is 4.0 times slower"
    )
    more = [*one, *runs("torch", 0.01, "b"), *runs("tensorflow", 0.03, "b")]
    assert headline(found(more)).startswith(
        "torch eager is the fastest in all 2 comparisons; tensorflow eager is 2.0 to 3.0 times slower; "
    )


def test_the_finding_calls_a_tie_a_tie_and_a_split_a_split() -> None:
    tie = [*runs("torch", 0.01, spread=0.1), *runs("tensorflow", 0.0101, spread=0.1), *runs("mindspore", 0.5)]
    assert re.fullmatch(
        "Between torch eager and tensorflow eager no difference in speed is shown; "
        "mindspore eager is 4[56] times slower",
        headline(found(tie)),
    )
    split = [*runs("torch", 0.01), *runs("tensorflow", 0.02), *runs("torch", 0.02, "b"), *runs("tensorflow", 0.01, "b")]
    clauses = {f"{name} eager is the fastest in 1 of 2 comparisons" for name in ("torch", "tensorflow")}
    assert set(headline(found(split)).split("; ")) == clauses


def test_the_finding_claims_nothing_where_nothing_is_shown() -> None:
    assert (
        headline(found([record("torch"), record("tensorflow", found=measured(0.1))])) == "Nothing can be compared yet"
    )
    assert headline([]) == "There is nothing to compare yet"


def test_the_picture_has_the_numbers_of_the_verdicts_and_no_point_without_one() -> None:
    failed = [record("numpy", repeat=i, parity=FAIL, found=measured(0.001)) for i in range(2)]
    items = [
        *runs("torch", 0.01, spread=0.1),
        *runs("tensorflow", 0.0101, spread=0.1),
        *runs("mindspore", 0.5),
        *failed,
    ]
    drawn = forest.pictures(found(items))
    assert set(drawn) == {"desk", "phone"}
    against = {row.label: row.to_fastest for item in found(items) for row in item.group.rows}
    slower = against["mindspore eager"]
    assert slower is not None
    assert f"{slower.ratio:.3g}" in drawn["phone"]
    assert drawn["desk"].count("<path") == 3
    assert drawn["desk"].count('fill="var(--paper, #fff)"') == 1  # the tie is open
    assert "not comparable" in drawn["desk"]
    assert forest.pictures(found(runs("torch", 0.01))) == {}


def test_the_files_of_the_page_hold_its_table_and_no_formula() -> None:
    items = [*runs("torch", 0.01, "=1+1"), *runs("tensorflow", 0.02, "=1+1")]
    shown = page([pages.part(items)])
    sources = re.findall(r'href="data:text/(?:csv|markdown);charset=utf-8;base64,([^"]+)"', html.unescape(shown))
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(sources[0]).decode())))
    expected = [row for item in found(items) for row in item.group.rows]
    assert [row["row"] for row in rows] == [row.label for row in expected]
    assert [float(row["times_slower"]) for row in rows] == [row.times_slower for row in expected]
    assert {row["dataset"] for row in rows} == {"'=1+1"}
    assert "| tensorflow eager | slower | 2.00 |" in base64.b64decode(sources[1]).decode()
    assert downloads([], "x") == []
