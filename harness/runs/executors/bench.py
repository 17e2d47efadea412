"""One machine on which rounds are done: what its runs share is made once, and a round of them is done.

Whether it is the machine of the command line or a node of a cluster, it is this file that does it.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from msgspec import Struct

from harness.data import forms
from harness.data.baselines import bag_of_words, character_counts
from harness.data.prepare import Prepared, prepare
from harness.environments.installation import installation
from harness.environments.interpreters import Interpreter
from harness.errors import DataError
from harness.language import _, noop
from harness.measure.probe import Probe
from harness.record import Ceiling, Installation, Mistake, ParityVerdict, Record
from harness.registry import reference_name
from harness.registry import task as find_task
from harness.runs.execute import Ready, Setting, Stopped, ceiling, execute
from harness.runs.executors.executor import Listener, Plan
from harness.runs.launch import Worker
from harness.runs.mistakes import provoke
from harness.runs.parity import Checker, record_verdict
from harness.runs.turns import round_of
from harness.spec import DeviceKind, RunSpec, Task

COMMAND_LINE = Interpreter(python=sys.executable, source="current", reason=noop("the interpreter of the command line"))


class Known(Struct, kw_only=True):
    """What was found out on one machine for all runs of a study; it may be handed in again on the same one."""

    verdicts: dict[str, ParityVerdict] = {}
    """By task, preset and row."""
    ceilings: dict[DeviceKind, tuple[Ceiling, ...]] = {}
    installations: dict[str, Installation] = {}
    """By `<backend>/<device>`, as those below."""
    mistakes: dict[str, tuple[Mistake, ...]] = {}
    probes: list[float] = []
    """Seconds of the probe so far."""


class Shelf:
    """The data of runs, prepared once and shared by those that need them."""

    def __init__(self, plan: Plan, listener: Listener) -> None:
        self.plan = plan
        self.listener = listener
        self._prepared: dict[tuple[str, str, str, int], Prepared] = {}

    def __call__(self, spec: RunSpec) -> Prepared:
        """Return the data of a run.

        Raises:
            DataError: they cannot be had.
        """
        key = (spec.task, spec.preset, spec.dataset, spec.seed)
        if key not in self._prepared:
            task = task_of(spec)
            dataset = self.plan.files.get(spec.dataset, spec.dataset)
            self.listener.preparing(_("data {dataset}, seed {seed}").format(dataset=spec.dataset, seed=spec.seed))
            preset = task.preset(spec.preset)
            prepared = prepare(task, preset, dataset=dataset, seed=spec.seed, data_dir=self.plan.data_dir)
            if prepared.examples["test"] < 1:
                raise DataError("the data set {dataset} has no test examples", dataset=spec.dataset)
            self._prepared[key] = prepared
        return self._prepared[key]


class Bench:
    """A machine, and what is known of it."""

    def __init__(
        self,
        plan: Plan,
        *,
        setting: Setting,
        folder: Path,
        data: Callable[[RunSpec], Prepared],
        twins: Callable[[RunSpec], tuple[str, ...]],
        listener: Listener,
        known: Known | None = None,
    ) -> None:
        """Set it up.

        Args:
            plan: with the interpreters of this machine.
            setting: its facts, and the processors to use.
            folder: where a run leaves what lies beside its record.
            data: returns the prepared data of a run.
            twins: returns the other runs of the study that should come out like one.
            listener: is told what is being made, and which run has begun.
            known: what was found out here before.
        """
        self.plan = plan
        self.setting = setting
        self.folder = folder.absolute()  # for a worker starts in another folder
        self.data = data
        self.twins = twins
        self.listener = listener
        self.known = known or Known()
        self.checker = Checker()
        self._probe: Probe | None = None

    @contextmanager
    def probing(self, specs: Sequence[RunSpec]) -> Iterator[None]:
        """Have a probe at hand inside the block, if any of the runs takes turns."""
        if not any(spec.design.turns for spec in specs):
            yield
            return
        with Probe(self.setting.cores) as self._probe:
            self._probe.seen = self.known.probes
            yield

    def prove(self, specs: Sequence[RunSpec]) -> None:
        """Prove every row's parity, two tasks at a time where there are processors for it: no clock is read here."""
        rows = one_of_each(specs)
        every = {spec.task: [one for one in rows if one.task == spec.task] for spec in rows}

        stopped = Event()

        def prove(specs: Sequence[RunSpec]) -> None:
            for spec in specs:
                if not stopped.is_set():
                    self._parity(spec, task_of(spec))

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

    def measure_ceilings(self, specs: Sequence[RunSpec]) -> None:
        """Measure on the study's own cores what the libraries of the runs reach, and on the CPU NumPy's BLAS."""
        for device in dict.fromkeys(spec.device for spec in specs):
            names = dict.fromkeys(spec.backend for spec in specs if spec.device == device)
            python = {name: self.plan.interpreters[name, device] for name in names}
            if device == "cpu":
                python.setdefault(reference_name(), COMMAND_LINE)
            found = []
            for name, interpreter in python.items():
                what = _("the limits of the machine by {backend}, {device}")
                self.listener.preparing(what.format(backend=name, device=device))
                found.append(ceiling(name, device, interpreter, self.setting.cores))
            self.known.ceilings[device] = tuple(found)

    def make_mistakes(self, specs: Sequence[RunSpec]) -> None:
        """Ask every backend on every device what it says of students' mistakes, unless that is known."""
        for backend, device in dict.fromkeys((spec.backend, spec.device) for spec in specs):
            if f"{backend}/{device}" not in self.known.mistakes:
                self.known.mistakes[f"{backend}/{device}"] = provoke(
                    backend,
                    device,
                    self.plan.interpreters[backend, device],
                    self.setting.cores,
                    say=lambda what: self.listener.preparing(_("students' mistakes: {what}").format(what=what)),
                )

    def round(self, specs: Sequence[RunSpec]) -> Iterator[Record]:
        """Do some runs, in turns if that is the design, and yield their records; an interrupted one is the last.

        Raises:
            Stopped: the user stopped what followed a run; its record was yielded.
        """
        done: set[str] = set()
        while left := [spec for spec in specs if spec.run_id not in done]:
            interrupted = False
            for record in self._together(left if left[0].design.turns else left[:1]):
                done.add(record.spec.run_id)
                interrupted |= record.outcome.status == "interrupted"
                yield record
            if interrupted:
                return

    def _together(self, specs: Sequence[RunSpec]) -> Iterator[Record]:
        """Do some runs in turns, as many as fit beside each other, and yield their records; do a single one alone."""
        if len(specs) > 1 and self.plan.study.live != 1:
            readies, any_done = [self._ready(spec) for spec in specs], False
            for record in round_of(
                readies,
                self.setting,
                self.folder,
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
            record = execute(self._ready(specs[0]), self.setting, self.folder)
        except Stopped as stop:
            yield stop.record
            raise
        yield record

    def _ready(self, spec: RunSpec) -> Ready:
        """Return a run with all that it needs; what it shares with others is made once."""
        task = task_of(spec)
        data = self.data(spec)
        return Ready(
            spec=spec,
            task=task,
            data=data,
            interpreter=self.plan.interpreters[spec.backend, spec.device],
            parity=self._parity(spec, task),
            baselines=_baselines(task, data),
            ceilings=self.known.ceilings.get(spec.device, ()),
            installation=self._installation(spec.backend, spec.device),
            mistakes=self.known.mistakes.get(f"{spec.backend}/{spec.device}", ()),
            same_seed=self.twins(spec),
        )

    def _installation(self, backend: str, device: DeviceKind) -> Installation:
        place = f"{backend}/{device}"
        if place not in self.known.installations:
            self.known.installations[place] = installation(backend, self.plan.interpreters[backend, device])
        return self.known.installations[place]

    def _parity(self, spec: RunSpec, task: Task) -> ParityVerdict:
        if not self.plan.with_parity:
            return ParityVerdict(passed=None, reason=noop("parity was not checked (--no-parity)"))
        key = row_of(spec)
        if key not in self.known.verdicts:
            what = _("parity of {backend} {mode} on {task}")
            self.listener.preparing(what.format(backend=spec.backend, mode=spec.mode, task=spec.task))
            verdict = self.checker.check(
                task,
                task.preset(spec.preset),
                spec.choice,
                self.plan.interpreters[spec.backend, spec.device],
                settings=spec.settings,
            )
            self.known.verdicts[key] = record_verdict(verdict)
        return self.known.verdicts[key]


def row_of(spec: RunSpec) -> str:
    """Return what the runs have in common that one proof of parity holds for."""
    settings = (f"{name}={value}" for name, value in sorted(spec.settings.items()))
    return " ".join((spec.task, spec.preset, spec.backend, spec.device, spec.mode, *settings))


def one_of_each(specs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """Return the first run of every row: all that proofs and ceilings ask of them."""
    found: dict[str, RunSpec] = {}
    for spec in specs:
        found.setdefault(row_of(spec), spec)
    return tuple(found.values())


def task_of(spec: RunSpec) -> Task:
    """Return the task of a run with the model of its preset."""
    return find_task(spec.task).at(spec.preset)


def _baselines(task: Task, prepared: Prepared) -> dict[str, float]:
    """Return what simple methods reach on the same arrays."""
    match forms.form_of(task):
        case forms.Tokens():
            return {"bag_of_words_accuracy": bag_of_words.remembered(prepared.arrays)}
        case forms.Characters(vocabulary=vocabulary):
            return character_counts.remembered(prepared.arrays, vocabulary=vocabulary)
        case _:
            return {}
