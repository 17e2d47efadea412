"""The answer: a mark for every verdict, sentences that say no more than these, lines that fit a small terminal."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from records_factory import FAIL, UNCHECKED, block, died, measured, of_task, record, spec, write_study
from rich.cells import cell_len
from rich.console import Console

from harness import registry
from harness.record import Noise, Record
from harness.records.store import Study
from harness.records.studies import Loaded
from harness.spec import Design
from reports.content.answer import Answer, AnswerCell, answer, answer_of
from reports.content.next_steps import steps
from reports.formats import answer_terminal
from reports.formats.report import render
from reports.frame.frame import frame
from reports.statistics.power import RATIOS, needs, reachable
from reports.statistics.rows import Group
from reports.statistics.summary import summarize
from reports.words import text

TASKS = tuple(registry.task(name) for name in ("lenet-mnist", "lstm-text", "xor", "dbm-mnist"))
MANY = ("torch", "tensorflow", "mindspore", "jax", "paddle", "one", "another", "third")


def runs(backend: str, step_s: float, count: int = 3, spread: float = 0.01, **more: object) -> list[Record]:
    return [
        record(backend, repeat=i, found=measured(step_s * (1 + spread * i)), **more)  # type: ignore[arg-type]
        for i in range(count)
    ]


def noisy(backend: str = "mindspore", **more: object) -> list[Record]:
    """Return runs whose every block others disturbed."""
    blocks = tuple(replace(block("steady", 10, 0.1), noise=Noise(foreign_cpu_seconds=10.0)) for _ in range(10))
    return [record(backend, repeat=i, found=measured(blocks=blocks), **more) for i in range(3)]  # type: ignore[arg-type]


def in_turns(backend: str, repeat: int, step_s: float) -> Record:
    turns = tuple(replace(block("steady", 10, 10 * step_s), turn=number) for number in range(24))
    ids = tuple(record(name, repeat=repeat).spec.run_id for name in ("torch", "tensorflow"))
    return replace(record(backend, repeat=repeat, found=measured(blocks=turns)), live_with=ids)


def groups_of(items: Sequence[Record]) -> tuple[Group, ...]:
    return summarize(frame(list(items)))


def cells(found: Answer) -> dict[tuple[str, str], AnswerCell | None]:
    return {
        (line.place, label): cell for line in found.lines for label, cell in zip(found.columns, line.cells, strict=True)
    }


def shown(items: Sequence[Record], width: int = 80) -> list[str]:
    loaded = Loaded(folder=Path("results/s"), plan=None, records=list(items), damaged=[])
    stream, groups = io.StringIO(), groups_of(items)
    console = Console(file=stream, width=width, color_system=None)
    answer_terminal.show(answer(groups, loaded), steps(loaded, groups), console, title="Study s")
    return stream.getvalue().splitlines()


def test_every_verdict_has_its_mark() -> None:
    items = [*runs("torch", 0.01), *runs("tensorflow", 0.0102, spread=0.05), *runs("mindspore", 0.1), *noisy("jax")]
    items += runs("paddle", 0.01, parity=FAIL) + runs("one", 0.01, parity=UNCHECKED)
    items += [died("another", status="timeout", reason="too long")]
    found = cells(answer(groups_of(items)))
    marks = {label.split()[0]: (cell.mark, cell.words) for (_place, label), cell in found.items() if cell}
    assert marks == {
        "torch": ("open", "6,337/s"),
        "tensorflow": ("open", "1.06"),
        "mindspore": ("slower", "10.0"),
        "jax": ("disturbed", "disturbed"),
        "paddle": ("apart", "parity failed"),
        "one": ("apart", "parity not checked"),
        "another": ("apart", "timeout"),
    }


def test_a_row_is_the_fastest_only_where_it_is_shown_to_be_faster_than_every_other() -> None:
    found = answer(groups_of([*runs("torch", 0.01), *runs("mindspore", 0.1)]))
    assert [cell.mark for cell in found.lines[0].cells if cell] == ["fastest", "slower"]
    assert found.sentences[:2] == ("The fastest: torch eager.", "Slower than the fastest: mindspore eager 10.0×.")


def test_rows_that_took_turns_may_be_equal() -> None:
    items = [in_turns(name, i, 0.01 * (1 + i / 10)) for name in ("torch", "tensorflow") for i in range(3)]
    found = answer(groups_of(items))
    assert [cell.mark for cell in found.lines[0].cells if cell] == ["equal", "equal"]
    assert "3 rounds in turns" in found.facts
    assert any(sentence.startswith("Equal within 5 %: ") for sentence in found.sentences)


def test_the_cells_are_the_numbers_of_the_summary() -> None:
    groups = groups_of([*runs("torch", 0.01), *runs("tensorflow", 0.02), *runs("mindspore", 0.1)])
    found = cells(answer(groups))
    for row in groups[0].rows:
        cell = found["lenet-mnist", row.label]
        assert cell is not None
        assert cell.ratio == row.times_slower
        assert (cell.low, cell.high) == ((row.to_fastest.low, row.to_fastest.high) if row.to_fastest else (None, None))
        assert row.throughput_examples_per_s is not None
        assert cell.examples_per_s == row.throughput_examples_per_s.median


def test_an_answer_is_made_of_records_while_a_study_runs() -> None:
    items = [*runs("torch", 0.01), *runs("mindspore", 0.1)]
    assert answer_of(items) == answer(groups_of(items))
    (first,) = answer_of(items[:1]).lines
    assert [cell.mark for cell in first.cells if cell] == ["alone"]
    assert answer_of([]).lines == ()


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ([died()], "No row is comparable."),
        (runs("torch", 0.01), "Only torch eager is comparable: there is nothing to compare it with."),
        (
            [*runs("torch", 0.01, 1), *runs("tensorflow", 0.02, 1)],
            "Nothing can be shown of one process each: repeats show how the next would come out.",
        ),
        (
            [*runs("torch", 0.01), *noisy()],
            "1 of 2 rows was disturbed by other programs and is not compared.",
        ),
        ([], "There is nothing to compare yet."),
    ],
)
def test_what_cannot_be_said_is_said(items: list[Record], sentence: str) -> None:
    assert sentence in " ".join(" ".join(shown(items)).split())


def test_a_failure_is_told_with_its_reason() -> None:
    text = " ".join(" ".join(shown([*runs("torch", 0.01), died("jax", reason="signal SIGSEGV")])).split())
    assert "1 of 2 rows failed, or could not be proven to compute the same. Why: jax eager: 1 crashed: signal" in text


def test_every_task_is_named_or_counted() -> None:
    items = [*runs("torch", 0.01), *runs("mindspore", 0.1)]
    three = answer(groups_of([of_task(task, item) for task in TASKS[:3] for item in items])).sentences
    assert three[0] == "The fastest: torch eager in all 3 tasks."
    slow = [of_task(TASKS[3], item) for item in (*runs("torch", 0.1), *runs("mindspore", 0.01))]
    mixed = answer(groups_of([*(of_task(task, item) for task in TASKS[:3] for item in items), *slow])).sentences
    assert mixed[0] == "The fastest: torch eager in lenet-mnist, lstm-text, xor; mindspore eager in dbm-mnist."


def test_what_others_disturbed_is_measured_again_in_turns_and_as_it_was() -> None:
    command = ("run", "--task", "xor", "--study=s", "--repeats", "3", "--preset", "smoke")
    plan = Study(name="s", created_at="2026-11-21T00:00:00+00:00", command=command, specs=())
    items = [*runs("torch", 0.01), *noisy()]
    loaded = Loaded(folder=Path("results/s"), plan=plan, records=items, damaged=[])
    typed = {step.what: step.typed for step in steps(loaded, groups_of(items))}
    assert typed["Measure in turns:"] == "evenbench run --task xor --preset smoke --turns"
    assert typed["All numbers:"] == "evenbench report s --full"


def test_a_study_in_turns_is_not_told_to_take_turns() -> None:
    items = [*runs("torch", 0.01), *noisy()]
    spec = replace(items[0].spec, design=Design(turns=True))
    plan = Study(name="s", created_at="2026-11-21T00:00:00+00:00", command=("run", "xor"), specs=(spec,))
    loaded = Loaded(folder=Path("results/s"), plan=plan, records=items, damaged=[])
    typed = {step.what: step.typed for step in steps(loaded, groups_of(items))}
    assert typed["Measure again:"] == "evenbench run xor"


def test_a_ratio_beyond_reason_is_said_as_such() -> None:
    assert text.ratio(10_548_784.0, 0.1, 1e9) == "> 10,000×"
    items = [*runs("torch", 0.01, count=2, spread=0.9), *runs("tensorflow", 0.012, count=2, spread=0.5)]
    (found,) = groups_of(items)[0].comparisons
    assert found.smallest_ratio is not None
    assert found.smallest_ratio > 10
    assert "so few rounds mostly show none below 10.0×." in " ".join(" ".join(shown(items)).split())


def test_the_repeats_that_are_suggested_are_few_and_more_than_there_are() -> None:
    groups = groups_of([*runs("torch", 0.01, spread=0.1), *runs("tensorflow", 0.0101, spread=0.1)])
    found = reachable(groups)
    assert found is not None
    assert 3 < found.repeats <= 20
    finer = RATIOS[RATIOS.index(found.ratio) - 1]
    assert needs(groups, ratio=finer, power=0.8).pairs[0].repeats > 20  # type: ignore[operator]
    assert needs(groups, ratio=found.ratio, power=0.8).pairs[0].repeats == found.repeats
    assert reachable(groups_of([*runs("torch", 0.01), *runs("mindspore", 0.1)])) is None


@pytest.mark.parametrize("backends", [1, 3, 5, 8])
@pytest.mark.parametrize("modes", [("eager",), ("eager", "graph")])
def test_the_lines_fit_80_columns_and_the_screen(backends: int, modes: tuple[str, ...]) -> None:
    items = [
        of_task(task, item)
        for task in TASKS
        for number, name in enumerate(MANY[:backends])
        for mode in modes
        for item in runs(name, 0.01 * (1 + number), mode=mode)
    ]
    lines = shown(items)
    table = [line for line in lines if "evenbench" not in line]
    assert max(map(cell_len, table)) <= 80
    assert len(lines) <= (24 if backends * len(modes) <= 5 else 32)


def test_a_table_of_rows_without_room_for_intervals_says_where_they_are() -> None:
    items = [
        of_task(task, item)
        for task in TASKS
        for number, name in enumerate(MANY)
        for item in runs(name, 0.01 * (1 + number))
    ]
    text = " ".join(shown(items))
    assert "(intervals: --full)" in text
    assert "▼ 7.93 (" not in text
    assert "(intervals: --full)" not in " ".join(shown(items, 200))


def test_strange_names_do_no_harm(tmp_path: Path) -> None:
    bad = "\x1b[31mred [bold]loud[/bold] " + "語" * 200
    lines = shown([*runs(bad, 0.01, dataset=bad), died(bad, mode="graph", reason=bad)])
    assert not {c for line in lines for c in line if not c.isprintable()}


def test_a_report_on_a_terminal_is_the_answer_and_the_rest_stands_above_it(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [*runs("torch", 0.01), *runs("mindspore", 0.1)])
    found: dict[str, list[str]] = {}
    for name, more in (("short", ()), ("full", ("full",)), ("legend", ("legend",)), ("all", ("full", "legend"))):
        stream = io.StringIO()
        render(folder, ("terminal",), stdout=stream, more=more)
        found[name] = stream.getvalue().splitlines()
    short = found["short"]
    assert len(short) <= 20
    assert all(lines[-len(short) :] == short for lines in found.values())
    assert "Legend" not in found["full"]
    assert any("first step" in line for line in found["full"])
    assert "Legend" in found["legend"]
    assert len(found["all"]) == len(found["full"]) + len(found["legend"]) - len(short) - 1
    assert not any(step.startswith("Page") for step in short)
    render(folder, ("html",))
    stream = io.StringIO()
    render(folder, ("terminal",), stdout=stream)
    assert str(folder / "report.html") in stream.getvalue()


def test_what_a_study_lacks_is_said(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [record()], planned=[spec(repeat=5)])
    stream = io.StringIO()
    render(folder, ("terminal",), stdout=stream)
    assert "1 of 2 planned runs have a record." in stream.getvalue()
    assert "Finish it:" in stream.getvalue()
