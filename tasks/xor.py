"""XOR: the smallest task that needs a hidden layer; on today's machines it measures the cost of starting a step."""

from harness.layers import Activation, Dense
from harness.optimizers import Adam
from harness.spec import Preset, Target, Task


def _preset(steps: int, measure_s: float, target: float | None) -> Preset:
    return Preset(
        dataset="xor",
        epochs=steps,
        batch_size=4,
        optimizer=Adam(learning_rate=0.05),
        target=None if target is None else Target(at_least=target),
        measure_s=measure_s,
        timeout_s=300,
    )


def task() -> Task:
    """Return the task: a 2-8-1 net with tanh, full batches of the four points, Adam at 0.05."""
    return Task(
        name="xor",
        version=1,
        summary="Learn the exclusive or of two bits (2-8-1, tanh).",
        input_shape=(2,),
        layers=(Dense(units=8), Activation(kind="tanh"), Dense(units=1)),
        loss="sigmoid_cross_entropy",
        datasets=("xor",),
        presets={"smoke": _preset(50, 0.2, None), "quick": _preset(500, 1.0, 1.0), "full": _preset(500, 5.0, 1.0)},
        parity_batch=4,
    )
