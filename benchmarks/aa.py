"""Is a framework called different from itself? And how large a slow-down is found? Over studies drawn from one.

.venv/bin/python benchmarks/aa.py [--repeats 40] [--task lenet-mnist] [--preset smoke] [--backend NAME] [--mode MODE]
.venv/bin/python benchmarks/aa.py --study results/STUDY     # a study that is there, at least 2 n processes per row

Every row of the study (a backend in a mode) is compared with itself: of its processes, n and n others are drawn without
replacement, and judged by the functions of the report. Then the seconds of one side are multiplied by a planted
slow-down, and the draws are judged again. The draws share their processes, so that the shares below say what this
study holds, and say of the method only as much as its number of processes allows. Ends with 1 if a row is called
different from itself in more than 5 % of the draws, by more than chance (of a row of fewer than 40 processes nothing is
said).
"""

import argparse
import csv
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.measure.clock import timestamp
from reports.frame.frame import load_frame
from reports.statistics import methods
from reports.statistics.methods import ALPHA
from reports.statistics.summary import summarize

SIZES = (3, 5)
"""Processes per side: those of the presets quick and full."""
SLOWER = (0.0, 0.02, 0.05, 0.10, 0.20)
"""Planted slow-downs; none is the A/A test itself."""
FEWEST = 40
"""With fewer processes of a row, the share of its twins says little of the method: there are too few ways to split."""
BAR = 40


class Share(Struct, frozen=True, kw_only=True):
    """How often a row was called different from its own twin."""

    row: str
    processes: int
    """Of the row, from which the sides are drawn."""
    per_side: int
    slower_by: float
    draws: int
    called_different: int
    called_wrong: int
    """Called different the wrong way round: the slowed side as the faster one."""
    median_ratio: float
    """Of the seconds of both sides, without the planted slow-down: how far twins are apart."""

    @property
    def share(self) -> float:
        return self.called_different / self.draws

    def is_too_often(self) -> bool:
        """Return whether twins are called different more often than allowed, by two standard errors of the draws."""
        return (
            self.slower_by == 0
            and self.processes >= FEWEST
            and self.share > ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / self.draws)
        )


def collect(asked: argparse.Namespace) -> Path:
    """Run a study of many processes per row and return its folder."""
    name = asked.name or f"aa-{timestamp()[:19].replace(':', '').replace('T', '-')}"
    command = [sys.executable, "-m", "harness.cli.main", "run", "--task", asked.task, "--preset", asked.preset]
    command += ["--repeats", str(asked.repeats), "--results", asked.results, "--study", name]
    command += [word for backend in asked.backend for word in ("--backend", backend)]
    command += ["--mode", asked.mode] if asked.mode else []
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # a run that failed is in the report, not here
    return Path(asked.results, name)


def rows_of(study: Path) -> dict[str, NDArray[np.float64]]:
    """Return for every row of a study the logarithms of its processes' seconds per example, as in the report."""
    found = {}
    for group in summarize(load_frame(study)):
        for row in group.rows:
            label = " ".join((group.task, group.preset, group.device, row.backend, row.mode, row.profile))
            found[label] = np.array(methods.logarithms(row.seconds_per_example))
    return found


def is_called(a: Sequence[float], b: Sequence[float]) -> methods.Verdict:
    """Return the report's verdict on a study of these two rows alone, given logarithms of seconds."""
    found = methods.welch(a, b)
    return methods.verdict(found.difference, found.p)  # Holm leaves the p-value of a single pair as it is


def shares(row: str, logs: NDArray[np.float64], *, draws: int, seed: int) -> Iterator[Share]:
    """Yield how often a row is called different from itself, for every size and slow-down; the same draws for all."""
    for per_side in SIZES:
        if len(logs) < 2 * per_side:
            continue
        random = np.random.default_rng(seed)
        sides = [random.permutation(len(logs))[: 2 * per_side].reshape(2, per_side) for _ in range(draws)]
        twins = [(logs[a], logs[b]) for a, b in sides]
        for slower_by in SLOWER:
            called = [is_called(list(a + math.log1p(slower_by)), list(b)) for a, b in twins]
            yield Share(
                row=row,
                processes=len(logs),
                per_side=per_side,
                slower_by=slower_by,
                draws=draws,
                called_different=called.count("slower") + called.count("faster"),
                called_wrong=called.count("faster") if slower_by else 0,
                median_ratio=math.exp(float(np.median([abs(a.mean() - b.mean()) for a, b in twins]))),
            )


def show(found: Sequence[Share]) -> None:
    """Print the table, with a bar for every share."""
    for row in dict.fromkeys(one.row for one in found):
        own = [one for one in found if one.row == row]
        few = "" if own[0].processes >= FEWEST else f"; fewer than {FEWEST} processes: no test of the method"
        print(f"\n{row}: {own[0].processes} processes, {own[0].draws} draws{few}")
        print(f"{'n vs n':>7}  {'slower by':>9}  {'called different':>16}  {'twins apart':>11}")
        for one in own:
            planted = "A/A" if one.slower_by == 0 else f"{one.slower_by:.0%}"
            bar = "#" * round(BAR * one.share)
            note = "  MORE THAN ALLOWED" if one.is_too_often() else ""
            note += f"  {one.called_wrong} the wrong way round" if one.called_wrong else ""
            print(
                f"{one.per_side:>3} vs {one.per_side}  {planted:>9}  {one.share:>16.1%}  "
                f"{one.median_ratio - 1:>11.1%}  {bar}{note}"
            )


def write(found: Sequence[Share], path: Path) -> None:
    """Write one line per row, size and slow-down."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*Share.__struct_fields__, "share"])
        for one in found:
            table.writerow([*(getattr(one, name) for name in Share.__struct_fields__), one.share])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, help="folder of a study that is there; none is collected then")
    parser.add_argument("--task", default="lenet-mnist")
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--mode")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--results", default="results")
    parser.add_argument("--name", help="of the study that is collected")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="where to write the table")
    asked = parser.parse_args()
    study = asked.study or collect(asked)
    found: list[Share] = []
    for row, logs in rows_of(study).items():
        if len(logs) < 2 * min(SIZES):
            print(f"{row}: left out, {len(logs)} processes are fewer than {2 * min(SIZES)}", file=sys.stderr)
        found += shares(row, logs, draws=asked.draws, seed=asked.seed)
    if not found:
        sys.exit(f"{study} has no row of at least {2 * min(SIZES)} processes")
    show(found)
    if asked.csv:
        write(found, asked.csv)
    return 1 if any(one.is_too_often() for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
