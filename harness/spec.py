"""What is computed: a Task is frozen data that names no framework; a RunSpec says who computes it, where and how."""

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from harness.boltzmann import Stage
from harness.errors import unknown_name
from harness.language import Sentence
from harness.layers import Layer
from harness.optimizers import Optimizer

DeviceKind = Literal["cpu", "gpu", "npu"]
Mode = Literal["eager", "graph", "xla"]
Loss = Literal["softmax_cross_entropy", "sigmoid_cross_entropy", "mean_squared_error"]
Metric = Literal["accuracy", "mean_squared_error"]
SOURCE_END = "--"
"""Between the name of the study that a run was merged from and the run's own name."""


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The quality that a run has to reach on the test split, else its status is `missed_target`."""

    metric: Metric = "accuracy"
    at_least: float

    def reached(self, quality: Mapping[str, float | None]) -> bool:
        """Return whether the measured quality reaches the target (what is not finite never does)."""
        came = quality[self.metric]
        return came is not None and came >= self.at_least


class EarlyStopping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop when the quality on a validation split has not improved; the run's quality is that of its best evaluation.

    The validation split is a `share` of the training examples, drawn by the run's seed and never trained on. It is
    evaluated with every evaluation of the preset; after `patience` of them without a new best one, training ends.
    """

    share: float = 0.1
    patience: int = 2


