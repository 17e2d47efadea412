"""A mistake of the user's is one sentence: what was expected, what came, what to do. A hundred of them, one by one."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from records_factory import record

from harness.cli import main as command_line
from harness.environments.signals import Ending
from harness.records.store import Store, Study

MISTAKES = (
    # names
    ("run --task lenett", "'lenett'"),
    ("run --task LeNett", "'LeNett'"),
    ("run --task xor,,nope", "'nope'"),
    ("run --task ,", "--task is blank"),
    ("run --backend pytorchh", "'pytorchh'"),
    ("run --backend torch@", "torch@"),
    ("run --backend torch@latest --dry-run", "latest"),
    ("run --device tpu", "'tpu'"),
    ("run --device ' '", "--device is blank"),
    ("run --mode fast", "'fast'"),
    ("run --mode xla --backend torch", "xla"),
    ("run --preset huge", "'huge'"),
    ("run --preset ''", "--preset is blank"),
    ("run --profile fastest", "fastest"),
    ("run --study a/b", "'a/b'"),
    ("run --study ..", "'..'"),
    ("run --study 'my study'", "'my study'"),
    ("run --resume nothing", "nothing"),
    ("run --resume 'a/../b'", "'a/../b'"),
    ("run --dataset nothing", "nothing"),
    ("run --task xor --dataset mnist", "mnist"),
    ("rum", "rum"),
    ("run --taks xor", "--taks"),
    ("run xorr", "'xorr'"),
    ("parity --task nope", "'nope'"),
    ("parity --backend nope", "'nope'"),
    ("parity --preset nope --backend numpy", "'nope'"),
    ("parity --mode nope", "'nope'"),
    ("tune --task nope", "'nope'"),
    ("tune --backend numpyy", "'numpyy'"),
    ("mistakes --backend nope", "'nope'"),
    ("mistakes --device nope", "'nope'"),
    ("doctor --backend nope", "'nope'"),
    ("env create nope", "'nope'"),
    ("env create torch --variant tpu", "tpu"),
    ("env create torch --installer conda", "conda"),
    ("env remove nope", "nope"),
    ("env python nope", "nope"),
    ("env crate", "crate"),
    ("list nope", "nope"),
    ("show nope", "nope"),
    ("show xor --study nope", "nope"),
    ("report nope", "nope"),
    ("report ''", "''"),
    ("report good --format docx", "docx"),
    ("report good --lang fr", "fr"),
    ("compare good nope", "nope"),
    ("compare good good good", "3"),
    ("compare good good --format html", "html"),
    ("power nope", "nope"),
    ("choose nope --for team", "nope"),
    ("choose good --for", "--for"),
    ("choose good --for captain", "captain"),
    ("merge out good", "1"),
    ("merge a/b good good", "a/b"),
    ("merge out good nope", "nope"),
    ("--lang klingon list", "klingon"),
    # numbers
    ("run --repeats 0", "0"),
    ("run --repeats -1", "-1"),
    ("run --repeats 1.5", "1.5"),
    ("run --repeats three", "three"),
    ("run --repeats 10001", "10,001"),
    ("run --timeout 0", "0"),
    ("run --timeout -1", "-1"),
    ("run --timeout nan", "nan"),
    ("run --timeout inf", "inf"),
    ("run --timeout soon", "soon"),
    ("run --noise-budget -1", "-1"),
    ("run --noise-budget nan", "nan"),
    ("run --noise-budget much", "much"),
    ("run --seed -1", "'-1'"),
    ("run --seed one", "'one'"),
    ("run --seed 5-2", "'5-2'"),
    ("run --seed 4294967296", "4294967296"),
    ("run --seed 0-99999", "0-99999"),
    ("run --seed 1.5", "'1.5'"),
    ("run --seed ,,", "--seed is blank"),
    ("tune --budget-s 0 --task xor --backend numpy", "0"),
    ("tune --budget-s nan --task xor --backend numpy", "nan"),
    ("compare good good --fail-on-slower much", "much"),
    ("compare good good --fail-on-slower -5%", "-5%"),
    ("compare good good --fail-on-slower nan", "nan"),
    ("power good --difference 0", "0"),
    ("power good --difference nan", "nan"),
    ("power good --power 1", "1"),
    ("power good --power 2", "2"),
    ("serve --port 99999", "99999"),
    ("serve --port http", "http"),
    # sizes
    ("run --memory-limit 0GB", "0GB"),
    ("run --memory-limit lots", "lots"),
    ("run --memory-limit -1GB", "-1GB"),
    ("run --memory-limit 1e30GB", "1e30GB"),
    ("run --memory-limit 4XB", "4XB"),
    ("run --memory-limit 9999999999GB", "9999999999GB"),
    # paths
    ("run --data-dir /nowhere/at/all --task lenet-mnist --preset full", "/nowhere/at/all"),
    ("run --data-dir good/study.json --task lenet-mnist --preset full", "study.json"),
    ("run --data-dir ~nobody_here/x", "~nobody_here"),
    ("run --results ~nobody_here/x", "~nobody_here"),
    ("run --results ''", "--results is blank"),
    ("run --dataset ~nobody_here/x.csv --task lstm-text", "~nobody_here"),
    ("run --dataset missing.csv --task lstm-text", "missing.csv"),
    ("run --dataset good/ --task lstm-text", "good"),
    ("run --dataset good/study.json --task xor", "texts"),
    ("run --text-column x", "--dataset"),
    ("run --python torch", "torch"),
    ("run --python torch=", "torch"),
    ("run --python =/usr/bin/python", "/usr/bin/python"),
    ("run --python torch=/nope/python --backend torch", "/nope/python"),
    ("run --python nope=/usr/bin/python", "nope"),
    ("report good --format md -o /nowhere/at/all/r.md", "/nowhere/at/all"),
    ("report good --format md,csv -o r.md", "-o"),
    ("serve good/study.json", "study.json"),
    ("report empty", "empty"),
    ("choose good --for missing.toml", "missing.toml"),
    ("choose good --for broken.toml", "broken.toml"),
    ("choose good --for good", "good"),
    ("list studies --results good/study.json", "study.json"),
    ("serve /nowhere/at/all", "/nowhere/at/all"),
    # what does not go together
    ("run --resume good --task xor", "--task"),
    ("run --resume good --repeats 3", "--repeats"),
    ("run --study good", "good"),
)


def told(
    words: list[str], capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, *, everything: bool = False
) -> tuple[int, str]:
    """Call the command line in this process; return its exit code and what it wrote to stderr, or to stdout too."""
    patch.setattr(sys, "argv", ["evenbench", *words])
    patch.setattr(Ending, "install", lambda _: None)  # this process goes on: its signals stay as they are
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    code = ended.value.code
    wrote = capsys.readouterr()
    return (code if isinstance(code, int) else int(code is not None)), wrote.out * everything + wrote.err


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Make a results folder with a good study, one whose plan is damaged and an empty one, and go there."""
    monkeypatch.setenv("EVENBENCH_RESULTS", str(tmp_path))
    monkeypatch.delenv("EVENBENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    runs = [record(repeat=0), record(repeat=1)]
    store = Store(tmp_path / "good")
    store.create(Study(name="good", created_at="", command=("run",), specs=tuple(one.spec for one in runs)))
    for one in runs:
        store.add(one)
    for name in ("damaged", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "study.json").write_text("{")
    (tmp_path / "broken.toml").write_text("[weights\n")
    return tmp_path


def assert_one_sentence(code: int, errors: str) -> None:
    said = [line for line in errors.splitlines() if line.startswith("Error: ")]
    assert code in (1, 2), (code, errors)
    assert len(said) == 1, errors
    assert "Traceback" not in errors
    assert len(re.sub(r"/\S+", "", said[0])) < 700, errors


@pytest.mark.parametrize(("words", "came"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_a_mistake_is_one_sentence_that_says_what_came(
    results: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    came: str,
) -> None:
    asked = shlex.split(words)
    if asked[0] == "run" and "--backend" not in asked and "--resume" not in asked:
        asked += ["--backend", "numpy"]  # which needs no environment
    code, errors = told(asked, capsys, monkeypatch)
    assert_one_sentence(code, errors)
    assert came in errors


def test_there_are_a_hundred_of_them() -> None:
    assert len(dict(MISTAKES)) >= 100


HOSTILE = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from("%~/\\'\"{}[]$`\n\r\t\x1b-=,.@"),
    max_size=60,
)
OPTIONS = (
    "--task", "--backend", "--device", "--mode", "--preset", "--repeats", "--seed", "--dataset", "--study", "--resume",
    "--timeout", "--noise-budget", "--memory-limit", "--profile", "--python", "--data-dir", "--results", "--encoding",
)  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(value=HOSTILE)
@example(value="-")
@example(value="9" * 5000)
@example(value="\udcc6\udcc0")
@example(value="{0.__class__}")
def test_whatever_an_option_is_given_a_dry_run_ends_well_or_with_one_sentence(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    asked = ["run", "--dry-run", "--task", "xor", "--backend", "numpy", "--preset", "smoke"]
    if option == "--resume":
        asked = ["run", "--dry-run"]
    code, errors = told([*asked, f"{option}={value}"], capsys, monkeypatch)
    if code != 0:
        assert_one_sentence(code, errors)
