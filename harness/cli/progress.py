"""What a person sees while a study runs: one live line on a terminal, plain lines elsewhere. Always on stderr."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from harness.language import _, said
from harness.record import Record
from harness.spec import RunSpec


class Progress:
    """Listens to a study and shows what runs now, what is left and how long it will take."""

    def __init__(self, runs: int | None) -> None:
        self.runs = runs
        """How many there will be; None where that shows on the way."""
        self.done = 0
        self.console = Console(stderr=True)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            *(() if runs is None else (MofNCompleteColumn(),)),
            TimeElapsedColumn(),
            *(() if runs is None else (TextColumn(_("left")), TimeRemainingColumn(elapsed_when_finished=False))),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.line = self.bar.add_task(_("planning"), total=runs)

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
        self.bar.advance(self.line)
        spec, outcome = record.spec, record.outcome
        profile = "" if spec.profile == "stock" else f" {spec.profile}"
        name = _seeded(f"{spec.task} {spec.backend} {spec.device} {spec.mode}{profile}", spec.seed)
        count = f"{self.done}" if self.runs is None else f"{self.done}/{self.runs}"
        line = f"{count} {name} {_(outcome.status)}"
        why = said(outcome.said or outcome.reason)
        self._say(_("{what}: {reason}").format(what=line, reason=why) if why else line)

    def ranked(self, records: Sequence[Record]) -> None:
        """Say how the rows of a task stand after another round."""
        from reports.content.standing import standing  # pandas: not before anything is done

        for line in standing(records):
            self._say(line)

    def _now(self, text: str) -> None:
        self.bar.update(self.line, description=escape(text[:40]))

    def _say(self, text: str) -> None:
        self.bar.console.print(escape(text), highlight=False, soft_wrap=True)


def _seeded(name: str, seed: int) -> str:
    return _("{run} seed {seed}").format(run=name, seed=seed)
