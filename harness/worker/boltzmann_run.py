"""One run of a Boltzmann machine: its stages one after the other, then what is asked of it, each timed by itself.

The stages are timed by the same `Trainer` as any net; the bound on the likelihood, the probe and the fine-tuning come
after them. Between stages the state passes through the host, once; inside a stage nothing does but the statistics.
"""

import gc
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import stage_sequence
from harness.boltzmann import Joint, Rbm, Stage, State
from harness.contract import Backend, BoltzmannProgram, Split, Trap
from harness.language import apart, finished, noop
from harness.measure import quality as machine_quality
from harness.measure.clock import Stopwatch, Trainer
from harness.measure.quality import PICTURES, chunks, outputs, quality
from harness.model import Weights
from harness.optimizers import Optimizer
from harness.record import Evaluation, StageMeasured
from harness.records import machines, pictures, same_seed
from harness.spec import Boltzmann, Preset, Task, fingerprint
from harness.worker.jobs import RunJob
from harness.worker.run import Run
from harness.worker.stages import Checkpoint, Features, Order, StageProgram, check_finite, epoch_means

CHECKPOINT_EVERY_S = 60.0
SPLITS: tuple[Split, ...] = ("train", "test")
WATCHED_PROBE_EPOCHS = 5
"""Of the linear probe of a machine that is watched on its way: enough to tell two of them apart."""


