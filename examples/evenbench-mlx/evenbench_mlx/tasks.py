"""A task: the exclusive or, with the ReLU net of Goodfellow et al. 2016, section 6.1, which often gets stuck."""

from msgspec.structs import replace

from harness.layers import Activation, Dense
from harness.spec import Task
from tasks import xor

CONTRACT = 1


def xor_relu() -> Task:
    """Return the task: a 2-2-1 net with ReLU, and all else as in Evenbench's own, without its target."""
    task = xor.task()
    return replace(
        task,
        name="xor-relu",
        summary="Learn the exclusive or of two bits (2-2-1, ReLU), which not every start does.",
        layers=(Dense(units=2), Activation(kind="relu"), Dense(units=1)),
        presets={name: replace(preset, target=None) for name, preset in task.presets.items()},
    )
