"""What a container gives of a machine, from made-up files of control groups, and from a real group if possible."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace
from records_factory import MACHINE
from test_doctor import QUIET

from harness.environments.limits import Limits, limits, physical_cores, whole_processors
from harness.record import Machine
from harness.runs import doctor

V1 = "9:cpuset:/\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n"


def tree(root: Path, content: Mapping[str, str]) -> Path:
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "utf-8")
    return root


GROUPS = "sys/fs/cgroup"
V2 = {"proc/self/cgroup": "0::/"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, Limits()),
        (V2, Limits()),
        (V2 | {f"{GROUPS}/cpu.max": "max 100000", f"{GROUPS}/memory.max": "max"}, Limits()),
        (
            V2 | {f"{GROUPS}/cpu.max": "150000 100000", f"{GROUPS}/memory.max": "2147483648"},
            Limits(processors=1.5, memory_bytes=2**31),
        ),
        (V2 | {f"{GROUPS}/unified/cpu.max": "50000 100000"}, Limits(processors=0.5)),
        (
            {
                "proc/self/cgroup": "0::/user.slice/run.scope",
                f"{GROUPS}/user.slice/cpu.max": "200000 100000",
                f"{GROUPS}/user.slice/run.scope/cpu.max": "max 100000",
                f"{GROUPS}/user.slice/run.scope/memory.max": "4000",
                f"{GROUPS}/user.slice/memory.max": "3000",
            },
            Limits(processors=2.0, memory_bytes=3000),
        ),
        (
            {
                "proc/self/cgroup": V1,
                f"{GROUPS}/cpu,cpuacct/cpu.cfs_quota_us": "250000",
                f"{GROUPS}/cpu,cpuacct/cpu.cfs_period_us": "100000",
                f"{GROUPS}/memory/memory.limit_in_bytes": "1000",
            },
            Limits(processors=2.5, memory_bytes=1000),
        ),
        (
            {
                "proc/self/cgroup": V1,
                f"{GROUPS}/cpu/cpu.cfs_quota_us": "-1",
                f"{GROUPS}/cpu/cpu.cfs_period_us": "100000",
                f"{GROUPS}/cpu/docker/abc/cpu.cfs_quota_us": "100000",
                f"{GROUPS}/cpu/docker/abc/cpu.cfs_period_us": "100000",
            },
            Limits(processors=1.0),
        ),
        (V2 | {f"{GROUPS}/cpu.max": "", f"{GROUPS}/memory.max": "many"}, Limits()),
        (V2 | {f"{GROUPS}/cpu.max": "1000 0"}, Limits()),
        ({"proc/self/cgroup": "no groups\n::\n"}, Limits()),
    ],
)
def test_the_narrowest_limit_counts(content: Mapping[str, str], expected: Limits, tmp_path: Path) -> None:
    assert limits(tree(tmp_path, content)) == expected


def threads(*pairs: str) -> dict[str, str]:
    """Return the topology of processors 0, 1, ..., by what each shares its core with."""
    return {f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list": pair for n, pair in enumerate(pairs)}


@pytest.mark.parametrize(
    ("quota", "cores", "expected"),
    [
        ("max 100000", (0, 1, 2, 3), (0, 1, 2, 3)),
        ("400000 100000", (0, 1, 2, 3), (0, 1, 2, 3)),
        ("250000 100000", (0, 1, 2, 3), (0, 2)),
        ("300000 100000", (0, 1, 2, 3), (0, 1, 2)),
        ("50000 100000", (2, 3), (2,)),
        ("800000 100000", (1,), (1,)),
    ],
)
def test_threads_follow_the_smaller_of_affinity_and_quota(
    quota: str, cores: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path
) -> None:
    root = tree(tmp_path, V2 | {f"{GROUPS}/cpu.max": quota} | threads("0-1", "0-1", "2-3", "2-3"))
    assert whole_processors(cores, root) == expected


def test_hyperthreads_are_told_from_cores(tmp_path: Path) -> None:
    root = tree(tmp_path, threads("0,2", "1,3", "0,2", "1,3"))
    assert physical_cores(range(4), root) == 2
    assert physical_cores((0, 2), root) == 1
    assert physical_cores(range(5), root) is None, "of the last the system says nothing"


def test_the_doctor_says_what_the_container_gives() -> None:
    given = replace(QUIET, allowed=4, cpu_quota=2.5, memory_limit_bytes=3_000_000_000, physical_cores=1)
    traps = doctor.machine_traps(given)
    assert [trap.sentence for trap in traps] == [
        "the control group gives 2.5 processors of 4: runs use 2, one thread on each",
        "the control group gives 3.0 GB of memory",
        "the 2 processors are hyperthreads of 1 cores, and share what these compute with",
    ]
    assert not any(trap.harmful for trap in traps)
    assert doctor.machine_traps(QUIET) == ()


def test_a_record_of_before_reads_without_the_new_facts() -> None:
    assert isinstance(MACHINE, Machine)
    assert (MACHINE.cpu_quota, MACHINE.memory_limit_bytes, MACHINE.physical_cores) == (None, None, None)


@pytest.fixture
def group() -> Iterator[Path]:
    """Make a real control group of version 1 with a quota of one processor, where that is allowed."""
    folder = Path("/sys/fs/cgroup/cpu", f"evenbench-test-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "cpu.cfs_quota_us").write_text("150000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    yield folder
    folder.rmdir()


def test_a_real_quota_is_read_and_kept_to(group: Path) -> None:
    code = (
        f"import os; open('{group}/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from harness.environments import limits, machine\n"
        "print(limits.limits().processors, len(machine.available_cores()), machine.machine().cpu_quota)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.5", "1", "1.5"]
