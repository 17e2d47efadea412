"""The search for a backend's fastest settings on this machine: stock, each knob alone, then Optuna's TPE.

Two rules keep it honest. A new best is proven equal to the reference at once, with its settings in force, and thrown
out if it is not. And the winner is not the luckiest trial: stock and the finalists are run again in turn, and a
finalist wins only if its slowest repeat beats stock's fastest, which chance alone brings about once in 70 times for
each of them (4 against 4). Where none does, the profile says stock.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import msgspec

import harness
from harness.data.prepare import prepare
from harness.environments.installation import installed_packages
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores, git_revision, machine
from harness.errors import UsageError
from harness.knobs import Here, Knob, label, usable
from harness.language import Sentence, Words, noop
from harness.measure.clock import Stopwatch, timestamp
from harness.runs.execute import Setting
from harness.runs.parity import Checker
from harness.runs.profiles import Profile, Trial
from harness.runs.tune_trials import Cell
from harness.spec import Choice, DeviceKind, Task, fingerprint

REPEATS = 4
FINALISTS = 2
EQUAL = 0.02
"""Rates that differ by less count as equal; of equal settings the one that changes least is taken."""
PATIENCE = 20
"""After so many proposals in a row that were all tried before, the search is over."""
STOCK = "stock"
"""What Optuna sees in place of an unset variable."""
SET_BY_HARNESS = "OMP_NUM_THREADS"
"""The variable of which a shell's value never reaches a worker."""

Settings = dict[str, str]
Tell = Callable[[Words], None]


class Bench(Protocol):
    """What can measure settings and prove them."""

    def measure(self, settings: Settings) -> Trial:
        """Run one worker with these settings and say how fast it was, or why it failed."""

    def prove(self, settings: Settings) -> tuple[bool, Words]:
        """Check parity with these settings in force; return whether it held, and the verdict in words."""


