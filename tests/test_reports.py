"""The reports: the same facts in every format, nothing hidden, and strange strings do no harm."""

import html
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace
from records_factory import (
    FAIL,
    MACHINE,
    block,
    damage,
    died,
    machine_record,
    measured,
    of_task,
    record,
    spec,
    stages,
    trained_stage,
    write_study,
)
from rich.cells import cell_len
from rich.console import Console

from harness import registry
from harness.cli.commands.list import list_
from harness.cli.commands.report import report as report_command
from harness.cli.commands.show import show as show_command
from harness.contract import Trap
from harness.errors import StoreError, UsageError
from harness.record import Block, Evaluation, Noise, ParityVerdict, Record
from harness.records.studies import Loaded
from reports.content import instruments, verdicts
from reports.content.cells import NOT_COMPARABLE, ONE_RUN
from reports.content.content import Content, Section, content
from reports.formats import export, show, terminal
from reports.formats.markdown import markdown
from reports.formats.report import render
from reports.frame import frame as frames
from reports.frame.columns import COLUMNS, STAGES, VERDICTS
from reports.frame.frame import frame
from reports.statistics.rows import Row
from reports.statistics.study import StudyRead
from reports.statistics.summary import summarize
from reports.words import text

HOSTILE = "\x1b[31mred\x1b[0m [bold]loud[/bold] a|b\nnext <script>alert(1)</script> \x07\x9b2J\u202e `code` *b* _i_"
DOUBTFUL = "From the uniform start, all runs weigh no more than 2.0 equal ones."
STRANGE = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


def records() -> list[Record]:
    """Return a study with everything in it: a tie, a slow one, one without parity, failures, a single run."""
    found = [record("torch", repeat=i, found=measured(0.01 + i / 1e4, 0.9 + i / 100)) for i in range(3)]
    found += [record("tensorflow", mode="graph", repeat=i, found=measured(0.0102 + i / 1e4, 0.8)) for i in range(3)]
    found += [record("mindspore", mode="graph", repeat=i, parity=FAIL, found=measured(0.001)) for i in range(2)]
    found += [record("mindspore", found=measured(0.456789))]
    found += [died("torch", mode="graph", repeat=i, status="timeout", reason="took too long") for i in range(2)]
    return found


def machines() -> list[Record]:
    """Return a study of a deep Boltzmann machine: three runs, one with a doubtful bound, one row without parity."""
    found = [
        machine_record("torch", repeat=i, parts=stages(0.01 + i / 1e3, 0.9 + i / 100, -110.25 - i)) for i in range(2)
    ]
    found += [machine_record("torch", repeat=2, parts=stages(0.05, 0.95, -90.0, DOUBTFUL))]
    found += [machine_record("mindspore", mode="graph", parts=stages(0.02, 0.5), parity=FAIL)]
    found += [machine_record("tensorflow", mode=mode, parts=stages(0.03, 0.6)) for mode in ("eager", "graph", "xla")]
    found += [died("torch", mode="graph", status="timeout", reason="too long", preset="full", dataset="mnist")]
    return [of_task(found[0].task, item) for item in found]


def said(items: Sequence[Record]) -> Content:
    return content(study_of(items))


def study_of(items: Sequence[Record]) -> StudyRead:
    return StudyRead.of_loaded(Loaded(folder=Path("s"), plan=None, records=list(items), damaged=[]))


def lines_of(section: Section) -> dict[str, dict[str, str]]:
    """Return the cells of a section's table by the row's name and the column's key."""
    lines = (dict(zip(section.main.keys, line, strict=True)) for line in section.main.shown())
    return {line["row"]: line for line in lines}


def on_terminal(content: Content, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    terminal.show(content, console)
    terminal.show_legend(content, console)
    return stream.getvalue()


def summary_rows(items: Sequence[Record]) -> list[Row]:
    return [row for group in summarize(frame(items)) for row in group.rows]


def cells_of(page: str) -> list[list[str]]:
    """Return the cells of all tables of a rendered page, as a reader sees them."""
    return [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL)]
        for line in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    ]


