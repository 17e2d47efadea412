"""Rounds on a Ray cluster: nodes and processes that die, nodes that differ, and the same answers as without it.

The nodes are processes of this machine, each with a home of its own; a node's variables say what is wrong with it. To
start a node or a process takes seconds, so that all tests share two nodes, in the order in which they stand here, and
call the command line in this process, which has joined them, wherever it is not the process itself that they end.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from fakes import HERE, entries
from msgspec.structs import replace
from ray.cluster_utils import Cluster
from test_failing_well import SETTING, new_store, specs, study_of
from test_twins import planned

import backends
from harness.cli import main, planning
from harness.environments.interpreters import parse
from harness.errors import EnvironmentFailure, UsageError
from harness.record import Outcome, Record
from harness.records.store import Store
from harness.runs.conductor import Conductor, Plan
from harness.runs.executors import nodes as of_nodes
from harness.runs.executors import ray_executor
from harness.runs.executors.executor import Nobody
from harness.runs.executors.nodes import Node, chosen, kinds
from harness.spec import RunSpec

ROOT = Path(HERE).parent
HANGS = "EVENBENCH_FAKE_HANG"
FAKES_ON_NODES = "import backends\nfrom fakes import entries\nbackends.TABLE.update(entries())\n"
"""What the nodes' interpreters do when they start; their workers do not, for those are told their adapter."""
NOT_BEHIND_OTHERS = {"RAY_worker_niceness": "0"}
"""Of Ray: its tasks, and our workers with them, have the processors as other programs do."""
NO_DISK = {"RAY_local_fs_capacity_threshold": "0"}
"""For Ray every disk is full: what its store has no memory for it cannot put there."""
STORE_BYTES = 100_000_000
TIMEOUT_S = 180.0
"""For what takes some seconds where the machine has nothing else to do."""
STARTS = 2
"""How often it is tried again to start a node."""
ROUNDS = 6
"""Of a study whose command is killed: so many that each of two nodes has one to do before it and after it."""
Call = Callable[..., tuple[int, str, str]]
"""Words of a command to its exit code, stdout and stderr."""


class Nodes:
    """A cluster of this machine.

    On its second node, which a test kills, `hangs_there` hangs, and no environment can be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sitecustomize.py").write_text(FAKES_ON_NODES)
        self.cluster = Cluster()
        self.count = 0
        self.hanging = folder / "hangs"
        """There as soon as a run hangs."""
        self.first = self.add(**NO_DISK)
        nowhere = {"EVENBENCH_INSTALLER": "pip", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
        self.second = self.add(**{HANGS: str(self.hanging)}, **nowhere)
        self.where = ("--executor", "ray", "--address", self.cluster.address)

    def add(self, *, path: Sequence[str] = (), **variables: str) -> Any:
        """Add a node with a home of its own and variables, and other code in front where a `path` is given."""
        self.count += 1
        home = self.folder / f"home{self.count}"
        home.mkdir()
        own = {"EVENBENCH_HOME": str(home), "TMPDIR": str(home)}  # its lock lies there, as on a machine of its own
        found = {**own, **NOT_BEHIND_OTHERS, **variables}
        found["PYTHONPATH"] = os.pathsep.join((*path, str(self.folder), HERE, str(ROOT)))
        given: dict[str, Any] = {"num_cpus": 2, "resources": {"evenbench": 1}, "object_store_memory": STORE_BYTES}
        for _ in range(STARTS):
            with suppress(Exception):  # Ray's own class: a node gets 30 s to start, on a busy machine too
                return self.cluster.add_node(**given, env_vars=found)
        return self.cluster.add_node(**given, env_vars=found)

    def end(self, node: Any) -> None:
        """Kill a node."""
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    made = Nodes(tmp_path_factory.mktemp("ray"))
    with ray_executor.connected(made.cluster.address):
        yield made
    made.cluster.shutdown()


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that calls the command line in this process."""
    monkeypatch.setattr(planning, "Plan", partial(Plan, with_ceilings=False))
    monkeypatch.setenv("EVENBENCH_RESULTS", str(tmp_path))

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evenbench", *words])
        return main._ended(), *capsys.readouterr()

    return call


