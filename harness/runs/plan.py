"""From names to RunSpecs: pure, so that `--dry-run`, `--resume` and the tests see exactly what will run.

Rounds are outermost: a round holds every (task, backend, mode, profile) once, in an order shuffled by the plan's seed,
so that a slow drift of the machine falls on all backends alike.
"""

import math
import random
from collections.abc import Mapping

from msgspec import Struct

from harness.errors import UsageError
from harness.model import takes_tokens
from harness.spec import DeviceKind, Mode, RunSpec, Task

MOST_ROUNDS = 10_000
"""Times that a task, backend and mode may be run in one study."""


class Choice(Struct, frozen=True, kw_only=True):
    """One backend on one device in one mode."""

    backend: str
    device: DeviceKind
    mode: Mode


Tuned = Mapping[tuple[str, Choice], Mapping[str, str]]
"""The settings of the tuned profile of a task's name and a choice."""


class Wish(Struct, frozen=True, kw_only=True):
    """What the user asked for, with every name resolved."""

    tasks: tuple[Task, ...]
    choices: tuple[Choice, ...]
    preset: str
    repeats: int
    seeds: tuple[int, ...] | None = None
    """None: repeat r is seeded with r. Else every seed is run `repeats` times."""
    dataset: str | None = None
    dataset_is_file: bool = False
    """The data set is a user's file of labelled texts; else its name must be one that each task takes."""
    timeout_s: float | None = None
    memory_limit_bytes: int | None = None
    noise_budget_s: float = 5.0
    profiles: tuple[str, ...] = ("stock",)
    tuned: Tuned = {}
    """For the profile `tuned`, of every task and choice."""


def plan(wish: Wish) -> tuple[RunSpec, ...]:
    """Return the runs in the order in which they are to be done.

    Raises:
        UsageError: a task has no such preset or does not take the data set, or a number is out of its range.
    """
    for task in wish.tasks:
        task.preset(wish.preset)
        if wish.dataset_is_file and not takes_tokens(task.at(wish.preset)):
            raise UsageError(
                "task {name} reads no texts, and so no file of them: choose others with --task text", name=task.name
            )
        if wish.dataset is not None and not wish.dataset_is_file and wish.dataset not in task.datasets:
            known = ", ".join(task.datasets)
            raise UsageError(
                "task {name} does not take the data set {dataset!r}: it takes {known}",
                name=task.name,
                dataset=wish.dataset,
                known=known,
            )
    _check_numbers(wish)
    rounds = [(r, r) for r in range(wish.repeats)]
    if wish.seeds is not None:
        rounds = [(seed, r) for r in range(wish.repeats) for seed in wish.seeds]
    specs = []
    for number, (seed, repeat) in enumerate(rounds):
        cells = [(task, choice, profile) for task in wish.tasks for choice in wish.choices for profile in wish.profiles]
        random.Random(number).shuffle(cells)
        specs += [_spec(wish, *cell, seed=seed, repeat=repeat) for cell in cells]
    return tuple(specs)


def _check_numbers(wish: Wish) -> None:
    if wish.repeats < 1:
        raise UsageError("--repeats must be at least 1, but is {repeats}", repeats=wish.repeats)
    rounds = wish.repeats * (1 if wish.seeds is None else len(wish.seeds))
    if rounds > MOST_ROUNDS:
        raise UsageError(
            "a study runs each task, backend and mode up to {most:,} times, but --repeats and --seed ask for "
            "{rounds:,}",
            most=MOST_ROUNDS,
            rounds=rounds,
        )
    if not 0 <= wish.noise_budget_s < math.inf:
        raise UsageError(
            "--noise-budget is a finite number of seconds from 0, but is {noise_budget_s:g}",
            noise_budget_s=wish.noise_budget_s,
        )
    if wish.timeout_s is not None and not 0 < wish.timeout_s < math.inf:
        raise UsageError(
            "--timeout is a finite number of seconds above 0, but is {timeout_s:g}", timeout_s=wish.timeout_s
        )


def _spec(wish: Wish, task: Task, choice: Choice, profile: str, *, seed: int, repeat: int) -> RunSpec:
    preset = task.preset(wish.preset)
    return RunSpec(
        task=task.name,
        task_version=task.version,
        backend=choice.backend,
        device=choice.device,
        mode=choice.mode,
        preset=wish.preset,
        dataset=wish.dataset or preset.dataset,
        profile=profile,
        settings={} if profile == "stock" else dict(wish.tuned[task.name, choice]),
        seed=seed,
        repeat=repeat,
        timeout_s=preset.timeout_s if wish.timeout_s is None else wish.timeout_s,
        memory_limit_bytes=wish.memory_limit_bytes,
        noise_budget_s=wish.noise_budget_s,
    )
