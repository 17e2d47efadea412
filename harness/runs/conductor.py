"""A study, done: every planned run that has no record yet, round by round, each record stored at once.

Which rounds are made, and when it is enough, is decided here; an executor does them (`harness/runs/executors`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from msgspec.structs import replace

from harness.data import datasets
from harness.data.text_files import TextFile
from harness.environments.signals import deferred, heed
from harness.measure.clock import Stopwatch
from harness.record import Record
from harness.records import same_seed
from harness.records.store import Store
from harness.runs.execute import Setting
from harness.runs.executors.bench import Bench, Shelf
from harness.runs.executors.executor import Executor, Listener
from harness.runs.executors.executor import Plan as Plan
from harness.runs.executors.local import Here
from harness.runs.plan import QUALITY_ROUNDS
from harness.spec import CONTROLS, RunSpec

ROUNDS_AFTER = 2
"""Rounds for speed alone that are to follow those of quality: from the first look to the second."""
TOLD = 16
"""After so many rounds of a task it is not said any more after each how its rows stand: that reads all records."""
SPEED_SHARE = 0.5
"""Of a whole round's time, that a round for speed alone takes where none was made yet."""


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
        self,
        plan: Plan,
        left: tuple[RunSpec, ...],
        *,
        store: Store,
        setting: Setting,
        listener: Listener,
        executor: Callable[["Conductor"], Executor] | None = None,
    ) -> None:
        """Set it up.

        Args:
            plan: the study.
            left: the runs that have no record yet.
            store: the only one that is written into.
            setting: of this machine, where the runs are done here.
            listener: is told how it goes on.
            executor: makes the executor of this conductor's rounds; None: they are done here.
        """
        self.plan = plan
        self.store = store
        self.setting = setting
        self.listener = listener
        self.left = left
        self.watch = Stopwatch()
        self.data = Shelf(plan, listener)
        self.twins = same_seed.Twins(plan.study.specs)
        self.executor = executor(self) if executor else self._here()
        self._took: dict[tuple[tuple[str, ...], bool], float] = {}
        """Seconds of the last round of every task, of whole ones and of those for speed alone."""
        self._under_way: dict[str, Stopwatch] = {}
        """Rounds, by the name of their first run."""
        self._left_alike = Counter(map(same_seed.key, left))
        """How many of the runs that should come out alike have no record yet."""
        self._ended: Counter[tuple[str, ...]] = Counter()
        """Rounds of every task that have ended."""
        self._records: list[Record] = []

    def _here(self) -> Executor:
        return Here(
            Bench(
                self.plan,
                setting=self.setting,
                folder=self.store.folder,
                data=self.data,
                twins=self.twins.of,
                listener=self.listener,
            )
        )

    def prepare_data(self) -> None:
        """Make sure of all data before anything runs; a download shows a bar of its own.

        Raises:
            DataError: a data set cannot be had.
        """
        for spec in self.left:
            if not spec.speed_only:  # those may never be made
                self.data(spec)

    def run(self) -> tuple[Record, ...]:
        """Do what is missing and return the new records; stops after an interrupted one.

        Raises:
            DataError: a data set cannot be had.
            StoreError: a record cannot be written.
            EnvironmentFailure: the executor can do no further round.
        """
        self._records = []
        self._under_way.clear()
        with self.executor.work(self.left):
            planned = self._rounds()
            while True:
                heed()
                while len(self._under_way) < self.executor.places and (together := next(planned, None)):
                    self._begin(together)
                if not self._under_way or self._end_one():
                    return tuple(self._records)

    def _begin(self, together: tuple[RunSpec, ...]) -> None:
        self.executor.begin(together, mistakes=self.plan.with_mistakes and self._is_late(together))
        self._under_way[together[0].run_id] = Stopwatch()

    def _end_one(self) -> bool:
        """Keep the records of the round that ends next; return whether it was interrupted."""
        done: list[Record] = []
        for record in self.executor.ended():
            self._keep(record)
            self._records.append(record)
            done.append(record)
        if any(record.outcome.status == "interrupted" for record in done):
            return True
        first = next(record.spec for record in done if record.spec.run_id in self._under_way)
        took, place = self._under_way.pop(first.run_id).seconds(), (_cell(first), first.speed_only)
        if first.speed_only and place in self._took:  # with the first late round come students' mistakes, once
            took = min(took, self._took[place])
        self._took[place] = took
        self._ended[_cell(first)] += 1
        if sum(record.spec.profile not in CONTROLS for record in done) > 1 and _is_told(self._ended[_cell(first)]):
            self._say_how_they_stand(first)
        return False

    def _rounds(self) -> Iterator[tuple[RunSpec, ...]]:
        """Yield the runs that belong together, as long as there is something to decide and time for it."""
        is_open: Callable[[RunSpec], bool] = lambda spec: True  # noqa: E731
        looked_at = 0
        for together in rounds(self.left):
            repeat = together[0].repeat
            if self.plan.open_rows and repeat > looked_at and repeat >= QUALITY_ROUNDS:
                while self._under_way:  # a look is at all rounds before it
                    if self._end_one():
                        return
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
        return self.watch.seconds() + left_s / self.executor.places <= budget

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
        self.listener.ranked(self.store.records()[0], spec)

    def _keep(self, record: Record) -> None:
        with deferred():
            self.store.add(record)
            if record.outcome.status != "interrupted":
                self._forget_twins(record.spec)
        self.listener.finished(record)

    def _forget_twins(self, spec: RunSpec) -> None:
        """Remove the outcome that was kept for a run's twins once all of them have a record."""
        self._left_alike[same_seed.key(spec)] -= 1
        if not self._left_alike[same_seed.key(spec)] and (others := self.twins.of(spec)):
            same_seed.forget(self.store.folder, (spec.run_id, *others))


def _is_told(ended: int) -> bool:
    """Return whether it is said how the rows stand after so many rounds: of many, when their number has doubled."""
    return ended <= TOLD or ended & (ended - 1) == 0


def _cell(spec: RunSpec) -> tuple[str, ...]:
    return spec.task, spec.preset, spec.dataset, spec.device


def rounds(specs: Iterable[RunSpec]) -> Iterator[tuple[RunSpec, ...]]:
    """Yield the runs that belong together: neighbours of one task, data set, device, seed and repeat."""
    for _place, found in groupby(specs, key=lambda spec: (*_cell(spec), spec.seed, spec.repeat)):
        yield tuple(found)
