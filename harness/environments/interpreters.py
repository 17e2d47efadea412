"""Which interpreter serves a backend, and why: what the user named, else the managed environment, else this one.

A choice never falls through a defect: an environment that is unfinished or built from other pins is refused with the
sentence that mends it, and not silently replaced by whatever framework the current interpreter happens to hold. Where
a release is asked for (`torch@2.12.0`), the interpreter has to hold that very one, whoever named it.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from harness import registry, versions
from harness.environments import config, pins
from harness.environments import managed as environments
from harness.environments.asking import ask
from harness.environments.installers import Say
from harness.environments.managed import Environment
from harness.environments.pins import Variant
from harness.errors import EnvironmentFailure, UsageError
from harness.language import Sentence, Words, noop
from harness.spec import DeviceKind
from harness.whole_files import check_path, given_path

Source = Literal["--python", "config", "managed", "current"]
INSTALLED = "next((d.version for d in importlib.metadata.distributions() if d.name in sys.argv[1:]), '')"
"""Which release an interpreter has of the first of some packages, as an expression; empty where it has none."""
REFERENCE = noop("the reference runs where Evenbench runs")

VARIANTS_FOR: dict[DeviceKind, tuple[Variant, ...]] = {
    "cpu": ("cpu", "gpu", "ascend"),
    "gpu": ("gpu", "cpu"),
    "npu": ("ascend", "cpu"),
}
"""The variants that can serve a kind of device, best first; the first that is on the disk is taken.

The plain environment stands behind a device's own, because some wheels bring the device along by themselves; where
they do not, the backend's `why_not` says so better than we could.
"""


class Interpreter(Struct, frozen=True, kw_only=True):
    """A Python that is to run one backend."""

    python: str
    source: Source
    reason: Words
    """Why this one."""


def parse(options: Iterable[str]) -> dict[str, str]:
    """Return backend to path from the values of the repeated option `--python NAME=PATH`.

    Raises:
        UsageError: a value has no `=`, names an unknown backend, or names a backend twice.
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not (name and equals and path):
            raise UsageError(
                "--python expects NAME=PATH, as in torch=/opt/python/bin/python; received {option!r}", option=option
            )
        name = registry.backend_called(name)
        registry.entry(name)
        given_path(path, "--python")
        if name in found:
            raise UsageError("--python names {name} twice: {found} and {path}", name=name, found=found[name], path=path)
        found[name] = path
    return found


def find(backend: str, overrides: Mapping[str, str], *, device: DeviceKind = "cpu") -> Interpreter:
    """Return the interpreter for a backend.

    Args:
        backend: whose framework it must hold.
        overrides: backend to path, from `parse`.
        device: where it is to compute, which decides between the managed environment and its variants.

    Raises:
        UsageError: there is no such backend, or the named path is no interpreter or holds another release.
        EnvironmentFailure: there is none; the text says how to get one.
    """
    entry = registry.entry(backend)
    named = _named(backend, overrides)
    if backend == registry.reference_name():
        if named is not None:
            raise UsageError(
                "{backend} is the reference and runs in Evenbench's own interpreter, not in {named}",
                backend=backend,
                named=named[1],
            )
        return Interpreter(python=sys.executable, source="current", reason=REFERENCE)
    if named is not None:
        source, path, base, reason = named
        python = executable(path, base=base, told_by=reason, option=config.NAME if source == "config" else source)
        if (problem := _wrong_release(backend, python)) is not None:
            raise UsageError("{problem} ({reason})", problem=problem, reason=reason)
        return Interpreter(python=python, source=source, reason=reason)
    managed = _managed(backend, device)
    if managed is not None:
        if managed.problem is not None:
            raise EnvironmentFailure(managed.problem.message, **managed.problem.fields)
        why = Sentence("the managed environment {name}", name=managed.name)
        return Interpreter(python=managed.python, source="managed", reason=why)
    installed = importlib.util.find_spec(entry.framework) is not None
    if installed and _wrong_release(backend, sys.executable) is None:
        reason = Sentence(
            "{framework} is installed where Evenbench runs, and {backend} has no managed environment",
            framework=entry.framework,
            backend=backend,
        )
        return Interpreter(python=sys.executable, source="current", reason=reason)
    what = " ".join(filter(None, (entry.framework, versions.wanted(backend))))
    raise EnvironmentFailure(
        "no interpreter has {what}: run `evenbench env create {backend}`", what=what, backend=backend
    )


