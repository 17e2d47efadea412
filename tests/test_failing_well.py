"""Any ending of a worker becomes a record that says what happened; nothing is lost and nothing hangs."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from fakes import HERE, entries

import backends
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.environments.signals import name as signal_name
from harness.errors import EnvironmentFailure, StoreError, UsageError
from harness.record import Machine, Outcome, ParityVerdict, Record
from harness.records.store import Store, Study
from harness.registry import task
from harness.runs.conductor import Conductor, Plan
from harness.runs.execute import Ready, Setting, describe, execute
from harness.runs.executors.executor import Nobody
from harness.runs.launch import Ended, ending
from harness.runs.plan import Wish, plan
from harness.spec import Choice, RunSpec
from harness.worker.__main__ import attempt

XOR = task("xor")
HERE_INTERPRETER = Interpreter(python=sys.executable, source="current", reason="a test")
SETTING = Setting(
    machine=Machine(cpu="c", cpu_flags=(), cores=2, memory_bytes=1, system="s", kernel="k", python="p"),
    git_revision=None,
    cores=available_cores(),
)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())


def specs(*names: str, repeats: int = 1, timeout_s: float = 60, memory: int | None = None) -> tuple[RunSpec, ...]:
    choices = tuple(Choice(backend=name, device="cpu", mode="eager") for name in names)
    wish = Wish(
        tasks=(XOR,),
        choices=choices,
        preset="smoke",
        repeats=repeats,
        timeout_s=timeout_s,
        memory_limit_bytes=memory,
    )
    return plan(wish)


def run_one(name: str, *, timeout_s: float = 60, memory: int | None = None) -> Record:
    from harness.data.prepare import prepare

    (spec,) = specs(name, timeout_s=timeout_s, memory=memory)
    preset = XOR.preset("smoke")
    ready = Ready(
        spec=spec,
        task=XOR,
        data=prepare(XOR, preset, dataset="xor", seed=0, data_dir=None),
        interpreter=HERE_INTERPRETER,
        parity=ParityVerdict(passed=True),
    )
    return execute(ready, SETTING, Path("/nonexistent"))


def test_a_run_that_goes_well_has_everything() -> None:
    record = run_one("well")
    assert record.outcome.status == "ok"
    measured = record.measured
    assert all(getattr(measured.phases, name) is not None for name in measured.phases.__struct_fields__)
    assert {block.kind for block in measured.blocks} >= {"first", "calibration", "steady"}
    assert sum(b.steps for b in measured.blocks) >= 50
    assert len(measured.losses) == 50
    assert measured.quality["accuracy"] is not None
    assert measured.memory.host_peak_bytes is not None
    assert measured.memory.host_peak_bytes > 0
    assert record.outcome.stderr_tail == ""


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("aborts", "crashed", "signal SIGABRT"),
        ("diverges", "diverged", "nan at step"),
        ("raises", "crashed", "ValueError: input of 3 axes expected, got 2"),
        ("exits", "crashed", "exit code 7: the licence server is down"),
        ("killed", "crashed", "signal SIGKILL"),
        ("struck", "crashed", "signal SIGRTMIN+2"),
        ("starves", "out_of_memory", "memory ran out: what():  std::bad_alloc"),
        ("refuses", "unsupported", "built for another machine"),
        ("unimportable", "crashed", "ImportError: libfake.so.1"),
    ],
)
def test_an_ending_becomes_a_record_with_its_reason(name: str, status: str, words: str) -> None:
    record = run_one(name)
    assert record.outcome.status == status
    assert words in record.outcome.reason


@pytest.mark.parametrize("name", ["aborts", "diverges", "raises", "exits", "killed"])
def test_what_was_measured_before_the_end_is_kept(name: str) -> None:
    measured = run_one(name).measured
    assert measured.versions["numpy"]
    assert measured.phases.import_s is not None
    assert measured.phases.first_step_s is not None


def test_a_variable_of_the_shell_that_tunes_a_library_stands_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    settings = run_one("well").measured.settings
    assert settings["env ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert "env ONEDNN_DEFAULT_FPMATH_MODE" not in settings, "what changes the arithmetic must not reach the worker"


@pytest.mark.alone("the first step has to come within the time limit")
def test_a_worker_that_hangs_is_ended_at_its_time_limit() -> None:
    record = run_one("hangs", timeout_s=5)
    assert record.outcome.status == "timeout"
    assert "limit of 5 s" in record.outcome.reason
    assert record.measured.phases.first_step_s is not None


def test_a_worker_that_takes_too_much_memory_is_out_of_memory() -> None:
    record = run_one("hoards", memory=1_500_000_000)
    assert record.outcome.status == "out_of_memory"
    assert "MemoryError" in record.outcome.reason


@pytest.mark.parametrize(
    "text",
    [
        "[Errno 12] Cannot allocate memory",
        "can't start new thread",
        "std::bad_alloc",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes",
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "Unable to allocate 8.00 GiB for an array with shape (1000, 1000, 1000)",
        "#umsg#Memory not enough:#umsg#Device(id:0) memory isn't enough and alloc failed, kernel name: MatMul",
        "Malloc memory failed: size 4096",
        "Allocate device memory failed!",
        "libgomp: Thread creation failed: Resource temporarily unavailable",
    ],
)
def test_every_library_has_its_own_words_for_want_of_memory(text: str) -> None:
    def fail() -> Outcome:
        raise RuntimeError(text)

    assert attempt(fail).status == "out_of_memory"
    for returncode in (1, -signal.SIGABRT):
        outcome = ending(ended(returncode, f"a warning\n{text}\n  the rest of it\n"), 60)
        assert (outcome.status, outcome.reason) == ("out_of_memory", f"memory ran out: {text}")
    for returncode in (-signal.SIGKILL, -signal.SIGTERM, -(signal.SIGRTMIN + 2)):
        assert ending(ended(returncode, text), 60).status == "crashed", "somebody sent it"


def test_what_is_no_want_of_memory_is_a_crash() -> None:
    assert ending(ended(1, "the memory format is unknown"), 60).status == "crashed"


@pytest.mark.parametrize("number", range(1, 65))
def test_every_signal_makes_a_record(number: int) -> None:
    outcome = ending(ended(-number, ""), 60)
    assert outcome.status == "crashed"
    assert outcome.signal == signal_name(number)
    assert outcome.signal in outcome.reason


def ended(returncode: int, stderr: str) -> Ended:
    return Ended(
        result=None, returncode=returncode, interrupted=False, stderr_tail=stderr, kernel_killed_for_memory=False
    )


def test_no_process_outlives_its_run() -> None:
    before = psutil.Process().children(recursive=True)
    run_one("hangs", timeout_s=4)
    assert [child for child in psutil.Process().children(recursive=True) if child not in before] == []


def test_an_interpreter_that_cannot_be_started_is_one_sentence() -> None:
    with pytest.raises(EnvironmentFailure, match="cannot be started"):
        describe("well", Interpreter(python="/nowhere/python", source="--python", reason="a test"))


def test_a_backend_that_cannot_be_imported_is_one_sentence() -> None:
    with pytest.raises(EnvironmentFailure, match=r"libfake\.so\.1.*evenbench env create"):
        describe("unimportable", HERE_INTERPRETER)


def conduct(store: Store, wanted: tuple[RunSpec, ...]) -> tuple[Record, ...]:
    chosen = plan_of(wanted, with_ceilings=False)
    return Conductor(chosen, store.missing(wanted), store=store, setting=SETTING, listener=Nobody()).run()


def study_of(wanted: tuple[RunSpec, ...], name: str = "study") -> Study:
    return Study(name=name, created_at="2026-11-20T00:00:00+00:00", command=(), specs=wanted)


def plan_of(wanted: tuple[RunSpec, ...], **more: Any) -> Plan:
    """Return the plan of runs on this interpreter, without parity."""
    interpreters = {(spec.backend, spec.device): HERE_INTERPRETER for spec in wanted}
    return Plan(study=study_of(wanted), interpreters=interpreters, data_dir=None, with_parity=False, **more)


def new_store(folder: Path, wanted: tuple[RunSpec, ...]) -> Store:
    store = Store(folder)
    store.create(study_of(wanted, folder.name))
    return store


def test_a_failure_does_not_stop_the_study(tmp_path: Path) -> None:
    wanted = specs("aborts", "well")
    store = new_store(tmp_path / "study", wanted)
    assert {r.outcome.status for r in conduct(store, wanted)} == {"ok", "crashed"}
    assert store.missing(wanted) == ()


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    store = new_store(tmp_path / "study", specs("well"))
    record = run_one("well")
    store.add(record)
    with pytest.raises(StoreError, match="never overwritten"):
        store.add(record)


def test_a_study_that_exists_is_refused_with_the_way_to_resume_it(tmp_path: Path) -> None:
    new_store(tmp_path / "study", ())
    with pytest.raises(UsageError, match="--resume study"):
        new_store(tmp_path / "study", ())


def test_a_damaged_record_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    store = new_store(tmp_path / "study", specs("well"))
    path = store.add(run_one("well"))
    (tmp_path / "study" / "other.json").write_bytes(path.read_bytes()[:-200])
    records, damaged = store.records()
    assert len(records) == 1
    assert [Path(d.path).name for d in damaged] == ["other.json"]


def test_an_unknown_field_in_a_record_is_refused_with_its_place(tmp_path: Path) -> None:
    store = new_store(tmp_path / "study", specs("well"))
    path = store.add(run_one("well"))
    changed = msgspec.json.decode(path.read_bytes())
    changed["measured"]["phases"]["bogus_s"] = 1
    path.write_bytes(msgspec.json.encode(changed))
    _, damaged = store.records()
    assert "bogus_s" in damaged[0].reason
    assert "$.measured.phases" in damaged[0].reason


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mount.returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_leaves_no_half_record(small_disk: Path) -> None:
    store = new_store(small_disk / "study", specs("well"))
    record = run_one("well")
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1024))
    with pytest.raises(StoreError, match="No space left on device.*--resume"):
        store.add(record)
    assert [path.name for path in store.folder.iterdir()] == ["study.json"]


def test_a_results_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write") as caught:
        new_store(tmp_path / "file" / "study", ())
    assert "--resume" not in str(caught.value), "there is nothing yet to go on with"


def evenbench(*words: str, home: Path, cwd: Path, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(Path(HERE) / "cli_with_fakes.py"), *words],
        cwd=cwd,
        env=os.environ
        | {"EVENBENCH_HOME": str(home), "PYTHONPATH": f"{HERE}:{Path(HERE).parent}", "EVENBENCH_RESULTS": "results"}
        | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGRTMIN + 2]
)
def test_an_interrupted_study_keeps_what_it_has_and_resume_runs_the_rest(home: Path, tmp_path: Path, sign: int) -> None:
    choice = ("--task", "xor", "--preset", "smoke", "--backend", "well,slow", "--repeats", "2")
    results = tmp_path / "Größe mit Leer zeichen"
    where = ("--results", results.name, "--study", "s")
    places = tmp_path / "tmp"
    places.mkdir()
    process = evenbench("run", *choice, "--no-parity", *where, home=home, cwd=tmp_path, TMPDIR=str(places))
    folder = results / "s"
    while len(list(folder.glob("xor*.json"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(sign)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "--resume s" in err
    assert "Traceback" not in err
    assert list(places.iterdir()) == []
    store = Store(folder)
    planned = store.study().specs
    done = store.done()
    assert 2 <= len(done) < 4
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("xor*.json")}
    (tmp_path / "elsewhere").mkdir()
    (words,) = set(re.findall(r"`evenbench ([^`]*--resume[^`]*)`", err))
    printed = shlex.split(words)
    resumed = evenbench(*printed, "--no-parity", home=home, cwd=tmp_path / "elsewhere")
    said = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, said
    records, damaged = store.records()
    assert {r.spec.run_id for r in records} == {s.run_id for s in planned}
    assert {r.outcome.status for r in records} == {"ok"}
    assert damaged == []
    assert all((folder / name).stat().st_mtime_ns == when for name, when in kept.items())
