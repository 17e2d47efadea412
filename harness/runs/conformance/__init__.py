"""The conformance of a backend: all that Evenbench's own backends must keep, asked of any one, in its own interpreter.

One process per mode makes the checks of `harness/worker/conformance.py`, and a second one those that read a clock. What
the parent can see by itself, the pins, comes first.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness import registry
from harness.contract import Entry
from harness.environments import pins
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.language import Sentence, Words, noop
from harness.runs.launch import judge, launch, workplace
from harness.spec import Mode
from harness.worker.conformance import checks, timed_checks
from harness.worker.jobs import ConformanceJob, Finding

TIMEOUT_S = 1800.0
PINS = "pins"
Say = Callable[[str], None]


def check_names() -> tuple[str, ...]:
    """Return the names of all checks of a backend, in their order."""
    return (PINS, *checks(), *timed_checks())


def check(
    name: str, mode: Mode, interpreter: Interpreter, *, only: tuple[str, ...] = (), seconds: float = TIMEOUT_S
) -> tuple[Finding, ...]:
    """Return what all checks find of a backend in a mode; `only` holds the beginnings of the names of those to make."""
    entry = registry.entry(name)
    found = [check_pins(name)] if not only or PINS.startswith(only) else []
    for timed in (False, True):
        if not only or any(one.startswith(only) for one in (timed_checks() if timed else checks())):
            found += in_worker(name, entry, mode, interpreter.python, timed=timed, only=only, seconds=seconds)
    return tuple(found)


def in_worker(
    name: str,
    entry: Entry,
    mode: Mode,
    python: str,
    *,
    timed: bool = False,
    only: tuple[str, ...] = (),
    settings: Mapping[str, str] | None = None,
    seconds: float = TIMEOUT_S,
) -> tuple[Finding, ...]:
    """Make the checks of one kind in a process of their own; one that it dies of is wrong, with its last words."""
    with workplace() as place:
        job = ConformanceJob(
            adapter=entry.adapter,
            out=str(place / "out"),
            cores=available_cores(),
            settings=dict(settings or {}),
            name=name,
            framework=entry.framework,
            modes=entry.modes,
            default_mode=entry.default_mode,
            mode=mode,
            timed=timed,
            only=only,
        )
        ended = launch(place, job, python, timeout_s=seconds, path=entry.path)
    if ended.interrupted:
        raise KeyboardInterrupt
    found = list(ended.result.findings if ended.result else ())
    outcome = judge(ended, seconds)
    if outcome.status != "ok":
        words: Words = outcome.said or outcome.reason
        dead = found.pop().check if found and found[-1].state == "unfinished" else noop("start")
        found.append(Finding(check=dead, state="wrong", words=words))
    return tuple(found)


def check_pins(name: str) -> Finding:
    """Say what is wrong with a backend's pins."""
    wrong = next(_wrong_pins(name), None)
    return Finding(check=PINS, state="wrong" if wrong else "passed", words=wrong or "")


def _wrong_pins(name: str) -> Iterator[Words]:
    if name == registry.reference_name():
        return
    path = pins.pins_file(name)
    if not path.is_file():
        yield Sentence("there are no pins: {path} does not exist", path=path)
        return
    lines = pins.requirements(path)
    if loose := [line for line in lines if "==" not in line and not line.startswith("-")]:
        yield Sentence("{path} is to pin {names} exactly, with ==", path=path, names=", ".join(loose))
    elif pins.pinned(name) is None:
        yield Sentence("{path} does not pin {framework}", path=path, framework=registry.entry(name).framework)
    elif needed := [need for need in ("msgspec", "numpy") if not any(line.startswith(need) for line in lines)]:
        yield Sentence("{path} lacks what every worker needs: {names}", path=path, names=", ".join(needed))
    elif "# disk: " not in Path(path).read_text("utf-8"):
        yield Sentence("{path} does not say how large the environment is, as in `# disk: 1.2 GB`", path=path)
