"""Students' mistakes, provoked: each made in a process of its own, and what came of it, whatever it was.

In a shared process the earlier ones changed what was said of the later: a warning that six nets were built, a crash.
What a framework says depends on its packages and on the code that asks, not on the day: it is remembered under both,
so that the next study has it at once. What could not be observed is not remembered.
"""

from collections.abc import Callable

from msgspec.structs import replace

from harness.contract import Entry
from harness.environments.home import Remembered
from harness.environments.installation import proof_facts
from harness.environments.interpreters import Interpreter
from harness.errors import EnvironmentFailure
from harness.language import Sentence, _, told
from harness.mistakes import BLUNDERS
from harness.record import Mistake
from harness.registry import entry
from harness.runs.launch import judge, launch, workplace
from harness.spec import Choice, DeviceKind
from harness.worker.jobs import MistakeJob

TIMEOUT_S = 60.0
MOST_PROCESSES = 3
"""For a mistake that ends its process."""
Say = Callable[[str], None]


def provoke(
    backend: str,
    device: DeviceKind,
    interpreter: Interpreter,
    cores: tuple[int, ...],
    *,
    remember: bool = True,
    say: Say = lambda text: None,
) -> tuple[Mistake, ...]:
    """Return what a backend says of every mistake in its default mode, none where it has no step to plant them in."""
    described = entry(backend)
    if described.mistakes is None:
        return ()
    choice = Choice(backend=backend, device=device, mode=described.default_mode)
    known = Remembered("mistakes", proof_facts(choice, interpreter) if remember else (), tuple[Mistake, ...])
    if (answers := known.answer()) is not None:
        return answers
    found = []
    for blunder in BLUNDERS:
        say(_("{backend}, {device}: {mistake}").format(backend=backend, device=device, mistake=_(blunder.title)))
        found.append(_make(blunder.name, described, device, interpreter, cores))
    if not any(one.reason and not one.died for one in found):
        known.keep(tuple(found))
    return tuple(found)


def _make(name: str, described: Entry, device: DeviceKind, interpreter: Interpreter, cores: tuple[int, ...]) -> Mistake:
    """Return what came of a mistake; one that a signal answers is made again, for the next process may say more."""
    for deaths in range(MOST_PROCESSES):
        made, ended_by_it = _once(name, described, device, interpreter, cores)
        if not ended_by_it:
            return replace(made, deaths=deaths)
    return replace(made, deaths=MOST_PROCESSES)


def _once(
    name: str, described: Entry, device: DeviceKind, interpreter: Interpreter, cores: tuple[int, ...]
) -> tuple[Mistake, bool]:
    """Return what came of a mistake in one process, and whether a signal ended that process."""
    mode = described.default_mode
    try:
        with workplace() as place:
            job = MistakeJob(
                adapter=described.adapter,
                out=str(place / "out"),
                cores=cores,
                step=described.mistakes or "",
                name=name,
                mode=mode,
                device=device,
            )
            ended = launch(place, job, interpreter.python, timeout_s=TIMEOUT_S, path=described.path)
    except EnvironmentFailure as error:
        return Mistake(name=name, mode=mode, **told(Sentence.of(error))), False
    if ended.interrupted:
        raise KeyboardInterrupt
    if ended.result is not None and ended.result.mistake is not None:
        return ended.result.mistake, False
    answered = ended.result is not None
    outcome = judge(ended, TIMEOUT_S)
    made = Mistake(name=name, mode=mode, reason=outcome.reason, said=outcome.said, died=not answered)
    return made, not answered and outcome.signal is not None
