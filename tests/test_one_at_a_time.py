"""Two commands on one study: one runs it, the other is told so; whoever only reads may read at any time."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import HERE
from test_failing_well import evenbench, new_store, study_of

from harness.errors import StoreError, UsageError
from harness.records.store import Store

HOLD = "import sys,time\nfrom pathlib import Path\nfrom harness.records.store import Store\n"
HOLD += "with Store(Path(sys.argv[1])).alone():\n  print('held', flush=True)\n  time.sleep(600)\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "study", ())


def hold(store: Store) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(HERE).parent)}
    command = [sys.executable, "-c", HOLD, str(store.folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_study_is_run_by_one_process_and_a_dead_one_holds_nothing(store: Store) -> None:
    with hold(store) as process:
        with pytest.raises(StoreError, match="another command is running study study: wait for its end"):
            store.alone().__enter__()
        assert store.study() == study_of(())
        process.send_signal(signal.SIGKILL)
    with store.alone() as locked:
        assert locked
    with store.alone() as locked:
        assert locked, "it was let go of"


def test_what_was_written_halfway_is_removed(store: Store) -> None:
    for name in (".run.json.new", ".run.checkpoint.npz.77.new.npz"):
        (store.folder / name).write_text("half")
    (store.folder / ".run.checkpoint.npz").write_text("whole")
    with store.alone():
        assert sorted(path.name for path in store.folder.iterdir()) == [".run.checkpoint.npz", "study.json"]


def test_a_study_that_is_not_there_is_not_made_by_its_lock(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no study"):
        Store(tmp_path).alone().__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_locks_is_gone_on_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with store.alone() as locked:
        assert not locked


def test_a_second_resume_is_one_sentence_and_readers_are_not_disturbed(home: Path, tmp_path: Path) -> None:
    choice = ("--task", "xor", "--preset", "smoke", "--backend", "well,hangs", "--no-parity", "--study", "s")
    first = evenbench("run", *choice, "--repeats", "1", home=home, cwd=tmp_path)
    folder = tmp_path / "results" / "s"
    while not list(folder.glob("xor*.json")):
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    for words in (("--resume", "s"), ("--resume", "s", "--json")):
        second = evenbench("run", *words, "--no-parity", home=home, cwd=tmp_path)
        out, err = second.communicate(timeout=60)
        assert (second.returncode, out) == (1, "")
        assert err == "Error: another command is running study s: wait for its end, or stop it\n"
    shutil.copytree(folder, folder.with_name("t"))
    readers: tuple[tuple[str, ...], ...] = (
        ("report", "s", "--format", "md"),
        ("merge", "all", "s", "t"),
        ("run", "--resume", "s", "--dry-run"),
    )
    for reading in readers:
        reader = evenbench(*reading, home=home, cwd=tmp_path)
        said = reader.communicate(timeout=60)
        assert reader.returncode == 0, said
    assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    with Store(folder).alone():
        pass
