"""One process per job: started in an empty folder, bounded in time, ended with its whole group, and read out.

`execute` takes a RunSpec and returns a Record; nothing above it knows where the run happened.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

import harness
from harness import evidence_kept, pictures, twins
from harness.data import Prepared
from harness.errors import EnvironmentFailure
from harness.execute_io import read_result
from harness.interpreters import Interpreter
from harness.jobs import CeilingJob, DescribeJob, Description, Job, Result, RunJob
from harness.measure import timestamp
from harness.record import COMPLETED, Ceiling, Machine, Measured, Outcome, ParityVerdict, Record
from harness.registry import Entry, entry
from harness.spec import DeviceKind, Preset, RunSpec, Task

ROOT = Path(harness.__file__).resolve().parent.parent
PACKAGES = ("harness", "backends", "tasks")
NOT_INHERITED = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "KMP_AFFINITY",
    "GOMP_CPU_AFFINITY",
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "LANGUAGE",
)
"""Variables of the user's shell that would quietly change a framework's arithmetic or placement, the two that
scikit-learn sets when this process imports it, which it does in one study and not in the next, and the language that
this process speaks: records are in English."""
TAIL_BYTES = 4096
DESCRIBE_TIMEOUT_S = 180.0
CEILING_TIMEOUT_S = 120.0


class Ended(Struct, frozen=True, kw_only=True):
    """How a worker's process ended, seen from outside."""

    result: Result | None
    returncode: int | None
    """None: it was killed by us, at the time limit or at an interruption."""
    interrupted: bool
    stderr_tail: str
    kernel_killed_for_memory: bool


def available_cores() -> tuple[int, ...]:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