class BoltzmannRun(Run):
    """Does a RunJob whose preset has the stages of a Boltzmann machine."""

    def work(self, backend: Backend) -> None:
        """Do the stages, then the evaluation of the machine, the probe and the fine-tuning."""
        job = self.job
        self.backend = backend
        self.phases |= {"build_s": 0.0, "load_s": 0.0, "evaluate_s": 0.0}
        with np.load(job.weights, allow_pickle=False) as file:
            self.drawn: Weights = dict(file)
        self.arrays = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in job.arrays.items()}
        order: Order = np.load(job.order, mmap_mode="r", allow_pickle=False)
        self.per_epoch = len(order) // self.preset.order_epochs
        self.order_of_nets: Order = order[sum(stage.epochs for stage in self.machine.stages) * self.per_epoch :]
        self.checkpoint = Checkpoint(job.checkpoint, belongs_to=training(job))
        self.checkpoint.check(self.machine.stages, self.preset.batch_size)
        if (why := self.checkpoint.trouble) is not None:
            self.facts["traps"] += (Trap(name=noop("checkpoint"), sentence=str(why), said=why, harmful=False),)
        self.was_interrupted = self.checkpoint.stage is not None
        self.before_s = self.checkpoint.train_s
        self.done = self.checkpoint.done
        self.stages = list(self.checkpoint.measured)
        first = 0
        for number, stage in enumerate(self.machine.stages):
            if stage.name not in self.done:
                part = order[first * self.per_epoch : (first + stage.epochs) * self.per_epoch]
                self.done[stage.name] = self.train_stage(number, np.ascontiguousarray(part))
            first += stage.epochs
        self.nets(np.ascontiguousarray(self.order_of_nets))
        self.checkpoint.remove()

    @property
    def preset(self) -> Preset:
        """The preset of the run."""
        return self.job.preset

    @property
    def machine(self) -> Boltzmann:
        """The description of the machine."""
        if self.preset.boltzmann is None:
            raise ValueError("this preset has no Boltzmann machine")
        return self.preset.boltzmann

    def train_stage(self, number: int, order: Order) -> State:
        """Train one stage through its epochs, unless a checkpoint is further on, and return its state."""
        stage, is_last = self.machine.stages[number], number == len(self.machine.stages) - 1
        state, epoch = stage_sequence.start(self.machine.stages, number, self.drawn, self.done), 0
        if self.checkpoint.stage == stage.name:
            state, epoch = self.checkpoint.state, self.checkpoint.epoch
        elif not isinstance(stage, Rbm):
            made = "composed" if isinstance(stage, Joint) else "untied"
            self.judge_machine(f"{stage.name}, {made}", stage, state)
        # No two stages, and no two starts from a checkpoint, are to draw the same numbers.
        program = self.build_stage(stage, state, seed=self.job.spec.seed * 1_000_000 + number * 10_000 + epoch)
        updates = StageProgram(stage, program, per_epoch=self.per_epoch, update=epoch * self.per_epoch)
        self.trainer = trainer = Trainer(updates, order[epoch * self.per_epoch :], self.guard)
        first_step_s = trainer.first_step()
        self.phases["first_step_s"] = first_step_s
        saved = Stopwatch()
        for trained in range(1, stage.epochs - epoch + 1):
            # Energy, as throughput, is that of the last stage alone, so it is only counted there.
            trainer.train_until(trained * self.per_epoch, self.after_block if is_last else self.save_now_and_then)
            epochs_left = stage.epochs - epoch - trained
            watched = is_last and self.watch(updates, epoch + trained)
            # With no epoch left there is nothing to go on with.
            if epochs_left and (watched or saved.seconds() > CHECKPOINT_EVERY_S):
                self.checkpoint.save(
                    self.done,
                    stage.name,
                    program.state(),
                    epoch=epoch + trained,
                    train_s=self.train_seconds(),
                    measured=self.stages,
                )
                saved = Stopwatch()
        state = program.state()
        check_finite(stage, state, updates.update)
        means = {name: epoch_means(values, self.per_epoch) for name, values in updates.rows.items()}
        if is_last:
            self.program = program
            self.features = self.features_of(program, steps=self.machine.mean_field_steps)
            shown = pictures.tiles(stage, state, self.features["test"], np.asarray(self.arrays["test_x"][:PICTURES]))
            # Without `allow_pickle`, which MindSpore's NumPy 1.26 takes for an array.
            np.savez(Path(self.job.out, pictures.ARRAYS), **shown)  # type: ignore[arg-type, unused-ignore]
            self.keep_outcome(trainer, {**self.done, stage.name: state})
            asked = Features(program, steps=self.machine.mean_field_steps)
            self.measure(trainer, asked)
        earlier_stages_s = sum(told.train_s for told in self.stages)
        self.stages.append(
            StageMeasured(
                name=stage.name,
                updates=stage.epochs * self.per_epoch,
                first_step_s=first_step_s,
                train_s=self.train_seconds() - earlier_stages_s,
                blocks=tuple(trainer.blocks),
                statistics=means,
            )
        )
        self.judge_machine(f"{stage.name}, trained", stage, state)
        if not is_last:
            self.before_s += trainer.train_seconds
            self.trainer = None  # its seconds are in `before_s` now
        return state

    def keep_outcome(self, trainer: Trainer, states: dict[str, State]) -> None:
        """Write the losses of the last stage and the states of all, unless a checkpoint makes it another run."""
        if self.job.keep_outcome and not self.was_interrupted:
            parts = {f"{stage}/{name}": value for stage, state in states.items() for name, value in state.items()}
            with self.host.left_out():
                same_seed.write(self.job.out, trainer.losses, parts)

    def build_stage(self, stage: Stage, state: State, *, seed: int) -> BoltzmannProgram:
        """Build a stage and put the pictures on the device."""
        spec = self.job.spec
        watch = Stopwatch()
        program = self.backend.build_boltzmann(stage, device=spec.device, mode=spec.mode, state=state, seed=seed)
        program.synchronize()
        self.phases["build_s"] += watch.seconds()
        self.facts["settings"] = self.backend.settings() | self.shell
        watch = Stopwatch()
        program.load({name: self.arrays[name] for name in ("train_x", "test_x")})
        program.synchronize()
        self.phases["load_s"] += watch.seconds()
        return program

    def watch(self, updates: StageProgram, epoch: int) -> bool:
        """Judge a machine on its way and keep a copy of it, outside of the training clock, if it is time for it.

        Beside what can be said of it without labels, its figures are the reconstruction error of the epoch and the
        accuracy of a short linear probe.
        """
        stage, program, every = updates.stage, updates.program, self.machine.watch_epochs
        is_over = epoch == stage.epochs
        if not every or (epoch % every and not is_over):
            return False
        state = program.state()
        check_finite(stage, state, updates.update)
        if self.job.machines is not None:
            machines.keep(Path(self.job.machines), stage, state, epoch=epoch)
        if not is_over:  # else it is judged in full
            errors = updates.rows["reconstruction_error"][-self.per_epoch :]
            steps = stage.mean_field_steps if isinstance(stage, Joint) else 0
            probe = self.probe(self.features_of(program, steps=steps), WATCHED_PROBE_EPOCHS)
            told = {"reconstruction_error": epoch_means(errors, len(errors))[0]} | probe.quality
            self.judge_machine(f"{stage.name}, epoch {epoch}", stage, state, told)
        self.energy.skip()
        return True

    def judge_machine(self, name: str, stage: Stage, state: State, told: dict[str, float | None] | None = None) -> None:
        """Take what can be said of a machine without labels, outside of the training clock; `told` is known before."""
        watch = Stopwatch()
        test = np.asarray(self.arrays["test_x"][:PICTURES])
        found, remarks = machine_quality.of(
            stage,
            state,
            test=test,
            temperatures=self.machine.temperatures,
            runs=self.machine.sampling_runs,
            seed=self.job.spec.seed,
        )
        self.phases["evaluate_s"] += watch.seconds()
        facts = (told or {}) | found
        self.stages.append(StageMeasured(name=name, quality=facts, remarks=finished(remarks), said=apart(remarks)))
        self.save()

    def features_of(self, program: BoltzmannProgram, *, steps: int) -> dict[str, NDArray[np.float32]]:
        """Return the machine's features of both splits, on the host."""
        found: dict[str, NDArray[np.float32]] = {}
        for split in SPLITS:
            examples = np.arange(len(self.arrays[f"{split}_y"]), dtype=np.int32)
            parts = [program.host(program.features(split, part, steps=steps))[:used] for part, used in chunks(examples)]
            found[split] = np.concatenate(parts)
        return found

    def labels(self) -> dict[str, NDArray[Any]]:
        """Return the labels of both splits."""
        return {f"{split}_y": np.asarray(self.arrays[f"{split}_y"]) for split in SPLITS}

    def probe(self, features: dict[str, NDArray[np.float32]], epochs: int) -> StageMeasured:
        """Train a linear probe on a machine's features of both splits, for so many epochs."""
        task = stage_sequence.probe_task(self.job.task, features["train"].shape[1])
        inputs = {f"{split}_x": values for split, values in features.items()} | self.labels()
        order = np.ascontiguousarray(self.order_of_nets[: epochs * self.per_epoch])
        return self.net("linear probe", task, inputs, order, self.machine.probe, stage_sequence.probe_weights(task))

    def nets(self, order: Order) -> None:
        """Train the linear probe, the fine-tuned net and the same net from a random start; write what came out."""
        task, machine, stages = self.job.task, self.machine, self.machine.stages
        y = self.labels()
        pixels = {f"{split}_x": np.asarray(self.arrays[f"{split}_x"]) for split in SPLITS}
        found: dict[str, float | None] = {}
        found["probe_accuracy"] = self.told(self.probe(self.features, machine.probe_epochs))
        fine = stage_sequence.fine_tuned_task(task, stages[-1])
        if isinstance(last := stages[-1], Joint):
            both = {f"{s}_x": np.hstack([pixels[f"{s}_x"], self.features[s][:, last.hidden1 :]]) for s in self.features}
        else:
            both = pixels
        self.features.clear()
        starts = stage_sequence.net_weights(task, stages, self.done, self.drawn)
        random_starts = {name: value for name, value in self.drawn.items() if "/" not in name}
        order = order[: self.preset.epochs * self.per_epoch]
        for labels in (0, *(count for count in machine.labels if count < len(y["train_y"]))):
            some = order
            if labels:
                examples = stage_sequence.chosen_examples(y["train_y"], labels)
                some = stage_sequence.order_of(
                    examples, order, batch_size=self.preset.batch_size, fewest_updates=machine.fewest_updates
                )
            of = f", {labels:,} labels" if labels else ""
            suffix = f"_{labels}" if labels else ""
            rule = self.preset.optimizer
            tuned = self.net(f"fine-tuned{of}", fine, both | y, some, rule, starts)
            found[f"accuracy{suffix}"] = self.told(tuned)
            if not labels:
                self.fine_tuned_s = tuned.train_s
            random = self.net(f"random start{of}", task, pixels | y, some, rule, random_starts)
            found[f"random_start_accuracy{suffix}"] = self.told(random)
        found |= {name: value for stage in self.stages for name, value in stage.quality.items() if "bound" in name}
        steps = sum(stage.epochs for stage in stages) * self.per_epoch
        total = (self.train_seconds() or 0.0) + self.fine_tuned_s
        self.evaluations.append(Evaluation(steps=steps, train_seconds=total, quality=found))

    def net(
        self,
        name: str,
        task: Task,
        arrays: dict[str, NDArray[Any]],
        order: Order,
        optimizer: Optimizer,
        weights: Weights,
    ) -> StageMeasured:
        """Train a net on given arrays; return its training, with the accuracy on the test split."""
        spec = self.job.spec
        program = self.backend.build(
            task,
            optimizer,
            device=spec.device,
            mode=spec.mode,
            weights=weights,
            seed=spec.seed,
        )
        program.load(arrays)
        program.synchronize()
        trainer = Trainer(program, order, self.guard)
        first_step_s = trainer.first_step()
        trainer.train_until(len(order), self.save_now_and_then)
        watch = Stopwatch()
        examples = np.arange(len(arrays["test_y"]), dtype=np.int32)
        found = quality(task.loss, outputs(program, "test", examples), arrays["test_y"])
        self.phases["evaluate_s"] += watch.seconds()
        trained = StageMeasured(
            name=name,
            updates=len(order),
            first_step_s=first_step_s,
            train_s=trainer.train_seconds,
            blocks=tuple(trainer.blocks),
            quality=found,
        )
        del program, trainer
        gc.collect()  # a compiled program often refers to itself, and holds a copy of the data until it is collected
        return trained

    def told(self, trained: StageMeasured) -> float | None:
        """Put the training of a net into the record; return its accuracy."""
        self.stages.append(trained)
        self.save()
        return trained.quality["accuracy"]

    def train_seconds(self) -> float:
        """Return the seconds of the stages, those before a checkpoint included."""
        return self.before_s + (self.trainer.train_seconds if self.trainer else 0.0)


def training(job: RunJob) -> str:
    """Return what tells the training of a job from every other one, for its checkpoint."""
    return f"{job.spec.run_id} {fingerprint(job.task)}"
