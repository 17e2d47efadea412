"""What a trained machine is worth, asked anew of a kept copy: the bound on the likelihood, and fine-tuning by seeds.

.venv/bin/python benchmarks/kept_machine.py MACHINE.npz bound [--temperatures N] [--runs N] [--seed 0]
.venv/bin/python benchmarks/kept_machine.py MACHINE.npz fine-tune [--backend NAME] [--mode MODE] [--seeds 0,1,2]
    [--set KEY=VALUE] [--hold-out N] [--every EPOCHS]

MACHINE.npz is a copy that a watched run of `dbm-mnist` keeps beside its record (`*.machines/joint-0500.npz`). A seed of
fine-tuning draws the output layer and the order of the mini-batches; the machine below is the same. With `--hold-out`,
the last N training pictures are not trained on, and the error is theirs instead of the test pictures': a recipe is
chosen so. The error is told every few epochs, and at the end with its 95 % interval (Student's) over the seeds.
The learning rate falls three times, after each quarter of the epochs, as in the preset, however many there are.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from harness import stage_sequence  # noqa: E402  (in either environment)
from harness.boltzmann import Joint  # noqa: E402
from harness.contract import Backend  # noqa: E402
from harness.measure import likelihood, quality  # noqa: E402
from harness.records import machines  # noqa: E402
from harness.registry import entry, resolve, task  # noqa: E402
from harness.spec import Preset  # noqa: E402

TASK = "dbm-mnist"
PICTURES = 1000
"""At a time."""

Floats = NDArray[np.float32]


def joint_of(preset: Preset) -> Joint:
    """Return the joint stage of a preset."""
    stages = preset.boltzmann.stages if preset.boltzmann else ()
    return next(stage for stage in stages if isinstance(stage, Joint))


def train(job: dict[str, Any]) -> None:
    """Fine-tune in the backend's environment, and print a line of JSON every few epochs."""
    dbm, preset, every = task(TASK), task(TASK).preset(job["preset"]), job["every"]
    stage = joint_of(preset)
    with np.load(job["weights"], allow_pickle=False) as file:
        drawn = dict(file)
    weights = stage_sequence.net_weights(dbm, (stage,), {stage.name: machines.read(Path(job["machine"]))}, drawn)
    backend: Backend = resolve(entry(job["backend"]).adapter)()
    net = stage_sequence.fine_tuned_task(dbm, stage)
    rule = preset.optimizer
    if rule.schedule is not None:
        quarter = max(1, preset.epochs * job["per_epoch"] // 4)
        rule = replace(rule, schedule=replace(rule.schedule, every=quarter))
    program = backend.build(net, rule, device="cpu", mode=job["mode"], weights=weights, seed=job["seed"])
    arrays = {name: np.load(path) for name, path in job["arrays"].items()}
    program.load(arrays)
    order = np.load(job["order"])
    examples = np.arange(len(arrays["test_y"]), dtype=np.int32)
    for part in np.split(order, range(every * job["per_epoch"], len(order), every * job["per_epoch"])):
        program.train(np.ascontiguousarray(part))
        found = quality.quality(net.loss, quality.outputs(program, "test", examples), arrays["test_y"])
        print(json.dumps(found), flush=True)


def inputs(machine: Path, x: Floats, steps: int) -> Floats:
    """Return pictures (N, V) with the machine's m2 of each, after so many mean-field steps."""
    state = machines.read(machine)
    parts = [likelihood.mean_field(state, x[i : i + PICTURES], steps)[1] for i in range(0, len(x), PICTURES)]
    return np.hstack([x, np.concatenate(parts)]).astype(np.float32)


def fine_tune(asked: argparse.Namespace) -> None:
    """Prepare what the backend's environment needs, and tell what came out for every seed."""
    from scipy import stats

    from harness.data.prepare import prepare
    from harness.environments.interpreters import find
    from harness.environments.machine import available_cores
    from harness.runs.launch import worker_environment, workplace
    from harness.spec import variant_name

    name = variant_name(asked.preset, asked.set)
    dbm, preset = task(TASK), task(TASK).preset(name)
    before = sum(stage.epochs for stage in preset.boltzmann.stages) if preset.boltzmann else 0
    steps = preset.boltzmann.mean_field_steps if preset.boltzmann else 0
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    prepared = [prepare(dbm.at(name), preset, dataset=preset.dataset, seed=s, data_dir=asked.data_dir) for s in seeds]
    given = {part: np.load(path) for part, path in prepared[0].arrays.items()}
    count = len(given["train_x"]) - asked.hold_out
    if asked.hold_out:
        given |= {f"test_{part}": given[f"train_{part}"][count:] for part in "xy"}
    job = {"machine": str(asked.machine.resolve()), "preset": name, "backend": asked.backend}
    job |= {"mode": asked.mode or entry(asked.backend).default_mode, "every": asked.every}
    job["per_epoch"] = count // preset.batch_size
    errors = []
    with workplace() as place:
        job["arrays"] = {part: str(place / f"{part}.npy") for part in given}
        for part, values in given.items():
            np.save(job["arrays"][part], inputs(asked.machine, values, steps) if part.endswith("x") else values)
        for seed, data in zip(seeds, prepared, strict=True):
            order = np.load(data.order, mmap_mode="r")[before * (len(given["train_x"]) // preset.batch_size) :].ravel()
            kept = order[order < count][: preset.epochs * job["per_epoch"] * preset.batch_size]
            np.save(place / "order.npy", kept.reshape(-1, preset.batch_size))
            job |= {"seed": seed, "order": str(place / "order.npy"), "weights": data.weights}
            start, error = time.perf_counter(), float("nan")
            words = [find(asked.backend, {}).python, __file__, "--worker", json.dumps(job)]
            environment = worker_environment(place, available_cores(), None)
            with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as worker:
                for number, line in enumerate(worker.stdout or (), start=1):
                    error = 100 * (1 - json.loads(line)["accuracy"])
                    epoch = min(number * asked.every, preset.epochs)
                    print(f"    epoch {epoch}: {error:.2f} %", file=sys.stderr, flush=True)
            if worker.returncode:
                sys.exit(f"{asked.backend} ended with {worker.returncode}")
            errors.append(error)
            print(f"seed {seed}: {error:.2f} % error, {time.perf_counter() - start:.0f} s", flush=True)
    if len(errors) > 1:
        mean, half = np.mean(errors), stats.t.ppf(0.975, len(errors) - 1) * stats.sem(errors)
        print(f"{mean:.2f} % error ({mean - half:.2f} to {mean + half:.2f})")


def bound(asked: argparse.Namespace) -> None:
    """Estimate log Z anew, and tell the bound on the test pictures, made binary as in a run of the same seed."""
    from harness.data.prepare import prepare

    dbm, preset = task(TASK), task(TASK).preset(asked.preset)
    data = prepare(dbm.at(asked.preset), preset, dataset=preset.dataset, seed=asked.seed, data_dir=asked.data_dir)
    start = time.perf_counter()
    found, remarks = quality.of(
        joint_of(preset),
        machines.read(asked.machine),
        test=np.load(data.arrays["test_x"], mmap_mode="r")[: quality.PICTURES],
        temperatures=asked.temperatures,
        runs=asked.runs,
        seed=asked.seed,
    )
    sizes = f"{found['sample_size_uniform']:.1f} and {found['sample_size_rates']:.1f}"
    reliable = "reliable" if found["bound_is_reliable"] else "not reliable"
    print(f"bound {found['bound']:.2f} nats, {reliable}; effective sample sizes {sizes} of {asked.runs}")
    print(f"{remarks['log_z']}; {time.perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("machine", type=Path, metavar="MACHINE.npz")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--data-dir", type=Path)
    what = parser.add_subparsers(required=True)
    estimate = what.add_parser("bound")
    estimate.set_defaults(do=bound)
    estimate.add_argument("--temperatures", type=int, default=10_000)
    estimate.add_argument("--runs", type=int, default=100)
    estimate.add_argument("--seed", type=int, default=0)
    tuning = what.add_parser("fine-tune")
    tuning.set_defaults(do=fine_tune)
    tuning.add_argument("--backend", default="torch")
    tuning.add_argument("--mode", default="", help="without it the backend's default mode")
    tuning.add_argument("--seeds", default="0,1,2")
    tuning.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the preset's recipe")
    tuning.add_argument("--hold-out", type=int, default=0)
    tuning.add_argument("--every", type=int, default=5, help="epochs between two looks at the error")
    asked = parser.parse_args()
    asked.do(asked)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        train(json.loads(sys.argv[2]))
    else:
        main()
