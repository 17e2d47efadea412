"""The conformance of a task: what Evenbench's own tasks keep, asked of any one, with no framework but the reference."""

from collections.abc import Iterator

import numpy as np

from harness import registry
from harness.data import datasets
from harness.errors import EvenbenchError
from harness.language import Sentence, Words, noop
from harness.model import named_layers
from harness.parity import levels
from harness.spec import Task, fingerprint
from harness.worker.jobs import Finding


def check_task(name: str) -> tuple[Finding, ...]:
    """Return what all checks find of a task."""
    task = registry.task(name)
    return tuple(
        Finding(check=check, state="wrong" if wrong else "passed", words=wrong or "")
        for check, found in (
            ("presets", _presets(task)),
            ("model", _model(task)),
            ("alone", _alone(task)),
            ("reference learns", _learns(task)),
        )
        for wrong in (_first(found),)
    )


def _first(found: Iterator[Words]) -> Words | None:
    try:
        return next(found, None)
    except EvenbenchError as error:
        return Sentence.of(error)


def _presets(task: Task) -> Iterator[Words]:
    """Each preset has data that there are; `smoke` and `quick` need no download."""
    for name, preset in task.presets.items():
        if preset.dataset not in task.datasets:
            yield Sentence(
                "the data {dataset} of preset {name} are none of the task's", dataset=preset.dataset, name=name
            )
        datasets.named(preset.dataset)
    for name in ("smoke", "quick"):
        if name not in task.presets:
            yield Sentence("there is no preset {name}, which every task is to have", name=name)
        elif not isinstance(datasets.named(task.preset(name).dataset), datasets.Embedded):
            yield Sentence("preset {name} is to use data that come with Evenbench", name=name)


def _model(task: Task) -> Iterator[Words]:
    """The layers of each preset fit each other."""
    for name in task.presets:
        if not named_layers(task.at(name)):
            yield Sentence("preset {name} has no layers", name=name)


def _alone(task: Task) -> Iterator[Words]:
    """No other task is the same under another name."""
    for other in registry.task_names():
        if other != task.name and fingerprint(registry.task(other)) == fingerprint(task):
            yield Sentence("it is the task {other} under another name", other=other)
    if task.version < 1 or not task.summary.endswith("."):
        yield noop("its version is to be 1 or more, and its summary a sentence that ends with a full stop")


def _learns(task: Task) -> Iterator[Words]:
    """Trained on one mini-batch again and again, the reference brings its loss down."""
    name = "smoke" if "smoke" in task.presets else next(iter(task.presets))
    task = task.at(name)
    inputs = levels.inputs(task)
    weights = {key.removeprefix("weights/"): value for key, value in inputs.items() if key.startswith("weights/")}
    optimizer = task.preset(name).optimizer
    program = registry.reference().build(task, optimizer, device="cpu", mode="eager", weights=weights, seed=0)
    program.load({key: inputs[key] for key in ("train_x", "train_y", "test_x", "test_y")})
    program.train(np.tile(inputs["order"][:1], (20, 1)))
    losses = program.losses()
    if not losses[-1] < losses[0]:
        yield Sentence(
            "20 steps of the reference on one mini-batch bring the loss from {first:.3g} to {last:.3g}: lower the "
            "learning rate",
            first=float(losses[0]),
            last=float(losses[-1]),
        )
