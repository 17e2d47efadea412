"""Merged studies: every record once, byte by byte, under a name of its own; nothing overwritten, pooled or lost."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from records_factory import MACHINE, damage, measured, record, spec, write_study

from harness import language
from harness.cli.commands.merge import merge as command
from harness.cli.commands.run import run
from harness.errors import EvenbenchError, StoreError, UsageError
from harness.record import Record, Twin
from harness.records import same_seed, studies
from harness.records.merge import merge, names_of
from harness.records.next_command import next_command
from harness.records.store import STUDY, Store, Study
from reports.formats.report import render
from reports.frame.frame import frame
from reports.statistics.summary import summarize

NOW = "2026-11-21T12:00:00+00:00"


def laptop(number: int, **changes: Any) -> list[Record]:
    """Return two frameworks, two repeats each, of one student's laptop."""
    machine = replace(MACHINE, cpu=f"CPU {number % 7}", memory_bytes=(8 + 8 * (number % 2)) * 10**9)
    found = [
        record(
            name,
            repeat=repeat,
            machine=machine,
            found=measured(0.01 * (number + 1) * (1 + repeat / 100), phases=phases(number + repeat / 10)),
            **changes,
        )
        for name in ("torch", "tensorflow")
        for repeat in (0, 1)
    ]
    return [replace(item, started_at=f"2026-11-21T10:{number:02}:0{place}+00:00") for place, item in enumerate(found)]


def phases(total_s: float) -> Any:
    return replace(measured().phases, total_s=total_s)


def thirty(folder: Path) -> list[Path]:
    """Return the studies of thirty laptops, which all have the same name."""
    return [write_study(folder / f"student{number}" / "quick", laptop(number)) for number in range(30)]


