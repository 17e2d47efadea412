"""The worker: one process, one job. Binds itself, imports one framework, does the job, writes what came out.

Started by `harness/runs/launch.py` as `python -m harness.worker JOB.json` with the backend's own interpreter in an
empty folder. Whatever happens here becomes an Outcome; what cannot be caught here, the parent sees from outside.
"""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from harness.language import Sentence, told
from harness.record import COMPLETED, Measured, Outcome
from harness.worker.jobs import CeilingJob, ConformanceJob, DescribeJob, Job, MistakeJob, Result, RunJob, TraceJob
from harness.worker.process import bind, write_result

if TYPE_CHECKING:
    from harness.worker.run import Run


def main(path: str) -> int:
    """Do the job in the file at `path` and return the exit code: 0 if a complete result was written."""
    job = msgspec.json.decode(Path(path).read_bytes(), type=Job)
    bind(job)
    if isinstance(job, RunJob):
        run = run_of(job)
        outcome = attempt(run.go)
        write_result(job.out, Result(outcome=outcome, measured=run.measured()))
        if outcome.status in COMPLETED and not job.trial:  # the result is safe by now
            leave_evidence(run)
        return 0
    answers: list[Result] = []

    def go() -> Outcome:
        answers.append(ANSWERS[type(job)](job))
        return answers[0].outcome or Outcome(status="ok")

    outcome = attempt(go)
    write_result(job.out, replace(answers[0] if answers else Result(), outcome=outcome))
    return 0


def _trace(job: TraceJob) -> Result:
    from harness.worker.parity import trace

    return Result(outcome=trace(job), measured=Measured())


def _describe(job: DescribeJob) -> Result:
    from harness.worker.describe import describe

    return Result(description=describe(job))


def _ceiling(job: CeilingJob) -> Result:
    from harness.worker.describe import ceiling

    return Result(ceiling=ceiling(job))


def _mistake(job: MistakeJob) -> Result:
    from harness.worker.mistake import make

    return Result(mistake=make(job))


def _conform(job: ConformanceJob) -> Result:
    from harness.worker.conformance import conform

    return Result(findings=conform(job))


ANSWERS: dict[type, Callable[[Any], Result]] = {
    TraceJob: _trace,
    DescribeJob: _describe,
    CeilingJob: _ceiling,
    MistakeJob: _mistake,
    ConformanceJob: _conform,
}
"""What answers a job that is not a run; each imports what it needs, for a worker has one job only."""


def run_of(job: RunJob) -> "Run":
    """Return what does a RunJob: a trial, the training of a net, or the stages of a Boltzmann machine before it."""
    if job.trial:
        from harness.worker.trial import trial_of

        return trial_of(job)
    if job.preset.boltzmann is None:
        from harness.worker.run import Run

        return Run(job)
    from harness.worker.boltzmann_run import BoltzmannRun

    return BoltzmannRun(job)


def leave_evidence(run: "Run") -> None:
    """Leave what shows what was learned; what goes wrong becomes its reason, for a run is worth more than that."""
    from harness.worker.evidence import give_up

    try:
        run.leave_evidence()
    except Exception as error:
        give_up(run.job, error)


def attempt(go: Callable[[], Outcome]) -> Outcome:
    """Run `go` and turn any exception into an Outcome, with the traceback on stderr for the record's tail."""
    from harness.measure.clock import Diverged

    try:
        return go()
    except Diverged as error:
        why = Sentence("{reason}: lower the learning rate or look at the data", reason=error.said)
        return Outcome(status="diverged", **told(why))
    except Exception as error:
        traceback.print_exc()
        kind = type(error).__name__
        first_line = (str(error).strip().splitlines() or [""])[0][:300]
        what = f"{kind}: {first_line}"
        if is_out_of_memory(kind, str(error)):
            return Outcome(
                status="out_of_memory", **told(Sentence("memory ran out: {reason}", reason=what)), error_type=kind
            )
        return Outcome(status="crashed", reason=what, error_type=kind)


def is_out_of_memory(kind: str, text: str) -> bool:
    """Return whether an exception, by its class's name or its text, says that memory ran out."""
    from harness.measure.memory import says_it_ran_out

    # By name: the classes are the frameworks', of which at most one is here; NumPy's has a prefix.
    named = kind.endswith("MemoryError") or kind == "ResourceExhaustedError"
    return named or says_it_ran_out(text)


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()  # `os._exit` does not
    sys.stderr.flush()
    os._exit(code)  # a framework's threads must not get the chance to hang or crash a finished run
