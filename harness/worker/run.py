"""One run, phase by phase: import, build, load, first step, training with evaluations, memory."""

import math
import platform
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.contract import Backend, BoltzmannProgram, Program, Split
from harness.language import Sentence, apart, finished, told
from harness.measure import honesty
from harness.measure.clock import Stopwatch, Trainer, loss_curve
from harness.measure.conditions import shell_settings
from harness.measure.energy import Meter
from harness.measure.inference import Batched, Single
from harness.measure.memory import HostMemory, device_process_bytes
from harness.measure.noise import Guard
from harness.measure.quality import CHUNK, Predicting, outputs, quality
from harness.record import Evaluation, Honesty, Inference, Measured, Memory, Outcome, Phases, StageMeasured
from harness.records import same_seed
from harness.registry import resolve
from harness.spec import PLANT, PLANTED
from harness.worker import evidence, turns
from harness.worker.jobs import Result, RunJob
from harness.worker.process import write_result

SAVE_EVERY_S = 2.0
LARGEST_SAVING_SHARE = 0.01
"""Of a run's time: what is known of a training of hours takes long to write."""


class Run:
    """Does a RunJob; `measured()` says at any time what is known so far."""

    def __init__(self, job: RunJob) -> None:
        self.job = job
        self.total = Stopwatch()
        self.saved = Stopwatch()
        self.saving_s = 0.0
        self.host = HostMemory()
        self.phases: dict[str, float] = {}
        self.evaluations: list[Evaluation] = []
        self.facts: dict[str, Any] = {}
        self.shell = shell_settings(job.settings)
        self.held_out: NDArray[np.int32] | None = None
        self.stopped_early = False
        self.trainer: Trainer | None = None
        self.program: Program | BoltzmannProgram | None = None
        self.guard = Guard(job.cores)
        self.budget_s = job.spec.noise_budget_s
        self.inference: tuple[Inference, ...] = ()
        self.honesty = Honesty()
        self.memory: Memory | None = None
        self.stages: list[StageMeasured] = []
        self.energy = Meter(job.spec.device)
        self.backend: Backend

    def go(self) -> Outcome:
        """Do the whole run and return how it ended.

        Raises:
            Diverged: a training loss was not finite.
        """
        watch = Stopwatch()
        backend: Backend = resolve(self.job.adapter)()
        self.phases["import_s"] = watch.seconds()
        self.host.imported()
        self.facts = {"versions": backend.versions(), "traps": backend.traps()}
        spec = self.job.spec
        reason = backend.why_not(self.job.task, spec.device, spec.mode)
        if reason is not None:
            return Outcome(status="unsupported", **told(reason))
        self.facts["device_name"] = next(d.name for d in backend.devices() if d.kind == spec.device)
        self.work(backend)
        self.honesty = msgspec.structs.replace(self.honesty, compiled=backend.compiled())
        return self.judge()

    def work(self, backend: Backend) -> None:
        """Build, load, train and evaluate."""
        self.backend = backend
        self.program = program = self.build(backend)
        self.facts["settings"] = backend.settings() | self.shell
        self.save()
        self.train(program)

    def build(self, backend: Backend) -> Program:
        """Build the program and put the data on the device."""
        spec, job = self.job.spec, self.job
        with np.load(job.weights, allow_pickle=False) as file:
            weights = dict(file)
        watch = Stopwatch()
        program = backend.build(
            job.task, job.preset.optimizer, device=spec.device, mode=spec.mode, weights=weights, seed=spec.seed
        )
        program.synchronize()
        self.phases["build_s"] = watch.seconds()
        self.arrays = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in job.arrays.items()}
        if job.validation is not None:
            self.held_out = np.load(job.validation, allow_pickle=False)
        watch = Stopwatch()
        program.load(self.arrays)
        program.synchronize()
        self.phases["load_s"] = watch.seconds()
        return program

    def train(self, program: Program) -> None:
        """Train through the whole order with the preset's evaluations, then go on until the speed can be read."""
        order: NDArray[np.int32] = np.load(self.job.order, allow_pickle=False)
        self.trainer = trainer = Trainer(program, order, self.guard)
        self.phases["evaluate_s"] = 0.0
        self.phases["first_step_s"] = trainer.first_step()
        self.save()
        for end in evaluation_steps(len(order), self.job.preset.evaluations):
            trainer.train_until(end, self.after_block)
            self.evaluate(program, trainer)
            if self.has_stopped_improving() and end < len(order):
                self.stopped_early = True
                break
        if self.job.keep_outcome:  # now, for all that follows trains on
            with self.host.left_out():
                same_seed.write(self.job.out, trainer.losses, program.parameters())
        test_examples = len(self.arrays["test_y"])
        self.honesty = honesty.waits(program, trainer, test_examples=test_examples)
        if honesty.doubts(self.honesty, self.job.spec.mode):
            return  # there is no speed to be read
        self.measure(trainer, program)
        self.honesty = honesty.remembers(
            program, trainer, self.honesty, test_examples=test_examples, batch_size=self.job.preset.batch_size
        )

    def measure(self, trainer: Trainer, program: Predicting) -> None:
        """Measure the speed of training and of forward passes, alone or in turns with other workers.

        Args:
            trainer: has trained the program.
            program: what is asked for its outputs.
        """
        if self.job.turns is not None:
            self.take_turns(trainer, program)
            return
        self.keep_measuring(trainer)
        self.memory = self.read_memory()  # before inference, so that it is that of training
        self.infer(program)

    def expected(self, program: Predicting) -> NDArray[np.float32]:
        """Return the outputs for the first examples of the test split, as an evaluation asks for them."""
        return outputs(program, "test", np.arange(len(self.arrays["test_x"]), dtype=np.int32)[:CHUNK])

    def take_turns(self, trainer: Trainer, program: Predicting) -> None:
        """Time a block whenever it is this worker's turn, until the parent says that it was the last one."""
        self.energy.skip()
        plant = PLANT if self.job.spec.profile == PLANTED else 0.0
        trainer.calibrate(plant)
        self.memory = self.read_memory()
        expected = self.expected(program)  # now, for it trains on in its turns
        one, many = (
            Single(program, expected, guard=self.guard),
            Batched(program, expected, self.job.preset.batch_size, guard=self.guard),
        )
        many.calibrate()
        self.save()
        turns.take(
            self.job,
            {"train": lambda number: trainer.turn(number, plant), "latency": one.block, "inference": many.block},
        )
        self.inference = (one.found(), many.found())
        self.save()

    def keep_measuring(self, trainer: Trainer) -> None:
        """Go on training until there are enough undisturbed blocks."""
        self.energy.skip()
        self.budget_s -= trainer.keep_measuring(self.job.preset.measure_s, self.after_block, self.budget_s)

    def infer(self, program: Predicting) -> None:
        """Measure forward passes."""
        found: list[Inference] = []
        expected = self.expected(program)
        seconds = self.job.preset.inference_s
        for measured in (
            Single(program, expected, guard=self.guard),
            Batched(program, expected, self.job.preset.batch_size, guard=self.guard),
        ):
            found.append(measured.measure(seconds=seconds, budget_s=self.budget_s))
            took = sum(block.seconds for block in found[-1].blocks if block.kind == "steady")
            self.budget_s = max(0.0, self.budget_s - max(0.0, took - seconds))
            self.inference = tuple(found)
            self.save()

    def evaluate(self, program: Program, trainer: Trainer) -> None:
        """Take the quality on the test split, and on a validation split if there is one, outside of the clock."""
        watch = Stopwatch()
        came = outputs(program, "test", np.arange(len(self.arrays["test_y"]), dtype=np.int32))
        found = quality(self.job.task.loss, came, self.arrays["test_y"])
        self.phases["evaluate_s"] += watch.seconds()
        evidence.put_aside(self.job, program, came, number=len(self.evaluations))
        del came
        watch = Stopwatch()
        validation = {} if self.held_out is None else self.quality_of(program, "train", self.held_out)
        self.phases["evaluate_s"] += watch.seconds()
        self.evaluations.append(
            Evaluation(steps=trainer.step, train_seconds=trainer.train_seconds, quality=found, validation=validation)
        )
        self.save()
        self.energy.skip()

    def leave_evidence(self) -> None:
        """Write what shows what was learned; after the result, for nothing of it is measured."""
        best = self.evaluations.index(self.best())
        evidence.leave(self.job, self.backend, self.arrays, number=best)

    def quality_of(self, program: Program, split: Split, examples: NDArray[np.int32]) -> dict[str, float | None]:
        """Return the quality on some examples of a split."""
        return quality(self.job.task.loss, outputs(program, split, examples), self.arrays[f"{split}_y"][examples])

    def has_stopped_improving(self) -> bool:
        """Return whether the best validation quality lies as many evaluations back as the preset has patience for."""
        stopping = self.job.preset.early_stopping
        if stopping is None:
            return False
        return len(self.evaluations) - 1 - self.evaluations.index(self.best()) >= stopping.patience

    def best(self) -> Evaluation:
        """Return the evaluation that counts: the best on the validation split, or without one the last."""
        if self.held_out is None:
            return self.evaluations[-1]
        return max(self.evaluations, key=lambda evaluation: merit(evaluation.validation))

    def judge(self) -> Outcome:
        """Compare the last quality with the target."""
        spec, reached = self.job.spec, self.best().quality
        target = self.job.task.target(spec.preset, spec.dataset)
        if target is None or target.reached(reached):
            return Outcome(status="ok")
        came = reached[target.metric]
        if came is None:
            why = Sentence("{metric} not finite, the target is {target}", metric=target.metric, target=target.at_least)
        else:
            why = Sentence(
                "{metric} {value:.4f}, the target is {target}", metric=target.metric, value=came, target=target.at_least
            )
        return Outcome(status="missed_target", **told(why))

    def after_block(self) -> None:
        """Count the energy of the block that just ended, and save what is known now and then."""
        if self.trainer is not None:
            self.energy.after(self.trainer.blocks[-1])
        self.save_now_and_then()

    def save_now_and_then(self) -> None:
        """Save what is known, but not so often that it would cost anything."""
        if self.saved.seconds() > max(SAVE_EVERY_S, self.saving_s / LARGEST_SAVING_SHARE):
            self.save()

    def save(self) -> None:
        """Write a partial result, so that a sudden end loses little."""
        watch = Stopwatch()
        write_result(self.job.out, Result(measured=self.measured()))
        self.saving_s = watch.seconds()
        self.saved = Stopwatch()

    def train_seconds(self) -> float | None:
        """Return the seconds of training alone, as far as it has come."""
        return self.trainer.train_seconds if self.trainer else None

    def read_memory(self) -> Memory:
        """Return the peaks so far."""
        memory = self.host.read()
        if self.program is not None:
            own = self.program.device_memory()
            driver, why_no_driver = device_process_bytes(self.job.spec.device)
            asked = {"device_peak_bytes": own.reason, "device_process_bytes": why_no_driver}
            reasons = {name: reason for name, reason in asked.items() if reason}
            memory = msgspec.structs.replace(
                memory,
                device_peak_bytes=own.peak_bytes,
                device_process_bytes=driver,
                reasons=memory.reasons | finished(reasons),
                said=apart(reasons),
            )
        return memory

    def measured(self) -> Measured:
        """Return all that is known so far."""
        trainer = self.trainer
        steps, losses = loss_curve(trainer.losses) if trainer else ((), ())
        phases = Phases(
            **self.phases,
            train_s=self.train_seconds(),
            total_s=self.total.seconds(),
        )
        return Measured(
            python=platform.python_version(),
            **self.facts,
            phases=phases,
            blocks=tuple(trainer.blocks) if trainer else (),
            batch_size=self.job.preset.batch_size,
            examples={split: len(self.arrays[f"{split}_y"]) for split in ("train", "test")} if trainer else {},
            loss_steps=steps,
            losses=losses,
            evaluations=tuple(self.evaluations),
            quality=self.best().quality if self.evaluations else {},
            stopped_early=self.stopped_early,
            stages=tuple(self.stages),
            memory=self.memory or self.read_memory(),
            clock_resolution_s=trainer.clock_resolution_s if trainer else None,
            synchronize_s=trainer.synchronize_s if trainer else None,
            inference=self.inference,
            energy=self.energy.read(),
            honesty=self.honesty,
        )


def merit(found: dict[str, float | None]) -> float:
    """Return a number that is larger for a better quality: the accuracy, or the error turned round."""
    if "accuracy" in found:
        return found["accuracy"] or 0.0
    error = found["mean_squared_error"]
    return -math.inf if error is None else -error


def evaluation_steps(steps: int, evaluations: int) -> tuple[int, ...]:
    """Spread the evaluations evenly over the steps; the last is at the end."""
    # A set, for with few steps some fall together.
    return tuple(sorted({math.ceil(steps * (i + 1) / evaluations) for i in range(evaluations)}))
