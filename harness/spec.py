"""What is computed: a Task is frozen data that names no framework; a RunSpec says who computes it, where and how."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.boltzmann import Stage
from harness.errors import UsageError, unknown_name
from harness.language import Sentence, noop
from harness.layers import Layer
from harness.optimizers import BY_NAME, NUMBERS, Key, Optimizer, changed

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


OF_PRESET = {
    "batch_size": Key(1, 1e6, is_whole=True),
    "epochs": Key(1, 1e6, is_whole=True),
    "evaluations": Key(1, 1e4, is_whole=True),
}
KEYS = OF_PRESET | {"target": Key(0, 1)} | NUMBERS
"""The numbers that a variant may change, of a preset and of its optimizer."""
CHANGEABLE = (*OF_PRESET, "target", "optimizer", *NUMBERS)
"""What `--set` takes, in the order in which it stands in a variant's name."""
CHANGED = "+"
"""Stands between a preset's name and what its variant changes: `quick+batch_size=32,epochs=2`."""
LONGEST_CHANGES = 120
"""Characters, for they stand in the names of files."""


def base_preset(name: str) -> str:
    """Return the name of the preset that a variant was made of; any other name comes back as it is."""
    return name.partition(CHANGED)[0]


def variant_name(preset: str, changes: Iterable[str]) -> str:
    """Return the name of the preset with changes such as `batch_size=32`: one name for one variant, however asked for.

    Raises:
        UsageError: a change has no `=`, names no key, or gives it a value that it cannot have.
    """
    base, _, before = preset.partition(CHANGED)
    found: dict[str, str] = {}
    for change in (*filter(None, before.split(",")), *changes):
        key, value = _read(change)
        if found.setdefault(key, value) != value:
            raise UsageError("--set gives {key} two values: {a} and {b}", key=key, a=found[key], b=value)
    said = ",".join(f"{key}={found[key]}" for key in CHANGEABLE if key in found)
    if len(said) > LONGEST_CHANGES:
        raise UsageError(
            "--set changes so much that its name has {length} characters, and {most} are the most: change less, or "
            "write a task of your own (docs/extending.md)",
            length=len(said),
            most=LONGEST_CHANGES,
        )
    return base + CHANGED + said if said else base


def changes_in(name: str) -> dict[str, str]:
    """Return what the name of a variant changes, by key; nothing for a preset as it is.

    Raises:
        UsageError: see `variant_name`.
    """
    return dict(map(_read, filter(None, name.partition(CHANGED)[2].split(","))))


def _read(change: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in change.partition("="))
    key = key.casefold().replace("-", "_")
    if not equals or not value:
        raise UsageError("--set takes KEY=VALUE, such as batch_size=32, but got {change!r}", change=change)
    if key == "optimizer":
        if value.casefold() not in BY_NAME:
            raise unknown_name(noop("optimizer"), value, tuple(BY_NAME))
        return key, value.casefold()
    if key not in KEYS:
        raise unknown_name(noop("key of --set"), key, CHANGEABLE)
    number = KEYS[key].read(value)
    if number is None:
        limits = {"key": key, "low": f"{KEYS[key].low:g}", "high": f"{KEYS[key].high:,.12g}", "value": value}
        if KEYS[key].is_whole:
            raise UsageError("--set {key} takes a whole number from {low} to {high}, but got {value!r}", **limits)
        if KEYS[key].may_be_low:
            raise UsageError("--set {key} takes a number from {low} to {high}, but got {value!r}", **limits)
        raise UsageError("--set {key} takes a number above {low}, up to {high}, but got {value!r}", **limits)
    return key, f"{number:.12g}"


def variant_of(preset: Preset, changes: Mapping[str, str], *, of: str) -> Preset:
    """Return a preset with some of its numbers changed.

    It has no target unless it is given one: what a preset must reach says nothing of another recipe. The steps after
    which the learning rate falls are as many epochs as before.

    Args:
        preset: what is changed.
        changes: see `changes_in`.
        of: the names of task and preset, for the errors.

    Raises:
        UsageError: its optimizer has no such number, or another one is named without a learning rate.
    """
    numbers: dict[str, Any] = {key: KEYS[key].read(text) for key, text in changes.items() if key in KEYS}
    at_least = numbers.pop("target", None)
    metric: Metric = preset.target.metric if preset.target else "accuracy"
    own = {key: numbers.pop(key) for key in OF_PRESET if key in numbers}
    optimizer = changed(preset.optimizer, changes.get("optimizer"), numbers, of=of)
    if optimizer.schedule is not None and "batch_size" in own:
        every = max(1, round(optimizer.schedule.every * preset.batch_size / own["batch_size"]))
        optimizer = replace(optimizer, schedule=replace(optimizer.schedule, every=every))
    target = None if at_least is None else Target(metric=metric, at_least=at_least)
    return replace(preset, optimizer=optimizer, target=target, **own)


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
        """Return the preset of that name, or the variant of one that a name such as `quick+epochs=2` stands for.

        Raises:
            UsageError: there is none, and the known ones are listed; or this preset cannot be changed so.
        """
        if name in self.presets:
            return self.presets[name]
        base = base_preset(name)
        if base not in self.presets:
            raise unknown_name(Sentence("preset of {name}", name=self.name), base, tuple(self.presets))
        return variant_of(self.presets[base], changes_in(name), of=f"{self.name} {base}")

    def target(self, preset: str, dataset: str) -> Target | None:
        """Return what a run has to reach: the preset's target, if the data are its own or the target was asked for.

        What must be reached on one data set says nothing of another; a variant has a target only by `--set target=`.
        """
        found = self.presets.get(preset)
        if found is None or (dataset != found.dataset and preset == base_preset(preset)):
            return None
        return found.target

    def at(self, name: str) -> "Task":
        """Return the task with the model of one of its presets, and with that preset if it is a variant.

        So the variant is a part of the task's fingerprint.
        """
        preset = self.preset(name)
        return replace(
            self,
            input_shape=preset.input_shape or self.input_shape,
            layers=preset.layers or self.layers,
            presets=self.presets | {name: preset},
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


YOUNGER: dict[str, dict[str, int]] = {"Conv2d": {"groups": 1}, "MaxPool2d": {"stride": 0, "padding": 0}}
"""Fields that layers got later, with the value under which they compute what they did before."""


def fingerprint(task: Task) -> str:
    """Return 12 hexadecimal digits that change when any field of the task changes.

    A layer's younger fields count where they say something: a task keeps its fingerprint when layers learn more.
    """
    read_back = msgspec.json.decode(msgspec.json.encode(task), type=Task)  # 300 s and 300.0 s are one timeout
    told = _without_younger(msgspec.to_builtins(read_back, order="deterministic"))
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:12]


def _without_younger(told: Any) -> Any:
    match told:
        case dict():
            younger = YOUNGER.get(told.get("layer", ""), {})
            return {name: _without_younger(of) for name, of in told.items() if younger.get(name, ...) != of}
        case list() | tuple():
            return [_without_younger(one) for one in told]
        case _:
            return told
