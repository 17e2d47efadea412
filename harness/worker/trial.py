"""Speed alone, for `evenbench tune` and for the later rounds of a study: the first step and some steady blocks.

By the same `Trainer` as every run. Nothing is trained to its end and nothing is evaluated, so that a trial takes
seconds; its speed is that of the run.
"""

import numpy as np

from harness import stage_sequence
from harness.boltzmann import State
from harness.contract import Backend, Program
from harness.measure.clock import Trainer
from harness.measure.quality import Predicting
from harness.record import Outcome
from harness.worker.boltzmann_run import BoltzmannRun
from harness.worker.jobs import RunJob
from harness.worker.run import Run
from harness.worker.stages import Features, StageProgram


class Trial(Run):
    """Does a RunJob that is a trial."""

    def train(self, program: Program) -> None:
        """Make the first step and go on until the speed can be read."""
        self.time(Trainer(program, np.load(self.job.order, allow_pickle=False), self.guard), program)

    def time(self, trainer: Trainer, asked: Predicting) -> None:
        """Time the steps of a trainer, and in turns the calls of what is asked for its outputs too."""
        self.trainer = trainer
        self.phases["first_step_s"] = trainer.first_step()
        if self.job.turns is not None:
            self.take_turns(trainer, asked)
        elif not self.job.start_only:
            self.keep_measuring(trainer)

    def judge(self) -> Outcome:
        """Say that it went well; a trial has no target."""
        return Outcome(status="ok")


class BoltzmannTrial(Trial, BoltzmannRun):
    """The same for a Boltzmann machine: the speed of such a run is that of its last stage, here untrained."""

    def work(self, backend: Backend) -> None:
        """Build the last stage from the stages' first weights and time it."""
        self.backend, self.before_s = backend, 0.0
        self.phases |= {"build_s": 0.0, "load_s": 0.0}
        with np.load(self.job.weights, allow_pickle=False) as file:
            drawn = dict(file)
        self.arrays = {n: np.load(path, mmap_mode="r", allow_pickle=False) for n, path in self.job.arrays.items()}
        stages = self.machine.stages
        states: dict[str, State] = {}
        for number, stage in enumerate(stages):
            states[stage.name] = stage_sequence.start(stages, number, drawn, states)
        order = np.load(self.job.order, allow_pickle=False)
        program = self.build_stage(stages[-1], states[stages[-1].name], seed=self.job.spec.seed)
        per_epoch = len(order) // self.preset.order_epochs
        trained = StageProgram(stages[-1], program, per_epoch=per_epoch, update=0)
        self.time(Trainer(trained, order, self.guard), Features(program, steps=self.machine.mean_field_steps))


def trial_of(job: RunJob) -> Trial:
    """Return what does the trial of a net or of a Boltzmann machine."""
    return Trial(job) if job.preset.boltzmann is None else BoltzmannTrial(job)
