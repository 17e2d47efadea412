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
from harness.boltzmann import Joint, Stage, State
from harness.contract import Backend, BoltzmannProgram
from harness.measure import quality as machine_quality
from harness.measure.clock import Stopwatch, Trainer
from harness.measure.quality import PICTURES, chunks, outputs, quality
from harness.model import Weights
from harness.optimizers import Optimizer
from harness.record import Evaluation, StageMeasured
from harness.records import pictures, same_seed
from harness.spec import Boltzmann, Preset, Task
from harness.worker.run import Run
from harness.worker.stages import Checkpoint, Features, Order, StageProgram, check_finite, epoch_means

CHECKPOINT_EVERY_S = 60.0


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
        self.checkpoint = Checkpoint(job.checkpoint)
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
        self.nets(np.ascontiguousarray(order[first * self.per_epoch :]))
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
        elif isinstance(stage, Joint):
            self.judge_machine(f"{stage.name}, composed", stage, state)
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
            if epochs_left and saved.seconds() > CHECKPOINT_EVERY_S:  # with none left there is nothing to go on with
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
            self.features = {split: self.features_of(program, split) for split in ("train", "test")}
            shown = pictures.tiles(stage, state, self.features["test"], np.asarray(self.arrays["test_x"][:PICTURES]))
            # Without `allow_pickle`, which MindSpore's NumPy 1.26 takes for an array.
            np.savez(Path(self.job.out, pictures.ARRAYS), **shown)  # type: ignore[arg-type, unused-ignore]
            self.keep_outcome(trainer, {**self.done, stage.name: state})
            self.keep_measuring(trainer)
            asked = Features(program, steps=self.machine.mean_field_steps)
            examples = np.arange(min(PICTURES, len(self.features["test"])), dtype=np.int32)
            self.infer(asked, asked.host(asked.predict("test", examples)))
        self.stages.append(
            StageMeasured(
                name=stage.name,
                updates=stage.epochs * self.per_epoch,
                first_step_s=first_step_s,
                train_s=trainer.train_seconds,
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

    def judge_machine(self, name: str, stage: Stage, state: State) -> None:
        """Take what can be said of a machine without labels, outside of the training clock."""
        watch = Stopwatch()
        means = np.asarray(self.arrays["train_x"]).mean(axis=0)
        test = np.asarray(self.arrays["test_x"][:PICTURES])
        found, remarks = machine_quality.of(
            stage,
            state,
            pixel_means=means,
            test=test,
            temperatures=self.machine.temperatures,
            runs=self.machine.sampling_runs,
            seed=self.job.spec.seed,
        )
        self.phases["evaluate_s"] += watch.seconds()
        self.stages.append(StageMeasured(name=name, quality=found, remarks=remarks))
        self.save()

    def features_of(self, program: BoltzmannProgram, split: str) -> NDArray[np.float32]:
        """Return the machine's features of a whole split, on the host."""
        examples = np.arange(len(self.arrays[f"{split}_y"]), dtype=np.int32)
        steps = self.machine.mean_field_steps
        parts = [program.host(program.features(split, part, steps=steps))[:used] for part, used in chunks(examples)]
        return np.concatenate(parts)

    def nets(self, order: Order) -> None:
        """Train the linear probe, the fine-tuned net and the same net from a random start; write what came out."""
        task, machine, stages = self.job.task, self.machine, self.machine.stages
        y = {f"{split}_y": np.asarray(self.arrays[f"{split}_y"]) for split in ("train", "test")}
        pixels = {f"{split}_x": np.asarray(self.arrays[f"{split}_x"]) for split in ("train", "test")}
        probe = stage_sequence.probe_task(task, self.features["train"].shape[1])
        inputs = {f"{split}_x": values for split, values in self.features.items()} | y
        found: dict[str, float | None] = {}
        probe_order = order[: machine.probe_epochs * self.per_epoch]
        found["probe_accuracy"], _ = self.net("linear probe", probe, inputs, probe_order, machine.probe)
        fine = stage_sequence.fine_tuned_task(task, stages[-1])
        if isinstance(last := stages[-1], Joint):
            both = {f"{s}_x": np.hstack([pixels[f"{s}_x"], self.features[s][:, last.hidden1 :]]) for s in self.features}
        else:
            both = pixels
        self.features.clear()
        del inputs
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
            accuracy, seconds = self.net(f"fine-tuned{of}", fine, both | y, some, rule, starts)
            found[f"accuracy{suffix}"] = accuracy
            if not labels:
                self.fine_tuned_s = seconds
            found[f"random_start_accuracy{suffix}"], _ = self.net(
                f"random start{of}", task, pixels | y, some, rule, random_starts
            )
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
        weights: Weights | None = None,
    ) -> tuple[float | None, float]:
        """Train a net on given arrays; return its accuracy on the test split and the seconds of its training."""
        spec = self.job.spec
        program = self.backend.build(
            task,
            optimizer,
            device=spec.device,
            mode=spec.mode,
            weights=weights or stage_sequence.probe_weights(task),
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
        self.stages.append(
            StageMeasured(
                name=name,
                updates=len(order),
                first_step_s=first_step_s,
                train_s=trainer.train_seconds,
                blocks=tuple(trainer.blocks),
                quality=found,
            )
        )
        seconds = trainer.train_seconds
        del program, trainer
        gc.collect()  # a compiled program often refers to itself, and holds a copy of the data until it is collected
        self.save()
        return found["accuracy"], seconds

    def train_seconds(self) -> float:
        """Return the seconds of the stages, those before a checkpoint included."""
        return self.before_s + (self.trainer.train_seconds if self.trainer else 0.0)
