"""Parquet, LaTeX and the JSON Schemas: typed, escaped, complete, and true of real reports."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pandas as pd
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pages import hostile
from records_factory import FAIL, died, machine_record, measured, record, stages, write_study

from harness import __version__
from harness.cli.main import evenbench
from harness.record import Record
from harness.records.studies import Loaded
from reports.content.content import content
from reports.formats import latex
from reports.formats.publish import SCHEMAS, contents, filled, publish
from reports.formats.report import FORMATS, render
from reports.formats.schema import record_schema, report_schema
from reports.frame.columns import COLUMNS, STAGES, VERDICTS
from reports.frame.frame import frame
from reports.statistics.study import StudyRead

DOCS = Path(__file__).parent.parent / "docs"
GOLDEN = sorted((Path(__file__).parent / "records").glob("schema-*.json"))


def records() -> list[Record]:
    found = [record("torch", repeat=i, found=measured(0.01 + i / 1e4, 0.9 + i / 100)) for i in range(3)]
    found += [record("tensorflow", mode="graph", repeat=i, found=measured(0.0102 + i / 1e4, 0.8)) for i in range(2)]
    found += [record("mindspore", mode="graph", parity=FAIL), died("torch", mode="graph", status="timeout")]
    return [*found, machine_record("torch", parts=stages(0.01))]


def test_parquet_keeps_types_meanings_and_the_study(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", records())
    render(folder, ("parquet",))
    for name, columns, rows in (
        ("report", COLUMNS, 8),
        ("report.stages", STAGES, 11),
        ("report.verdicts", VERDICTS, 6),
    ):
        found = pd.read_parquet(folder / f"{name}.parquet")
        assert len(found) == rows
        assert list(found.columns) == list(columns)
        assert (found.attrs["study"], found.attrs["evenbench"]) == ("s", __version__)
        assert set(found.attrs["columns"]) == set(columns)
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "report.parquet"), frame(records()))
    metadata = pyarrow.parquet.read_schema(folder / "report.parquet").metadata
    assert json.loads(metadata[b"PANDAS_ATTRS"])["columns"]["run_id"] == COLUMNS["run_id"]


def test_a_study_without_records_is_written_in_every_format(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [])
    files = render(folder, ("md", "csv", "parquet", "latex"))
    assert {path.name for path in files} == {"report.md", "report.csv", "report.parquet", "report.tex"}
    assert len(pd.read_parquet(folder / "report.parquet")) == 0


def test_the_ending_of_the_file_names_the_format(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", records())
    for name, beginning in (("t.tex", b"% Study s"), ("t.parquet", b"PAR1"), ("t.md", b"# Study s")):
        done = CliRunner().invoke(evenbench, ["report", str(folder), "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).read_bytes().startswith(beginning)
    assert not list(folder.glob("report.*"))


def test_every_format_stands_in_the_help_and_in_the_documents() -> None:
    page = (DOCS / "formats.md").read_text("utf-8")
    words = " ".join(CliRunner().invoke(evenbench, ["report", "--help"]).output.split())
    for name in FORMATS:
        assert f"`{name}`" in page
        assert name in words


def compiled(page: str) -> list[list[str]]:
    """Return the cells of all tables, or fail where LaTeX would.

    Checks that environments and braces are balanced, that every row has as many cells as its table has columns, and
    that no character stands bare that means something to LaTeX.
    """
    page = re.sub(r"(?m)^%.*\n", "", page).replace(latex.WITHIN_THE_LINE, "{")
    open_environments: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", page):
        if kind == "begin":
            open_environments.append(name)
        else:
            assert open_environments.pop() == name
    assert not open_environments
    bare = re.sub(r"\\[a-zA-Z]+|\\[^a-zA-Z]", "", page)
    assert bare.count("{") == bare.count("}")
    assert not set(bare) & set('~^"#%_\\<>|`')
    assert re.sub(r"\$\$", "", bare).count("$") % 2 == 0
    rows = []
    for columns, body in re.findall(r"(?s)\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}\n(.*?)\\end\{tabular\}", page):
        for line in body.splitlines():
            if not line.startswith(("\\toprule", "\\midrule", "\\bottomrule")):
                assert line.endswith(" \\\\")
                cells = re.split(r"(?<!\\)&", line.removesuffix(" \\\\"))
                assert len(cells) == len(columns)
                rows.append([cell.strip() for cell in cells])
    return rows


def as_latex(items: list[Record], study: str = "s") -> str:
    found = StudyRead.of_loaded(Loaded(folder=Path(study), plan=None, records=items, damaged=[]))
    return latex.latex(content(found), found.groups, study=study)


def test_latex_is_one_booktabs_table_per_group() -> None:
    page = as_latex(records())
    rows = compiled(page)
    assert page.count(r"\begin{table}") == page.count(r"\toprule") == page.count(r"\label{tab:evenbench-s-") == 2
    assert [row[0] for row in rows if row[0] != "framework"] == [
        "torch eager", "tensorflow graph", "mindspore graph", "torch graph", "torch eager",
    ]  # fmt: skip
    assert "never ranked" in page


def test_no_two_characters_become_a_third_one() -> None:
    assert latex.escape("--resume ,, it's ''") == "-{}-resume ,{}, it's '{}'"


def test_the_tables_of_two_studies_have_labels_of_their_own() -> None:
    labels = [re.findall(r"\\label\{(.*)\}", as_latex(records(), name)) for name in ("quick 3", "{%}", "\\")]
    assert labels == [
        ["tab:evenbench-quick-3-1", "tab:evenbench-quick-3-2"],
        *2 * [["tab:evenbench-1", "tab:evenbench-2"]],
    ]


def minimal_document(names: list[str]) -> str:
    """Return the document that `docs/formats.md` gives, with other tables in it."""
    example = re.search(r"(?s)```latex\n(.*?)```", (DOCS / "formats.md").read_text("utf-8"))
    assert example
    return example[1].replace(r"\input{report.tex}", "\n".join(rf"\input{{{name}}}" for name in names))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_latex_takes_the_tables_and_they_are_no_wider_than_the_page(tmp_path: Path) -> None:
    letters = "“é” × – ≈ · … ± µ ° ® − ≤ ≥ → ß #$%&_^~{}\\ <<a>> [1] --x ,, '' \u202e"
    strange = [replace(item, spec=replace(item.spec, dataset=letters)) for item in records()]
    tables = {"a": as_latex(records(), "a"), "b": as_latex(strange, "b"), "c": as_latex(hostile(), "c")}
    for name, page in tables.items():
        (tmp_path / f"{name}.tex").write_text(page, "utf-8")
    (tmp_path / "paper.tex").write_text(minimal_document(list(tables)), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "paper.pdf").exists()
    for complaint in ("Overfull", "Missing character", "multiply defined"):
        assert complaint not in done.stdout


@settings(max_examples=40)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_string_of_a_record_is_a_command_of_latex(strange: str) -> None:
    item = record("torch", found=measured(versions={"torch": strange}, device_name=strange))
    item = replace(item, spec=replace(item.spec, backend=f"torch{strange}", dataset=strange))
    assert len(compiled(as_latex([item]))) == 2


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_documents_are_those_of_the_code(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == contents()[name], "write it anew: make docs"


def test_the_list_of_columns_is_that_of_the_code() -> None:
    page = (DOCS / "frame.md").read_text("utf-8")
    assert page == contents()["frame.md"], "write it anew: make docs"
    for column in (*COLUMNS, *STAGES, *VERDICTS):
        assert f"| `{column}` |" in page


def test_what_is_not_current_is_written_anew(tmp_path: Path) -> None:
    page = (DOCS / "frame.md").read_text("utf-8")
    (tmp_path / "frame.md").write_text(page.replace("| `run_id` | text |", "| `run_id` | nonsense |"), "utf-8")
    publish(tmp_path)
    assert (tmp_path / "frame.md").read_text("utf-8") == page
    assert (tmp_path / "schema" / "report.schema.json").exists()
    with pytest.raises(ValueError, match="no place for the columns 'runs'"):
        filled("# no marks", "runs", "")


def validator(schema: dict[str, Any]) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_a_real_report_is_as_its_schema_says(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", records())
    (folder / "broken.json").write_text("{")
    render(folder, ("json",), tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    check = validator(report_schema())
    check.validate(found)
    assert found["summary"]
    assert found["stages"]
    assert found["damaged"]
    mistakes: list[dict[str, Any]] = [{"runs": [found["runs"][0] | {"seed": "0"}]}, {"runs": [{}]}, {"more": 1}]
    for wrong in mistakes:
        assert not check.is_valid(found | wrong)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_kept_record_of_every_schema_is_as_the_schema_says(path: Path) -> None:
    validator(record_schema()).validate(json.loads(path.read_text("utf-8")))


def test_a_new_record_is_as_the_schema_says() -> None:
    check = validator(record_schema())
    for item in records():
        check.validate(json.loads(msgspec.json.encode(item)))
    assert not check.is_valid({"schema": 3})
