"""What a worker is asked for, a run, a ceiling or a description, and what is made of its answer.

`execute` takes a run with all that it needs and returns a Record; nothing above it knows where the run happened.
"""

from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

import harness
from harness.contract import Entry
from harness.data.prepare import Prepared
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores as available_cores
from harness.errors import EnvironmentFailure
from harness.language import Sentence, told
from harness.measure.clock import timestamp
from harness.record import (
    COMPLETED,
    Ceiling,
    Installation,
    Machine,
    Measured,
    Mistake,
    Outcome,
    ParityVerdict,
    Record,
    Status,
)
from harness.records import pictures, same_seed
from harness.records.store import Store
from harness.registry import entry
from harness.runs import evidence
from harness.runs.launch import Ended, ending, judge, launch
from harness.runs.launch import worker_environment as worker_environment
from harness.runs.launch import workplace as workplace
from harness.spec import DeviceKind, RunSpec, Task
from harness.worker.jobs import CeilingJob, DescribeJob, Description, RunJob

DESCRIBE_TIMEOUT_S = 180.0
CEILING_TIMEOUT_S = 120.0
CUT_SHORT: tuple[Status, ...] = ("out_of_memory", "timeout", "crashed")
"""The endings that may come from outside, after hours of a training that was going well."""


class Setting(Struct, frozen=True, kw_only=True):
    """What the runs of one study have in common, gathered once."""

    machine: Machine
    git_revision: str | None
    cores: tuple[int, ...]
    study: Path | None = None
    """The study's folder as sentences name it, where the runs leave their files in another one."""


class Ready(Struct, frozen=True, kw_only=True):
    """One run with all that it needs: whoever has this value can do the run, on whatever machine it is."""

    spec: RunSpec
    task: Task
    """With the model of the spec's preset."""
    data: Prepared
    interpreter: Interpreter
    parity: ParityVerdict
    described: Entry | None = None
    """The backend's entry where no table holds it."""
    trial: bool = False
    """Nothing but the speed is wanted, and nothing is kept."""
    baselines: dict[str, float] = {}
    ceilings: tuple[Ceiling, ...] = ()
    installation: Installation = Installation()
    mistakes: tuple[Mistake, ...] = ()
    same_seed: tuple[str, ...] = ()
    """The other runs that should come out like this one."""


class Stopped(KeyboardInterrupt):
    """The user stopped what follows a run; the run itself was done, and has its record."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record


def execute(ready: Ready, setting: Setting, folder: Path) -> Record:
    """Do one run and return its record, whatever happens to the worker. The one place that makes a record.

    Args:
        ready: what to run, with all that it needs.
        setting: what it has in common with the other runs of its study.
        folder: where evidence, pictures and, for a Boltzmann machine, a checkpoint to go on from are kept, under the
            run's name; and the outcome of the first of several runs with equal seeds.

    Raises:
        Stopped: the user stopped the second start of a run that was done.
    """
    started_at = timestamp()
    with workplace() as place:
        job = job_of(ready, setting, folder, place)
        ended = launch(place, job, ready.interpreter.python, timeout_s=ready.spec.timeout_s, **where(ready, place))
        return record_of(ready, setting, folder, place, job, ended, started_at=started_at)


def job_of(ready: Ready, setting: Setting, folder: Path, place: Path) -> RunJob:
    """Return what a worker is asked for, whose answer comes into `place`; for `folder` see `execute`."""
    spec, data, backend = ready.spec, ready.data, entry_of(ready)
    preset = ready.task.preset(spec.preset)
    return RunJob(
        adapter=backend.adapter,
        out=str(place / "out"),
        cores=setting.cores,
        memory_limit_bytes=spec.memory_limit_bytes,
        settings=spec.settings,
        spec=spec,
        trial=ready.trial or spec.speed_only,
        task=ready.task,
        preset=preset,
        arrays=data.arrays,
        order=data.order,
        weights=data.weights,
        validation=data.validation,
        checkpoint=str(folder / f".{spec.run_id}.checkpoint.npz") if preset.boltzmann and not ready.trial else None,
        machines=str(folder / f"{spec.run_id}.machines"),
        keep_outcome=bool(ready.same_seed),
    )


def entry_of(ready: Ready) -> Entry:
    """Return the entry of a run's backend."""
    return ready.described or entry(ready.spec.backend)


def where(ready: Ready, place: Path) -> dict[str, Any]:
    """Return what is on the path of a run's worker beside its own code, and where its compiler keeps what it makes."""
    compiled = None if ready.trial else place / "compiled"  # of its own, for the first step of a run is a figure
    return {"path": entry_of(ready).path, "compiled": compiled}


