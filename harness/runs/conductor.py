"""A study, done: every planned run that has no record yet, one after the other, each record stored at once."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from harness.data import datasets, forms
from harness.data.baselines import bag_of_words, character_counts
from harness.data.datasets import Dataset
from harness.data.prepare import Prepared, prepare
from harness.data.text_files import TextFile
from harness.environments.installation import installation
from harness.environments.interpreters import Interpreter
from harness.environments.signals import deferred
from harness.errors import DataError
from harness.language import _, noop
from harness.measure.clock import Stopwatch
from harness.measure.probe import Probe
from harness.record import Ceiling, Installation, Mistake, ParityVerdict, Record
from harness.records import same_seed
from harness.records.store import Store, Study
from harness.registry import reference_name
from harness.registry import task as find_task
from harness.runs.execute import Ready, Setting, Stopped, ceiling, execute
from harness.runs.launch import Worker
from harness.runs.mistakes import provoke
from harness.runs.parity import Checker, record_verdict
from harness.runs.plan import QUALITY_ROUNDS
from harness.runs.turns import round_of
from harness.spec import CONTROLS, DeviceKind, RunSpec, Task

ROUNDS_AFTER = 2
"""Rounds for speed alone that are to follow those of quality: from the first look to the second."""
SPEED_SHARE = 0.5
"""Of a whole round's time, that a round for speed alone takes where none was made yet."""
COMMAND_LINE = Interpreter(python=sys.executable, source="current", reason=noop("the interpreter of the command line"))


class Listener(Protocol):
    """Who is told how a study goes on."""

    def preparing(self, what: str) -> None:
        """Say that something that every run of a kind needs is being made."""

    def started(self, spec: RunSpec) -> None:
        """Say that a run has begun."""

    def finished(self, record: Record) -> None:
        """Say that a run has ended and its record is stored."""

    def ranked(self, records: Sequence[Record]) -> None:
        """Say how the rows of a task stand, given all its records, after another round of it."""


class Plan(Struct, frozen=True, kw_only=True):
    """A study, and with what its runs are to be done."""

    study: Study
    interpreters: Mapping[tuple[str, DeviceKind], Interpreter]
    data_dir: Path | None
    with_parity: bool = True
    with_ceilings: bool = True
    """Measure first what each library reaches on this machine."""
    with_mistakes: bool = False
    """Ask what every backend says of students' mistakes, once a first verdict is there."""
    open_rows: Callable[[Sequence[Record]], Callable[[RunSpec], bool]] | None = None
    """Of a study that ends when its pairs are decided: given its records, says whether the row of a run is open."""
    files: Mapping[str, Dataset] = {}
    """The data sets that no table names, by their names."""


def look_for_data(specs: tuple[RunSpec, ...], plan: Plan) -> None:
    """Look for the data of runs without preparing or downloading any.

    Raises:
        DataError: the user's folder or file is missing, or lacks what is needed.
    """
    for name in dict.fromkeys(spec.dataset for spec in specs):
        dataset = plan.files.get(name) or datasets.named(name)
        datasets.check_folder(dataset, plan.data_dir)
        if isinstance(dataset, TextFile):
            dataset.corpus()


