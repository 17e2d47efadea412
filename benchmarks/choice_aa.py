"""How often does `choose` call a winner among equals?

.venv/bin/python benchmarks/choice_aa.py [--needs course] [--studies 300] [--processes 3] [--spread 0.05]

Every simulated study has two candidates whose numbers are drawn alike: per task and criterion so many processes whose
logarithms spread by that much, accuracies by 0.005, everything that is measured once equal. A choice that carries its
uncertainty calls a winner in few of them.
"""

import argparse

import numpy as np

from reports.choose import draws, needs
from reports.choose.candidates import Field
from reports.choose.choose import choose_from
from reports.choose.criteria import CRITERIA, Criterion
from reports.choose.known import WHOLE, Candidate, Reading

ACCURACY_SPREAD = 0.005


def reading(criterion: Criterion, random: np.random.Generator, processes: int, spread: float) -> Reading:
    """Return what was measured of a task by one criterion."""
    noise = random.standard_normal(processes)
    if criterion.scale == "points":
        return Reading(values=tuple(0.9 + ACCURACY_SPREAD * noise), seeds=tuple(range(processes)))
    return Reading(values=tuple(np.exp(spread * noise)))


def candidate(
    backend: str, tasks: tuple[str, ...], random: np.random.Generator, processes: int, spread: float
) -> Candidate:
    """Return a candidate like every other one."""
    readings = {
        criterion.name: {task: reading(criterion, random, processes, spread) for task in tasks}
        if criterion.per_task
        else {WHOLE: Reading(values=(1.0,))}
        for criterion in CRITERIA
    }
    return Candidate(backend=backend, mode="eager", profile="stock", readings=readings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--needs", default="course")
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--spread", type=float, default=0.05)
    asked = parser.parse_args()
    random = np.random.default_rng(3)
    wanted = needs.read(asked.needs)
    for count in (1, 4):
        tasks = tuple(f"task {number}" for number in range(count))
        winners = 0
        for _ in range(asked.studies):
            draws.SEED = int(random.integers(1 << 30))
            both = tuple(candidate(name, tasks, random, asked.processes, asked.spread) for name in ("a", "b"))
            found = Field(tasks=tasks, candidates=both, excluded=())
            winners += choose_from(found, wanted, study="simulated", draws=2000).verdict == "winner"
        print(f"{count} task{'s' * (count > 1)}: a winner in {winners} of {asked.studies} studies of equals")


if __name__ == "__main__":
    main()
