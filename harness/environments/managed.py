"""Managed virtual environments, one per backend, release and variant: complete, from today's pins, or not used at all.

`<home>/environments/torch` is built in place (a virtual environment cannot be moved). Its stamp `evenbench.json` is
written last and by rename, and taken away first: a folder without a valid stamp was not finished and is built again
from the beginning. A lock beside the folder keeps two builds apart; it falls with the last process that holds it.

`<home>/environments/torch@2.12.0` holds another release than the pins name, with the same companions where that
release allows them; where it does not, it is built a second time with the companions that the release asks for.
"""

import os
import re
import sys
from pathlib import Path
from typing import Literal

import msgspec

from harness import registry, versions
from harness.environments import installers, pins
from harness.environments.folder import STAMP as STAMP
from harness.environments.folder import Stamp as Stamp
from harness.environments.folder import check_room, clear, locked, read_stamp, write_stamp
from harness.environments.folder import stamp_of as stamp_of
from harness.environments.home import environments_folder
from harness.environments.installers import Installer, Say
from harness.environments.pins import Pins, Variant
from harness.environments.places import place
from harness.errors import EnvironmentFailure, UsageError, unknown_name
from harness.language import Sentence, _
from harness.measure.clock import Stopwatch

TOO_NEW = (3, 13)
State = Literal["ready", "absent", "unfinished", "stale", "broken"]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A managed environment as it is found on the disk."""

    name: str
    """The name of its folder: the backend's, with `-<variant>` behind it unless that is `cpu`."""
    backend: str
    """With `@` and the release behind it where that is not the one of the pins."""
    variant: Variant
    folder: str
    python: str
    state: State
    problem: Sentence | None = None
    """Why it cannot be used and what to do, or None if it can."""
    stamp: Stamp | None = None


def look(backend: str, variant: Variant = "cpu") -> Environment:
    """Return the managed environment that serves a backend, as it is on the disk now.

    Raises:
        UsageError: there is no such backend, or it has no pins for this variant.
    """
    pins.read(backend, variant)
    return _look(pins.canonical(backend), variant)


def _look(backend: str, variant: Variant) -> Environment:
    """Return the environment in the folder of that very name."""
    wanted = pins.read(backend, variant)
    name = backend if variant == "cpu" else f"{backend}-{variant}"
    folder = environments_folder() / name
    python = installers.interpreter_in(folder)
    stamp = read_stamp(folder)
    mend = Sentence("run `evenbench env create {backend}`", backend=backend)
    if variant != "cpu":
        mend = Sentence("run `evenbench env create {backend} --variant {variant}`", backend=backend, variant=variant)
    state: State = "ready"
    problem = None
    if not folder.exists():
        state = "absent"
        problem = Sentence("there is no managed environment {name}: {remedy}", name=name, remedy=mend)
    elif stamp is None:
        state = "unfinished"
        problem = Sentence("the managed environment {name} was not finished: {remedy}", name=name, remedy=mend)
    elif stamp.pins_sha256 != wanted.sha256:
        state = "stale"
        problem = Sentence(
            "the managed environment {name} was built from other pins than today's: {remedy}", name=name, remedy=mend
        )
    elif not os.access(python, os.X_OK):
        state = "broken"
        problem = Sentence(
            "the interpreter of the managed environment {name} is gone: {remedy}", name=name, remedy=mend
        )
    return Environment(
        name=name,
        backend=backend,
        variant=variant,
        folder=str(folder),
        python=str(python),
        state=state,
        problem=problem,
        stamp=stamp,
    )


def present() -> tuple[Environment, ...]:
    """Return the managed environments that are on the disk, usable or not, in the order of the table of backends."""
    known = [
        _look(name, variant)
        for backend in registry.backend_names()
        for name in (backend, *_releases(backend))
        for variant in pins.variants(backend)
    ]
    return tuple(environment for environment in known if environment.state != "absent")


def _releases(backend: str) -> tuple[str, ...]:
    """Return the names with a release for which a backend has a folder, in the order of the alphabet."""
    form = re.compile(rf"({re.escape(backend)}@{versions.VERSION})(?:-(?:{'|'.join(pins.VARIANTS)}))?")
    matches = [form.fullmatch(folder.name) for folder in sorted(environments_folder().glob(f"{backend}@*"))]
    return tuple(dict.fromkeys(match[1] for match in matches if match))


