"""The command line as a person meets it: right calls, wrong calls, and nothing imported that is not needed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from fakes import HERE
from records_factory import write_study

from harness.cli.choices import parse_bytes, parse_seeds
from harness.cli.main import COMMANDS, evenbench
from harness.cli.names import words
from harness.cli.options import filled
from harness.errors import UsageError
from harness.record import SCHEMA, Record
from harness.records.store import Store

ROOT = Path(HERE).parent
BLANK_MEANT_THE_DEFAULT = ("task", "backend", "mode", "device", "preset", "study", "dataset", "seed", "data-dir")


def call(*given: str, home: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Call the command line, fakes in its table, and return how it ended."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "cli_with_fakes.py"), *given],
        cwd=cwd,
        env=os.environ | {"EVENBENCH_HOME": str(home), "PYTHONPATH": f"{HERE}:{ROOT}", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_imports_neither_numpy_nor_pandas_nor_rich() -> None:
    code = (
        "import sys\nfrom harness.cli.main import main\nsys.argv = ['evenbench', '--help']\n"
        "try:\n    main()\nfinally:\n    heavy = {'numpy', 'pandas', 'rich', 'torch', 'msgspec'} & set(sys.modules)\n"
        "    sys.stderr.write(repr(sorted(heavy)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert done.stderr == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    context = click.Context(evenbench)
    command = evenbench.get_command(context, name)
    assert command is not None
    assert command.help
    nested = command.commands.values() if isinstance(command, click.Group) else [command]
    for one in nested:
        assert one.help
        assert [p.name for p in one.params if isinstance(p, click.Option) and not p.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    pages = "".join(page.read_text() for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    assert f"evenbench {name}" in pages


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    command = evenbench.get_command(click.Context(evenbench), name)
    assert command is not None
    nested = command.commands.values() if isinstance(command, click.Group) else [command]
    options = [p for one in nested for p in one.params if isinstance(p, click.Option)]
    assert [p.opts for p in options if not any(re.search(rf"{opt}\b", page) for opt in p.opts)] == []


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["run", "--task", "mnits"], 2, "unknown task 'mnits': known are xor, lenet-mnist"),
        (["run", "--backend", "pytroch"], 2, "unknown backend 'pytroch': known are torch, tensorflow, mindspore"),
        (["run", "--backend", "well", "--device", "tpu"], 2, "unknown device 'tpu': known are cpu, gpu, npu"),
        (["run", "--backend", "well", "--mode", "fast"], 2, "unknown mode 'fast'"),
        (["run", "--backend", "well", "--mode", "xla"], 2, "no chosen backend has a mode xla"),
        (["run", "--backend", "well", "--preset", "huge"], 2, "unknown preset of xor 'huge': known are smoke"),
        (["run", "--backend", "well", "--task", "xor", "--dataset", "mnist"], 2, "does not take the data set 'mnist'"),
        (["run", "--backend", "well", "--repeats", "0"], 2, "--repeats must be at least 1"),
        (["run", "--backend", "well", "--seed", "one"], 2, "--seed takes numbers"),
        (["run", "--backend", "well", "--memory-limit", "lots"], 2, "a size is a number"),
        (["run", "--backend", "well", "--memory-limit", "0GB"], 2, "--memory-limit is a size above 0"),
        (["run", "--backend", "well", "--seed", "0-999999999"], 2, "--seed takes up to 10,000 seeds"),
        (["run", "--backend", "well", "--repeats", "999999999"], 2, "up to 10,000 times"),
        (["run", "--backend", "well", "--timeout", "nan"], 2, "--timeout is a finite number of seconds above 0"),
        *((["run", f"--{name}", ""], 2, f"--{name} is blank") for name in BLANK_MEANT_THE_DEFAULT),
        (["tune", "--budget-s", "nan"], 2, "--budget-s is a finite number of seconds above 0, but is nan"),
        (["tune", "--budget-s", "inf"], 2, "--budget-s is a finite number of seconds above 0, but is inf"),
        (["tune", "--budget-s", "-1"], 2, "--budget-s is a finite number of seconds above 0, but is -1"),
        (["tune", "--budget-s", "0"], 2, "--budget-s is a finite number of seconds above 0, but is 0"),
        (["run", "--backend", "well", "--study", "../up"], 2, "a study's name is letters"),
        (["run", "--backend", "well", "--python", "torch"], 2, "--python"),
        (["run", "--backend", "torch", "--python", "torch=/nowhere"], 2, "/nowhere"),
        (["run", "--resume", "never"], 2, "there is no study in"),
        (["run", "--resume", "elsewhere/never"], 2, "there is no study 'elsewhere/never'"),
        (["run", "--resume", "never", "--task", "xor"], 2, "as it was planned, and --task belongs to the plan"),
        (["run", "--resume", "never", "--timeout", "9"], 2, "as it was planned, and --timeout belongs to the plan"),
        (["run", "--resume", "never", "--study", "new"], 2, "as it was planned, and --study belongs to the plan"),
        (["report", "never"], 2, "never"),
        (["report"], 2, "holds no studies yet"),
        (["show", "never"], 2, ""),
        (["fly"], 2, "No such command 'fly'"),
        (["run", "--fast"], 2, "No such option"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_ends_with_its_code(
    given: list[str], code: int, said: str, home: Path, tmp_path: Path
) -> None:
    done = call(*given, home=home, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_received_an_unset_variable_is_refused_and_not_taken_for_its_default(name: str) -> None:
    command = evenbench.get_command(click.Context(evenbench), name)
    assert command is not None
    nested = command.commands.values() if isinstance(command, click.Group) else [command]
    for one in nested:
        needed = ["x"] * sum(isinstance(param, click.Argument) and param.required for param in one.params)
        for option in (param for param in one.params if isinstance(param, click.Option) and param.callback is filled):
            for blank in ("", " ", ","):
                with pytest.raises(UsageError, match=f"{option.opts[0]} is blank, it received '{blank}'"):
                    one.main([*needed, option.opts[0], blank], standalone_mode=False)


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("folder", ["empty", "missing", "file"])
def test_a_data_folder_without_data_is_one_sentence_before_anything_runs(
    folder: str, dry_run: list[str], home: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    given = ["run", "--backend", "well", "--task", "lenet-mnist", "--preset", "full", "--seed", "0", "--study", "s"]
    done = call(*given, *dry_run, "--data-dir", str(tmp_path / folder), home=home, cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / folder) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists(), "a study without data must not stand in the way of the next try"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Make a folder that nobody can write to: a file system mounted so for root, else by its mode."""
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    if os.geteuid() != 0:
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this root may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_results_folder_is_one_sentence(read_only: Path, home: Path, tmp_path: Path) -> None:
    given = ["--backend", "well", "--task", "xor", "--preset", "smoke", "--results", str(read_only / "results")]
    done = call("run", *given, home=home, cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_shows_the_plan_and_writes_nothing(home: Path, tmp_path: Path) -> None:
    done = call("run", "--backend", "well", "--task", "xor", "--dry-run", "--json", home=home, cwd=tmp_path)
    assert done.returncode == 0
    assert [(s["task"], s["seed"], s["repeat"]) for s in msgspec.json.decode(done.stdout)] == [
        ("xor", 0, 0),
        ("xor", 1, 1),
        ("xor", 2, 2),
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_here_is_said_before_anything_runs(home: Path, tmp_path: Path) -> None:
    given = ["run", "--backend", "well", "--task", "xor", "--dry-run", "--device"]
    alone = call(*given, "CUDA", home=home, cwd=tmp_path)
    assert alone.returncode == 1
    assert "no chosen backend can use gpu here: well: " in alone.stderr
    assert "`evenbench doctor` shows the devices" in alone.stderr
    beside = call(*given, "cpu", "cuda", home=home, cwd=tmp_path)
    assert beside.returncode == 0
    assert "well cannot use gpu here" in beside.stderr
    assert "recorded as unsupported" in beside.stderr
    every = call(*given, "all", home=home, cwd=tmp_path)
    assert every.returncode == 0
    assert "left out" in every.stderr
    assert {line.split(".")[2] for line in every.stdout.splitlines()} == {"cpu"}


def test_a_dry_run_refuses_what_the_run_would_refuse(home: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,label\none,1\ntwo,2\n")
    given = ["--backend", "well", "--task", "lstm-text", "--dataset", "./texts.csv", "--text-column", "0"]
    done = call("run", *given, "--dry-run", home=home, cwd=tmp_path)
    assert done.returncode == 2
    assert "has no column '0'" in done.stderr
    write_study(tmp_path / "results" / "s", [])
    again = call("run", "--backend", "well", "--task", "xor", "--study", "s", "--dry-run", home=home, cwd=tmp_path)
    assert again.returncode == 2
    assert "a study 's' exists" in again.stderr


def test_a_study_runs_reports_and_says_what_failed(home: Path, tmp_path: Path) -> None:
    given = ["--task", "xor", "--preset", "smoke", "--repeats", "1", "--study", "s"]
    done = call("run", "--backend", "well,aborts,refuses", *given, home=home, cwd=tmp_path)
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "evenbench " not in line and str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80
    for word in ("well", "aborts", "SIGABRT", "refuses", "built for another machine", "not comparable"):
        assert word in " ".join(done.stdout.split())
    records = {r.spec.backend: r for r in Store(tmp_path / "results" / "s").records()[0]}
    assert {name: r.outcome.status for name, r in records.items()} == {
        "well": "ok",
        "aborts": "crashed",
        "refuses": "unsupported",
    }
    assert records["well"].parity.passed is True
    assert (tmp_path / "results" / "s" / "report.md").exists()
    again = call("run", "--backend", "well", *given, home=home, cwd=tmp_path)
    assert again.returncode == 2
    assert "`evenbench run --resume s`" in again.stderr
    assert "`evenbench show RUN --study s`" in done.stderr
    shown = call("show", "aborts", "--study", "s", home=home, cwd=tmp_path)
    assert "SIGABRT" in shown.stdout
    _pin_golden_shape(records["well"])


def _pin_golden_shape(record: Record) -> None:
    """The golden file must stay a record of today's program in its outermost fields."""
    golden = msgspec.json.decode((Path(HERE) / "records" / f"schema-{SCHEMA}.json").read_bytes())
    assert golden.keys() == msgspec.to_builtins(record).keys()


def test_parity_prints_json_and_ends_with_1_when_one_fails(home: Path, tmp_path: Path) -> None:
    done = call("parity", "--task", "xor", "--backend", "well,scales", "--json", home=home, cwd=tmp_path)
    verdicts = {v["backend"]: v for v in msgspec.json.decode(done.stdout)}
    assert done.returncode == 1
    assert verdicts["well"]["passed"] is True
    assert verdicts["scales"]["passed"] is False
    assert [name for name, level in verdicts["scales"]["levels"].items() if not level["passed"]] == ["forward"]
    assert verdicts["scales"]["first_layer"] == "dense1"
    assert set(verdicts["well"]["levels"]) == {"parameters", "forward", "loss", "gradients", "update", "losses"}
    assert {"error", "tolerance", "passed"} <= verdicts["well"]["levels"]["loss"].keys()


def test_what_a_backend_refuses_fails_a_proof_only_where_it_was_named_or_is_all(home: Path, tmp_path: Path) -> None:
    done = call("parity", "--task", "xor", "--backend", "well,refuses", home=home, cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"refuses +eager.* refused", done.stdout)
    assert "the wheel of this framework was built for another machine" in done.stdout
    for named in (("--backend", "well,refuses", "--mode", "eager"), ("--backend", "refuses")):
        assert call("parity", "--task", "xor", *named, home=home, cwd=tmp_path).returncode == 1, named


def test_words_seeds_and_sizes_are_read_as_people_write_them() -> None:
    assert words(["a, b", "b", "c,"]) == ("a", "b", "c")
    assert parse_seeds(["0-3", "7", "2"]) == (0, 1, 2, 3, 7)
    assert parse_seeds([]) is None
    assert parse_bytes("1.5GB") == 1_500_000_000
    assert parse_bytes("512 MiB") == 512 * 1024**2
    assert parse_bytes("100000000") == 100_000_000
    with pytest.raises(UsageError, match="4 is 4 bytes, but nothing can start in less than 64 MB: write 4GB"):
        parse_bytes("4")
    with pytest.raises(UsageError, match="9-3"):
        parse_seeds(["9-3"])


def test_seeds_and_sizes_that_nothing_takes_are_refused() -> None:
    assert len(parse_seeds(["0-9999", "5"]) or ()) == 10_000
    for many in (["0-10000"], ["0-9999", "10000"]):
        with pytest.raises(UsageError, match="--seed takes up to 10,000 seeds"):
            parse_seeds(many)
    for large in ("4294967296", "0-99999999999999", "9" * 5000):
        with pytest.raises(UsageError, match="--seed takes numbers from 0 to 4294967295"):
            parse_seeds([large])
    for wrong in ("0GB", "0.1", "99999999999GB", f"{'9' * 500}GB"):
        with pytest.raises(UsageError, match="--memory-limit is a size above 0"):
            parse_bytes(wrong)
