"""One process per job: started in an empty folder, bounded in time, ended with its whole group, and read out."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

import msgspec
from msgspec import Struct

from harness import registry
from harness.environments import places
from harness.environments.home import cache_folder
from harness.environments.machine import ROOT, temporary_folder
from harness.environments.signals import deferred
from harness.environments.signals import name as signal_name
from harness.errors import EnvironmentFailure
from harness.language import Sentence, noop, told
from harness.measure.conditions import CACHES, not_inherited
from harness.measure.memory import says_it_ran_out
from harness.record import Outcome
from harness.registry import plugins
from harness.worker.jobs import Job, Result
from harness.worker.process import read_result

PACKAGES = ("harness", "backends", "tasks")
TAIL_BYTES = 4096
BY_ITSELF = ("SIGABRT", "SIGSEGV", "SIGBUS")
"""The signals with which a process is ended by what it did."""
SILENT = noop("it wrote nothing to stderr")


class Ended(Struct, frozen=True, kw_only=True):
    """How a worker's process ended, seen from outside."""

    result: Result | None
    returncode: int | None
    """None: it was killed by us, at the time limit or at an interruption."""
    interrupted: bool
    stderr_tail: str
    kernel_killed_for_memory: bool


@contextmanager
def workplace() -> Iterator[Path]:
    """Make the folder of one worker: `code` (what it may import), `empty` (where it starts), `out` (its answer).

    `code` holds links to the three packages alone: with the folder around them on the path, an installed Evenbench
    would put its own NumPy before the backend's. For the same reason a plug-in's package is linked beside them.
    """
    with places.place(within=temporary_folder()) as here:
        for folder in ("code", "empty", "out"):
            (here / folder).mkdir()
        for package in PACKAGES:
            (here / "code" / package).symlink_to(ROOT / package, target_is_directory=True)
        yield here


def worker_environment(
    place: Path,
    cores: tuple[int, ...],
    path: str | None,
    settings: Mapping[str, str] | None = None,
    *,
    compiled: Path | None = None,
) -> dict[str, str]:
    """Return the worker's environment variables: the user's, without those that would spoil the comparison.

    `settings` are those of a tuned profile; they win over all others. What compilers keep lies in the folder
    `compiled`; without one in that which all jobs share whose start is not timed.
    """
    left_out = not_inherited()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in left_out}
    folder = compiled or cache_folder() / "compiled"
    caches = {name: str(folder / name.lower()) for name in (*CACHES, *registry.caches())}
    return (
        kept
        | caches
        | {
            "PYTHONPATH": os.pathsep.join([str(place / "code"), *([path] if path else [])]),
            "PYTHONSAFEPATH": "1",
            "PYTHONNOUSERSITE": "1",  # the user's own packages must not stand beside the backend's
            "PYTHONHASHSEED": "0",  # sets of names have one order in all runs
            plugins.VARIABLE: "none",  # a worker is told its adapter, and looks for no others
            "OMP_NUM_THREADS": str(len(cores)),
            **(settings or {}),
        }
    )


