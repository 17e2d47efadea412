"""`evenbench run --dataset PATH`: any file of labelled texts, every doubt a sentence, a study that remembers it."""

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from test_cli import call

from harness.cli.planning import chosen_file
from harness.data.text_files import TextFile
from harness.errors import DataError, UsageError
from harness.records.store import Store, Study
from harness.runs.plan import found_again, remembered

WORDS = ("the", "a", "film", "story", "actor", "scene", "plot", "end", "long", "short", "slow", "old", "new")


def films(header: str = "text,label", count: int = 120) -> str:
    """Return a file whose texts say in one word to which class they belong."""
    random = np.random.default_rng(0)
    rows = [
        f"{' '.join(random.choice(WORDS, 6))} {word} {number},{label}"
        for number in range(count // 2)
        for word, label in (("great", "pos"), ("awful", "neg"))
    ]
    return "\n".join([*([header] if header else []), *rows, ""])


def run(*more: str, home: Path, cwd: Path, task: str = "lstm-text") -> Any:
    given = ("run", "--backend", "well", "--task", task, "--preset", "smoke", "--repeats", "1", "--study", "s")
    return call(*given, *more, home=home, cwd=cwd)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "my films.csv"
    path.write_text(films())
    return path


def test_a_file_of_texts_is_run_proven_and_reported(csv: Path, home: Path, tmp_path: Path) -> None:
    done = run("--dataset", csv.name, home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,), damaged = Store(tmp_path / "results" / "s").records()
    assert damaged == []
    assert re.fullmatch(r"file-my-films-[0-9a-f]{8}", record.spec.dataset)
    assert record.outcome.status == "ok"
    assert record.parity.passed is True
    assert record.measured.examples == {"train": 96, "test": 24}
    assert record.measured.quality["accuracy"] is not None
    assert record.spec.dataset in (tmp_path / "results" / "s" / "report.md").read_text()
    (file,) = Store(tmp_path / "results" / "s").study().files
    assert (file.name, file.path) == (record.spec.dataset, str(csv))


def test_columns_and_encoding_can_be_named(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.tsv"
    path.write_bytes(films("words,kind").replace(",", "\t").replace("great", "größe").encode("latin-1"))
    options = ("--text-column", "words", "--label-column", "2", "--encoding", "latin-1")
    done = run("--dataset", str(path), *options, "--dry-run", "--json", home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (spec,) = msgspec.json.decode(done.stdout)
    assert spec["dataset"].startswith("file-other-")
    done = run("--dataset", str(path), *options, "--no-parity", home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,), _ = Store(tmp_path / "results" / "s").records()
    assert record.outcome.status == "ok"
    (file,) = Store(tmp_path / "results" / "s").study().files
    assert (file.text_column, file.label_column, file.encoding) == ("words", "2", "latin-1")


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (films(), ["--text-column", "review"], "has no column 'review': there are text, label"),
        (films(), ["--label-column", "3"], "has no column '3': there are text, label"),
        (films().replace("film", "fêlm"), [], "is not in utf-8"),
        (films(), ["--encoding", "utf-9"], "unknown encoding 'utf-9'"),
        (films().replace("neg", "pos"), [], "has only the label 'pos': expected are examples of two classes"),
        (films() + ",neg\n", [], "has an empty text in line 122: fill it or delete the line"),
        ("", [], "is empty: expected are lines with a text and a label"),
        (films(count=20), [], "training examples, fewer than one mini-batch of 64"),
        (films() + "one more,maybe\n" * 9, [], "has too few different texts of class 'maybe'"),
        (
            films() + "".join(f"so so {n},maybe\n" for n in range(9)),
            [],
            "has 3 classes, but the last layer of the task lstm-text gives 2 outputs",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_before_anything_runs(
    content: str, options: list[str], said: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "films.csv").write_bytes(content.encode("latin-1"))
    done = run("--dataset", "films.csv", *options, home=home, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("xor", ["--dataset", "my films.csv"], "task xor reads no texts, and so no file of them"),
        ("main", ["--dataset", "my films.csv"], "task xor reads no texts, and so no file of them"),
        ("lstm-text", ["--dataset", "films.csv"], "films.csv does not exist: name a file of labelled texts, or one of"),
        ("lstm-text", ["--dataset", "./"], "is a folder: name a file of labelled texts"),
        ("lstm-text", ["--dataset", "films"], "unknown data set 'films': known are xor"),
        ("lstm-text", ["--dataset", "imdb", "--encoding", "utf-8"], "the data set imdb has no columns or encoding"),
        ("lstm-text", ["--text-column", "text"], "belong to a file: name it with --dataset"),
    ],
)
def test_a_call_that_means_no_file_is_one_sentence(
    task: str, options: list[str], said: str, csv: Path, home: Path, tmp_path: Path
) -> None:
    done = run(*options, task=task, home=home, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_resume_reads_the_same_file_again_and_refuses_another(csv: Path, home: Path, tmp_path: Path) -> None:
    done = run("--dataset", csv.name, "--label-column", "label", home=home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "s"
    (elsewhere := tmp_path / "elsewhere").mkdir()
    where = ("--results", str(folder.parent))
    nothing_left = call("run", "--resume", "s", *where, home=home, cwd=elsewhere)
    assert nothing_left.returncode == 0, nothing_left.stderr
    (before,), _ = Store(folder).records()
    path = folder / f"{before.spec.run_id}.json"
    path.unlink()
    again = call("run", "--resume", "s", *where, home=home, cwd=elsewhere)
    assert again.returncode == 0, again.stderr
    (after,), _ = Store(folder).records()
    assert after.dataset_fingerprint == before.dataset_fingerprint
    path.unlink()
    csv.write_text(films() + "a film like others,pos\n")
    changed = call("run", "--resume", "s", *where, home=home, cwd=elsewhere)
    assert changed.returncode == 2
    assert "my films.csv has changed since this study was planned" in changed.stderr
    csv.unlink()
    gone = call("run", "--resume", "s", *where, home=home, cwd=elsewhere)
    assert gone.returncode == 2
    assert "my films.csv does not exist" in gone.stderr
    assert "Traceback" not in changed.stderr + gone.stderr


def test_a_study_from_before_there_were_files_can_be_read() -> None:
    old = b'{"schema":1,"name":"s","created_at":"2026-11-20T00:00:00+00:00","command":[],"specs":[]}'
    assert msgspec.json.decode(old, type=Study).files == ()


def test_what_is_remembered_of_a_file_leads_back_to_it(csv: Path) -> None:
    file = TextFile(path=csv, text_column="text", label_column=2, encoding="utf-8")
    kept = msgspec.json.decode(msgspec.json.encode(remembered(file)), type=type(remembered(file)))
    assert found_again(kept) == file
    csv.write_text(films(count=40))
    with pytest.raises(DataError, match="has changed since this study was planned with it"):
        found_again(kept)


def test_a_name_is_no_file() -> None:
    asked: dict[str, Any] = {"text_column": None, "label_column": None, "encoding": None}
    assert chosen_file(asked | {"dataset": "imdb"}) == chosen_file(asked | {"dataset": None}) == {}
    with pytest.raises(UsageError, match="belong to a file"):
        chosen_file(asked | {"dataset": None, "encoding": "utf-8"})
