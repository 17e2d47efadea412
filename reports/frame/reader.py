"""A study is read once: every record becomes its row of the frame while all of it is at hand, and is then made small.

A record's row depends on that record alone, so a large study is read in several processes.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from harness.environments.signals import ENDING
from harness.language import Sentence
from harness.record import Record
from harness.records import steady, studies
from harness.records.store import Damaged, Sharing, Store, each, gathered, no_search_for_cycles
from harness.records.studies import Loaded
from harness.worker.process import die_with_parent
from reports.frame.columns import FRAME
from reports.frame.row import RowOf, Values
from reports.words.sentences import noted

if TYPE_CHECKING:
    import pandas as pd

MANY = 1000
"""With fewer records a second process costs more than it saves."""
AT_ONCE = 200
"""Records that a process reads before it hands them over."""
MOST_PROCESSES = 4

Read = tuple[Record, Values] | Damaged
"""What became of one file."""
ReadFiles = Callable[[Sequence[Path]], Iterator[Read]]
_RECORDS = msgspec.json.Decoder(list[Record])


def read_study(folder: Path, *, for_pictures: bool = True, many: int = MANY) -> "tuple[Loaded, pd.DataFrame]":
    """Read a study and its frame, one row per record; what is damaged, its plan included, is listed and left out.

    The records come without the seconds of single calls, of which the frame holds quantiles; if they are not read for
    pictures, without blocks, losses and inference too. That is most of a study's memory.

    Args:
        folder: of the study.
        for_pictures: the curves of single runs will be drawn.
        many: with so many records, it is read in several processes where the system can.

    Raises:
        UsageError: there is no study in this folder.
    """
    rows: dict[int, Values] = {}
    read_files = partial(_each, small=_without_latencies if for_pictures else _without_curves)

    def records(store: Store) -> tuple[list[Record], list[Damaged]]:
        files = store.record_files()
        with no_search_for_cycles():
            read = _in_processes(files, read_files) if len(files) >= many and _can_fork() else list(read_files(files))
            rows.update((id(item[0]), item[1]) for item in read if not isinstance(item, Damaged))
            return gathered(item if isinstance(item, Damaged) else item[0] for item in read)

    loaded = studies.load(folder, records)
    from reports.frame.frame import assembled

    return loaded, assembled(FRAME, (rows[id(record)] for record in loaded.records))


def _each(files: Sequence[Path], small: Callable[[Record], Record]) -> Iterator[Read]:
    row_of = RowOf()
    for item in each(files):
        yield item if isinstance(item, Damaged) else (small(item), row_of(item))


def _without_latencies(record: Record) -> Record:
    bare = tuple(replace(item, latencies=()) for item in record.measured.inference)
    return replace(record, measured=replace(record.measured, inference=bare))


def _without_curves(record: Record) -> Record:
    bare = replace(record.measured, inference=(), blocks=(), loss_steps=(), losses=())
    return replace(record, measured=bare)


def _can_fork() -> bool:
    """Return whether a copy of this process is safe and worth it: a thread, as of a server, might hold a lock in it."""
    return sys.platform == "linux" and threading.active_count() == 1 and _processors() > 1


def _processors() -> int:
    return min(MOST_PROCESSES, len(os.sched_getaffinity(0)))


def _in_processes(files: Sequence[Path], read_files: ReadFiles) -> list[Read]:
    parts = [files[first : first + AT_ONCE] for first in range(0, len(files), AT_ONCE)]
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(_processors(), context, initializer=_begin) as pool:
            handed_over = pool.map(partial(_handed_over, read_files), parts)
            import_module("reports.frame.frame")  # pandas takes a third of a second, in which the others read
            share = Sharing()
            return list(chain.from_iterable(_received(part, share) for part in handed_over))
    except BrokenProcessPool:  # killed, as for want of memory: this process needs no more than one of them did
        return list(read_files(files))


def _begin() -> None:
    """Leave signals to the process that asked, end with it, and import what takes long before there is work."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    steady.prepare()


_Part = tuple[bytes, list[Values], list[Damaged], dict[str, Sentence]]


def _handed_over(read_files: ReadFiles, files: Sequence[Path]) -> _Part:
    """Read some files in a process of their own; the records go over as JSON, as they came, for pickle takes longer."""
    with no_search_for_cycles():
        read = list(read_files(files))
    whole = [item for item in read if not isinstance(item, Damaged)]
    damaged = [item for item in read if isinstance(item, Damaged)]
    rows = [row for _record, row in whole]
    return msgspec.json.encode([record for record, _row in whole]), rows, damaged, noted()


def _received(part: _Part, share: Sharing) -> Iterator[Read]:
    encoded, rows, damaged, sentences = part
    noted().update(sentences)
    yield from zip(map(share, _RECORDS.decode(encoded)), rows, strict=True)
    yield from damaged