class Worker:
    """One job in a process of its own, with its children; and how it ended."""

    everyone: "WeakSet[Worker]" = WeakSet()
    """All that there are: whoever is stopped while threads wait for some can end them."""

    def __init__(self, place: Path, job: Job) -> None:
        self.everyone.add(self)
        self.place = place
        self.job = job
        self.process: subprocess.Popen[bytes] | None = None
        self.returncode: int | None = None
        self.interrupted = False
        self.kills_before = _kernel_memory_kills()  # of the whole machine: the kernel does not say whose process it was

    def start(self, python: str, *, path: str | None, compiled: Path | None, hand_over: tuple[int, ...] = ()) -> None:
        """Start the process; it inherits the descriptors `hand_over`.

        Raises:
            EnvironmentFailure: the interpreter could not be started at all.
        """
        if (package := plugins.package(self.job.adapter)) is not None:
            (self.place / "code" / package.name).symlink_to(package, target_is_directory=True)
        job_file = self.place / "job.json"
        job_file.write_bytes(msgspec.json.encode(self.job))
        with (self.place / "stderr").open("wb") as stderr, (self.place / "stdout").open("wb") as stdout:
            try:
                with deferred():  # else a signal could come when the process is there and nobody knows it yet
                    self.process = subprocess.Popen(
                        [python, "-m", "harness.worker", str(job_file)],
                        cwd=self.place / "empty",
                        env=worker_environment(self.place, self.job.cores, path, self.job.settings, compiled=compiled),
                        stdin=subprocess.DEVNULL,  # whoever asks a question gets an end of file, and does not hang
                        stdout=stdout,
                        stderr=stderr,
                        start_new_session=True,  # its children die with it, and the terminal's Ctrl-C is for us alone
                        pass_fds=hand_over,
                    )
            except OSError as error:
                raise EnvironmentFailure(
                    "the interpreter {python} cannot be started: {strerror}", python=python, strerror=error.strerror
                ) from error

    def wait(self, timeout_s: float) -> None:
        """Wait for the process's own end, at most so many seconds."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.returncode = self.process.wait(timeout=timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal to the process and to all that it started."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """Stop the process and all that it started until SIGCONT; return when it stands still, or has ended."""
        self.signal(signal.SIGSTOP)
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(ChildProcessError):
            seen = os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if seen is not None and seen.si_code == os.CLD_STOPPED:  # an end is left for `wait`
                os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def kill(self) -> None:
        """End the process and every one that it started; after a good end too, for they must not disturb the next."""
        with deferred():
            self.signal(signal.SIGKILL)
            if self.process is not None:
                self.process.wait()

    def end(self) -> Ended:
        """End the process and every one that it started, and return how it ended."""
        self.kill()
        return Ended(
            result=read_result(Path(self.job.out)),
            returncode=self.returncode,
            interrupted=self.interrupted,
            stderr_tail=_tail(self.place / "stderr"),
            kernel_killed_for_memory=_kernel_memory_kills() > self.kills_before,
        )


def launch(
    place: Path, job: Job, python: str, *, timeout_s: float, path: str | None = None, compiled: Path | None = None
) -> Ended:
    """Run one job in a process of its own and return how it ended; for `compiled` see `worker_environment`.

    Raises:
        EnvironmentFailure: the interpreter could not be started at all.
    """
    worker = Worker(place, job)
    try:
        worker.start(python, path=path, compiled=compiled)
        worker.wait(timeout_s)
    except KeyboardInterrupt:
        worker.interrupted = True
    except BaseException:
        worker.kill()
        raise
    return worker.end()


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
        reason = noop("stopped by the user; `--resume` runs it again")
        return Outcome(status="interrupted", reason=reason, stderr_tail=tail)
    if ended.returncode is None:
        why = Sentence("took longer than its limit of {seconds:g} s (--timeout)", seconds=timeout_s)
        return Outcome(status="timeout", **told(why), stderr_tail=tail)
    name = signal_name(-ended.returncode) if ended.returncode < 0 else None
    # The kernel counts for the whole machine, and anybody can send SIGKILL: only both together say that memory ran out.
    if name == "SIGKILL" and ended.kernel_killed_for_memory:
        reason = noop("memory ran out: the process was ended by the system")
        return Outcome(status="out_of_memory", reason=reason, signal=name, stderr_tail=tail)
    lines = [line.strip()[:300] for line in reversed(tail.splitlines()) if line.strip()]
    if name is None or name in BY_ITSELF:  # what ended it from outside has nothing to do with what it wrote before
        for line in filter(says_it_ran_out, lines):
            why = Sentence("memory ran out: {reason}", reason=line)
            return Outcome(status="out_of_memory", **told(why), signal=name, stderr_tail=tail)
    last = lines[0] if lines else SILENT
    why = Sentence("the worker ended with exit code {code}: {reason}", code=ended.returncode, reason=last)
    if name:
        why = Sentence("the worker ended with signal {signal}: {reason}", signal=name, reason=last)
    return Outcome(status="crashed", **told(why), signal=name, stderr_tail=tail)
