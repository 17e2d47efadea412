"""A command that is asked to end cleans up whole; what it could not clean up, the next one does."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fakes import HERE

from harness.environments.places import LOCK, PREFIX, place, sweep
from harness.environments.signals import ALWAYS, ENDING, Ending, deferred, heed, name
from harness.records.store import Store


@pytest.fixture
def handler() -> Iterator[Ending]:
    """Handle the signals of this process as the command line does."""
    before = {number: signal.getsignal(number) for number in ENDING}
    handler = Ending()
    handler.install()
    yield handler
    for number, old in before.items():
        signal.signal(number, old)


def test_real_time_signals_have_names_too() -> None:
    first, last = signal.SIGRTMIN, signal.SIGRTMAX
    assert [name(number) for number in (9, first, first + 2, last)] == [
        "SIGKILL", "SIGRTMIN", "SIGRTMIN+2", "SIGRTMAX",
    ]  # fmt: skip
    assert name(32) == "32"


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_asks_to_end_once_and_those_that_are_meant_again(number: int, handler: Ending) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    if number in ALWAYS:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    else:
        signal.raise_signal(number)


def test_a_closed_terminal_does_not_disturb_the_cleaning_up(handler: Ending) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)


def test_what_was_ignored_stays_so(handler: Ending) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Ending().install()
    signal.raise_signal(signal.SIGHUP)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_in_a_finalizer_is_heeded_later(handler: Ending) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGQUIT)

    heed()
    Finalized()  # where an exception is reported, and not raised
    with pytest.raises(KeyboardInterrupt):
        heed()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_what_was_begun_is_done(number: int, handler: Ending) -> None:
    done = []

    def work() -> None:
        with deferred():
            with deferred():
                signal.raise_signal(number)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]
    with deferred():
        pass


def test_without_the_command_line_nothing_is_held_back() -> None:
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.default_int_handler(signal.SIGINT, None)


def test_a_place_is_gone_after_its_block_and_those_of_the_dead_are_swept(tmp_path: Path) -> None:
    code = "import os,sys\nfrom pathlib import Path\nfrom harness.environments.places import place\n"
    code += "with place(within=Path(sys.argv[1])) as here:\n  (here/'file').write_text('x')\n  os.kill(os.getpid(), 9)"
    environment = os.environ | {"PYTHONPATH": str(Path(HERE).parent)}
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    foreign = [tmp_path / "evenbench-abcdefgh", tmp_path / f"{PREFIX}a-file", tmp_path / f"{PREFIX}link"]
    foreign[0].mkdir()
    foreign[1].write_text("")
    foreign[2].symlink_to(foreign[0])
    with place(within=tmp_path) as here:
        assert not left.exists()
        assert here.is_dir()
        with place(within=tmp_path):
            sweep(tmp_path, PREFIX)
            assert here.is_dir(), "its process is alive"
    assert sorted(tmp_path.iterdir()) == sorted(foreign)


def test_a_place_without_a_lock_was_left_too_early_and_is_swept(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}x").mkdir()
    (tmp_path / f"{PREFIX}y").mkdir()
    (tmp_path / f"{PREFIX}y" / LOCK).write_text("")
    sweep(tmp_path, PREFIX)
    assert list(tmp_path.iterdir()) == []


def test_a_place_is_deleted_though_a_signal_comes(tmp_path: Path, handler: Ending) -> None:
    with pytest.raises(KeyboardInterrupt), place(within=tmp_path):
        signal.raise_signal(signal.SIGHUP)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_terminal_leaves_a_record_and_no_folder(home: Path, tmp_path: Path) -> None:
    places = tmp_path / "tmp"
    places.mkdir()
    words = ["run", "--task", "xor", "--preset", "smoke", "--backend", "hangs", "--repeats", "2", "--no-parity"]
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under `nohup` it is ignored, and would stay so
        os.environ |= {"EVENBENCH_HOME": str(home), "PYTHONPATH": f"{HERE}:{Path(HERE).parent}", "TMPDIR": str(places)}
        where = ["--results", str(tmp_path / "results"), "--study", "s"]
        os.execv(sys.executable, [sys.executable, str(Path(HERE) / "cli_with_fakes.py"), *words, *where])
    os.set_blocking(terminal, False)
    while not any(b'"kind":"first"' in path.read_bytes() for path in places.glob("*/out/result.json")):
        with suppress(BlockingIOError):
            os.read(terminal, 65536)
        time.sleep(0.05)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    records, damaged = Store(tmp_path / "results" / "s").records()
    assert [record.outcome.status for record in records] == ["interrupted"]
    assert damaged == []
    assert list(places.iterdir()) == []
