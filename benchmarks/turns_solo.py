"""Is a row in turns as fast as alone? Rounds of the same rows in turns and alone, one after the other.

.venv/bin/python -m benchmarks.turns_solo --backend torch,tensorflow --task lenet-mnist,lstm-text [--rounds 10]

Every round is measured once in turns and once alone, the odd ones the other way round; rounds measure speed alone. For
every row: the geometric mean over the rounds of its seconds per example in turns over those alone, and its standard
error. More than 2 % away from 1, the lead-in before a turn's block is not right yet.
"""

import argparse
import math
import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec.structs import replace

from benchmarks.aa_turns import Shown
from harness import registry
from harness.environments import interpreters, machine
from harness.environments.interpreters import Interpreter
from harness.measure.clock import timestamp
from harness.records.store import Store, Study
from harness.runs.conductor import Conductor, Plan, rounds
from harness.runs.execute import Setting
from harness.runs.plan import Wish, study_of
from harness.spec import Choice, Design, DeviceKind
from reports.frame.frame import frame

WAYS = {"in turns": Design(turns=True), "alone": Design(turns=False)}


def study(asked: argparse.Namespace, design: Design, name: str) -> Study:
    """Return a study of speed alone."""
    names = asked.backend.split(",")
    choices = tuple(Choice(backend=one, device="cpu", mode=registry.entry(one).default_mode) for one in names)
    wish = Wish(
        tasks=tuple(registry.task(one) for one in asked.task.split(",")),
        choices=choices,
        preset=asked.preset,
        repeats=asked.rounds,
        seeds=(0,),
        design=design,
    )
    found = study_of(wish, name=name, command=tuple(sys.argv[1:]))
    return replace(found, specs=tuple(replace(spec, speed_only=True) for spec in found.specs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="torch,tensorflow,mindspore")
    parser.add_argument("--task", default="lenet-mnist,lstm-text")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--results", default="results")
    asked = parser.parse_args()

    setting = Setting(machine=machine.machine(), git_revision=machine.git_revision(), cores=machine.available_cores())
    where: dict[tuple[str, DeviceKind], Interpreter] = {
        (name, "cpu"): interpreters.find(name, {}, device="cpu") for name in asked.backend.split(",")
    }
    stores, conductors, parts = {}, {}, {}
    for way, design in WAYS.items():
        planned = study(asked, design, f"{way.replace(' ', '-')}-{timestamp()[:19].replace(':', '')}")
        stores[way] = Store(Path(asked.results, planned.name))
        stores[way].create(planned)
        plan = Plan(study=planned, interpreters=where, data_dir=None, with_parity=False, with_ceilings=False)
        conductors[way] = Conductor(plan, (), store=stores[way], setting=setting, listener=Shown())
        parts[way] = list(rounds(planned.specs))
    for number, both in enumerate(zip_longest(*parts.values())):
        for way, part in list(zip(WAYS, both, strict=True))[:: -1 if number % 2 else 1]:
            conductors[way].left = part
            conductors[way].run()

    frames = {way: frame(store.records()[0]) for way, store in stores.items()}
    key = ["task", "backend", "mode", "repeat"]
    both_ways = pd.concat({way: found.set_index(key)["step_s"] for way, found in frames.items()}, axis=1).dropna()
    for row, found in both_ways.groupby(level=key[:3]):
        d = np.log(found["in turns"] / found["alone"])
        error = d.std() / math.sqrt(len(d))
        ratio = f"{math.exp(d.mean()):.4f} +- {error:.4f}"
        print(f"{' '.join(map(str, row)):40} in turns / alone {ratio}  ({len(d)} rounds)")


if __name__ == "__main__":
    main()