def is_expected(backend: str, overrides: Mapping[str, str]) -> bool:
    """Return whether a backend that nobody asked for should work: a main one always, another where it was made here."""
    if backend in registry.main_names() or backend == registry.reference_name():
        return True
    made = _named(backend, overrides) is not None or _managed(backend, "cpu") is not None
    return made or importlib.util.find_spec(registry.entry(backend).framework) is not None


def release(backend: str, python: str) -> str:
    """Return which release of a backend's framework an interpreter has; empty where it does not say."""
    try:
        return ask(python, "importlib.metadata, sys", INSTALLED, *pins.packages(backend)) or ""
    except (OSError, subprocess.SubprocessError):
        return ""


def serving(backend: str, overrides: Mapping[str, str], *, device: DeviceKind, say: Say) -> Interpreter:
    """Return the interpreter for a backend; where its environment is missing, or not as it should be, it is made now.

    Raises:
        UsageError: see `find`.
        EnvironmentFailure: there is none, and none can be made.
    """
    try:
        return find(backend, overrides, device=device)
    except EnvironmentFailure:
        variant = next((one for one in VARIANTS_FOR[device] if one in pins.variants(backend)), None)
        if variant is None:
            raise
        environments.create(backend, variant, say=say, patient=True)
    return find(backend, overrides, device=device)


def _wrong_release(backend: str, python: str) -> Sentence | None:
    """Return why an interpreter does not hold the release that a backend's name asks for, or None if it does."""
    wanted, framework = versions.wanted(backend), pins.packages(backend)[0]
    if wanted is None:
        return None
    try:
        found = ask(python, "importlib.metadata, sys", INSTALLED, *pins.packages(backend))
    except (OSError, subprocess.SubprocessError) as error:
        return Sentence(
            "{python} does not say which {framework} it has: {error}", python=python, framework=framework, error=error
        )
    if not found:
        return Sentence(
            "{python} has no {framework}, but {backend} was asked for",
            python=python,
            framework=framework,
            backend=backend,
        )
    if versions.same(wanted, found):
        return None
    return Sentence(
        "{python} has {framework} {found}, but {backend} was asked for",
        python=python,
        framework=framework,
        found=found,
        backend=backend,
    )


def _named(backend: str, overrides: Mapping[str, str]) -> tuple[Source, str, Path, Sentence] | None:
    """Return the source, path, base of a relative path, and reason of what the user named, if anything."""
    if backend in overrides:
        told_by = Sentence("named by --python {backend}={path}", backend=backend, path=overrides[backend])
        return "--python", overrides[backend], Path.cwd(), told_by
    interpreters = config.read().python
    if backend in interpreters:
        file = config.config_file()
        told_by = Sentence("named by `python.{backend}` in {path}", backend=backend, path=file)
        return "config", interpreters[backend], file.parent, told_by
    return None


def _managed(backend: str, device: DeviceKind) -> Environment | None:
    """Return the environment on the disk that serves the device best, usable or not."""
    for variant in VARIANTS_FOR[device]:
        if variant in pins.variants(backend):
            environment = environments.look(backend, variant)
            if environment.state != "absent":
                return environment
    return None


def executable(path: str, *, base: Path, told_by: Words, option: str = "--python") -> str:
    """Return the absolute path of an interpreter; a link is kept, for it is what makes a virtual environment one.

    Args:
        path: absolute, relative to `base`, or the bare name of a command on PATH.
        base: the folder that a relative path starts from.
        told_by: who said so, for the error's text.
        option: the same in one word, for what is no path at all.

    Raises:
        UsageError: it is missing, a folder, or no program.
    """
    if os.sep not in path and "\0" not in path and (command := shutil.which(path)):
        return str(check_path(Path(command), "PATH"))
    full = Path(os.path.normpath(base / given_path(path, option)))  # not resolve(), which follows links
    if os.path.isdir(full):
        raise UsageError(
            "{full} ({told_by}) is a folder: name the interpreter in it, as {python}",
            full=full,
            told_by=told_by,
            python=full / "bin" / "python",
        )
    if not os.path.exists(full):
        raise UsageError("{full} ({told_by}) does not exist: name a Python interpreter", full=full, told_by=told_by)
    if not os.access(full, os.X_OK):
        raise UsageError("{full} ({told_by}) is not executable: name a Python interpreter", full=full, told_by=told_by)
    return str(full)