@pytest.fixture
def inside(cluster: Nodes, called: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that calls it on the cluster, which this process has joined already."""
    monkeypatch.setattr(ray_executor, "connected", lambda address: nullcontext())
    return lambda *words: called(*words, *cluster.where)


def looked_at(*names: str) -> tuple[Node, ...]:
    return ray_executor.nodes(names, {})


def conducted(
    store: Store, wanted: tuple[RunSpec, ...], nodes: Sequence[Node], *pythons: str, with_parity: bool = False
) -> tuple[Record, ...]:
    plan = Plan(
        study=study_of(wanted, store.folder.name),
        interpreters={},
        data_dir=None,
        with_parity=with_parity,
        with_ceilings=False,
    )
    executor = ray_executor.on(nodes, parse(pythons))
    left = store.missing(wanted)
    return Conductor(plan, left, store=store, setting=SETTING, listener=Nobody(), executor=executor).run()


def workers() -> list[psutil.Process]:
    """Return the processes that do a run for a node of this test's cluster."""
    found = []
    for process in psutil.process_iter():
        try:
            if "harness.worker" in process.cmdline() and "/ray" in process.environ().get("EVENBENCH_HOME", ""):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(true: Callable[[], object], what: str) -> None:
    for _ in range(int(TIMEOUT_S / 0.1)):
        if true():
            return
        time.sleep(0.1)
    pytest.fail(f"waited in vain until {what}")


def when(true: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """Do something in a thread as soon as something else is so."""

    def wait() -> None:
        wait_until(true, "it could be done")
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def without_time_and_place(record: Record) -> dict[str, Any]:
    """Return what must be equal wherever and whenever a run is made."""
    return {
        "spec": record.spec,
        "task": record.task,
        "data": record.dataset_fingerprint,
        "status": record.outcome.status,
        "parity": record.parity,
        "losses": record.measured.losses,
        "quality": record.measured.quality,
        "versions": record.measured.versions,
        "settings": record.measured.settings,
        "machine": record.machine,
        "cores": record.affinity,
        "interpreter": record.interpreter,
    }


def beside(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def command(results: Path, *words: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{ROOT}", "EVENBENCH_RESULTS": str(results)}
    return subprocess.Popen(
        [sys.executable, str(Path(HERE, "cli_with_fakes.py")), *words],
        cwd=results,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def test_a_study_comes_out_as_it_does_without_a_cluster(
    cluster: Nodes, tmp_path: Path, python_of: Callable[[str], str]
) -> None:
    wanted = (*planned("well", repeats=2), *planned("torch", repeats=1))
    plain, spread = new_store(tmp_path / "plain", wanted), new_store(tmp_path / "spread", wanted)
    from harness.cli.choices import find_interpreters

    pythons = (f"torch={python_of('torch')}",)
    interpreters = find_interpreters([spec.choice for spec in wanted], pythons, named=True, warn=print)
    plan = Plan(study=study_of(wanted), interpreters=interpreters, data_dir=None, with_ceilings=False)
    (node, other) = looked_at("well")
    assert node.facts is not None
    setting = replace(SETTING, machine=node.facts.machine, cores=node.facts.cores)
    Conductor(plan, wanted, store=plain, setting=setting, listener=Nobody()).run()
    conducted(spread, wanted, (node, other), *pythons, with_parity=True)
    found = [
        {record.spec.run_id: without_time_and_place(record) for record in store.records()[0]}
        for store in (plain, spread)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == len(wanted)
    for store in (plain, spread):  # of two runs that come out alike the one that ends last knows of it
        assert [record.twin.identical for record in store.records()[0] if record.twin] == [True]
    assert beside(plain.folder) == beside(spread.folder)
    arrived = [len(list(cluster.folder.glob(f"home{n}/cache/arrived/*"))) for n in (1, 2)]
    assert arrived == [2, 2], "the arrays, and order and weights of the one seed"


def test_a_dry_run_says_on_which_nodes(inside: Call) -> None:
    code, out, err = inside("run", "xor", "--backend", "well", "--repeats", "2", "--dry-run")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "on 2 nodes of " in err


def test_a_device_that_no_node_has_is_one_sentence_at_once(inside: Call, tmp_path: Path) -> None:
    code, out, err = inside("run", "xor", "--backend", "well", "--device", "gpu", "--dry-run")
    assert (code, out) == (1, "")
    assert "no node of the cluster has gpu: its nodes have 2 CPU" in err
    assert not list(tmp_path.iterdir())


def test_a_node_that_can_make_no_environment_is_named(cluster: Nodes, tmp_path: Path) -> None:
    wanted = planned("paddle")
    bare = [node for node in looked_at("paddle") if node.id == cluster.second.node_id]
    with pytest.raises(EnvironmentFailure, match="node .*: the environment paddle could not be built"):
        conducted(new_store(tmp_path / "study", wanted), wanted, bare)


def test_a_killed_worker_of_ours_is_a_record_and_one_of_rays_is_tried_twice(cluster: Nodes, tmp_path: Path) -> None:
    outcomes: dict[str, Outcome] = {}
    for wanted in (specs("killed", "well"), specs("orphaned")):  # each one round
        found = conducted(new_store(tmp_path / wanted[0].backend, wanted), wanted, looked_at("well"))
        outcomes |= {record.spec.backend: record.outcome for record in found}
    statuses = {name: one.status for name, one in outcomes.items()}
    assert statuses == {"killed": "crashed", "orphaned": "crashed", "well": "ok"}
    assert "signal SIGKILL" in outcomes["killed"].reason
    assert "was lost 2 times" in outcomes["orphaned"].reason
    wait_until(lambda: not workers(), "its workers have ended")


def test_a_killed_driver_and_ctrl_c_leave_no_worker_and_resume_finishes(
    cluster: Nodes, tmp_path: Path, inside: Call
) -> None:
    asked = (*cluster.where, "--no-parity")
    words = ("xor", "--backend", "hangs_there", "--preset", "smoke", "--repeats", str(ROUNDS), "--study", "s")
    killed = command(tmp_path, "run", *words, *asked)
    wait_until(cluster.hanging.exists, "a run hangs")
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=TIMEOUT_S)
    wait_until(lambda: not workers(), "its workers have ended")
    cluster.hanging.unlink()

    stopped = command(tmp_path, "run", "--resume", "s", *asked)
    wait_until(cluster.hanging.exists, "a run hangs again")
    stopped.send_signal(signal.SIGINT)
    code, _out, err = said(stopped)
    assert code == 1
    assert "--resume s --executor ray --address" in err
    wait_until(lambda: not workers(), "its workers have ended")
    cluster.hanging.unlink()

    code, _out, err = inside("run", "--resume", "s", "--no-parity", "--on", cluster.first.node_id)
    assert code == 0, err
    records, damaged = Store(tmp_path / "s").records()
    assert not damaged
    assert sorted(record.spec.repeat for record in records) == list(range(ROUNDS))
    assert {record.outcome.status for record in records} == {"ok"}


def test_a_killed_node_loses_its_round_alone_and_that_is_done_elsewhere(cluster: Nodes, tmp_path: Path) -> None:
    """The last test that finds the second node alive."""
    wanted = specs("hangs_there", repeats=3)
    store = new_store(tmp_path / "study", wanted)
    thread = when(cluster.hanging.exists, lambda: cluster.end(cluster.second))
    records = conducted(store, wanted, looked_at("well"))
    thread.join()
    assert sorted(record.spec.repeat for record in records) == [0, 1, 2]
    assert {record.outcome.status for record in records} == {"ok"}
    assert not workers()


def test_a_node_with_other_code_or_another_version_is_named(cluster: Nodes, tmp_path: Path, inside: Call) -> None:
    for folder in ("harness", "backends", "tasks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    init = tmp_path / "harness" / "__init__.py"
    init.write_text(init.read_text() + '\n__version__ = "0.0.9"\n')
    old = cluster.add(path=[str(tmp_path)])
    code, out, err = inside("run", "xor", "--backend", "well")
    cluster.end(old)
    assert (code, out) == (1, "")
    assert "has Evenbench 0.0.9, and this command is" in err
    assert "install the same on both" in err


def test_kinds_of_nodes_answer_the_whole_plan_and_stay_apart(
    cluster: Nodes, tmp_path: Path, called: Call, inside: Call
) -> None:
    other = cluster.add(MKL_CBWR="COMPATIBLE")
    words = ["xor", "--backend", "well", "--preset", "smoke", "--no-parity", "--repeats", "1", "--study", "s"]
    mixed = inside("run", *words)
    assert mixed[0] == 2
    assert "differ in MKL_CBWR (- / COMPATIBLE)" in mixed[2] or "differ in MKL_CBWR (COMPATIBLE / -)" in mixed[2]
    code, out, err = inside("run", *words, "--on", "all")
    shown = called("cluster", *cluster.where[2:], "--json")
    cluster.end(other)
    assert code == 0, err
    parts = sorted(path.name for path in tmp_path.glob("s-on-*"))
    assert len(parts) == 2
    merged = Store(tmp_path / "s")
    assert [source.name for source in merged.study().merged_from] == parts
    assert {record.spec.source for record in merged.records()[0]} == set(parts)
    assert out
    assert [f"s-on-{kind}" for kind in sorted(msgspec.json.decode(shown[1])["kinds"])] == parts


def test_without_ray_there_is_one_sentence(tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from harness.cli.main import main; main()"
    words = ("run", "xor", "--backend", "numpy", "--executor", "ray", "--results", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Ray is not installed where Evenbench runs: ")


def test_options_of_a_cluster_and_of_this_machine_are_told_apart(called: Call) -> None:
    for words, sentence in {
        ("--on", "all"): "--on belongs to a cluster",
        ("--address", "auto"): "--address belongs to a cluster",
        ("--executor", "ray", "--profile", "tuned"): "a tuned profile belongs to a machine",
        ("--executor", "ray", "--wait-for-quiet", "1min"): "--wait-for-quiet looks at this machine",
    }.items():
        code, out, err = called("run", "xor", "--backend", "well", *words)
        assert (code, out) == (2, "")
        assert sentence in err


def test_an_address_where_nothing_listens_is_one_sentence_at_once(called: Call) -> None:
    code, out, err = called("cluster", "--address", "127.0.0.1:1")
    assert (code, out) == (1, "")
    assert err.startswith("Error: no Ray cluster can be joined at 127.0.0.1:1: Connection refused; start one with")


@pytest.mark.usefixtures("cluster")
def test_data_that_the_object_store_has_no_room_for_are_one_sentence() -> None:
    full = r"no room for 0\.1 GB of data \(Local disk is full\): .*a larger --object-store-memory"
    with pytest.raises(EnvironmentFailure, match=full):
        ray_executor._put({"train_x.npy": bytes(STORE_BYTES + 10**7)})


def test_another_token_than_the_clusters_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(**_: object) -> None:
        os.write(2, b"W gcs_client.cc:210: Failed to get cluster ID")
        raise ConnectionError("Failed to connect to Ray cluster") from RuntimeError("InvalidAuthToken: missing")

    monkeypatch.setattr("ray.init", refused)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "{}:{}".format(*server.getsockname())
        with pytest.raises(EnvironmentFailure, match=f"{address} wants another token"), ray_executor.connected(address):
            pass
    assert capfd.readouterr().err == ""


LISTENING = """
import psutil
from harness.runs.executors.ray_executor import connected
with connected(None):
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    print(*{one.laddr.ip for process in family for one in process.net_connections() if one.status == "LISTEN"})
"""


def test_a_cluster_of_this_machine_listens_on_its_loopback_address_alone(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", LISTENING],
        env=kept | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert set(done.stdout.split()) <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert done.stdout.strip()
    assert not (tmp_path / ".ray").exists(), "its token lives as long as it does"


def node(name: str, **resources: float) -> Node:
    return Node(id=name, name=name, address="10.0.0.1", resources={"CPU": 8, **resources})


def test_filters_know_devices_models_kinds_and_nodes() -> None:
    a100 = {"GPU": 4.0, "accelerator_type:A100": 1.0}
    every = (node("a", **a100), node("b", **a100), node("c", GPU=1.0), node("d"), node("e", NPU=8.0))
    (found,) = chosen(every, "gpu:a100", ["cpu"]).values()
    assert [one.name for one in found] == ["a", "b"]
    (found,) = chosen(every, "npu", ["npu"]).values()
    assert [one.name for one in found] == ["e"]
    (found,) = chosen(every, "D", ["cpu"]).values()
    assert [one.name for one in found] == ["d"]
    assert chosen(every, "ALL", ["cpu"]) == chosen(every, "all", ["cpu"]) == kinds(every)
    assert chosen(every, "Any", ["cpu"]) == chosen(every, "any", ["cpu"])
    with pytest.raises(UsageError, match="none here is 'gpu:H100'"):
        chosen(every, "gpu:H100", ["gpu"])
    with pytest.raises(EnvironmentFailure, match="no node of the cluster has gpu, npu: its nodes have 8 CPU 4 GPU"):
        chosen(every, "any", ["gpu", "npu"])


def test_equal_names_of_unequal_kinds_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_nodes, "traits", lambda one: {"name": one.name})
    assert list(kinds([node("a"), node("b"), node("c")])) == ["unknown", "unknown-2", "unknown-3"]
