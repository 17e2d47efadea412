"""How fast is a Boltzmann machine's training, beside scikit-learn's BernoulliRBM and beside plain matrix products?

    .venv/bin/python benchmarks/rbm.py [--backend NAME] [--mode MODE] [--stage bottom|joint] [--rounds N]
        [--updates N] [--preset NAME] [--dataset NAME] [--by-hand] [--share] [--json]

The stage of `dbm-mnist` and scikit-learn's `fit` and `partial_fit` train blocks of equally many updates on the same
pictures, in turns: each in a process of its own that lives as long as the study and is stopped while another one runs
(see `turns.py`). A round holds one block of each, in shuffled order; the ratio to `fit` is taken round by round and the
medians are printed, so that a drift of the machine falls on all alike. Run it on an otherwise idle machine.

What they compute is not quite equal, and the frameworks do more: they make the pixels binary at every visit, draw
h from p0 (CD-1), and have momentum and weight decay; scikit-learn takes the pixels as they are, has persistent chains
and none of the rest. Both have five matrix products per update. With `--by-hand`, JAX's and Paddle's default modes
have a loop by hand of the stage `bottom` beside them, which computes the same. With `--share`, each framework's own
rate of float32 products is measured in the same rounds, and which share of it the whole update reaches (see
`products.py`).
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.products import LARGE_PRODUCT, products
from benchmarks.rbm_worker import BY_HAND, RbmJob
from benchmarks.turns import Worker, started
from harness import registry
from harness.cli.names import words
from harness.data.prepare import Prepared, prepare, steps_per_epoch
from harness.environments.interpreters import find
from harness.environments.machine import available_cores
from harness.spec import Mode

TASK = "dbm-mnist"
RIVALS = ("scikit-learn fit", "scikit-learn partial_fit")
WORKER = Path(__file__).with_name("rbm_worker.py")


class Candidate(Struct, frozen=True, kw_only=True):
    """One program in one mode, with the interpreter that runs it."""

    program: str
    mode: Mode
    python: str

    @property
    def label(self) -> str:
        """What it is called in the table."""
        return self.program if self.program in RIVALS or BY_HAND in self.program else f"{self.program} {self.mode}"


def candidates(backends: Sequence[str], modes: Sequence[str], *, rivals: bool, loops: bool) -> list[Candidate]:
    """Return what is to be compared; `all` stands for every mode, `default` for a backend's own, and it is the default.

    A backend is left out of a mode that it does not have.
    """
    found = [Candidate(program=name, mode="eager", python=sys.executable) for name in RIVALS if rivals]
    for name in words(backends) or registry.framework_names():
        entry = registry.entry(name)
        wanted = words(modes) or ("default",)
        named = [entry.default_mode if word == "default" else word for word in wanted]
        chosen = entry.modes if "all" in wanted else tuple(mode for mode in entry.modes if mode in named)
        python = find(name, {}).python
        found += [Candidate(program=name, mode=mode, python=python) for mode in chosen]
        if loops and (WORKER.parent / "loops" / f"on_{name}" / "machine.py").is_file():
            found.append(Candidate(program=name + BY_HAND, mode=entry.default_mode, python=python))
    return found


def job_for(candidate: Candidate, asked: argparse.Namespace, data: Prepared) -> RbmJob:
    """Return what a candidate's worker is to do."""
    preset = registry.task(TASK).preset(asked.preset)
    stages = preset.boltzmann.stages if preset.boltzmann else ()
    return RbmJob(
        program=candidate.program,
        mode=candidate.mode,
        stage=next(stage for stage in stages if stage.name == asked.stage),
        updates=asked.updates,
        per_epoch=steps_per_epoch(data.examples["train"], preset.batch_size),
        pixels=data.arrays["train_x"],
        order=data.order,
        cores=available_cores(),
    )


