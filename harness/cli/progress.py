"""What a person sees while a study runs: one live line on a terminal, plain lines elsewhere. Always on stderr."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from harness.environments import machine
from harness.language import _, ngettext, said
from harness.measure.clock import Stopwatch
from harness.record import Record
from harness.records.durations import Durations, Expected
from harness.records.steady import TOO_NOISY, examples_per_s, read
from harness.records.store import Store
from harness.spec import RunSpec

QUALITIES = ("accuracy", "mean_squared_error")
MINUTE_S = 60.0


class Progress:
    """Listens to a study and shows what runs now, what came out, what is left and how long it will take."""

    def __init__(
        self, left: Sequence[RunSpec], durations: Durations | None = None, *, budget_s: float | None = None
    ) -> None:
        self.left = {spec.run_id: spec for spec in left}
        self.runs = None if budget_s else len(left)
        """How many there will be; None where that shows on the way."""
        self.budget_s = budget_s
        self.watch = Stopwatch()
        self.done = 0
        self.durations = Durations() if durations is None else durations
        self.console = Console(stderr=True)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            *(() if self.runs is None else (MofNCompleteColumn(),)),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.line = self.bar.add_task(_("planning"), total=self.runs, left=self._time_left())

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def preparing(self, what: str) -> None:
        """Show what is being made for all runs."""
        self._now(what)
        if not self.console.is_terminal:
            self._say(_("preparing {what}").format(what=what))

    def started(self, spec: RunSpec) -> None:
        """Show which run has begun."""
        self._now(_seeded(f"{spec.task} {spec.backend} {spec.mode}", spec.seed))

    def finished(self, record: Record) -> None:
        """Keep a line of how the run ended."""
        self.done += 1
        self.durations.add(record)
        self.left.pop(record.spec.run_id, None)
        self.bar.update(self.line, advance=1, left=self._time_left())
        spec, outcome = record.spec, record.outcome
        profile = "" if spec.profile == "stock" else f" {spec.profile}"
        name = _seeded(f"{spec.task} {spec.backend} {spec.device} {spec.mode}{profile}", spec.seed)
        count = f"{self.done}" if self.runs is None else f"{self.done}/{self.runs}"
        line = f"{count} {name} {_(outcome.status)}{figures(record)}"
        why = said(outcome.said or outcome.reason)
        self._say(_("{what}: {reason}").format(what=line, reason=why) if why else line)

    def ranked(self, records: Sequence[Record], ended: RunSpec) -> None:
        """Say how the rows of a task stand after another round."""
        from reports.content.standing import standing  # pandas: not before anything is done

        for line in standing(records, ended):
            self._say(line)

    def _time_left(self) -> str:
        if self.budget_s is not None:
            return _("at most {time} left").format(time=roughly(max(0.0, self.budget_s - self.watch.seconds())))
        return time_left(self.durations, list(self.left.values()))

    def _now(self, text: str) -> None:
        self.bar.update(self.line, description=escape(text[:40]))

    def _say(self, text: str) -> None:
        self.bar.console.print(escape(text), highlight=False, soft_wrap=True)


def _seeded(name: str, seed: int) -> str:
    return _("{run} seed {seed}").format(run=name, seed=seed)


def figures(record: Record) -> str:
    """Return what a run measured, behind a comma each: its speed and the quality of what it learned."""
    measured = record.measured
    reading = read(measured.blocks, len(record.affinity))
    rate = examples_per_s(reading.blocks, measured.batch_size)
    parts = [] if rate is None else [_("{rate} examples/s").format(rate=_digits(rate))]
    quality = next((measured.quality[name] for name in QUALITIES if measured.quality.get(name) is not None), None)
    parts += [] if quality is None else [f"{quality:.3f}"]
    parts += [_("disturbed")] if reading.outcome == TOO_NOISY and not record.live_with else []
    return "".join(f", {part}" for part in parts)


def _digits(rate: float) -> str:
    """Return a speed with three digits: one process says no more."""
    return f"{float(f'{rate:.3g}'):,.0f}" if rate >= 100 else f"{rate:.3g}"


def time_left(durations: Durations, specs: Sequence[RunSpec]) -> str:
    """Return roughly how long some runs will take, and of how many nothing is known."""
    expected = durations.expected(specs)
    if not specs:
        return ""
    if expected.unknown == len(specs):
        return _("time left unknown")
    said_time = roughly(expected.seconds)
    if expected.unknown:
        return ngettext(
            "{time} left, and {count} run of unknown length",
            "{time} left, and {count} runs of unknown length",
            expected.unknown,
        ).format(time=said_time, count=expected.unknown)
    return _("{time} left").format(time=said_time)


def earlier(store: Store) -> Durations:
    """Return how long runs took here before, those of this study among them."""
    return Durations.of_earlier(store.folder.parent, machine.machine().cpu)


def how_long(expected: Expected, runs: int) -> str:
    """Return how long some runs would take, or that nothing is known of that."""
    if expected.unknown == runs:
        return _("How long that takes is not known: no run like these has a record here.")
    time = roughly(expected.seconds)
    if expected.unknown:
        return ngettext(
            "{time} for those that have run here before, of {count} run nothing is known; preparing comes on top",
            "{time} for those that have run here before, of {count} runs nothing is known; preparing comes on top",
            expected.unknown,
        ).format(time=time, count=expected.unknown)
    return _("{time}, by earlier runs here; preparing comes on top").format(time=time)


def roughly(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < MINUTE_S:
        return _("about {count} s").format(count=max(1, round(seconds)))
    if seconds < 60 * MINUTE_S:
        return _("about {count} min").format(count=round(seconds / MINUTE_S))
    return _("about {count:.1f} h").format(count=seconds / 60 / MINUTE_S)