def test_thirty_laptops_become_one_study_and_nothing_is_pooled_lost_or_changed(tmp_path: Path) -> None:
    sources = thirty(tmp_path / "in")
    before = {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.json")}
    study = merge(tmp_path / "class", sources, created_at=NOW)
    loaded = studies.load(tmp_path / "class")
    found = frame(loaded.records)
    assert len(found) == 120
    assert found["run_id"].nunique() == 120
    assert set(found["source"]) == {f"student{number}-quick" for number in range(30)}
    assert found["memory_bytes"].nunique() == 2
    groups = summarize(found)
    assert len(groups) == 30
    assert all(len(row.seconds_per_example) == 2 for group in groups for row in group.rows)
    assert not loaded.missing()
    assert [source.records for source in study.merged_from] == [4] * 30
    assert {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.json")} == before
    copies = {path.read_bytes() for path in (tmp_path / "class").glob("*--*.json")}
    assert copies == {content for path, content in before.items() if path.name != STUDY}


def test_the_merged_plan_holds_names_and_no_path(tmp_path: Path) -> None:
    merge(tmp_path / "class", thirty(tmp_path / "in")[:2], created_at=NOW)
    plan = Store(tmp_path / "class").study()
    assert str(tmp_path) not in (tmp_path / "class" / STUDY).read_text()
    assert plan.command == ("merge", "class", "student0-quick", "student1-quick")
    assert [source.study for source in plan.merged_from] == ["quick", "quick"]


def test_two_machines_that_are_equal_in_every_word_are_still_two(tmp_path: Path) -> None:
    """A classroom's machines start the same runs in the same second."""
    a, b = (
        write_study(tmp_path / name, [record(found=measured(step, phases=phases(step)))])
        for name, step in (("a", 0.01), ("b", 0.02))
    )
    merge(tmp_path / "class", [a, b], created_at=NOW)
    groups = summarize(frame(studies.load(tmp_path / "class").records))
    assert [(group.source, group.split_by) for group in groups] == [("a", ("source",)), ("b", ("source",))]
    assert [len(row.seconds_per_example) for group in groups for row in group.rows] == [1, 1]


def test_a_run_that_comes_twice_is_taken_once_and_named(tmp_path: Path) -> None:
    first = write_study(tmp_path / "first", laptop(0))
    again = write_study(tmp_path / "again", laptop(0)[:2])
    pretty = again / f"{laptop(0)[1].spec.run_id}.json"
    pretty.write_bytes(msgspec.json.format(pretty.read_bytes()))
    study = merge(tmp_path / "class", [first, again], created_at=NOW)
    same, other = study.merged_from[1].duplicates
    run_ids = [item.spec.run_id for item in laptop(0)]
    assert same == f"{run_ids[0]}.json: the same bytes as first--{run_ids[0]}.json"
    assert other.startswith(f"{run_ids[1]}.json: the same run as first--{run_ids[1]}.json")
    assert study.merged_from[1].records == 0
    loaded = studies.load(tmp_path / "class")
    assert len(loaded.records) == 4
    assert not loaded.missing()


def test_damaged_records_are_listed_and_left_out(tmp_path: Path) -> None:
    a, b = (write_study(tmp_path / name, laptop(number)) for number, name in enumerate("ab"))
    damage(b)
    (a / STUDY).write_text("{")
    study = merge(tmp_path / "class", [a, b], created_at=NOW)
    assert study.merged_from[0].damaged == (f"{STUDY}: the plan cannot be read",)
    assert study.merged_from[1].damaged[0].startswith("broken.json: ")
    loaded = studies.load(tmp_path / "class")
    assert len(loaded.records) == 8
    assert not loaded.damaged


def test_what_lies_beside_a_record_is_carried_along_and_links_are_not_followed(tmp_path: Path) -> None:
    a, b = (write_study(tmp_path / name, laptop(number)) for number, name in enumerate("ab"))
    (tmp_path / "secret").write_text("secret")
    run_id = laptop(0)[0].spec.run_id
    pictures = a / f"{run_id}.pictures"
    (pictures / "deep").mkdir(parents=True)
    (pictures / "deep" / "one.png").write_bytes(b"png")
    (pictures / "out").symlink_to(tmp_path / "secret")
    (a / f"{run_id}.evidence.npz").write_bytes(b"npz")
    (a / f"{run_id}.link").symlink_to(tmp_path)
    (a / "report.md").write_text("not of a run")
    study = merge(tmp_path / "class", [a, b], created_at=NOW)
    assert (tmp_path / "class" / f"a--{run_id}.pictures" / "deep" / "one.png").read_bytes() == b"png"
    assert (tmp_path / "class" / f"a--{run_id}.evidence.npz").read_bytes() == b"npz"
    assert len(study.merged_from[0].links) == 2
    assert not [path for path in (tmp_path / "class").rglob("*") if path.is_symlink() or path.name == "report.md"]


def test_attempts_and_missing_runs_keep_their_places(tmp_path: Path) -> None:
    broken = record(status="interrupted", found=measured(phases=phases(0.5)))
    a = write_study(tmp_path / "a", [broken], planned=[spec("mindspore")])
    Store(a).add(record())
    b = write_study(tmp_path / "b", [record("tensorflow")])
    merge(tmp_path / "class", [a, b], created_at=NOW)
    names = {path.name for path in (tmp_path / "class").iterdir()}
    assert f"a--{broken.spec.run_id}.interrupted-1.json" in names
    loaded = studies.load(tmp_path / "class")
    assert {item.outcome.status for item in loaded.records} == {"ok"}
    assert loaded.missing() == (f"a--{spec('mindspore').run_id}",)


def test_an_interrupted_attempt_is_counted_beside_the_runs_as_the_report_counts_them(tmp_path: Path) -> None:
    a = write_study(tmp_path / "a", [record(status="interrupted", found=measured(phases=phases(0.5)))])
    Store(a).add(record())
    write_study(tmp_path / "b", [record("tensorflow"), record("mindspore", status="interrupted")])
    done = CliRunner().invoke(command, ["class", "a", "b", "--results", str(tmp_path)])
    assert "holds 3 runs and 1 interrupted attempt of 2 studies" in done.stderr
    assert len(studies.load(tmp_path / "class").records) == 3
    with language.use("zh"):
        done = CliRunner().invoke(command, ["again", "a", "b", "--results", str(tmp_path)])
    assert "存有 2 个实验的 3 次运行和 1 次被中断的尝试" in done.stderr


def test_a_merged_study_that_lacks_runs_offers_no_way_to_resume_it(tmp_path: Path, capsys: Any) -> None:
    a = write_study(tmp_path / "a", [record()], planned=[spec("mindspore")])
    b = write_study(tmp_path / "b", [record("tensorflow")])
    merge(tmp_path / "class", [a, b], created_at=NOW)
    for folder, resumes in ((a, True), (tmp_path / "class", False)):
        render(folder, ["terminal"], more=("full",))
        shown = " ".join(capsys.readouterr().out.split())
        assert "Without a record: " in shown
        assert ("--resume" in shown) == resumes


def test_a_merged_study_can_be_merged_again(tmp_path: Path) -> None:
    folders = [write_study(tmp_path / name, laptop(number)) for number, name in enumerate("abc")]
    merge(tmp_path / "ab", folders[:2], created_at=NOW)
    study = merge(tmp_path / "all", [tmp_path / "ab", *folders[1:]], created_at=NOW)
    assert set(frame(studies.load(tmp_path / "all").records)["source"]) == {"ab+a", "ab+b", "c"}
    assert len(study.merged_from[1].duplicates) == 4


def test_a_twin_is_named_as_in_the_merged_study(tmp_path: Path) -> None:
    first, other = record(), record(repeat=1, seed=0)
    twin = Twin(run_id=same_seed.Twins([first.spec, other.spec]).of(other.spec)[0], identical=True)
    a = write_study(tmp_path / "a", [first, replace(other, twin=twin)])
    b = write_study(tmp_path / "b", laptop(1))
    merge(tmp_path / "class", [a, b], created_at=NOW)
    found = frame(studies.load(tmp_path / "class").records)
    assert set(found["twin_of"]) - {""} <= set(found["run_id"])
    assert (found["twin_of"] != "").sum() == 1


@pytest.mark.parametrize("form", ["terminal", "md", "csv", "json"])
def test_a_merged_study_has_a_report_with_its_machines(form: str, tmp_path: Path, capsys: Any) -> None:
    merge(tmp_path / "class", thirty(tmp_path / "in"), created_at=NOW)
    written = render(tmp_path / "class", [form], more=("full",))
    shown = capsys.readouterr().out + "".join(path.read_text() for path in written)
    assert "student29-quick" in shown
    if form in ("terminal", "md"):
        assert "Machines" in shown
        assert "120 of 120 planned runs have a record" in shown
        assert "from 30 studies: student0-quick" in " ".join(shown.replace("\\", "").split())
        assert "--resume" not in shown


def test_machines_stand_side_by_side_only_where_they_computed_the_same(tmp_path: Path, capsys: Any) -> None:
    changed = [{}, {}, {"dataset_fingerprint": "fedcba987654"}]
    folders = [write_study(tmp_path / f"s{n}", laptop(n, **changes)) for n, changes in enumerate(changed)]
    merge(tmp_path / "class", folders, created_at=NOW)
    render(tmp_path / "class", ["md"])
    shown = (tmp_path / "class" / "report.md").read_text()
    tables = [part for part in shown.split("\n## ") if part.startswith("examples/s by machine")]
    assert [[name for name in ("s0", "s1", "s2") if f"| {name} |" in table] for table in tables] == [
        ["s0", "s1"],
        ["s2"],
    ]
    assert "dataset fingerprint fedcba987654" in tables[1]


def test_resuming_a_merged_study_is_refused_in_one_sentence(tmp_path: Path) -> None:
    merge(tmp_path / "class", thirty(tmp_path / "in")[:2], created_at=NOW)
    with pytest.raises(UsageError, match="was merged from others, so there is nothing to resume"):
        CliRunner().invoke(run, ["--resume", "class", "--results", str(tmp_path)], catch_exceptions=False)


def test_nothing_is_overwritten_and_nothing_is_left_where_a_merge_fails(tmp_path: Path) -> None:
    a, b = (write_study(tmp_path / name, laptop(number)) for number, name in enumerate("ab"))
    with pytest.raises(UsageError, match="b exists"):
        merge(b, [a, b], created_at=NOW)
    with pytest.raises(UsageError, match="named twice"):
        merge(tmp_path / "c", [a, a], created_at=NOW)
    empty = [write_study(tmp_path / name, [], planned=[spec()]) for name in ("x", "y")]
    with pytest.raises(StoreError, match="no readable record in x, y"):
        merge(tmp_path / "c", empty, created_at=NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "x", "y"]


def test_sources_get_distinct_names_that_files_can_have() -> None:
    paths = ["/in/ann/r/q", "/in/bob/r/q", "/in/c d/#q", "/x/1/z", "/x/1/y/../z", f"/in/{'长' * 99}"]
    names = names_of([Path(path) for path in paths])
    assert names[:3] == ["ann-q", "bob-q", "_q"]
    assert names[3:5] == ["z-1", "z-2"]
    assert len(set(names)) == 6
    assert max(len(os.fsencode(name)) for name in names) <= 120


def test_the_command_says_what_it_did_and_refuses_one_study(tmp_path: Path) -> None:
    a, b = (write_study(tmp_path / name, laptop(0)) for name in "ab")
    done = CliRunner().invoke(command, ["class", "a", str(b), "--results", str(tmp_path), "--json"])
    assert done.exit_code == 0
    assert [source["records"] for source in msgspec.json.decode(done.stdout)["sources"]] == [4, 0]
    assert done.stderr.count("b: taken from elsewhere already: ") == 4
    printed = next_command("report", "class", results=tmp_path)
    assert f"{tmp_path / 'class'} holds 4 runs of 2 studies; `{printed}` shows them" in done.stderr
    for given in (["other", "a"], ["../other", "a", "b"], ["other", "a", "nothing"]):
        with pytest.raises(EvenbenchError):
            CliRunner().invoke(command, [*given, "--results", str(tmp_path)], catch_exceptions=False)
    assert a.is_dir()


def test_an_old_plan_can_still_be_read() -> None:
    old = b'{"schema":3,"name":"s","created_at":"","command":[],"specs":[],"files":[]}'
    assert msgspec.json.decode(old, type=Study).merged_from == ()