def below_the_answer(page: str) -> list[list[str]]:
    """Return the cells of the tables under the answer."""
    cells = cells_of(page)
    return cells[next(place for place, row in enumerate(cells) if row[0] == "rank") :]


def rendered(markdown_text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown_text))


def test_a_number_is_the_same_in_every_format(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", records())
    stream = io.StringIO()
    render(folder, ("terminal", "md", "csv"), stdout=stream, more=("full",))
    render(folder, ("json",), tmp_path / "s.json")
    words = set(stream.getvalue().split())
    tables = below_the_answer(rendered((folder / "report.md").read_text("utf-8")))
    runs = pd.read_csv(folder / "report.csv")
    summary = {row["run_ids"][0]: row for group in json.loads((tmp_path / "s.json").read_text("utf-8"))["summary"]
               for row in group["rows"]}  # fmt: skip
    pairs = tables.index([html.unescape(header) for header in verdicts.HEADERS])
    assert pairs == 1 + len(summary)
    for line in tables[1:pairs]:
        shown = dict(zip(tables[0], line, strict=True))
        backend, mode = shown["backend"].split()
        of_row = runs[(runs["backend"] == backend) & (runs["mode"] == mode)]
        speeds = of_row["throughput_examples_per_s"].dropna()
        as_json = summary[of_row["run_id"].iloc[0]]
        expected = {
            "examples/s": text.rate(speeds.median()),
            "first step s": text.seconds(of_row["time_to_first_step_s"].median()),
            "epoch s": text.seconds(of_row["epoch_s"].median()),
            "memory MB": text.megabytes(of_row["host_peak_bytes"].median()),
            "accuracy per seed": " ".join(f"{v:.4f}" for v in of_row["accuracy"].dropna()) or text.NOTHING,
            "parity": of_row["parity"].iloc[0],
            "status": f"{len(of_row)} {of_row['status'].iloc[0]}",
        }
        if len(speeds) > 1:
            expected["min–max"] = f"{text.rate(speeds.min())}–{text.rate(speeds.max())}"
            expected["spread"] = text.percent((speeds.max() - speeds.min()) / speeds.median())
        assert {name: shown[name] for name in expected} == expected
        assert text.rate((as_json["throughput_examples_per_s"] or {}).get("median")) == shown["examples/s"]
        assert text.seconds(as_json["epoch_s"]) == shown["epoch s"]
        assert [f"{item['value']:.4f}" for item in as_json["quality"]] == of_row["accuracy"].dropna().map(
            "{:.4f}".format
        ).tolist()
        assert str(as_json["rank"] or text.NOTHING) == shown["rank"].removeprefix("≈ ")
        expected.pop("spread", None)  # min–max says it at 80 columns
        for name, value in expected.items():
            assert set(value.split()) <= words, (name, value)


def figures_on_terminal(shown: str) -> dict[str, dict[str, str]]:
    """Return the cells of the tables of figures by figure and backend; a table may stand there in pieces."""
    found: dict[str, dict[str, str]] = {}
    headers: list[str] = []
    for line in shown.splitlines():
        first, *cells = [cell for cell in re.split(r" {2,}", line.strip()) if cell] or [""]
        if first == "figure":
            headers = cells
        elif headers and len(cells) == len(headers):
            found.setdefault(first, {}).update(zip(headers, cells, strict=True))
        elif not first:
            headers = []
    return found


def test_a_figure_of_a_stage_is_the_same_in_every_format(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", machines())
    written = render(folder, ("md", "csv"), stdout=io.StringIO())
    assert [path.name for path in written] == [
        "report.md",
        "report.csv",
        "report.stages.csv",
        "report.verdicts.csv",
    ]
    on_screen = figures_on_terminal(on_terminal(said(machines()), 200))
    lines = cells_of(rendered((folder / "report.md").read_text("utf-8")))
    starts = [number for number, line in enumerate(lines) if line[0] == "figure"]
    assert len(starts) == 2
    in_markdown = {
        line[0]: dict(zip(lines[starts[0]][1:], line[1:], strict=True))
        for line in lines[starts[0] :]
        if line[0] != "figure"
    }
    assert on_screen == in_markdown
    parts = export.from_csv((folder / "report.stages.csv").read_text("utf-8"), STAGES)
    pd.testing.assert_frame_equal(parts, frames.stages(machines()))
    expected = {}
    for label in ("torch eager", "mindspore graph", "tensorflow eager", "tensorflow graph", "tensorflow xla"):
        backend, mode = label.split()
        of_row = parts[parts["run_id"].str.contains(f".{backend}.cpu.{mode}.", regex=False)].groupby("stage")
        for stage in ("bottom", "top", "joint"):
            speed = of_row["examples_per_s"].median()[stage]
            expected[f"{stage}: examples/s", label] = text.rate(speed)
        for stage in ("joint, composed", "joint, trained"):
            iterations = of_row["mean_field_iterations"].median()[stage]
            expected[f"{stage}: mean-field iterations", label] = text.number(iterations)
            bounds = zip(of_row["bound"].get_group(stage), of_row["bound_is_reliable"].get_group(stage), strict=True)
            cells = [f"{bound:,.1f}{'' if reliable else ' (unreliable)'}" for bound, reliable in bounds]
            expected[f"{stage}: bound", label] = " ".join(cells)
        expected["joint: reconstruction error", label] = text.number(of_row["reconstruction_error"].median()["joint"])
        pll = of_row["pseudo_log_likelihood"].get_group("bottom, trained")
        expected["bottom, trained: pseudo-log-likelihood", label] = " ".join(f"{value:,.1f}" for value in pll)
        for net in ("fine-tuned", "random start"):
            for stage, name in ((net, f"{net}, all labels"), (f"{net}, 1,000 labels", f"{net}, 1,000 labels")):
                accuracies = of_row["accuracy"].get_group(stage)
                expected[f"{name}: accuracy", label] = " ".join(f"{value:.4f}" for value in accuracies)
        probe = of_row["accuracy"].get_group("linear probe")
        expected["linear probe: accuracy", label] = " ".join(f"{value:.4f}" for value in probe)
        expected["comparable", label] = "not comparable" if backend == "mindspore" else "yes"
    assert {(name, label): cell for name, cells in on_screen.items() for label, cell in cells.items()} == expected
    assert on_screen["joint, trained: bound"]["torch eager"] == "-110.2 -111.2 -90.0 (unreliable)"
    assert on_screen["joint: examples/s"]["torch eager"] == "2,273"  # of 0.010, 0.011 and 0.050 s, at four times that


def test_what_came_out_is_in_the_order_of_the_seeds() -> None:
    items = [machine_record(repeat=seed, parts=stages(accuracy=0.5 + seed / 10)) for seed in (2, 0, 1)]
    figures = figures_on_terminal(on_terminal(said(items)))
    assert figures["fine-tuned, all labels: accuracy"]["torch eager"] == "0.5000 0.6000 0.7000"


def test_what_speaks_against_a_bound_stands_below_the_figures() -> None:
    (section,) = said(machines()).sections
    doubtful = f"bound (joint, composed; joint, trained) of torch eager: {DOUBTFUL}"
    assert section.remarks == (doubtful, instruments.NO_TWINS)
    for shown in (on_terminal(said(machines())), html.unescape(rendered(markdown(said(machines()))))):
        assert DOUBTFUL in " ".join(shown.split())


def test_figures_fit_80_columns_whole() -> None:
    shown = on_terminal(said(machines()))
    for name in ("joint, composed: mean-field iterations", "fine-tuned, 1,000 labels: accuracy", "0.9000", "-111.2"):
        assert name in shown
    assert shown.count("What came out (") == 2, "five backends, three to a table"


def test_a_task_without_stages_has_no_tables_of_them(tmp_path: Path) -> None:
    (section,) = said(records()).sections
    assert not section.tables
    assert section.remarks == (instruments.NO_TWINS,)
    assert not any("stage" in line for line in said(records()).legend)
    folder = write_study(tmp_path / "s", records())
    written = render(folder, ("csv",), stdout=io.StringIO())
    assert [path.name for path in written] == ["report.csv", "report.verdicts.csv"]
    failed = [item for item in machines() if item.outcome.status == "timeout"]
    assert said(failed).sections[0].tables == ()


def test_the_legend_names_the_stage_whose_speed_is_shown() -> None:
    found = said(machines())
    (section,) = found.sections
    cells = lines_of(section)
    assert cells["torch eager"]["rate"] == section.tables[0].rows[3][1].shown == "2,273"
    assert section.tables[0].rows[3][0].shown == "joint: examples/s"
    assert any("those of its last stage (dbm-mnist: joint)" in line for line in found.legend)


def early(*, used: bool = True, stopped: bool = True) -> Record:
    validation: dict[str, float | None] = {"accuracy": 0.8} if used else {}
    evaluation = Evaluation(steps=110, train_seconds=1.5, quality={"accuracy": 0.9}, validation=validation)
    return record(found=measured(evaluations=(evaluation,), stopped_early=stopped))


def test_the_legend_says_which_evaluation_counts_where_training_stops_early() -> None:
    def says_so(found: Content) -> bool:
        return any("best on the validation split" in line for line in found.legend)

    assert says_so(said([early()]))
    assert says_so(said([early(stopped=False)]))
    assert not says_so(said([early(used=False, stopped=False)]))
    note = "Training stopped early: torch eager in 1 of 2 runs."
    other = replace(early(stopped=False), spec=spec(repeat=1))
    assert note in said([early(), other]).sections[0].notes
    assert note in on_terminal(said([early(), other]))
    assert said([other]).sections[0].notes == said([replace(record(), spec=spec(repeat=1))]).sections[0].notes


def test_the_accuracy_of_an_autoencoder_is_said_to_be_one_of_pixels() -> None:
    for name, expected in (("autoencoder-mnist", True), ("xor", False), ("lenet-mnist", False)):
        found = said([of_task(registry.task(name), record())])
        words = "accuracy: the share of the 784 pixels that lie on the right side of one half."
        for shown in (on_terminal(found), markdown(found)):
            assert (words in shown) == ("pixels" in shown) == expected


def test_a_baseline_stands_below_its_task() -> None:
    found = said([record(repeat=i, baselines={"bag_of_words_accuracy": 0.88}) for i in range(2)])
    line = "bag of words (logistic regression on the same tokens): 0.8800"
    for shown in (on_terminal(found), html.unescape(rendered(markdown(found)))):
        assert shown.count(line) == 1
        assert shown.index("memory MB") < shown.index(line) < shown.index("Legend")
    assert "bag of words" not in on_terminal(said([record()]))


def shown_alone(item: Record) -> str:
    stream = io.StringIO()
    show.show(item, Console(file=stream, width=400, color_system=None))
    return stream.getvalue()


def test_show_has_the_stages_of_a_run() -> None:
    shown = shown_alone(machine_record(parts=stages(0.01, 0.9, -110.25, DOUBTFUL)))
    line = next(line for line in shown.splitlines() if " joint  " in line)
    for fact in ("20 updates", "first 0.500 s", "2,500 examples/s", "reconstruction error 10.0", "chain hidden1 0.250"):
        assert fact in line
    line = next(line for line in shown.splitlines() if " joint, trained " in line)
    for fact in ("bound -110.2", "bound is reliable 0", f"bound: {DOUBTFUL}"):
        assert fact in line
    assert "examples/s" not in line
    assert "stages" not in shown_alone(record())


def test_show_has_validation_early_stopping_and_baselines() -> None:
    shown = shown_alone(replace(early(), baselines={"bag_of_words_accuracy": 0.88}))
    assert "accuracy 0.9000; on the validation split: accuracy 0.8000" in shown
    assert "after 110 steps; the quality is that of the evaluation that was best on the validation split" in shown
    assert re.search(r"bag of words accuracy +0\.8800", shown)
    plain = shown_alone(record())
    assert "validation" not in plain
    assert "stopped early" not in plain


def test_ties_single_runs_and_missing_parity_are_said_in_words() -> None:
    (section,) = said(records()).sections
    cells = lines_of(section)
    assert [cells[name]["rank"] for name in ("torch eager", "tensorflow graph", "mindspore eager")] == [
        "≈ 1",
        "≈ 1",
        "≈ 1",
    ]
    assert cells["mindspore graph"]["rank"] == text.NOTHING
    assert cells["mindspore graph"]["verdict"] == NOT_COMPARABLE
    assert cells["mindspore graph"]["slower"] == text.NOTHING
    assert cells["tensorflow graph"]["slower"] == "1.02× (0.997–1.04)"
    assert {cells[name]["verdict"] for name in ("torch eager", "tensorflow graph", "mindspore eager")} == {
        "no difference shown"
    }
    assert "parity failed" in cells["mindspore graph"]["reason"]
    assert cells["mindspore eager"]["range"] == cells["mindspore eager"]["spread"] == ONE_RUN
    assert cells["torch graph"]["status"] == "2 timeout"
    assert "torch graph: 2 timeout: took too long" in section.troubles
    assert any("one run of mindspore eager" in note for note in section.notes)
    for shown in (on_terminal(said(records())), markdown(said(records()))):
        words = " ".join(shown.split())
        for sentence in (
            "adjusted by Holm's method",
            "Smallest true ratio that 80 % of such studies would show",
            "min–max: over the N processes",
            "took too long",
        ):
            assert sentence in words


def test_mixed_machines_are_tables_of_their_own_and_said() -> None:
    other = replace(MACHINE, cpu="Another CPU")
    found = said([record(), record(repeat=1, machine=other)])
    assert len(found.sections) == len(found.machines) == 2
    assert "machine Another CPU" in found.sections[1].notes[0]


@pytest.mark.parametrize("place", [".", "a-path-longer-than-a-line" * 5])
def test_damaged_and_missing_runs_are_listed(place: str, tmp_path: Path) -> None:
    folder = write_study(tmp_path / place / "s", [record()], planned=[spec(repeat=5)])
    damage(folder)
    stream = io.StringIO()
    render(folder, ("terminal", "md"), stdout=stream, more=("full",))
    render(folder, ("json",), tmp_path / "out.json")
    for shown in (stream.getvalue(), (folder / "report.md").read_text("utf-8")):
        words = "".join(shown.split())
        assert "broken.json:Inputdatawastruncated" in words
        assert "1of2plannedrunshavearecord" in words
        assert "s5.r5" in words
    (damaged,) = json.loads((tmp_path / "out.json").read_text("utf-8"))["damaged"]
    assert damaged == {"path": str(folder / "broken.json"), "reason": "Input data was truncated"}


def test_a_damaged_plan_still_lets_the_records_be_read(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [record()])
    (folder / "study.json").write_text("{")
    stream = io.StringIO()
    render(folder, ("terminal",), stdout=stream, more=("full",))
    assert "torch eager" in stream.getvalue()
    assert "study.json" in "".join(stream.getvalue().split())


def test_an_empty_study_gives_a_report_in_every_format(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [], planned=[spec()])
    stream = io.StringIO()
    written = render(folder, ("terminal", "md", "csv"), stdout=stream, more=("full",))
    assert "0 of 1 planned runs have a record" in stream.getvalue()
    assert "nothing to compare yet" in (folder / "report.md").read_text("utf-8")
    assert written == (folder / "report.md", folder / "report.csv")
    assert len(export.from_csv((folder / "report.csv").read_text("utf-8"))) == 0
    assert json.loads(export.to_json(study_of([])))["runs"] == []


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    many = [record("torch", repeat=i, found=measured(0.01, 0.9, device_name="G" * 90)) for i in range(12)]
    far = [record("a_backend_with_quite_a_long_name", found=measured(1e-9), profile="tuned")]
    strange = [hostile_record(HOSTILE)], [hostile_record("語" * 500)]
    for items in (records(), machines(), many, far, *strange, []):
        lines = on_terminal(said(items), width).splitlines()
        assert max(map(cell_len, lines), default=0) <= width


def test_numbers_are_never_cut_at_80_columns() -> None:
    items = [record("tensorflow", repeat=i, mode="graph", found=measured(1e-5 + i * 1e-6)) for i in range(3)]
    shown = on_terminal(said(items))
    assert "5,818,182" in shown
    assert "5,333,333–6,400,000" in shown


def hostile_record(bad: str) -> Record:
    """Return a record whose every free text is `bad`."""
    found = measured(
        versions={"torch": bad, bad: bad},
        settings={bad: bad},
        traps=(Trap(name=bad, sentence=bad),),
        device_name=bad,
        python=bad,
        stages=(trained_stage(bad, statistics={bad: (1.0,)}, quality={bad: 1.0, "accuracy": 0.5}, remarks={bad: bad}),),
    )
    machine = replace(MACHINE, cpu=bad, kernel=bad, system=bad)
    item = record(
        bad, status="missed_target", reason=bad, parity=ParityVerdict(passed=False, reason=bad), found=found,
        machine=machine, dataset=bad, preset=bad, dataset_fingerprint=bad, git_revision=bad, stderr_tail=f"{bad}\n" * 3,
        baselines={bad: 0.5},
    )  # fmt: skip
    return replace(item, interpreter=bad, interpreter_source=bad, evenbench=bad, started_at=bad)


def controls(shown: str) -> set[str]:
    return {character for character in shown if not character.isprintable() and character not in "\n "}


@pytest.mark.parametrize("bad", [HOSTILE, "", "\x00", "\r\n", "\u2028\u2029\x85", "[/]", "[red", ":smile:", "\\"])
def test_hostile_strings_do_no_harm_to_a_terminal(bad: str) -> None:
    item = hostile_record(bad)
    stream = io.StringIO()
    show.show(item, Console(file=stream, width=80, force_terminal=True, color_system=None))
    for shown in (on_terminal(said([item])), stream.getvalue()):
        assert not controls(shown)
    if "[bold]" in bad:
        assert "[bold]loud[/bold]" in "".join(stream.getvalue().split())
        assert "\\x1b[31mred" in stream.getvalue()


@settings(max_examples=60)
@given(STRANGE)
def test_any_string_is_shown_as_itself_in_markdown(bad: str) -> None:
    found = said([hostile_record(bad)])
    page = rendered(markdown(found))
    assert not controls(page)
    tags = set(re.findall(r"<[a-zA-Z/!][^>]*>", page))
    allowed = ("h1", "h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td")
    assert tags <= {f"<{slash}{tag}>" for tag in allowed for slash in ("", "/")}
    header, row, *figures = below_the_answer(page)
    assert len(header) == len(row) == len(found.sections[0].main.headers)
    told = [line for table in found.sections[0].tables for line in (table.headers, *table.shown())]
    assert figures == [[" ".join(text.printable(cell).split()) for cell in line] for line in told]
    expected = " ".join(text.printable(found.sections[0].main.shown()[0][-1]).split())
    assert dict(zip(header, row, strict=True))["reason"] == expected


def test_markup_html_and_links_do_not_survive_in_markdown() -> None:
    bad = f"{HOSTILE} https://evil.example www.evil.example @all [x](javascript:1) ![y](z) <https://evil.example>"
    page = markdown(said([hostile_record(bad)]))
    for harm in ("<script", "https://", "www.evil", "@all", "\x1b", "\x07"):
        assert harm not in page
    for tag in ("<a", "<img", "<code", "<em", "<strong", "<script"):
        assert tag not in rendered(page)


@settings(max_examples=60)
@given(
    bad=STRANGE, step_s=st.floats(1e-300, 1e300), accuracy=st.none() | st.floats(0, 1), seed=st.integers(0, 2**63 - 1)
)
def test_csv_and_json_give_back_the_very_frame(bad: str, step_s: float, accuracy: float | None, seed: int) -> None:
    parts = (
        trained_stage(bad, step_s, quality={"accuracy": accuracy}, remarks={bad: bad}),
        *stages(step_s, bound=None),
    )
    strange = replace(hostile_record(bad), measured=measured(step_s, accuracy, stages=parts))
    items = [strange, record(seed=seed), died(repeat=1)]
    original, of_stages = frame(items), frames.stages(items)
    read = export.from_csv(export.to_csv(original)), export.from_csv(export.to_csv(of_stages), STAGES)
    for found in (read, export.from_json(export.to_json(study_of(items)))):
        pd.testing.assert_frame_equal(found[0], original, check_exact=True)
        pd.testing.assert_frame_equal(found[1], of_stages, check_exact=True)


def test_json_explains_its_columns_and_has_no_nan() -> None:
    items = [machine_record(), *records()]
    found = json.loads(export.to_json(study_of(items)), parse_constant=pytest.fail)
    assert found["columns"] == COLUMNS
    assert all(list(run) == list(COLUMNS) for run in found["runs"])
    assert found["runs"][-1]["accuracy"] is None
    assert all(list(stage) == list(STAGES) == list(found["stage_columns"]) for stage in found["stages"])
    assert [stage["stage"] for stage in found["stages"]][:2] == ["bottom", "bottom, trained"]
    assert found["stages"][1]["examples_per_s"] is None


@pytest.mark.parametrize(
    ("formats", "out", "why"),
    [
        (("terminal", "json"), None, "mixed on stdout"),
        (("md", "csv"), "x.md", "one file"),
        (("terminal",), "x.md", "one file"),
        (("yaml",), None, "unknown format 'yaml': known are terminal, md, csv, json"),
        (("json",), "s/x.json", "among the study's records"),
    ],
)
def test_formats_that_do_not_go_together_are_refused(
    tmp_path: Path, formats: tuple[str, ...], out: str | None, why: str
) -> None:
    folder = write_study(tmp_path / "s", [record()])
    with pytest.raises(UsageError, match=why):
        render(folder, formats, None if out is None else tmp_path / out, stdout=io.StringIO())


def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [record()])
    with pytest.raises(StoreError, match="cannot write .*No such file or directory; name another file with -o"):
        render(folder, ("md",), tmp_path / "absent" / "x.md")


def command(name: str, *arguments: str) -> str:
    found = {"report": report_command, "show": show_command, "list": list_}[name]
    done = CliRunner().invoke(found, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_commands_read_a_study_by_its_name(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", records())
    here = ("--results", str(tmp_path))
    assert "torch eager" in command("report", "s", *here)
    assert command("report", "s", *here, "--format", "md,csv") == ""
    assert (folder / "report.md").is_file()
    assert len(json.loads(command("report", "s", *here, "--format", "json"))["runs"]) == len(records())
    command("report", "s", *here, "-o", str(tmp_path / "own.md"))
    assert (tmp_path / "own.md").read_text("utf-8") == (folder / "report.md").read_text("utf-8")
    with pytest.raises(UsageError, match="no study 'other': studies in .* are s"):
        command("report", "other", *here)


def test_show_takes_a_part_of_a_name_and_the_newest_study(tmp_path: Path) -> None:
    write_study(tmp_path / "s", records())
    here = ("--results", str(tmp_path))
    shown = command("show", "mindspore.cpu.eager", *here)
    for subject in ("outcome", "parity", "phases", "memory", "versions", "settings", "evaluations", "machine"):
        assert subject in shown
    assert (
        msgspec.json.decode(command("show", "mindspore.cpu.eager", "--json", *here), type=Record).spec.backend
        == "mindspore"
    )
    with pytest.raises(UsageError, match="in the names of 5 runs"):
        command("show", "torch", *here)
    with pytest.raises(UsageError, match=r"no run 'jax': its runs are lenet-mnist\.torch"):
        command("show", "jax", *here)
    damage(tmp_path / "s", "half")
    with pytest.raises(StoreError, match="half.json is damaged"):
        command("show", "half", *here)


@pytest.mark.usefixtures("home")
def test_list_names_tasks_backends_and_studies(tmp_path: Path) -> None:
    here = ("--results", str(tmp_path))
    assert "no studies" in command("list", *here)
    write_study(tmp_path / "s", [record()], planned=[spec(repeat=1)])
    found = json.loads(command("list", "--json", *here))
    assert {task["name"]: task["parameters"] for task in found["tasks"]}["lenet-mnist"] == 61706
    assert [backend["name"] for backend in found["backends"] if backend["reference"]] == ["numpy"]
    assert [(study["name"], study["recorded"], study["planned"]) for study in found["studies"]] == [("s", 1, 2)]
    assert list(json.loads(command("list", "studies", "--json", *here))) == ["studies"]
    assert "1 of 2" in command("list", "studies", *here)


@pytest.mark.parametrize(
    "module", ["harness.cli.commands.report", "harness.records.studies", "reports.formats.show", "reports.words.text"]
)
def test_pandas_is_imported_only_where_a_frame_is_made(module: str) -> None:
    code = f"import sys, {module}; sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


@given(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(2, 6))
def test_a_formatted_number_keeps_its_digits(value: float, digits: int) -> None:
    shown = text.number(value, digits)
    if shown == text.NOTHING:
        assert not math.isfinite(value)
    else:
        assert float(shown.replace(",", "")) == pytest.approx(value, rel=10 ** (1 - digits))


def test_every_pair_stands_in_the_verdicts_and_comes_back_from_csv(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", records())
    render(folder, ("csv",), stdout=io.StringIO())
    found = export.from_csv((folder / "report.verdicts.csv").read_text("utf-8"), VERDICTS)
    assert len(found) == 5 * 4 / 2
    assert list(found.columns) == list(VERDICTS)
    assert set(found["verdict"]) == {"no difference shown", "not comparable"}
    first = found.iloc[0]
    assert (first["backend"], first["other_backend"], first["processes"], first["other_processes"]) == (
        "torch",
        "tensorflow",
        3,
        3,
    )
    assert first["ratio_low"] < first["ratio"] < first["ratio_high"] < 1.01
    assert first["accuracy_verdict"] == "different"
    as_json = json.loads(export.to_json(study_of(records())))
    assert len(as_json["verdicts"]) == len(found)
    assert list(as_json["verdict_columns"]) == list(as_json["verdicts"][0])


def steady_blocks(*step_s: float, disturbed: int = 0) -> tuple[Block, ...]:
    """Return blocks of ten steps, of which the last ones were disturbed."""
    found = [block("steady", 10, 10 * seconds) for seconds in step_s]
    spoiled = [replace(item, noise=Noise(foreign_cpu_seconds=item.seconds)) for item in found]
    return (*found[: len(found) - disturbed], *spoiled[len(found) - disturbed :])


def test_what_is_left_out_of_the_steady_blocks_is_said() -> None:
    warm, flat = steady_blocks(*[0.02] * 3, *[0.01] * 20, disturbed=4), steady_blocks(*[0.01] * 20)
    drift = steady_blocks(*(0.01 * 1.02**i for i in range(30)))
    found = [record("torch", repeat=i, found=measured(blocks=blocks)) for i, blocks in enumerate((warm, flat))]
    found += [record("tensorflow", repeat=i, found=measured(blocks=blocks)) for i, blocks in enumerate((flat, drift))]
    shown = " ".join(on_terminal(said(found)).split())
    assert "Steady state: tensorflow eager: 1 settled, 1 never settled." in shown
    assert "Steady blocks left out: torch eager 3 in front and 4 disturbed of 43; tensorflow eager 15 in front" in shown
    assert "Steady state" not in on_terminal(said(found[:2]))


def test_a_row_that_is_too_noisy_says_so_even_if_it_missed_its_target() -> None:
    noisy = measured(blocks=steady_blocks(*[0.01] * 10, disturbed=6))
    item = record(found=noisy, status="missed_target", reason="accuracy 0.5 is below 0.9")
    (section,) = said([item]).sections
    sentence = "too noisy to say: 6 of 10 steady blocks were disturbed by other processes"
    assert f"torch eager: not comparable: {sentence}" in section.troubles
    assert section.main.only(["rank"]).rows[0][0].shown == text.NOTHING
    assert "too noisy to say: 10 blocks are read, 0 discarded, 6 disturbed" in shown_alone(item)


def test_a_remark_on_parity_that_passed_is_not_kept_quiet(tmp_path: Path) -> None:
    verdict = ParityVerdict(passed=True, reason="the first draw differs")
    remarked = [record(repeat=i, parity=verdict) for i in (0, 1)]
    folder = write_study(tmp_path / "s", remarked)
    stream = io.StringIO()
    render(folder, ("terminal", "md", "html"), stdout=stream, more=("full",))
    said = "torch eager passed parity with a remark: the first draw differs."
    for shown in (stream.getvalue(), *((folder / f"report.{name}").read_text("utf-8") for name in ("md", "html"))):
        assert shown.count(said) == 1