class Boltzmann(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The training of a Boltzmann machine, stage by stage, and what is then asked of it.

    The stages give the first weights of the task's layers, which are then fine-tuned with the preset's optimizer for
    the preset's epochs; beside them the same net starts at random. With a joint stage, the fine-tuned net gets the
    machine's m2 of every picture as further inputs, whose weights start as those from the second hidden layer down to
    the first (Salakhutdinov & Hinton 2009, section 3.3).
    """

    stages: tuple[Stage, ...]
    probe_epochs: int
    probe: Optimizer
    """Of the linear probe: softmax regression on the machine's features."""
    labels: tuple[int, ...] = ()
    """With how many labels, beside all of them, fine-tuning is compared with the random start."""
    fewest_updates: int = 1000
    """How many updates fine-tuning with few labels makes at least."""
    mean_field_steps: int = 50
    """For the features of a joint stage."""
    temperatures: int = 0
    """Of annealed importance sampling, for the bound on the likelihood; 0: no bound is computed."""
    sampling_runs: int = 100
    watch_epochs: int = 0
    """After so many epochs of the last stage, again and again, the machine is judged on its way and a copy of it is
    kept beside the record, also of the last one; 0: never."""


class Preset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One size of a task: on which data, for how long, with which optimizer, and what must come out."""

    dataset: str
    epochs: int
    batch_size: int
    optimizer: Optimizer
    target: Target | None = None
    evaluations: int = 1
    """How often the test split is evaluated, spread evenly over the epochs; the last one is always at the end."""
    measure_s: float = 1.0
    """Seconds of undisturbed steady blocks that a run must have; where training is over sooner, it goes on for the
    clock alone."""
    inference_s: float = 0.5
    """Seconds of undisturbed forward passes, at batch size 1 and at the preset's each."""
    timeout_s: float = 600.0
    early_stopping: EarlyStopping | None = None
    input_shape: tuple[int, ...] | None = None
    """The model's input where it differs from the task's: longer sequences, for example."""
    layers: tuple[Layer, ...] | None = None
    """The model where it differs from the task's: a larger dictionary, another activation."""
    boltzmann: Boltzmann | None = None
    """The stages that come before the training of the layers."""

    @property
    def order_epochs(self) -> int:
        """How many epochs the prepared order of the mini-batches has: those of all stages, then those of the layers."""
        stages = self.boltzmann.stages if self.boltzmann else ()
        probe_epochs = self.boltzmann.probe_epochs if self.boltzmann else 0
        return sum(stage.epochs for stage in stages) + max(self.epochs, probe_epochs)


class Tolerances(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The largest error that parity allows at each level.

    An error is the largest absolute difference from the float64 reference, divided by the largest magnitude in the
    reference's array (see `parity/levels.py`), so that a small gradient is held to the same standard as a large one.
    """

    forward: float = 1e-5
    loss: float = 1e-5
    gradients: float = 1e-4
    update: float = 1e-3
    losses: float = 1e-4
    stages: float = 1e-5


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One deep-learning task. Two runs are comparable only if their tasks are equal, field by field."""

    name: str
    version: int
    summary: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    loss: Loss
    datasets: tuple[str, ...]
    presets: dict[str, Preset]
    initializer: Literal["glorot_uniform", "fan_in_uniform"] = "glorot_uniform"
    parity_batch: int = 16
    tolerances: Tolerances = Tolerances()

    def preset(self, name: str) -> Preset:
        """Return the preset of that name, or raise the error that lists the known ones."""
        try:
            return self.presets[name]
        except KeyError:
            raise unknown_name(Sentence("preset of {name}", name=self.name), name, tuple(self.presets)) from None

    def at(self, name: str) -> "Task":
        """Return the task with the model of one of its presets."""
        preset = self.preset(name)
        return msgspec.structs.replace(
            self, input_shape=preset.input_shape or self.input_shape, layers=preset.layers or self.layers
        )


class Choice(Struct, frozen=True, kw_only=True):
    """One backend on one device in one mode."""

    backend: str
    device: DeviceKind
    mode: Mode


TWIN, PLANTED = "twin", "planted"
CONTROLS = (TWIN, PLANTED)
"""The profiles of controls: a row once more, and a row that does `PLANT` more work than it says. What a study finds of
them is known before."""
PLANT = 0.1


class Design(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of a task are to be compared: fixed before anything is measured, and kept with every run."""

    turns: bool = False
    """The workers of all rows of a task are alive at once in every round, and are measured in turns."""
    until_decided: bool = False
    """The rounds are looked at after 3, 5, 7 and 10, and a row leaves when all its pairs are decided."""
    within: float = 0.05
    """Rows whose ratio is shown to lie within this share of 1 are called equal."""


class RunSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run: a task on one backend, device and mode with one seed; everything needed to repeat it."""

    task: str
    task_version: int
    backend: str
    device: DeviceKind = "cpu"
    mode: Mode
    preset: str
    dataset: str
    profile: str = "stock"
    settings: dict[str, str] = {}
    """Environment variables that the profile sets for the worker; none for `stock`."""
    seed: int
    repeat: int
    timeout_s: float
    memory_limit_bytes: int | None = None
    noise_budget_s: float = 0.0
    """Seconds for which blocks that others disturbed are measured again."""
    design: Design = Design()
    speed_only: bool = False
    """A round beyond those that quality needs: nothing is trained to its end, and only speed is measured."""
    source: str = ""
    """In a merged study the name of the one that the run comes from, which its file's name tells; else empty."""

    @property
    def choice(self) -> Choice:
        """Return where it runs."""
        return Choice(backend=self.backend, device=self.device, mode=self.mode)

    @property
    def run_id(self) -> str:
        """The name of the run inside its study; also the name of its record's file."""
        source = f"{self.source}{SOURCE_END}" if self.source else ""
        return source + ".".join(
            (self.task, self.backend, self.device, self.mode, self.preset, self.dataset)
            + ((self.profile,) if self.profile != "stock" else ())
            + (f"s{self.seed}", f"r{self.repeat}")
        )


def fingerprint(task: Task) -> str:
    """Return 12 hexadecimal digits that change when any field of the task changes."""
    read_back = msgspec.json.decode(msgspec.json.encode(task), type=Task)  # 300 s and 300.0 s are one timeout
    return hashlib.sha256(msgspec.json.encode(read_back, order="deterministic")).hexdigest()[:12]
