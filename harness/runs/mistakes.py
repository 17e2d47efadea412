"""Students' mistakes, provoked: each made in a process of its own, and what came of it, whatever it was.

In a shared process the earlier ones changed what was said of the later: a warning that six nets were built, a crash.
What a framework says depends on its packages and on the code that asks, not on the day: it is remembered under both,
so that the next study has it at once. What could not be observed is not remembered.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from harness.contract import Entry
from harness.environments.home import cache_folder
from harness.environments.installation import code_digest, installed_packages
from harness.environments.interpreters import Interpreter
from harness.errors import EnvironmentFailure
from harness.language import Sentence, _, told
from harness.mistakes import BLUNDERS
from harness.record import Mistake
from harness.registry import entry
from harness.runs.launch import judge, launch, workplace
from harness.spec import DeviceKind
from harness.worker.jobs import MistakeJob
from harness.worker.process import shell_settings

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
    file = _file(backend, device, interpreter, described) if remember else None
    if file is not None and (known := _read(file)) is not None:
        return known
    found = []
    for blunder in BLUNDERS:
        say(_("{backend}, {device}: {mistake}").format(backend=backend, device=device, mistake=_(blunder.title)))
        found.append(_make(blunder.name, described, device, interpreter, cores))
    if file is not None and not any(one.reason and not one.died for one in found):
        _write(file, tuple(found))
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


def _file(backend: str, device: DeviceKind, interpreter: Interpreter, described: Entry) -> Path | None:
    """Return where the answers are remembered; None where something could change without our noticing."""
    packages = installed_packages(interpreter)
    if described.path is not None or not packages:
        return None
    facts: tuple[str, ...] = (backend, device, described.default_mode, interpreter.python, packages)
    facts += (code_digest(backend), *(f"{name}={value}" for name, value in sorted(shell_settings().items())))
    return cache_folder() / "mistakes" / f"{hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]}.json"


def _read(file: Path) -> tuple[Mistake, ...] | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Mistake, ...])
    except (OSError, msgspec.MsgspecError):
        return None


def _write(file: Path, found: tuple[Mistake, ...]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(found))
    temporary.replace(file)
