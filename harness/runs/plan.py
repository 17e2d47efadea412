"""From names to a study: what will run, and of one that was begun, what is left. Nothing is run or written here.

Rounds are outermost: a round holds every (task, backend, mode, profile) once. Tasks are shuffled in it, and inside a
task its rows, which stay neighbours: what the machine does in those seconds falls on all of them alike. A user's file
of texts is remembered by path and columns, so that `--resume` reads the same again.
"""

import math
import random
from collections.abc import Iterable, Mapping

from msgspec import Struct

from harness import registry
from harness.data.text_files import TextFile
from harness.errors import DataError, UsageError
from harness.measure.clock import timestamp
from harness.model import takes_tokens
from harness.records.store import ChosenFile, Store, Study
from harness.spec import CONTROLS, Choice, Design, RunSpec, Task, base_preset
from harness.whole_files import given_path

PUBLISHED = ("full", "paper")
"""Presets whose figures stand in documents."""
MOST_LOOKED_AT = 10
"""Rounds of a study that ends when its pairs are decided; after the last look nothing is left of the level."""
QUALITY_ROUNDS = 3
"""After so many, such a study is looked at for the first time, and its rounds measure speed alone."""
MOST_ROUNDS = 10_000
"""Times that a task, backend and mode may be run in one study."""


Tuned = Mapping[tuple[str, Choice], Mapping[str, str]]
"""The settings of the tuned profile of a task's name and a choice."""


class Wish(Struct, frozen=True, kw_only=True):
    """What the user asked for, with every name resolved."""

    tasks: tuple[Task, ...]
    choices: tuple[Choice, ...]
    preset: str
    repeats: int | None = None
    """None: 3, but 1 where seeds are named, and 5 of what is to be published."""
    seeds: tuple[int, ...] | None = None
    """None: repeat r is seeded with r. Else every seed is run `repeats` times."""
    dataset: str | None = None
    dataset_is_file: bool = False
    """The data set is a user's file of labelled texts; else its name must be one that each task takes."""
    timeout_s: float | None = None
    memory_limit_bytes: int | None = None
    noise_budget_s: float = 5.0
    design: Design = Design()
    budget_s: float | None = None
    live: int | None = None
    controls: bool = False
    """Every task has a twin of its first row, and a twin that does more work than it says."""
    profiles: tuple[str, ...] = ("stock",)
    tuned: Tuned = {}
    """For the profile `tuned`, of every task and choice."""

    def rounds(self) -> int:
        """Return how often each seed, or each repeat's own, is run."""
        if self.repeats is not None:
            return self.repeats
        if self.design.until_decided:
            return MOST_LOOKED_AT
        if self.seeds:
            return 1
        return 5 if base_preset(self.preset) in PUBLISHED else 3


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
    rounds = [(r, r) for r in range(wish.rounds())]
    if wish.seeds is not None:
        rounds = [(seed, r) for r in range(wish.rounds()) for seed in wish.seeds]
    specs = []
    for number, (seed, repeat) in enumerate(rounds):
        order = random.Random(number)
        tasks, rows = list(wish.tasks), [(choice, profile) for choice in wish.choices for profile in wish.profiles]
        rows += [(wish.choices[0], profile) for profile in CONTROLS if wish.controls]
        order.shuffle(tasks)
        for task in tasks:
            order.shuffle(rows)
            specs += [_spec(wish, task, *row, seed=seed, repeat=repeat) for row in rows]
    return tuple(specs)


def study_of(wish: Wish, *, name: str | None, command: tuple[str, ...], files: Iterable[TextFile] = ()) -> Study:
    """Return the plan of a study as it is kept.

    Args:
        wish: what is to be run.
        name: the study's name; without one, the time and the preset.
        command: the words after `evenbench` that asked for it.
        files: the data sets that no table names.

    Raises:
        UsageError: see `plan`.
        DataError: a file cannot be read.
    """
    now, base = timestamp(), base_preset(wish.preset)
    called = base if base == wish.preset else f"{base}-variant"
    return Study(
        name=name or f"{now[:19].replace(':', '').replace('T', '-')}-{called}",
        created_at=now,
        command=command,
        specs=plan(wish),
        budget_s=wish.budget_s,
        live=wish.live,
        files=tuple(map(remembered, files)),
    )


def left_of(found: Study, store: Store) -> tuple[RunSpec, ...]:
    """Return the runs of a study that have no record yet, if it may be gone on with.

    Raises:
        UsageError: it was merged from others, or a task's definition is another one now.
    """
    if found.merged_from:
        raise UsageError(
            "study {name} was merged from others, so there is nothing to resume: resume the study that lacks a run",
            name=found.name,
        )
    left = store.missing(found.specs)
    for spec in left:
        if (version := registry.task(spec.task).version) != spec.task_version:
            raise UsageError(
                "study {study} was planned with version {planned} of {task}, this Evenbench has version {version}: "
                "start a new study",
                study=found.name,
                planned=spec.task_version,
                task=spec.task,
                version=version,
            )
    return left


def _check_numbers(wish: Wish) -> None:
    if wish.rounds() < 1:
        raise UsageError("--repeats must be at least 1, but is {repeats}", repeats=wish.repeats)
    rounds = wish.rounds() * (1 if wish.seeds is None else len(wish.seeds))
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
    if not 0 < wish.design.within < 1:
        raise UsageError(
            "--within is a share between 0 and 100 %, such as 5%, but is {within:g} %", within=100 * wish.design.within
        )
    if wish.live is not None and wish.live < 1:
        raise UsageError("--live is at least 1 worker, but is {live}", live=wish.live)
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
        settings={} if profile in ("stock", *CONTROLS) else dict(wish.tuned[task.name, choice]),
        seed=seed,
        repeat=repeat,
        timeout_s=preset.timeout_s if wish.timeout_s is None else wish.timeout_s,
        memory_limit_bytes=wish.memory_limit_bytes,
        noise_budget_s=wish.noise_budget_s,
        design=wish.design,
        speed_only=profile in CONTROLS or (wish.design.until_decided and repeat >= QUALITY_ROUNDS),
    )


def remembered(file: TextFile) -> ChosenFile:
    """Return what a study has to keep of a file.

    Raises:
        DataError: the file cannot be read.
    """
    return ChosenFile(
        name=file.name,
        path=str(file.path),
        text_column=file.text_column,
        label_column=file.label_column,
        encoding=file.encoding,
    )


def found_again(chosen: ChosenFile) -> TextFile:
    """Return the data set that a study was planned with.

    Raises:
        DataError: the file is gone, cannot be read, or has changed.
    """
    file = TextFile(
        path=given_path(chosen.path, chosen.name),
        text_column=chosen.text_column,
        label_column=chosen.label_column,
        encoding=chosen.encoding,
    )
    if file.name != chosen.name:
        raise DataError(
            "{path} has changed since this study was planned with it: put the old file back, or start a new study",
            path=chosen.path,
        )
    return file
