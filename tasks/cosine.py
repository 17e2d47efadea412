"""Fitting a curve: the lecture's first exercise in regression, fifty noisy points of a cosine."""

from harness.layers import Activation, Dense
from harness.optimizers import SGD
from harness.spec import Preset, Task


def task() -> Task:
    """Return the task: 1-10-1 with ReLU, full batches of 50 points of cos(x) on [0, 5) with noise of 0.1, SGD at 0.05.

    The test points are free of noise, so that its error is how far the curve is off.
    """

    def preset(steps: int, measure_s: float) -> Preset:
        return Preset(
            dataset="cosine",
            epochs=steps,
            batch_size=50,
            optimizer=SGD(learning_rate=0.05),
            evaluations=min(steps, 10),
            measure_s=measure_s,
            timeout_s=300,
        )

    return Task(
        name="cosine",
        version=1,
        summary="Fit 50 noisy points of the cosine (1-10-1, ReLU).",
        input_shape=(1,),
        layers=(Dense(units=10), Activation(kind="relu"), Dense(units=1)),
        loss="mean_squared_error",
        datasets=("cosine",),
        presets={"smoke": preset(100, 0.2), "quick": preset(3000, 1.0), "full": preset(3000, 5.0)},
        parity_batch=50,
        initializer="fan_in_uniform",
    )
