"""A round in turns: the workers of several rows alive at once, of which only one ever runs, block by block.

Every worker first does its run as it would alone, as far as its training proper and its evaluations, and is then
stopped with its whole group. When all are there they take turns: each turn holds one block of every worker, in an order
in which each is equally often at each place and behind each other one (Williams 1949), so that neither place nor
predecessor favours any. A turn in which a block was disturbed is made again for all, as long as the budget lasts; what
was timed in it stays in the records. Then each worker goes on to its end, alone again. One that dies becomes a record
with its reason, and the others go on.
"""

import math
import os
import random
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import psutil
from msgspec.structs import replace

from harness.environments.limits import limits
from harness.measure.clock import Stopwatch, timestamp
from harness.measure.probe import Probe
from harness.record import Record
from harness.runs.execute import Ready, Setting, Stopped, job_of, record_of, where
from harness.runs.launch import Worker, workplace
from harness.worker.turns import DISTURBED, END, READY

MEASURES = {"train": 24, "latency": 12, "inference": 12}
"""How many undisturbed turns are wanted of each at least, by the word that asks for a block."""

AGAIN = 1 / 3
"""Share of the noise budget in a round for speed alone: a further round says more than turns that are made again."""
ROOM = 1.5
"""A further worker is started where so many times the largest so far is free: it may be larger, and grow."""


