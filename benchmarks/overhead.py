"""Does the harness cost anything? Its timed steps against a hand-written loop of the same framework, in one process.

    .venv/bin/python benchmarks/overhead.py [--backend NAME] [--mode MODE] [--pairs N] [--json]

LeNet, mini-batch 64, the same data and order for all. Blocks of the adapter, of a minimal hand-written loop and of the
framework's own high-level trainer (Keras `fit`, MindSpore `Model.train`) alternate in a shuffled order; the ratio of
every round is taken and the median of the ratios is printed, so that a drift of the machine falls on all alike. Above 1
the adapter is the faster. Run it on an otherwise idle machine.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from harness import registry
from harness.cli_choices import words
from harness.execute import ROOT, available_cores, worker_environment, workplace
from harness.interpreters import find

WORKER = Path(__file__).with_name("overhead_worker.py")


def measure(backend: str, mode: str, pairs: int) -> dict[str, object]:
    """Run the comparison of one backend and mode in its own interpreter and return what it printed."""
    with workplace() as place:
        done = subprocess.run(
            [find(backend, {}).python, str(WORKER), backend, mode, str(pairs)],
            cwd=place / "empty",
            env=worker_environment(place, available_cores(), str(ROOT / "benchmarks")),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{backend} {mode}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", default=[])
    parser.add_argument("--mode", action="append", default=[], help="default: the backend's own default mode")
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    for backend in words(asked.backend) or registry.framework_names():
        for mode in words(asked.mode) or (registry.entry(backend).default_mode,):
            found = measure(backend, mode, asked.pairs)
            if asked.json:
                print(json.dumps(found))
                continue
            print(f"{backend} {mode}: {found['examples_per_s']:,.0f} examples/s, {found['steps']} steps a block")
            for name, ratio in found["ratios"].items():  # type: ignore[attr-defined]
                low, middle, high = ratio["quartiles"]
                print(f"  harness / {name:<12} {middle:.3f}   (quartiles {low:.3f} to {high:.3f}, {asked.pairs} pairs)")


if __name__ == "__main__":
    main()