@contextmanager
def workplace() -> Iterator[Path]:
    """Make the folder of one worker: `code` (what it may import), `empty` (where it starts), `out` (its answer).

    `code` holds links to the three packages alone: with the folder around them on the path, an installed Evenbench
    would put its own NumPy before the backend's.
    """
    with tempfile.TemporaryDirectory(prefix="evenbench-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        for folder in ("code", "empty", "out"):
            (place / folder).mkdir()
        for package in PACKAGES:
            (place / "code" / package).symlink_to(ROOT / package, target_is_directory=True)
        yield place


def worker_environment(
    place: Path, cores: tuple[int, ...], path: str | None, settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the worker's environment variables: the user's, without those that would spoil the comparison.

    `settings` are those of a tuned profile; they win over all others.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in NOT_INHERITED}
    return kept | {
        "PYTHONPATH": os.pathsep.join([str(place / "code"), *([path] if path else [])]),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": str(len(cores)),
        **(settings or {}),
    }


def launch(place: Path, job: Job, python: str, *, timeout_s: float, path: str | None = None) -> Ended:
    """Run one job in a process of its own and return how it ended.

    Raises:
        EnvironmentFailure: the interpreter could not be started at all.
    """
    job_file = place / "job.json"
    job_file.write_bytes(msgspec.json.encode(job))
    kills_before = _kernel_memory_kills()
    interrupted = False
    with (place / "stderr").open("wb") as stderr, (place / "stdout").open("wb") as stdout:
        try:
            process = subprocess.Popen(
                [python, "-m", "harness.worker", str(job_file)],
                cwd=place / "empty",
                env=worker_environment(place, job.cores, path, job.settings),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFailure(
                "the interpreter {python} cannot be started: {strerror}", python=python, strerror=error.strerror
            ) from error
        returncode: int | None = None
        try:
            returncode = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            pass
        except KeyboardInterrupt:
            interrupted = True
        finally:
            _kill_group(process)
    return Ended(
        result=read_result(place / "out"),
        returncode=returncode,
        interrupted=interrupted,
        stderr_tail=_tail(place / "stderr"),
        kernel_killed_for_memory=_kernel_memory_kills() > kills_before,
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End the worker and every process that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read().decode(errors="replace")


def _kernel_memory_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def judge(ended: Ended, timeout_s: float) -> Outcome:
    """Turn the way a worker ended into an Outcome."""
    said = ended.result.outcome if ended.result else None
    if said is not None and not ended.interrupted:  # all was measured; what came after is told by `ending`
        tail = "" if said.status == "ok" else ended.stderr_tail
        return msgspec.structs.replace(said, stderr_tail=tail)
    return ending(ended, timeout_s)


def ending(ended: Ended, timeout_s: float) -> Outcome:
    """Return what a process's own end says of a worker that did not end by itself."""
    tail = ended.stderr_tail
    if ended.interrupted:
        return Outcome(status="interrupted", reason="stopped by the user; `--resume` runs it again", stderr_tail=tail)
    if ended.returncode is None:
        return Outcome(
            status="timeout", reason=f"took longer than its limit of {timeout_s:g} s (--timeout)", stderr_tail=tail
        )
    name = signal.Signals(-ended.returncode).name if ended.returncode < 0 else None
    if (name == "SIGKILL" and ended.kernel_killed_for_memory) or "bad_alloc" in tail:
        reason = "memory ran out: the process was ended by the system"
        return Outcome(status="out_of_memory", reason=reason, signal=name, stderr_tail=tail)
    how = f"signal {name}" if name else f"exit code {ended.returncode}"
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "it wrote nothing to stderr")
    return Outcome(status="crashed", reason=f"the worker ended with {how}: {last[:300]}", signal=name, stderr_tail=tail)


class Setting(Struct, frozen=True, kw_only=True):
    """What the runs of one study have in common, gathered once."""

    machine: Machine
    git_revision: str | None
    cores: tuple[int, ...]


def execute(
    spec: RunSpec,
    *,
    task: Task,
    preset: Preset,
    data: Prepared,
    interpreter: Interpreter,
    parity: ParityVerdict,
    setting: Setting,
    folder: Path,
    baselines: dict[str, float] | None = None,
    ceilings: tuple[Ceiling, ...] = (),
    twin_ids: tuple[str, ...] = (),
    trial: bool = False,
    described: Entry | None = None,
) -> Record:
    """Do one run and return its record, whatever happens to the worker.

    `folder` is where evidence, pictures and, for a Boltzmann machine, a checkpoint to go on from are kept, under the
    run's name; and the outcome of the first of several runs that should come out alike, the others being `twin_ids`.
    A `trial` takes nothing but the speed. `described` is the backend's entry where no table holds it.
    """
    started_at = timestamp()
    backend = described or entry(spec.backend)
    with workplace() as place:
        job = RunJob(
            adapter=backend.adapter,
            out=str(place / "out"),
            cores=setting.cores,
            memory_limit_bytes=spec.memory_limit_bytes,
            settings=spec.settings,
            spec=spec,
            trial=trial,
            task=task,
            preset=preset,
            arrays=data.arrays,
            order=data.order,
            weights=data.weights,
            validation=data.validation,
            checkpoint=str(folder / f".{spec.run_id}.checkpoint.npz") if preset.boltzmann and not trial else None,
            keep_outcome=bool(twin_ids),
        )
        ended = launch(place, job, interpreter.python, timeout_s=spec.timeout_s, path=backend.path)
        if not ended.interrupted and job.checkpoint is not None:
            Path(job.checkpoint).unlink(missing_ok=True)  # only an interrupted run is run again
        pictures.save(place / "out" / pictures.ARRAYS, folder / f"{spec.run_id}.pictures")
        outcome = judge(ended, spec.timeout_s)
        if outcome.status in COMPLETED:
            late = "" if ended.returncode == 0 else ending(ended, spec.timeout_s).reason
            evidence_kept.keep(place / "out", folder, spec.run_id, data=data, started_at=started_at, ending=late)
        twin = None
        if twin_ids and outcome.status in COMPLETED:
            twin = twins.settle(place / "out" / twins.OUTCOME, spec.run_id, twins=twin_ids, folder=folder)
    measured = ended.result.measured if ended.result else None
    return Record(
        evenbench=harness.__version__,
        git_revision=setting.git_revision,
        started_at=started_at,
        spec=spec,
        task=task,
        dataset_fingerprint=data.fingerprint,
        machine=setting.machine,
        affinity=setting.cores,
        interpreter=interpreter.python,
        interpreter_source=interpreter.source,
        outcome=outcome,
        parity=parity,
        measured=measured or Measured(),
        baselines=baselines or {},
        ceilings=ceilings,
        twin=twin,
        tuned_settings=spec.settings,
    )


def ceiling(library: str, device: DeviceKind, interpreter: Interpreter, cores: tuple[int, ...]) -> Ceiling:
    """Measure what a backend's library reaches on a device; whatever happens, there is a Ceiling, with the reason."""
    backend = entry(library)
    try:
        with workplace() as place:
            job = CeilingJob(
                adapter=backend.adapter, out=str(place / "out"), cores=cores, library=library, device=device
            )
            ended = launch(place, job, interpreter.python, timeout_s=CEILING_TIMEOUT_S, path=backend.path)
    except EnvironmentFailure as error:
        return Ceiling(library=library, reason=str(error))
    if ended.interrupted:
        raise KeyboardInterrupt
    if ended.result is not None and ended.result.ceiling is not None:
        return ended.result.ceiling
    return Ceiling(library=library, reason=judge(ended, CEILING_TIMEOUT_S).reason)


def describe(backend: str, interpreter: Interpreter, tasks: tuple[Task, ...] = ()) -> Description:
    """Ask a backend what it is and has here.

    Raises:
        EnvironmentFailure: the worker died, or the framework could not be imported.
    """
    with workplace() as place:
        job = DescribeJob(adapter=entry(backend).adapter, out=str(place / "out"), cores=available_cores(), tasks=tasks)
        ended = launch(place, job, interpreter.python, timeout_s=DESCRIBE_TIMEOUT_S, path=entry(backend).path)
    if ended.interrupted:
        raise KeyboardInterrupt
    description = ended.result.description if ended.result else None
    if description is None:
        outcome = judge(ended, DESCRIBE_TIMEOUT_S)
        raise EnvironmentFailure(
            "{backend} does not work in {python}: {reason}; `evenbench env create {backend}` makes an "
            "environment for it",
            backend=backend,
            python=interpreter.python,
            reason=outcome.reason,
        )
    return description