class Conductor:
    """Runs a plan; data, weights and parity verdicts are made once and shared by the runs that need them."""

    def __init__(
        self, plan: Plan, left: tuple[RunSpec, ...], *, store: Store, setting: Setting, listener: Listener
    ) -> None:
        self.plan = plan
        self.store = store
        self.setting = setting
        self.listener = listener
        self.left = left
        """The runs that have no record yet."""
        self.checker = Checker()
        self.watch = Stopwatch()
        self._took: dict[tuple[tuple[str, ...], bool], float] = {}
        """Seconds of the last round of every task, of whole ones and of those for speed alone."""
        self._probe: Probe | None = None
        self._prepared: dict[tuple[str, str, str, int], Prepared] = {}
        self._ceilings: dict[DeviceKind, tuple[Ceiling, ...]] = {}
        self._installations: dict[tuple[str, DeviceKind], Installation] = {}
        self._mistakes: dict[tuple[str, DeviceKind], tuple[Mistake, ...]] = {}
        self._verdicts: dict[tuple[str, ...], ParityVerdict] = {}

    def prepare_data(self) -> None:
        """Make sure of all data before anything runs; a download shows a bar of its own.

        Raises:
            DataError: a data set cannot be had.
        """
        for spec in self.left:
            if not spec.speed_only:  # those may never be made
                self._data(spec, _task(spec))

    def run(self) -> tuple[Record, ...]:
        """Do what is missing and return the new records; stops after an interrupted one.

        Raises:
            DataError: a data set cannot be had.
            StoreError: a record cannot be written.
        """
        self._prove()
        if self.plan.with_ceilings:
            self._measure_ceilings()
        if not any(spec.design.turns for spec in self.left):
            return self._all_rounds()
        with Probe(self.setting.cores) as self._probe:
            return self._all_rounds()

    def _all_rounds(self) -> tuple[Record, ...]:
        records: list[Record] = []
        for together in self._rounds():
            if self.plan.with_mistakes and not self._mistakes and self._is_late(together):
                self._make_mistakes()
            watch = Stopwatch()
            done = self._round(together)
            records += done
            self._took[_cell(together[0]), together[0].speed_only] = watch.seconds()
            if any(record.outcome.status == "interrupted" for record in done):
                break
            if sum(spec.profile not in CONTROLS for spec in together) > 1:
                self._say_how_they_stand(together[0])
        return tuple(records)

    def _rounds(self) -> Iterator[tuple[RunSpec, ...]]:
        """Yield the runs that belong together, as long as there is something to decide and time for it."""
        is_open: Callable[[RunSpec], bool] = lambda spec: True  # noqa: E731
        looked_at = 0
        for together in rounds(self.left):
            repeat = together[0].repeat
            if self.plan.open_rows and repeat > looked_at and repeat >= QUALITY_ROUNDS:
                looked_at, is_open = repeat, self.plan.open_rows(self.store.records()[0])
            left = tuple(spec for spec in together if is_open(spec))
            if left and self._has_time_for(left):
                yield left if self._has_time_to_train(left[0]) else tuple(replace(s, speed_only=True) for s in left)

    def _has_time_for(self, together: Sequence[RunSpec]) -> bool:
        """Return whether the budget lasts for one more round of a task; the first of each is made in any case."""
        budget, cell = self.plan.study.budget_s, _cell(together[0])
        took = self._took.get((cell, together[0].speed_only)) or self._took.get((cell, False))
        return budget is None or took is None or self.watch.seconds() + took <= budget

    def _has_time_to_train(self, spec: RunSpec) -> bool:
        """Return whether the budget lasts for the rounds in which quality is taken: else speed is what it goes to.

        After them it is to last for two more rounds: at the first look little but a multiple is shown.
        """
        budget = self.plan.study.budget_s
        if budget is None or spec.repeat == 0 or not spec.design.until_decided:
            return True
        whole = {cell: took for (cell, speed_only), took in self._took.items() if not speed_only}
        speed_s = sum(self._took.get((cell, True), took * SPEED_SHARE) for cell, took in whole.items())
        left_s = sum(whole.values()) * (QUALITY_ROUNDS - spec.repeat) + speed_s * ROUNDS_AFTER
        return self.watch.seconds() + left_s <= budget

    def _is_late(self, together: Sequence[RunSpec]) -> bool:
        """Return whether a round is a later one, or the only one: what keeps the first verdict waiting comes then.

        Of a study that ends when it is decided it is one after the first look, so that its budget goes to verdicts.
        """
        first, last = self.left[0], self.left[-1]
        if first.design.until_decided:
            return together[0].repeat >= QUALITY_ROUNDS
        same = (first.seed, first.repeat) == (last.seed, last.repeat)
        return same or (together[0].seed, together[0].repeat) != (first.seed, first.repeat)

    def _say_how_they_stand(self, spec: RunSpec) -> None:
        self.listener.ranked([one for one in self.store.records()[0] if _cell(one.spec) == _cell(spec)])

    def _round(self, specs: Sequence[RunSpec]) -> list[Record]:
        """Do some runs, in turns if that is the design, and return their records, each stored by then."""
        done: dict[str, Record] = {}
        while left := [spec for spec in specs if spec.run_id not in done]:
            for record in self._together(left if left[0].design.turns else left[:1]):
                self._keep(record)
                done[record.spec.run_id] = record
            if any(record.outcome.status == "interrupted" for record in done.values()):
                break
        return list(done.values())

    def _together(self, specs: Sequence[RunSpec]) -> Iterator[Record]:
        """Do some runs in turns, as many as fit beside each other, and yield their records; do a single one alone."""
        folder = self.store.folder.absolute()  # for a worker starts in another folder
        if len(specs) > 1 and self.plan.study.live != 1:
            readies, any_done = [self._ready(spec) for spec in specs], False
            for record in round_of(
                readies,
                self.setting,
                folder,
                started=lambda one: self.listener.started(one.spec),
                most=self.plan.study.live,
                probe=self._probe,
            ):
                yield record
                any_done = True
            if any_done:
                return
        self.listener.started(specs[0])
        try:
            yield execute(self._ready(specs[0]), self.setting, folder)
        except Stopped as stop:
            self._keep(stop.record)
            raise

    def _keep(self, record: Record) -> None:
        with deferred():
            self.store.add(record)
            self._forget_twins(record.spec)
        self.listener.finished(record)

    def _ready(self, spec: RunSpec) -> Ready:
        """Return a run with all that it needs; what it shares with others is made once."""
        task = _task(spec)
        data = self._data(spec, task)
        return Ready(
            spec=spec,
            task=task,
            data=data,
            interpreter=self.plan.interpreters[spec.backend, spec.device],
            parity=self._parity(spec, task),
            baselines=self._baselines(task, data),
            ceilings=self._ceilings.get(spec.device, ()),
            installation=self._installation(spec.backend, spec.device),
            mistakes=self._mistakes.get((spec.backend, spec.device), ()),
            same_seed=same_seed.of(spec, self.plan.study.specs),
        )

    def _prove(self) -> None:
        """Prove every row's parity, two tasks at a time where there are processors for it: no clock is read here."""
        every = {spec.task: [one for one in self.left if one.task == spec.task] for spec in self.left}

        stopped = Event()

        def prove(specs: Sequence[RunSpec]) -> None:
            for spec in specs:
                if not stopped.is_set():
                    self._parity(spec, _task(spec))

        with ThreadPoolExecutor(min(2, len(self.setting.cores))) as pool:
            asked = [pool.submit(prove, specs) for specs in every.values()]
            try:
                for one in asked:
                    one.result()
            except BaseException:
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in list(Worker.everyone):
                    worker.kill()
                raise

    def _measure_ceilings(self) -> None:
        """Measure on the study's own cores what the libraries of the runs reach, and on the CPU NumPy's BLAS."""
        for device in dict.fromkeys(spec.device for spec in self.left):
            names = dict.fromkeys(spec.backend for spec in self.left if spec.device == device)
            python = {name: self.plan.interpreters[name, device] for name in names}
            if device == "cpu":
                python.setdefault(reference_name(), COMMAND_LINE)
            found = []
            for name, interpreter in python.items():
                what = _("the limits of the machine by {backend}, {device}")
                self.listener.preparing(what.format(backend=name, device=device))
                found.append(ceiling(name, device, interpreter, self.setting.cores))
            self._ceilings[device] = tuple(found)

    def _installation(self, backend: str, device: DeviceKind) -> Installation:
        if (backend, device) not in self._installations:
            self._installations[backend, device] = installation(backend, self.plan.interpreters[backend, device])
        return self._installations[backend, device]

    def _make_mistakes(self) -> None:
        """Ask every backend on every device what it says of students' mistakes, unless that is remembered."""
        for backend, device in dict.fromkeys((spec.backend, spec.device) for spec in self.left):
            self._mistakes[backend, device] = provoke(
                backend,
                device,
                self.plan.interpreters[backend, device],
                self.setting.cores,
                say=lambda what: self.listener.preparing(_("students' mistakes: {what}").format(what=what)),
            )

    def _forget_twins(self, spec: RunSpec) -> None:
        """Remove the outcome that was kept for a run's twins once all of them have a record."""
        alike = (spec.run_id, *same_seed.of(spec, self.plan.study.specs))
        if len(alike) > 1 and set(alike) <= self.store.done():
            same_seed.forget(self.store.folder, alike)

    def _data(self, spec: RunSpec, task: Task) -> Prepared:
        key = (spec.task, spec.preset, spec.dataset, spec.seed)
        if key not in self._prepared:
            dataset = self.plan.files.get(spec.dataset, spec.dataset)
            self.listener.preparing(_("data {dataset}, seed {seed}").format(dataset=spec.dataset, seed=spec.seed))
            preset = task.preset(spec.preset)
            prepared = prepare(task, preset, dataset=dataset, seed=spec.seed, data_dir=self.plan.data_dir)
            if prepared.examples["test"] < 1:
                raise DataError("the data set {dataset} has no test examples", dataset=spec.dataset)
            self._prepared[key] = prepared
        return self._prepared[key]

    def _baselines(self, task: Task, prepared: Prepared) -> dict[str, float]:
        """Return what simple methods reach on the same arrays."""
        match forms.form_of(task):
            case forms.Tokens():
                return {"bag_of_words_accuracy": bag_of_words.remembered(prepared.arrays)}
            case forms.Characters(vocabulary=vocabulary):
                return character_counts.remembered(prepared.arrays, vocabulary=vocabulary)
            case _:
                return {}

    def _parity(self, spec: RunSpec, task: Task) -> ParityVerdict:
        if not self.plan.with_parity:
            return ParityVerdict(passed=None, reason=noop("parity was not checked (--no-parity)"))
        key = (spec.task, spec.preset, spec.backend, spec.device, spec.mode, *_words(spec.settings))
        if key not in self._verdicts:
            what = _("parity of {backend} {mode} on {task}")
            self.listener.preparing(what.format(backend=spec.backend, mode=spec.mode, task=spec.task))
            verdict = self.checker.check(
                task,
                task.preset(spec.preset),
                spec.choice,
                self.plan.interpreters[spec.backend, spec.device],
                settings=spec.settings,
            )
            self._verdicts[key] = record_verdict(verdict)
        return self._verdicts[key]


def _cell(spec: RunSpec) -> tuple[str, ...]:
    return spec.task, spec.preset, spec.dataset, spec.device


def rounds(specs: Iterable[RunSpec]) -> Iterator[tuple[RunSpec, ...]]:
    """Yield the runs that belong together: neighbours of one task, data set, device, seed and repeat."""

    def place(spec: RunSpec) -> tuple[object, ...]:
        return spec.task, spec.preset, spec.dataset, spec.device, spec.seed, spec.repeat

    for _place, found in groupby(specs, key=place):
        yield tuple(found)


def _task(spec: RunSpec) -> Task:
    """Return the task of a run with the model of its preset."""
    return find_task(spec.task).at(spec.preset)


def _words(settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in sorted(settings.items()))
