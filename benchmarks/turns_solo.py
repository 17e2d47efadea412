"""Does it slow a row down that another one ran before it? Blocks after another row's beside blocks after its own.

.venv/bin/python -m benchmarks.turns_solo --backend torch,tensorflow --task lenet-mnist,lstm-text [--rounds 10]

The rows of a round live together and have two blocks in every turn: the first follows another row's, as every block
does in a study, the second the row's own, as it would if the row were alone on the machine. Both follow the same
lead-in. For every row: the geometric mean over the rounds of its seconds per step after another row over those after
itself, and its standard error. More than 2 % away from 1, the lead-in before a turn's block is not right yet.
"""

import argparse
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from benchmarks.aa_turns import Shown
from harness import registry
from harness.environments import interpreters, machine
from harness.measure.clock import timestamp
from harness.measure.probe import Probe
from harness.record import Record
from harness.records.store import Store
from harness.runs import turns
from harness.runs.conductor import Conductor, Plan
from harness.runs.execute import Setting
from harness.runs.plan import Wish, study_of
from harness.spec import Choice, Design

TURNS = 40


def two_blocks_each(live: Sequence[turns.Live], *, seed: int, probe: Probe | None = None) -> dict[int, float]:
    """Let workers take turns of two blocks: the even ones follow another row's, the odd ones its own."""
    for turn in range(TURNS):
        for one in live:
            for number in (2 * turn, 2 * turn + 1):
                if one.alive:
                    one.ask(f"train {number}")
    return {}


def ratio(record: Record) -> float:
    """Return the median over the turns of a row's seconds per step after another row, over those after itself."""
    found = {block.turn: block.seconds / block.steps for block in record.measured.blocks if block.turn is not None}
    both = [found[turn] / found[turn + 1] for turn in range(0, 2 * TURNS, 2) if {turn, turn + 1} <= set(found)]
    return statistics.median(both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="torch,tensorflow,mindspore")
    parser.add_argument("--task", default="lenet-mnist,lstm-text")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--results", default="results")
    asked = parser.parse_args()

    names = asked.backend.split(",")
    choices = tuple(Choice(backend=one, device="cpu", mode=registry.entry(one).default_mode) for one in names)
    wish = Wish(
        tasks=tuple(registry.task(one) for one in asked.task.split(",")),
        choices=choices,
        preset=asked.preset,
        repeats=asked.rounds,
        seeds=(0,),
        design=Design(turns=True),
    )
    study = study_of(wish, name=f"turns-solo-{timestamp()[:19].replace(':', '')}", command=tuple(sys.argv[1:]))
    study = replace(study, specs=tuple(replace(spec, speed_only=True) for spec in study.specs))
    store = Store(Path(asked.results, study.name))
    store.create(study)
    plan = Plan(
        study=study,
        interpreters={(name, "cpu"): interpreters.find(name, {}, device="cpu") for name in names},
        data_dir=None,
        with_parity=False,
        with_ceilings=False,
    )
    setting = Setting(machine=machine.machine(), git_revision=machine.git_revision(), cores=machine.available_cores())
    turns.take_turns = two_blocks_each
    Conductor(plan, study.specs, store=store, setting=setting, listener=Shown()).run()

    rows: dict[str, list[float]] = defaultdict(list)
    for record in store.records()[0]:
        spec = record.spec
        rows[f"{spec.task} {spec.backend} {spec.mode}"].append(math.log(ratio(record)))
    for row, d in rows.items():
        error = statistics.stdev(d) / math.sqrt(len(d)) if len(d) > 1 else math.nan
        print(f"{row:40} after another / after itself {math.exp(statistics.mean(d)):.4f} +- {error:.4f}  ({len(d)})")


if __name__ == "__main__":
    main()