class Search:
    """One search; `trials` says at any time what is known so far, stock first."""

    def __init__(
        self,
        bench: Bench,
        space: Mapping[str, tuple[str, ...]],
        *,
        budget_s: float,
        seed: int = 0,
        tell: Tell = lambda _: None,
    ) -> None:
        self.bench = bench
        self.space = dict(space)
        self.budget_s = budget_s
        self.seed = seed
        self.tell = tell
        self.watch = Stopwatch()
        self.measuring_s = 0.0
        self.trials: list[Trial] = []

    def run(self) -> tuple[Settings, Words]:
        """Return the winning settings, empty for stock, and one sentence on why it is these."""
        if self.try_out({}).examples_per_s is None:
            return {}, Sentence("stock itself failed: {reason}", reason=self.trials[0].why_not)
        if not self.space:
            return {}, noop("the backend declares no knobs that could do anything here")
        self.explore()
        finalists = self.finalists()
        if not finalists:
            return {}, Sentence("none of {count} other settings was faster than stock", count=len(self.trials) - 1)
        self.confirm(finalists)
        return self.verdict(finalists)

    def explore(self) -> None:
        """Try each knob alone, then together all that helped, then what TPE proposes, while there is time."""
        for settings in ({variable: value} for variable, values in self.space.items() for value in values):
            if self.time_is_up(before=1):
                break
            self.try_out(settings)
        together = self.together() or self.first()
        if self.known(together) is None:
            self.try_out(together)
        self.propose()

    def together(self) -> Settings:
        """Return of every knob the value that helped most by itself, without the knobs that did not help."""
        alone = [t for t in self.trials if len(t.settings) == 1 and self.value(t) > (1 + EQUAL) * self.stock_rate()]
        # Of one knob's values the best comes last, and stays.
        return {name: value for t in sorted(alone, key=self.value) for name, value in t.settings.items()}

    def first(self) -> Settings:
        """Return the most promising knob by itself: what is tried if there is time for nothing else."""
        return {name: values[0] for name, values in list(self.space.items())[:1]}

    def propose(self) -> None:
        """Try what Optuna's TPE proposes, given all trials so far, until the time is needed for the repeats."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=min(10, len(self.trials)))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        space: dict[str, optuna.distributions.BaseDistribution] = {
            variable: optuna.distributions.CategoricalDistribution((STOCK, *values))
            for variable, values in self.space.items()
        }
        for trial in self.trials:
            params = {variable: trial.settings.get(variable, STOCK) for variable in self.space}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=self.value(trial)))
        repeated = 0
        while repeated < PATIENCE and len(self.trials) < self.size() and not self.time_is_up():
            asked = study.ask(space)
            settings = {name: str(value) for name, value in asked.params.items() if value != STOCK}
            known = self.known(settings)
            repeated = 0 if known is None else repeated + 1
            study.tell(asked, self.value(known or self.try_out(settings)))

    def size(self) -> int:
        """Return how many settings there are."""
        size = 1
        for values in self.space.values():
            size *= 1 + len(values)
        return size

    def time_is_up(self, *, before: int = 0) -> bool:
        """Return whether the rest of the budget is needed for the repeats, with one trial and `before` more in front.

        Half of the budget is for the search in any case: the repeats are made in full, if need be beyond the budget.
        """
        needed = self.repeats_s(FINALISTS) + (1 + before) * self.mean_s()
        return self.watch.seconds() + (1 + before) * self.mean_s() > self.budget_s / 2 and needed > self.left_s()

    def mean_s(self) -> float:
        """Return how long a trial takes."""
        return self.measuring_s / max(1, len(self.trials))

    def repeats_s(self, finalists: int) -> float:
        """Return how long the repeats of stock and some finalists take."""
        return REPEATS * (1 + finalists) * self.mean_s()

    def left_s(self) -> float:
        """Return what is left of the budget."""
        return self.budget_s - self.watch.seconds()

    def measure(self, settings: Settings) -> Trial:
        """Measure settings and keep how long that took."""
        watch = Stopwatch()
        trial = self.bench.measure(settings)
        self.measuring_s += watch.seconds()
        return trial

    def stock_rate(self) -> float:
        """Return what stock reached in the search."""
        return self.value(self.trials[0])

    def known(self, settings: Settings) -> Trial | None:
        """Return the trial of these settings, if there was one."""
        return next((trial for trial in self.trials if trial.settings == settings), None)

    @staticmethod
    def value(trial: Trial) -> float:
        """Return what the sampler gets to see: the rate, and 0 for what is out of the question."""
        return 0.0 if trial.why_not else trial.examples_per_s or 0.0

    def try_out(self, settings: Settings) -> Trial:
        """Measure settings, and prove them if they are the best so far."""
        trial = self.measure(settings)
        best = max((self.value(known) for known in self.trials), default=float("inf"))
        self.trials.append(trial)
        if trial.settings and self.value(trial) > best:
            trial = self.proven(trial)
        self.say(trial)
        return trial

    def proven(self, trial: Trial) -> Trial:
        """Return the trial with the verdict on its parity, asked once."""
        if trial.parity:
            return trial
        self.tell(Sentence("parity of {settings}", settings=label(trial.settings)))
        passed, words = self.bench.prove(trial.settings)
        why_not = "" if passed else Sentence("parity failed: {reason}", reason=words)
        return self.replace(trial, parity=words, why_not=why_not)

    def replace(self, trial: Trial, **changed: Any) -> Trial:
        """Put a changed trial in the place of the one that it was."""
        place = next(i for i, known in enumerate(self.trials) if known.settings == trial.settings)
        self.trials[place] = msgspec.structs.replace(trial, **changed)
        return self.trials[place]

    def finalists(self) -> list[Settings]:
        """Return the settings to run again, proven: the fastest, and if there is time the simplest about as fast."""
        found: list[Trial] = []
        wanted = FINALISTS if self.repeats_s(FINALISTS) <= self.left_s() else 1
        while len(found) < wanted:
            left = [t for t in self.trials[1:] if self.value(t) > self.stock_rate() and t not in found]
            if not left:
                break
            fastest = max(left, key=self.value)
            near = [t for t in left if self.value(t) > (1 - 2 * EQUAL) * self.value(fastest)]
            chosen = self.proven(min(near, key=lambda t: len(t.settings)) if found else fastest)
            if not chosen.why_not:
                found.append(chosen)
        return [trial.settings for trial in found]

    def confirm(self, finalists: list[Settings]) -> None:
        """Run stock and the finalists again, in turn."""
        for number in range(REPEATS):
            # To and fro, so that a drift of the machine falls on all alike.
            for settings in ({}, *finalists)[:: -1 if number % 2 else 1]:
                again = self.bench.measure(settings)
                known = self.known(settings)
                if known is None or known.why_not:
                    continue
                if again.examples_per_s is None:
                    self.replace(known, why_not=Sentence("failed when run again: {reason}", reason=again.why_not))
                else:
                    self.say(self.replace(known, repeats=(*known.repeats, again.examples_per_s)), again=True)

    def verdict(self, finalists: list[Settings]) -> tuple[Settings, Words]:
        """Return the settings that won by their repeats, and why."""
        stock = self.trials[0]
        if stock.why_not or not stock.repeats:
            return {}, Sentence("stock itself failed when it was run again: {reason}", reason=stock.why_not)
        trials = [trial for settings in finalists if (trial := self.known(settings)) is not None and not trial.why_not]
        faster = [trial for trial in trials if min(trial.repeats) > max(stock.repeats)]
        if not faster:
            return {}, Sentence(
                "none of {count} finalists was faster than stock in every one of {repeats} repeats: what they gained "
                "in the search may be chance",
                count=len(trials),
                repeats=REPEATS,
            )
        best = max(median(trial.repeats) for trial in faster)
        equal = [trial for trial in faster if median(trial.repeats) > (1 - EQUAL) * best]
        winner = min(equal, key=lambda trial: (len(trial.settings), -median(trial.repeats)))
        factor = median(winner.repeats) / median(stock.repeats)
        return winner.settings, Sentence(
            "{factor:.2f} times as fast as stock by the medians of {repeats} repeats in turn",
            factor=factor,
            repeats=REPEATS,
        )

    def say(self, trial: Trial, *, again: bool = False) -> None:
        """Tell how a trial went."""
        rate = trial.repeats[-1] if again else trial.examples_per_s
        result: Words = trial.why_not or noop("failed")
        if not trial.why_not and rate is not None:
            result = Sentence("{rate:,.0f} examples/s", rate=rate)
        line = Sentence("{settings}: {reason}", settings=label(trial.settings), reason=result)
        self.tell(Sentence("again: {reason}", reason=line) if again else line)


def refuse_set_variables(knobs: Iterable[Knob]) -> None:
    """Raise a UsageError if the shell sets a knob: nothing could be called stock then."""
    set_here = [k.variable for k in knobs if k.variable in os.environ and k.variable != SET_BY_HARNESS]
    if set_here:
        raise UsageError(
            "{variables} is set in this shell: unset it, for tune tries its values itself",
            variables=", ".join(set_here),
        )


def cells(
    tasks: Iterable[Task],
    choices: Iterable[Choice],
    preset: str,
    interpreters: Mapping[tuple[str, DeviceKind], Interpreter],
    *,
    data_dir: Path | None = None,
) -> Iterator[Cell]:
    """Yield what is to be tuned, one after the other; the data of a task are prepared when it comes to them.

    Raises:
        DataError: a data set cannot be had.
    """
    setting = Setting(machine=machine(), git_revision=git_revision(), cores=available_cores())
    checker = Checker()
    for task in tasks:
        sized = task.preset(preset)
        data = prepare(task.at(preset), sized, dataset=sized.dataset, seed=0, data_dir=data_dir)
        for choice in choices:
            if (interpreter := interpreters.get((choice.backend, choice.device))) is not None:
                yield Cell(task, preset, choice, interpreter=interpreter, data=data, setting=setting, checker=checker)


def search_of(cell: Cell, knobs: Iterable[Knob], *, budget_s: float, tell: Tell) -> Search:
    """Return the search through those knobs of a cell's backend that do anything on its device and in its mode."""
    facts = cell.setting.machine
    here = Here(system=facts.system, cpu_flags=facts.cpu_flags, cores=len(cell.setting.cores))
    space = usable(knobs, here, device=cell.choice.device, mode=cell.choice.mode)
    return Search(cell, space, budget_s=budget_s, tell=tell)


def profile_of(cell: Cell, search: Search) -> Profile:
    """Search, and return the profile that it came to.

    Raises:
        KeyboardInterrupt: the user stopped it; `search.trials` says what is known.
    """
    settings, verdict = search.run()
    return Profile(
        task=cell.task.name,
        preset=cell.name,
        backend=cell.choice.backend,
        device=cell.choice.device,
        mode=cell.choice.mode,
        settings=settings,
        verdict=verdict,
        trials=tuple(search.trials),
        machine=cell.setting.machine,
        cores=len(cell.setting.cores),
        task_fingerprint=fingerprint(cell.task),
        versions=cell.last.measured.versions if cell.last else {},
        packages=installed_packages(cell.interpreter),
        interpreter=cell.interpreter.python,
        evenbench=harness.__version__,
        tuned_at=timestamp(),
        budget_s=search.budget_s,
        took_s=search.watch.seconds(),
    )
