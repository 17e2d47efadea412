"""How much do rounds in turns see? A row, its twin and a twin with 10 % more work, over many rounds of new processes.

.venv/bin/python benchmarks/aa_turns.py --backend torch --task lenet-mnist [--rounds 40] [--preset quick] [--mode MODE]
.venv/bin/python benchmarks/aa_turns.py --study results/STUDY ...     # rounds that are there

All three workers are alive in every round and take turns, as in any study; rounds measure speed alone. Then, for the
twin and the planted row against the row itself: the mean ratio, its standard deviation over rounds and over
turns, and how often studies would have called them different that draw 5 or 10 of these rounds, look after 3, 5, 7,
10, and have one pair or twelve. For slow-downs of 5 and 20 % the logarithms of the twin are shifted. The draws share
their rounds: of the method itself the sign-flip test over all rounds says more, whose p is the share of sign patterns
under which the twins' mean is as large. At last, over all rounds of all studies, how far a row moves from round to
round and how much of it its twin does too: that is the state of the machine, the rest what each new process draws.
"""

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness import registry
from harness.environments import interpreters, machine
from harness.measure.clock import timestamp
from harness.record import Record
from harness.records.store import Store
from harness.runs.conductor import Conductor, Plan
from harness.runs.execute import Setting
from harness.runs.plan import Wish, study_of
from harness.spec import PLANTED, TWIN, Choice, Design, RunSpec
from reports.frame.frame import load_frame
from reports.statistics import looks
from reports.statistics.methods import ALPHA
from reports.statistics.summary import summarize

DRAWS = 2000
PAIRS = (1, 12)
"""In the study: Holm judges the smallest p of so many."""
SIZES = (5, 10)
PLANTS = (0.0, 0.05, 0.10, 0.20)


class Shown:
    """Says on the terminal how far it has come."""

    def preparing(self, what: str) -> None: ...
    def started(self, spec: RunSpec) -> None: ...
    def ranked(self, records: object, ended: object) -> None: ...

    def finished(self, record: Record) -> None:
        print(record.spec.run_id, record.outcome.status, record.outcome.reason, file=sys.stderr, flush=True)


def collect(asked: argparse.Namespace) -> Path:
    """Run the rounds and return the study's folder."""
    mode = asked.mode or registry.entry(asked.backend).default_mode
    choice = Choice(backend=asked.backend, device="cpu", mode=mode)
    wish = Wish(
        tasks=(registry.task(asked.task),),
        choices=(choice,),
        preset=asked.preset,
        repeats=asked.rounds,
        seeds=(0,),
        design=Design(turns=True),
        controls=True,
    )
    name = asked.name or f"aa-{asked.backend}-{mode}-{asked.task}-{timestamp()[:19].replace(':', '')}"
    study = study_of(wish, name=name, command=tuple(sys.argv[1:]))
    specs = tuple(replace(spec, speed_only=True) for spec in study.specs)
    study = replace(study, specs=specs)
    store = Store(Path(asked.results, name))
    store.create(study)
    plan = Plan(
        study=study,
        interpreters={(asked.backend, "cpu"): interpreters.find(asked.backend, {}, device="cpu")},
        data_dir=None,
        with_ceilings=False,
    )
    setting = Setting(machine=machine.machine(), git_revision=machine.git_revision(), cores=machine.available_cores())
    Conductor(plan, specs, store=store, setting=setting, listener=Shown()).run()
    return store.folder


def shares(d: NDArray[np.float64], *, size: int, pairs: int, seed: int = 0) -> float:
    """Return how many of the studies that draw `size` of the rounds call two rows different, in any of their looks."""
    random = np.random.default_rng(seed)
    called = 0
    for _ in range(DRAWS):
        seen = looks.look([float(x) for x in random.permutation(d)[:size]])
        called += seen is not None and seen.q * pairs < ALPHA
    return called / DRAWS


def sign_flip(d: NDArray[np.float64], *, seed: int = 0) -> float:
    """Return the p-value of the sign-flip test that the mean is 0, by 10,000 random patterns."""
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (10_000, len(d)))
    return float(np.mean(np.abs((signs * d).mean(axis=1)) >= abs(d.mean())))


def show(study: Path) -> None:
    """Print what the rounds of a study show."""
    for group in summarize(load_frame(study)):
        for row in group.rows:
            of_row = {one.row.profile: one.row for one in group.controls if one.row.backend == row.backend}
            found = {
                name: (np.array(looks.of_rounds(of_row[name].turns["train"], row.turns["train"])), of_row[name])
                for name in (TWIN, PLANTED)
                if name in of_row
            }
            if len(found) < 2:
                continue
            print(f"\n{group.heading}: {row.label}, {len(found[TWIN][0])} rounds")
            for name, (d, control) in found.items():
                turn = looks.turn_spread(control.turns["train"], row.turns["train"]) or math.nan
                mean, error = math.exp(d.mean()), d.std(ddof=1) / math.sqrt(len(d))
                print(
                    f"  {name:8} ratio {mean:.4f} +- {error:.4f}  s_d {d.std(ddof=1):.1%}  turn {turn:.1%}  "
                    f"sign-flip p {sign_flip(d):.3f}"
                )
            print(f"  {'called different':>20}" + "".join(f"  {n} rounds, {m} pairs" for n in SIZES for m in PAIRS))
            twin, planted = found[TWIN][0], found[PLANTED][0]
            tried = {f"twin + {plant:.0%}": twin + math.log1p(plant) for plant in PLANTS} | {"planted work": planted}
            for name, d in tried.items():
                cells = (
                    f"{shares(d, size=n, pairs=m):>16.1%}" if len(d) >= n else " " * 16 for n in SIZES for m in PAIRS
                )
                print(f"  {name:>20}" + "  ".join(cells))


def level(turns: looks.Turns) -> float:
    """Return the logarithm of a round's seconds per example."""
    return looks.middle_mean([turn.seconds for turn in turns.values()])


def show_state(studies: Iterable[Path]) -> None:
    """Print how far rows and their twins move from round to round, and how much of it they share."""
    levels: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for group in (group for study in studies for group in summarize(load_frame(study))):
        for control in (one for one in group.controls if one.row.profile == TWIN):
            twin, wanted = control.row.turns["train"], (control.row.backend, control.row.mode)
            row = next(one for one in group.rows if (one.backend, one.mode) == wanted)
            levels[f"{group.heading}: {row.label}"] += [
                (level(turns), level(twin[name])) for name, turns in row.turns["train"].items() if name in twin
            ]
    for name, found in levels.items():
        own, twins = np.array(found).T
        apart = (own - twins).std(ddof=1) / math.sqrt(2)
        print(
            f"{name}, {len(found)} rounds: moves by {own.std(ddof=1):.1%}, apart from its twin by {apart:.1%}, "
            f"correlation {np.corrcoef(own, twins)[0, 1]:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, nargs="+", help="folders of studies that are there; none is collected")
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--mode")
    parser.add_argument("--task", default="lenet-mnist")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--results", default="results")
    parser.add_argument("--name", help="of the study that is collected")
    asked = parser.parse_args()
    studies = asked.study or [collect(asked)]
    for study in studies:
        show(study)
    show_state(studies)


if __name__ == "__main__":
    main()
