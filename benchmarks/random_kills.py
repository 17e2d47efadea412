"""Kill a study at random, again and again: worker, command or both, by four signals, while it runs and is resumed.

    python benchmarks/random_kills.py --kills 100 --seed 0

After every death of the command: each record that was there is there, byte by byte, and none is damaged; no process
of it is left. After the last: a resumed study has one record per planned run, and nothing is left in the folder for
temporary files, in Evenbench's home, or halfway in the study's folder.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from harness.environments.machine import ROOT
from harness.environments.signals import name as signal_name
from harness.records.store import Store

WHOM = ("worker", "command", "both")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGRTMIN + 2)
LONGEST_WAIT_S = 8.0
PATIENCE_S = 120.0
RUNS = 12
"""In a study; when it is done a new one begins."""


class Broken(Exception):
    """Something was lost, doubled or left over."""


class Kills:
    """Studies under a folder, what was done to them, and what must not change any more."""

    whom: tuple[str, ...] = WHOM
    where: tuple[str, ...] = ()
    """Options of the command that say where the runs are done."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.studies = 0
        self.known: dict[Path, bytes] = {}
        self.places = folder / "tmp"
        self.places.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def go(self, kills: int) -> None:
        """Kill so many times, then finish the study and look at what is left."""
        while self.done.total() < kills:
            self._strike(self._running())
        process = self.process
        while process is None or process.poll() is None or self.left():
            process = self._running()
            self._ended(process)
        self.check_end()

    def left(self) -> int:
        """Return how many runs of the newest study have no record yet."""
        store = self._store()
        return len(store.missing(store.study().specs)) if store.exists() else RUNS

    def _store(self) -> Store:
        return Store(self.folder / "results" / f"s{self.studies}")

    def _running(self) -> "subprocess.Popen[bytes]":
        """Return the command that runs, started where none does."""
        if self.process is not None and self.process.poll() is None:
            return self.process
        if not self.studies or not self.left():
            self.studies += 1
        store = self._store()
        words = ["--task", "xor", "--preset", "smoke", "--backend", "numpy", "--repeats", str(RUNS)]
        words = ["--resume", store.folder.name] if store.exists() else [*words, "--study", store.folder.name]
        variables = {"TMPDIR": self.places, "EVENBENCH_HOME": self.folder / "home", "PYTHONPATH": ROOT}
        code = "from harness.cli.main import main; main()"
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    code,
                    "run",
                    *words,
                    "--no-parity",
                    "--results",
                    str(store.folder.parent),
                    *self.where,
                ],
                env=os.environ | {name: str(value) for name, value in variables.items()},
                cwd=self.folder,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
            )
        return self.process

    def _strike(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait a little, send a signal, and look at what became of it."""
        whom, number = self.random.choice(self.whom), self.random.choice(SIGNALS)
        time.sleep(self.random.uniform(0, LONGEST_WAIT_S))
        workers = [] if whom == "command" else self._workers(process)
        if process.poll() is not None or (whom != "command" and not workers):
            return  # it came to its end meanwhile
        targets = [*(worker.pid for worker in workers), *([process.pid] if whom != "worker" else [])]
        for pid in targets:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
        self.done[f"{whom} {signal_name(number)}"] += 1
        if whom != "worker":
            self._ended(process)

    def _workers(self, process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
        deadline = time.monotonic() + LONGEST_WAIT_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if found := psutil.Process(process.pid).children(recursive=True):
                    return found
            except psutil.NoSuchProcess:
                return []
            time.sleep(0.01)
        return []

    def _ended(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for the command's end, then for that of what it started, and check the studies."""
        process.wait(PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while own := [p for p in psutil.process_iter(["environ"]) if self._is_own(p)]:
            if time.monotonic() > deadline:
                raise Broken(f"processes are left: {own}")
            time.sleep(0.02)
        self.check()

    def _is_own(self, process: psutil.Process) -> bool:
        environment = process.info["environ"] or {}
        return environment.get("TMPDIR") == str(self.places) and process.status() != psutil.STATUS_ZOMBIE

    def check(self) -> None:
        """Compare the records with those that were there before."""
        for path, content in self.known.items():
            if not path.exists() or path.read_bytes() != content:
                raise Broken(f"a record was lost or changed: {path}")
        for folder in (self.folder / "results").glob("s*"):
            if not Store(folder).exists():
                continue  # killed before there was a plan
            store = Store(folder)
            if damaged := store.records()[1]:
                raise Broken(f"damaged: {damaged}")
            self.known |= {path: path.read_bytes() for path in store.record_files()}

    def check_end(self) -> None:
        """Look for runs without a record or with two, and for what was left over."""
        for folder in (self.folder / "results").glob("s*"):
            store = Store(folder)
            runs = [path.stem for path in store.record_files() if ".interrupted-" not in path.stem]
            planned = [spec.run_id for spec in store.study().specs]
            if sorted(runs) != sorted(planned):
                raise Broken(f"{folder}: {len(planned)} planned, {len(runs)} recorded")
            if halves := [path.name for path in folder.glob(".*")]:
                raise Broken(f"{folder}: {halves}")
        left = [*self.places.iterdir(), *(self.folder / "home").rglob(".unfinished-*")]
        if left:
            raise Broken(f"left over: {left}")
        if b"Traceback" in (self.folder / "said").read_bytes():
            raise Broken("a traceback was printed")


def main() -> None:
    """Kill as often as is asked for, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` has it ignored, and whatever is started from here with it
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Path(folder), asked.seed)
        try:
            kills.go(asked.kills)
        finally:
            for what, count in sorted(kills.done.items()):
                print(f"{count:4} {what}")
        records = [path for path in kills.known if ".interrupted-" not in path.name]
        print(f"{kills.done.total()} kills, {kills.studies} studies of {RUNS} runs, {len(records)} records")
        print(f"{len(kills.known) - len(records)} interrupted attempts, {time.monotonic() - began:.0f} s")
        print("nothing lost, double or left over")


if __name__ == "__main__":
    main()