class Live:
    """One row's worker in a round: running, or stopped until its turn."""

    def __init__(self, ready: Ready, setting: Setting, folder: Path, stack: ExitStack) -> None:
        self.ready, self.setting, self.folder = ready, setting, folder
        self.place = stack.enter_context(workplace())
        self.left_s = ready.spec.timeout_s
        """Seconds that it may still run; those for which it is stopped are not counted."""
        self.started_at = timestamp()
        its_words, self.words = os.pipe()
        self.answers, its_answers = os.pipe()
        theirs = (its_words, its_answers)
        for descriptor in (self.words, self.answers):
            stack.callback(os.close, descriptor)
        self.job = replace(job_of(ready, setting, folder, self.place), turns=theirs)
        self.worker = Worker(self.place, self.job)
        stack.callback(self.worker.kill)
        self.heard = b""
        self.alive = True
        try:
            self.worker.start(ready.interpreter.python, **where(ready, self.place), hand_over=theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def bytes(self) -> int:
        """Return what the worker's process holds in memory now; 0 where it has ended."""
        try:
            return int(psutil.Process(self.worker.process.pid).memory_info().rss) if self.worker.process else 0
        except psutil.Error:
            return 0

    def hear(self) -> str | None:
        """Let the worker run until it says a line, and stop it; None where it ends without, or its time is over."""
        watch = Stopwatch()
        while b"\n" not in self.heard:
            left = self.left_s - watch.seconds()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                self.alive = False
                self.worker.kill()  # now: it would run beside the others' turns; without an exit code it took too long
                return None
            part = os.read(self.answers, 1000)
            if not part:
                self.left_s -= watch.seconds()
                self.alive = False
                self.worker.wait(max(self.left_s, 0.0))
                return None
            self.heard += part
        self.worker.stop()
        self.left_s -= watch.seconds()
        line, _, self.heard = self.heard.partition(b"\n")
        return line.decode()

    def ask(self, words: str) -> str | None:
        """Wake the worker, say some words and return its answer; None where none came."""
        self.worker.signal(signal.SIGCONT)
        try:
            os.write(self.words, f"{words}\n".encode())
        except BrokenPipeError:
            self.alive = False
            self.worker.wait(max(self.left_s, 0.0))
            return None
        return self.hear()

    def finish(self) -> None:
        """Let the worker go on to its own end."""
        if self.alive:
            self.worker.signal(signal.SIGCONT)
            with suppress(BrokenPipeError):  # it died while it was stopped, for want of memory for example
                os.write(self.words, f"{END}\n".encode())
            self.worker.wait(max(self.left_s, 0.0))

    def record(self, live_with: tuple[str, ...], probes: dict[int, float] | None = None) -> Record:
        """End the worker and return the record of its run."""
        ended = self.worker.end()
        return record_of(
            self.ready,
            self.setting,
            self.folder,
            self.place,
            self.job,
            ended,
            started_at=self.started_at,
            live_with=live_with,
            probes=probes or {} if live_with else {},
        )


def round_of(
    readies: Sequence[Ready],
    setting: Setting,
    folder: Path,
    *,
    started: Callable[[Ready], None],
    most: int | None = None,
    probe: Probe | None = None,
) -> Iterator[Record]:
    """Do the runs of a round in turns and yield their records, all of them once the last has ended.

    Where no further worker fits beside those that are alive, the rest is left for a round of its own, and so is one
    whose memory ran out while others held theirs: no record is yielded of them.

    Args:
        readies: the runs, each with all that it needs; at least two.
        setting: what they have in common.
        folder: where evidence is kept; see `execute`.
        started: is told of every run before its worker starts.
        most: how many may be alive at once; None: as many as the memory holds.
        probe: looks at the machine before every turn.
    """
    records: list[Record] = []
    with ExitStack() as stack:
        live: list[Live] = []
        interrupted = False
        probes: dict[int, float] = {}
        try:
            for ready in readies:
                if len(live) == most or not another_fits(live):
                    break
                started(ready)
                live.append(Live(ready, setting, folder, stack))
                if live[-1].hear() != READY:
                    live[-1].alive = False
            probes = take_turns([one for one in live if one.alive], seed=readies[0].spec.seed, probe=probe)
            for one in live:
                one.finish()
        except KeyboardInterrupt:
            if not live:
                raise
            interrupted = True
        together = tuple(one.ready.spec.run_id for one in live if one.alive)
        if len(together) < 2:  # the last one was timed to its end all the same, alone
            together = ()
        stop: Stopped | None = None
        for one in live:
            one.worker.interrupted = interrupted
            try:
                record = one.record(together if one.alive else (), probes)
                if record.outcome.status == "out_of_memory" and len(live) > 1 and not one.job.memory_limit_bytes:
                    continue
                records.append(record)
            except Stopped as error:
                records.append(error.record)
                stop = error
    yield from records
    if stop is not None:
        raise stop


def another_fits(live: Sequence[Live]) -> bool:
    """Return whether the memory that is free holds one more worker like the largest of those that are alive."""
    sizes = [one.bytes() for one in live if one.alive]
    if not sizes:
        return True
    free, limit = psutil.virtual_memory().available, limits().memory_bytes
    if limit is not None:
        free = min(free, limit - sum(sizes))
    return bool(free > ROOM * max(sizes))


def take_turns(live: Sequence[Live], *, seed: int, probe: Probe | None = None) -> dict[int, float]:
    """Let workers that are ready take turns, until there are enough undisturbed ones of every measure.

    The orders are gone through whole, so that they stay balanced: a disturbed turn is made again in its own order, and
    so is one before which the probe found the machine slow. Returns the seconds of the probe before every turn.
    """
    probes: dict[int, float] = {}
    if not live:
        return probes
    left_s = sum(one.ready.spec.noise_budget_s * (AGAIN if one.ready.spec.speed_only else 1.0) for one in live)
    numbers = count()
    orders = williams(len(live), seed)
    for word, wanted in MEASURES.items():
        for order in orders * math.ceil(wanted / len(orders)):
            disturbed = True
            while disturbed and any(one.alive for one in live):
                watch, number = Stopwatch(), next(numbers)
                found = probe() if probe else None
                if found is not None:
                    probes[number] = found
                answers = [live[place].ask(f"{word} {number}") for place in order if live[place].alive]
                slow = probe is not None and probe.is_slow(found)
                disturbed = (DISTURBED in answers or slow) and (left_s := left_s - watch.seconds()) > 0
    return probes


def williams(rows: int, seed: int) -> list[tuple[int, ...]]:
    """Return orders in which each of n rows is equally often at each place and right behind each other one.

    Of a Latin square that is balanced for what precedes: n orders, and for an odd n their mirror images too (Williams
    1949); shuffled, for their sequence is free.
    """
    first = [0]
    for step in range(1, rows):  # 0, 1, n-1, 2, n-2, ...
        first.append((step + 1) // 2 if step % 2 else rows - step // 2)
    square = [tuple((place + shift) % rows for place in first) for shift in range(rows)]
    if rows % 2:
        square += [tuple(reversed(order)) for order in square]
    random.Random(seed).shuffle(square)
    return square