def create(
    backend: str, variant: Variant = "cpu", *, installer: str | None = None, say: Say, patient: bool = False
) -> Environment:
    """Return the ready environment of a backend, built if it is absent, unfinished, broken or from other pins.

    Args:
        backend: whose environment.
        variant: for which kind of device.
        installer: `uv`, `pip` or `auto`; None for what EVENBENCH_INSTALLER says.
        say: called with every line of the installer's output.
        patient: wait for the end of another build, and take what it has made.

    Raises:
        UsageError: there is no such backend, variant or installer.
        EnvironmentFailure: the installer failed, another build is at work, the disk is too small or Python too new.
    """
    backend = pins.canonical(backend)
    wanted = pins.read(backend, variant)
    chosen = installers.choose(installer)
    found = look(backend, variant)
    if found.state == "ready":
        return found
    if reason := why_not_python(sys.version_info[:2]):
        raise EnvironmentFailure(reason.message, **reason.fields)
    folder = Path(found.folder)
    with locked(folder, patient=patient) as lock:
        found = look(backend, variant)  # again: another build may have ended while we came here
        if found.state != "ready":
            watch = Stopwatch()
            clear(folder)
            check_room(folder.parent, found.name, wanted.disk_bytes)
            try:
                relaxed = _build(backend, wanted, chosen, folder, say=say, lock=lock)
            except EnvironmentFailure as error:
                raise EnvironmentFailure(
                    "the environment {name} could not be built: {error}", name=found.name, error=error
                ) from error
            write_stamp(folder, wanted.sha256, chosen, watch, relaxed)
    return look(backend, variant)


def _build(backend: str, wanted: Pins, installer: Installer, folder: Path, *, say: Say, lock: int) -> tuple[str, ...]:
    """Build an environment and return the companions whose pins had to be given up for the release asked for."""
    if (version := versions.wanted(backend)) is None:
        installers.build(installer, folder, wanted.path, say=say, keep_open=(lock,))
        return ()
    framework, *_others = own = pins.packages(backend)
    with place() as here:
        file = here / "requirements.txt"
        file.write_text("\n".join(wanted.requirements) + "\n", "utf-8")
        try:
            installers.build(installer, folder, file, say=say, keep_open=(lock,))
            return ()
        except EnvironmentFailure as error:
            if installers.says_there_is_none(str(error), f"{framework}=={version}"):
                number = ".".join(map(str, sys.version_info[:2]))
                raise EnvironmentFailure(
                    "the package index has no {framework} {version} for Python {number} on this system, "
                    "or cannot be reached",
                    framework=framework,
                    version=version,
                    number=number,
                ) from error
            lines, freed = pins.relaxed(wanted.requirements, own)
            if not freed or not installers.says_they_conflict(str(error)):
                raise
        sentence = _("{framework} {version} does not go with the pins of {names}: it is to choose theirs itself")
        say(sentence.format(framework=framework, version=version, names=", ".join(freed)))
        clear(folder)
        file.write_text("\n".join(lines) + "\n", "utf-8")
        installers.build(installer, folder, file, say=say, keep_open=(lock,))
    return freed


def remove(name: str) -> Environment:
    """Delete the environment whose folder has that name, finished or not, and return what it was.

    Raises:
        UsageError: there is none of that name.
        EnvironmentFailure: it is being built, or cannot be deleted.
    """
    known = {environment.name: environment for environment in present()}
    if not known:
        raise UsageError("there is no environment {name!r} to remove: none has been created", name=name)
    if name not in known:
        raise unknown_name("environment", name, tuple(known))
    folder = Path(known[name].folder)
    with locked(folder):
        clear(folder)
    return known[name]


def why_not_python(version: tuple[int, ...]) -> Sentence | None:
    """Return the sentence that says why environments cannot be made for this Python, or None if they can."""
    if version < TOO_NEW:
        return None
    number = ".".join(map(str, version))
    return Sentence(
        "Python {number} is too new, MindSpore has no wheel for it: install Evenbench with Python 3.11 or 3.12",
        number=number,
    )
