"""What must be equal for two runs to be repeats of one measurement: one definition, for all who ask."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from records_factory import MACHINE, measured, record

from harness.environments.installation import proof_facts
from harness.environments.interpreters import Interpreter
from harness.measure import conditions
from harness.record import Record
from harness.records.store import Store, Study
from harness.spec import Choice
from reports.choose.candidates import field
from reports.choose.needs import read
from reports.compare.changes import changes
from reports.frame.frame import frame
from reports.statistics.study import StudyRead
from reports.statistics.summary import summarize

ROOT = Path(__file__).parent.parent
AVX2 = {"threads": "4", "env ONEDNN_MAX_CPU_ISA": "AVX2"}


def usual(**changes: Any) -> Record:
    return record(found=measured(), **changes)


def evenbench(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "cli_with_fakes.py"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_runs_under_other_variables_stand_in_rows_of_their_own_that_say_so() -> None:
    runs = [usual(repeat=0), usual(repeat=1), record(repeat=2, found=measured(settings=AVX2))]
    (group,) = summarize(frame(runs))
    assert sorted((row.runs, row.label) for row in group.rows) == [
        (1, "torch eager 2.13.0 cpu ONEDNN_MAX_CPU_ISA=AVX2"),
        (2, "torch eager 2.13.0 cpu ONEDNN_MAX_CPU_ISA="),
    ]


def test_runs_on_other_processors_of_the_machine_are_not_pooled() -> None:
    runs = [usual(repeat=0), replace(usual(repeat=1), affinity=(4, 5, 6, 7))]
    (group,) = summarize(frame(runs))
    assert [row.runs for row in group.rows] == [1, 1]
    assert all("processors used=4: " in row.label for row in group.rows)


def test_a_processor_of_the_same_name_with_other_instructions_is_another_one() -> None:
    runs = [usual(repeat=0), usual(repeat=1, machine=replace(MACHINE, cpu_flags=("sse2",)))]
    (group,) = summarize(frame(runs))
    assert [row.runs for row in group.rows] == [1, 1]


def test_a_run_that_died_before_it_told_its_conditions_counts_with_its_row() -> None:
    died = record(repeat=1, status="crashed", reason="it died", found=measured(settings={}, blocks=()))
    (group,) = summarize(frame([usual(repeat=0), died]))
    assert [row.runs for row in group.rows] == [2]


def test_a_choice_goes_by_the_row_of_most_runs(tmp_path: Path) -> None:
    runs = [usual(repeat=number) for number in range(3)] + [record(repeat=3, found=measured(settings=AVX2))]
    store = Store(tmp_path / "s")
    store.create(Study(name="s", created_at="", command=("run",), specs=tuple(one.spec for one in runs)))
    for one in runs:
        store.add(one)
    (candidate,) = field(StudyRead.of(store.folder), read("team")).candidates
    (speed,) = candidate.readings["throughput"].values()
    assert len(speed.values) == 3


def test_what_a_profile_sets_is_no_condition() -> None:
    tuned = replace(record(found=measured(settings=AVX2)), tuned_settings={"ONEDNN_MAX_CPU_ISA": "AVX2"})
    assert conditions.of(tuned) == conditions.of(usual())


def test_compare_names_what_differs() -> None:
    other = measured(settings={**measured().settings, "env ONEDNN_MAX_CPU_ISA": "AVX2"})
    (found,) = changes([usual()], [record(found=other)])
    assert (found.name, found.a, found.b) == ("env ONEDNN_MAX_CPU_ISA", (), ("AVX2",))


def test_a_proof_is_remembered_under_the_variables_of_the_shell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness.environments.installation.installed_packages", lambda _: "packages")
    choice = Choice(backend="torch", device="cpu", mode="graph")
    interpreter = Interpreter(python="/opt/python", source="managed", reason="")
    before = proof_facts(choice, interpreter)
    for variable in ("TORCH_COMPILE_DISABLE", "MS_JIT", "XLA_FLAGS", "GLOG_v", "NCCL_DEBUG", "OPENBLAS_CORETYPE"):
        monkeypatch.setenv(variable, "1")
        now = proof_facts(choice, interpreter)
        assert now != before, variable
        before = now


@pytest.mark.parametrize("variable", ["TORCHINDUCTOR_CACHE_DIR", "MS_COMPILER_CACHE_ENABLE", "OMP_NUM_THREADS"])
def test_what_evenbench_sets_itself_is_no_condition(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    before = conditions.shell_settings()
    monkeypatch.setenv(variable, "1")
    assert conditions.shell_settings() == before


@pytest.mark.parametrize(
    "variable", ["TF_VAR_password", "TF_CLI_CONFIG_FILE", "TF_TOKEN_host", "MS_API_KEY", "XLA_SECRET"]
)
def test_what_is_not_the_frameworks_or_a_secret_is_not_recorded(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    before = conditions.shell_settings()
    monkeypatch.setenv(variable, "hush")
    assert conditions.shell_settings() == before


def test_a_study_that_is_resumed_in_another_shell_says_so_and_does_not_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--results", str(tmp_path), "--no-parity", "--noise-budget", "0")
    asked = ("run", "--task", "xor", "--backend", "well", "--preset", "smoke", "--repeats", "2", "--study", "s", *where)
    assert evenbench(*asked).returncode == 0
    (tmp_path / "s").joinpath(sorted(p.name for p in (tmp_path / "s").glob("xor*.json"))[-1]).unlink()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    resumed = evenbench("run", "--resume", "s", *where[:3])
    assert resumed.returncode == 0
    assert "OPENBLAS_CORETYPE: - -> Haswell" in resumed.stderr
    told = evenbench(
        "report", "s", "--results", str(tmp_path), "--format", "json", "--output", str(tmp_path / "r.json")
    )
    assert told.returncode == 0, told.stderr
    found = json.loads((tmp_path / "r.json").read_text())
    assert [row["runs"] for row in found["summary"][0]["rows"]] == [1, 1]
