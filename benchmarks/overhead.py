"""Does the harness cost anything? Its timed steps against a hand-written loop of the same framework, in one process.

    .venv/bin/python benchmarks/overhead.py [--task lenet-mnist|lstm-text|resnet|transformer-text|xor] [--preset NAME]
        [--dataset NAME] [--backend NAME] [--mode MODE] [--pairs N] [--json]

LeNet, a residual net, or a text classifier with an LSTM or a Transformer, mini-batch 64, or XOR, mini-batch 4; the same
data and order for all. Blocks of the adapter, of a minimal hand-written loop and of the framework's own high-level
trainer (Keras `fit`; for LeNet MindSpore's `Model.train`) alternate in a shuffled order; the ratio of every round is
taken and the median of the ratios is printed, so that a drift of the machine falls on all alike. Above 1 the adapter is
the faster. Run it on an otherwise idle machine.

EVENBENCH_FLUSH_DENORMALS=1 makes PyTorch flush denormal numbers on both sides. PyTorch's and MindSpore's hand-written
LSTMs train both of the biases that these frameworks have, as everybody does. The residual net and the Transformer (that
of the preset quick) start from the task's weights, and nothing is timed unless the first losses by hand are those of
the adapter.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.loops.worker import MODULES, OverheadJob
from harness import registry
from harness.cli.names import words
from harness.data.prepare import prepare
from harness.environments.interpreters import find
from harness.environments.machine import ROOT, available_cores
from harness.runs.launch import worker_environment, workplace

WORKER = Path(__file__).with_name("loops") / "worker.py"


def measure(job: OverheadJob) -> dict[str, object]:
    """Run the comparison of one backend and mode in its own interpreter and return what it printed."""
    with workplace() as place:
        done = subprocess.run(
            [find(job.backend, {}).python, str(WORKER), msgspec.json.encode(job).decode()],
            cwd=place / "empty",
            env=worker_environment(place, available_cores(), str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{job.backend} {job.mode}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def data_of(task: str, preset: str, dataset: str | None) -> dict[str, str]:
    """Return the paths of the training examples, nothing for LeNet, whose pictures are drawn."""
    if task == "lenet-mnist":
        return {}
    found = registry.task(task)
    chosen = found.preset(preset)
    data = prepare(found.at(preset), chosen, dataset=dataset or chosen.dataset, seed=0, data_dir=None)
    return {"x": data.arrays["train_x"], "y": data.arrays["train_y"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=tuple(MODULES), default="lenet-mnist")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--dataset", help="of texts; default: the preset's own")
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--mode", action="append", default=[], help="default: the backend's own `default` mode")
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = data_of(asked.task, asked.preset, asked.dataset)
    for backend in words(asked.backend) or registry.framework_names():
        own = registry.entry(backend).default_mode
        for mode in words(own if mode == "default" else mode for mode in words(asked.mode) or ("default",)):
            job = {"backend": backend, "mode": mode, "pairs": asked.pairs, "task": asked.task, "preset": asked.preset}
            found = measure(msgspec.convert(job | data, OverheadJob))
            if asked.json:
                print(json.dumps(found), flush=True)
                continue
            print(f"{backend} {mode}: {found['examples_per_s']:,.0f} examples/s, {found['steps']} steps a block")
            for name, ratio in found["ratios"].items():  # type: ignore[attr-defined]
                low, middle, high = ratio["quartiles"]
                print(f"  harness / {name:<12} {middle:.3f}   (quartiles {low:.3f} to {high:.3f}, {asked.pairs} pairs)")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
