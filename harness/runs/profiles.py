"""Tuned profiles on disk: `profiles/<machine>/<task>.<preset>.<backend>.<device>.<mode>.json`, each written whole.

A profile holds what `evenbench tune` found for one task and preset with one backend on one device in one mode of one
machine. It is refused, with the command that makes a new one, once the task or the installed packages have changed.
"""

import hashlib
from pathlib import Path
from statistics import median
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from harness.environments.home import cannot_write, profiles_folder
from harness.errors import UsageError, unknown_name, why
from harness.language import Sentence, Words, plain
from harness.record import Machine
from harness.spec import Choice, DeviceKind, Mode, Task, fingerprint
from harness.whole_files import UNREADABLE, write_whole

SCHEMA = 1
"""The number of the profile's form. 1: the first (2026-11)."""

ProfileName = Literal["stock", "tuned", "both"]


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting of the knobs, and what came of it."""

    settings: dict[str, str]
    examples_per_s: float | None = None
    """In the search; null if it failed."""
    repeats: tuple[float, ...] = ()
    """Examples per second, run again in turn with stock, if it came that far."""
    disturbed: float | None = None
    """Share of the blocks in the search that others disturbed; null where the system does not tell."""
    parity: Words = ""
    """What the proof said, with these settings in force; empty: not asked."""
    why_not: Words = ""
    """Why it is out of the question."""

    def rate(self) -> float | None:
        """Return the examples per second to go by: the median of the repeats, else that of the search."""
        return median(self.repeats) if self.repeats else self.examples_per_s


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found, and everything that it rests on."""

    schema: int = SCHEMA
    task: str
    preset: str
    backend: str
    device: DeviceKind
    mode: Mode
    settings: dict[str, str]
    """The winner: variable to value; empty where nothing was shown to be faster than stock."""
    verdict: Words
    """One sentence on why it is this one."""
    trials: tuple[Trial, ...]
    """Stock first, in the order of the search."""
    machine: Machine
    cores: int
    task_fingerprint: str
    versions: dict[str, str]
    packages: str
    """Digest of the installed packages, empty where they cannot be listed."""
    interpreter: str
    evenbench: str
    tuned_at: str
    budget_s: float
    took_s: float


def machine_key(machine: Machine, cores: int) -> str:
    """Return 12 hexadecimal digits for what of a machine decides which settings are fast."""
    facts = (machine.cpu, sorted(machine.cpu_flags), machine.cores, cores, machine.system)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def path_of(task: str, preset: str, choice: Choice, *, machine: Machine, cores: int) -> Path:
    """Return where a profile lies, whether it exists or not."""
    name = ".".join((task, preset, choice.backend, choice.device, choice.mode))
    return profiles_folder() / machine_key(machine, cores) / f"{name}.json"


def write(profile: Profile) -> Path:
    """Write a profile, in place of an older one, and return its path.

    Raises:
        UsageError: the folder cannot be written.
    """
    choice = Choice(backend=profile.backend, device=profile.device, mode=profile.mode)
    path = path_of(profile.task, profile.preset, choice, machine=profile.machine, cores=profile.cores)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(msgspec.json.encode(plain(profile))) + b"\n")
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    return path


def find(task: Task, preset: str, choice: Choice, *, machine: Machine, cores: int, packages: str) -> Profile:
    """Return the profile that is to be used.

    Raises:
        UsageError: there is none, it cannot be read, or what it was made with has changed.
    """
    path = path_of(task.name, preset, choice, machine=machine, cores=cores)
    command = (
        f"evenbench tune --task {task.name} --backend {choice.backend} --device {choice.device} "
        f"--mode {choice.mode} --preset {preset}"
    )
    what = Sentence(
        "{backend} {mode} on {task} ({preset}, {device})",
        backend=choice.backend,
        mode=choice.mode,
        task=task.name,
        preset=preset,
        device=choice.device,
    )
    try:
        profile = msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        raise UsageError(
            "there is no tuned profile of {what} on this machine: run `{command}`", what=what, command=command
        ) from None
    except UNREADABLE as error:
        raise UsageError(
            "the tuned profile {path} cannot be read ({error}): run `{command}`",
            path=path,
            error=why(error),
            command=command,
        ) from error
    if profile.task_fingerprint != fingerprint(task):
        raise UsageError("the task has changed since {what} was tuned: run `{command}`", what=what, command=command)
    if profile.packages != packages:
        raise UsageError(
            "the installed packages have changed since {what} was tuned: run `{command}`", what=what, command=command
        )
    return profile


def check_name(name: str) -> tuple[str, ...]:
    """Return the profiles that `--profile NAME` stands for.

    Raises:
        UsageError: there is no such profile.
    """
    if name not in get_args(ProfileName):
        raise unknown_name("profile", name, get_args(ProfileName))
    return ("stock", "tuned") if name == "both" else (name,)