def record_of(
    ready: Ready, setting: Setting, folder: Path, place: Path, job: RunJob, ended: Ended, **more: Any
) -> Record:
    """Return the record of a run whose worker has ended, and keep what it left; `more` are fields of the record.

    Raises:
        Stopped: the user stopped the second start of a run that was done.
    """
    spec, data = ready.spec, ready.data
    outcome = judge(ended, spec.timeout_s)
    if job.checkpoint is not None:
        record_file = (setting.study or folder) / f"{spec.run_id}.json"
        outcome = _with_checkpoint(outcome, Path(job.checkpoint), record_file)
    pictures.save(place / "out" / pictures.ARRAYS, folder / f"{spec.run_id}.pictures")
    twin = again = None
    if outcome.status in COMPLETED:
        last = ending(ended, spec.timeout_s)
        late = "" if ended.returncode == 0 else last.said or last.reason
        started_at = more["started_at"]
        evidence.keep(place / "out", folder, spec.run_id, data=data, started_at=started_at, ending=late)
        if ready.same_seed:
            kept = place / "out" / same_seed.OUTCOME
            twin = same_seed.settle(kept, spec.run_id, twins=ready.same_seed, folder=folder)
        again = start_again(place, job, ready)
    measured = ended.result.measured if ended.result else None
    record = Record(
        evenbench=harness.__version__,
        git_revision=setting.git_revision,
        spec=spec,
        task=ready.task,
        dataset_fingerprint=data.fingerprint,
        machine=setting.machine,
        affinity=setting.cores,
        interpreter=ready.interpreter.python,
        interpreter_source=ready.interpreter.source,
        outcome=outcome,
        parity=ready.parity,
        measured=measured or Measured(),
        baselines=ready.baselines,
        ceilings=ready.ceilings,
        twin=twin,
        tuned_settings=spec.settings,
        installation=ready.installation,
        mistakes=ready.mistakes,
        warm_start=again.result.measured.phases if again and again.result and again.result.measured else None,
        **more,
    )
    if again and again.interrupted:
        raise Stopped(record)
    return record


def lost(spec: RunSpec, task: Task, setting: Setting, *, fingerprint: str, why: Sentence) -> Record:
    """Return the record of a run of which nothing is left: the machine went away on which it was done."""
    return Record(
        evenbench=harness.__version__,
        git_revision=setting.git_revision,
        started_at=timestamp(),
        spec=spec,
        task=task,
        dataset_fingerprint=fingerprint,
        machine=setting.machine,
        affinity=setting.cores,
        interpreter="",
        interpreter_source="",
        outcome=Outcome(status="crashed", **told(why)),
        parity=ParityVerdict(passed=None, **told(why)),
        measured=Measured(),
        tuned_settings=spec.settings,
    )


def start_again(place: Path, job: RunJob, ready: Ready) -> Ended | None:
    """Start a run once more, as far as its first step, if its compiler has kept anything; return how it ended."""
    if ready.trial or job.trial or not any(path.is_file() for path in (place / "compiled").rglob("*")):
        return None
    again = replace(job, out=str(place / "again"), trial=True, start_only=True, checkpoint=None, turns=None)
    Path(again.out).mkdir()
    return launch(place, again, ready.interpreter.python, timeout_s=ready.spec.timeout_s, **where(ready, place))


def _with_checkpoint(outcome: Outcome, checkpoint: Path, record: Path) -> Outcome:
    """Keep the checkpoint of a run that was cut short, and say how it goes on; remove one that is of no more use.

    An interrupted run is run again anyway; what did not end by its own training can be, once its record is away.
    """
    if outcome.status == "interrupted" or not checkpoint.is_file():
        return outcome
    if outcome.status not in CUT_SHORT:
        checkpoint.unlink()
        return outcome
    why = Sentence(
        "{reason}; its checkpoint is kept: move {file} out of the study's folder, and `{command}` goes on from there",
        reason=outcome.said or outcome.reason,
        file=record.name,
        command=Store(record.parent).resume_command(),
    )
    return replace(outcome, **told(why))


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
        return Ceiling(library=library, **told(Sentence.of(error)))
    if ended.interrupted:
        raise KeyboardInterrupt
    if ended.result is not None and ended.result.ceiling is not None:
        return ended.result.ceiling
    outcome = judge(ended, CEILING_TIMEOUT_S)
    return Ceiling(library=library, reason=outcome.reason, said=outcome.said)


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
            reason=outcome.said or outcome.reason,
        )
    return description