def quartiles(values: Sequence[float]) -> list[float]:
    """Return the lower quartile, the median and the upper quartile."""
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Start all workers, let them take turns, and return what came out."""
    task = registry.task(TASK)
    preset = task.preset(asked.preset)
    data = prepare(task.at(asked.preset), preset, dataset=asked.dataset or preset.dataset, seed=0, data_dir=None)
    chosen = candidates(asked.backend, asked.mode, rivals=asked.stage == "bottom", loops=asked.by_hand)
    jobs = {candidate.label: job_for(candidate, asked, data) for candidate in chosen}
    seconds: dict[str, list[float]] = {label: [] for label in jobs}
    multiplied: dict[str, list[list[float]]] = {label: [] for label in jobs}
    idle: dict[str, float] = {}
    versions: dict[str, Any] = {}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for candidate in chosen:
            label = candidate.label
            print(f"starting {label}", file=sys.stderr)
            job = msgspec.json.encode(jobs[label]).decode()
            worker = stack.enter_context(started(label, candidate.python, WORKER, job))
            versions[label] = worker.ask("versions")["versions"]
            worker.ask("train")
            workers[label] = worker
        idle = {label: worker.idle_percent() for label, worker in workers.items()}
        shuffle = random.Random(0)
        for number in range(1, asked.rounds + 1):
            print(f"round {number} of {asked.rounds}", file=sys.stderr)
            for label in shuffle.sample(list(workers), len(workers)):
                seconds[label].append(workers[label].ask("train")["seconds"])
                if asked.share and not label.endswith(("partial_fit", BY_HAND)):
                    multiplied[label].append(workers[label].ask("multiply")["seconds"])
    found: dict[str, Any] = {
        "stage": asked.stage,
        "preset": asked.preset,
        "dataset": asked.dataset or preset.dataset,
        "batch": preset.batch_size,
        "updates": asked.updates,
        "rounds": asked.rounds,
        "candidates": {
            label: {"versions": versions[label], "idle_percent": idle[label], "seconds": seconds[label]}
            | speeds(seconds[label], seconds.get(RIVALS[0]), examples=asked.updates * preset.batch_size)
            | by_hand(label, seconds)
            | (shares(jobs[label], seconds[label], multiplied[label], preset.batch_size) if multiplied[label] else {})
            for label in jobs
        },
    }
    return found


def speeds(ours: Sequence[float], theirs: Sequence[float] | None, *, examples: int) -> dict[str, Any]:
    """Return examples per second and, if there is a rival, the ratio of the speeds round by round, as quartiles."""
    found: dict[str, Any] = {"examples_per_s": quartiles([examples / own for own in ours])}
    if theirs is not None:
        found["ratio"] = quartiles([their / own for own, their in zip(ours, theirs, strict=True)])
    return found


def by_hand(label: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Return the ratio of a backend's speed to that of its loop by hand, round by round, as quartiles."""
    if label in RIVALS or (loop := label.split()[0] + BY_HAND) == label or loop not in seconds:
        return {}
    return {"by_hand": quartiles([theirs / own for own, theirs in zip(seconds[label], seconds[loop], strict=True)])}


def shares(job: RbmJob, seconds: Sequence[float], multiplied: Sequence[Sequence[float]], batch: int) -> dict[str, Any]:
    """Return the rates of plain products, the best of all rounds, and the share of them that an update reaches."""
    counts = products(job.stage, batch, job.stage.gibbs_steps_at(0))
    best = [min(column) for column in zip(*multiplied, strict=True)]
    rates = {
        str(product): product.operations / s / 1e9 for product, s in zip((*counts, LARGE_PRODUCT), best, strict=True)
    }
    operations = sum(count * product.operations for product, count in counts.items())
    all_products_s = sum(count * s for count, s in zip(counts.values(), best[:-1], strict=True))
    update_s = statistics.median(seconds) / job.updates
    own, large = operations / all_products_s / 1e9, LARGE_PRODUCT.operations / best[-1] / 1e9
    reached = operations / update_s / 1e9
    return {
        "operations_per_update": operations,
        "gflops_by_product": rates,
        "gflops_large": large,
        "gflops_own_shapes": own,
        "gflops_update": reached,
        "share_of_large": reached / large,
        "share_of_own_shapes": reached / own,
    }


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    rows: dict[str, dict[str, Any]] = found["candidates"]
    print(f"{TASK} {found['preset']}, stage {found['stage']}, {found['dataset']}, mini-batch {found['batch']}:")
    print(f"{found['rounds']} rounds of blocks of {found['updates']} updates; medians and (quartiles)")
    for label, row in rows.items():
        low, middle, high = row["examples_per_s"]
        line = f"  {label:<25} {middle:>10,.0f} examples/s ({low:,.0f} to {high:,.0f})"
        if "ratio" in row:
            low, middle, high = row["ratio"]
            line += f"   {middle:.2f} ({low:.2f} to {high:.2f}) times {RIVALS[0]}"
        if "by_hand" in row:
            low, middle, high = row["by_hand"]
            line += f"   {middle:.3f} ({low:.3f} to {high:.3f}) times its loop by hand"
        print(f"{line}   idle: {row['idle_percent']:.0f} % of a core")
    shared = {label: row for label, row in rows.items() if "share_of_large" in row}
    if not shared:
        return
    operations = next(iter(shared.values()))["operations_per_update"]
    best = max(row["gflops_large"] for row in shared.values())
    print(f"matrix products: {operations / 1e6:,.1f} million operations per update; GFLOP/s, best of all rounds")
    for label, row in shared.items():
        print(
            f"  {label:<25} update {row['gflops_update']:.0f} = {row['share_of_own_shapes']:.0%} of its rate at these "
            f"shapes ({row['gflops_own_shapes']:.0f}), {row['share_of_large']:.0%} of its rate at {LARGE_PRODUCT} "
            f"({row['gflops_large']:.0f}), {row['gflops_update'] / best:.0%} of the best ({best:.0f})"
        )
        print("    " + ", ".join(f"{product}: {rate:.0f}" for product, rate in row["gflops_by_product"].items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--mode", action="append", default=[], help="default, all, or names; default: default")
    parser.add_argument("--stage", choices=("bottom", "joint"), default="bottom")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--updates", type=int, default=320, help="of one block; 320 is five calls of MindSpore's loop")
    parser.add_argument("--preset", default="full")
    parser.add_argument("--dataset", help="default: the preset's own")
    parser.add_argument("--by-hand", action="store_true", help="also the loops by hand of JAX and Paddle")
    parser.add_argument("--share", action="store_true", help="also measure the rates of plain matrix products")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.by_hand and asked.stage != "bottom":
        parser.error("--by-hand: the loops by hand are of the stage bottom, leave out --stage joint")
    found = measure(asked)
    if asked.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
