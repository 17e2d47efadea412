"""Kill a study on a Ray cluster at random: our worker, the process of a task, a node, or the command; and resume it.

    python -m benchmarks.ray_kills --kills 100 --nodes 4 --seed 0

The nodes of the cluster are on this machine; one that was killed is replaced. After every death of the command, and at
the end: each record that was there is there, byte by byte, none is damaged, and no process that does a run is left; a
study that is done has one record per planned run. All studies have the same plan, so that a run that ended well has the
same losses in each of them, and in one that is made at last without a cluster.
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from ray.cluster_utils import Cluster

from benchmarks.random_kills import LONGEST_WAIT_S, RUNS, Broken, Kills
from harness.environments.machine import ROOT
from harness.records.store import Store

OF_NODES = {"PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0"}


class RayKills(Kills):
    """The same studies on a cluster."""

    whom = ("worker", "task", "node", "command")

    def __init__(self, folder: Path, seed: int, nodes: int) -> None:
        super().__init__(folder, seed)
        self.cluster = Cluster()
        self.nodes: list[Any] = []
        self.count = 0
        self.statuses: Counter[str] = Counter()
        """Of all records, at the end."""
        for _ in range(nodes):
            self.add()
        self.where = ("--executor", "ray", "--address", self.cluster.address)

    def add(self) -> None:
        """Add a node with a home of its own."""
        self.count += 1
        home = self.folder / f"node{self.count}"
        home.mkdir()
        # its lock lies in its folder for temporary files, as on a machine of its own
        variables = OF_NODES | {"EVENBENCH_HOME": str(home), "TMPDIR": str(home)}
        self.nodes.append(
            self.cluster.add_node(
                num_cpus=2, object_store_memory=100_000_000, env_vars=variables, include_dashboard=False
            )
        )

    def _strike(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until something runs, and a little, kill something, and look at what became of it."""
        whom = self.random.choice(self.whom)
        deadline = time.monotonic() + 10 * LONGEST_WAIT_S
        while not self.at_work() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(self.random.uniform(0, LONGEST_WAIT_S / 4))
        found = self.at_work()
        if process.poll() is not None or (whom in ("worker", "task") and not found):
            return
        with suppress(psutil.Error):
            if whom == "worker":
                found[0].kill()
            elif whom == "task":
                psutil.Process(found[0].ppid()).kill()
            elif whom == "node":
                # never the first one, which holds the cluster together
                self.cluster.remove_node(self.nodes.pop(), allow_graceful=False)
                self.add()
            else:
                process.send_signal(self.random.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM)))
            self.done[whom] += 1
        if whom == "command":
            self._ended(process)

    def at_work(self) -> list[psutil.Process]:
        """Return the processes that do a run of a round, none of those that measure the limits before."""
        return [one for one in psutil.process_iter(["environ"]) if self._is_own(one) and self._is_of_a_round(one)]

    def _is_of_a_round(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, IndexError):
            return "_do_round" in psutil.Process(process.ppid()).cmdline()[0]
        return False

    def _is_own(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            home = (process.info["environ"] or {}).get("EVENBENCH_HOME", "")
            is_ours = home.startswith(str(self.folder)) and "harness.worker" in process.cmdline()
            return is_ours and process.status() != psutil.STATUS_ZOMBIE
        return False

    def finish_without_a_cluster(self) -> None:
        """Make one more study here."""
        self.where = ()
        self.studies += 1
        process = self._running()
        process.wait()
        self._ended(process)

    def check_end(self) -> None:
        """Look for runs without a record or with two, and for those that came out otherwise elsewhere."""
        losses: dict[str, set[tuple[float | None, ...]]] = {}
        self.statuses.clear()
        for folder in (self.folder / "results").glob("s*"):
            store = Store(folder)
            runs = [path.stem for path in store.record_files() if ".interrupted-" not in path.stem]
            if sorted(runs) != sorted(spec.run_id for spec in store.study().specs):
                raise Broken(f"{folder}: {len(runs)} recorded")
            for record in store.records()[0]:
                self.statuses[record.outcome.status] += 1
                if record.outcome.status == "ok":
                    losses.setdefault(record.spec.run_id, set()).add(record.measured.losses)
        if unequal := [run for run, found in losses.items() if len(found) > 1]:
            raise Broken(f"came out unequal: {unequal}")
        if b"Traceback" in (self.folder / "said").read_bytes():
            raise Broken("a traceback was printed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kills = RayKills(Path(folder), asked.seed, asked.nodes)
        try:
            kills.go(asked.kills)
            kills.finish_without_a_cluster()
            kills.check_end()
        except Broken:
            print((Path(folder) / "said").read_text()[-4000:])
            raise
        finally:
            print(dict(kills.done))
            kills.cluster.shutdown()
        found = [path for path in kills.known if ".interrupted-" not in path.name]
        print(f"{kills.done.total()} kills, {kills.studies} studies of {RUNS} runs, {len(found)} records")
        print(f"statuses: {dict(kills.statuses)}")
        print(f"nothing lost, double or unequal; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
