"""The Deep Boltzmann Machine on handwritten digits, and what the lectures compare it with.

The recipe is that of Salakhutdinov & Hinton 2009 without the labels in the joint model: two machines trained one after
the other, composed, trained together, and then the weights of a net for classification.
"""

from harness.boltzmann import Joint, Rbm, Stage, WakeSleep
from harness.layers import Activation, Dense, Layer
from harness.optimizers import Adam, StepSchedule
from harness.spec import Boltzmann, Preset, Target, Task

PIXELS, FIRST, SECOND = 784, 500, 1000
DATASETS = ("digits", "mnist", "fashion-mnist")
EXAMPLES = {"digits": 1_437, "mnist": 60_000}
BATCH = 100


def falling(epochs: int, examples: int) -> Adam:
    """Return Adam whose rate ends at a thirtieth: it is divided by three a third of the way, and again and again."""
    every = max(1, epochs * (examples // BATCH) // 4)
    return Adam(learning_rate=1e-3, schedule=StepSchedule(every=every, factor=1 / 3))


def classifier(*units: int) -> tuple[Layer, ...]:
    """Return a net with logistic hidden layers and ten classes."""
    hidden = [layer for count in units for layer in (Dense(units=count), Activation(kind="sigmoid"))]
    return (*hidden, Dense(units=10))


def bottom(epochs: int, *, doubled: bool = True, rate: float = 0.05, persistent: bool = False) -> Rbm:
    """Return the machine over the pixels."""
    return Rbm(
        name="bottom",
        epochs=epochs,
        learning_rate=rate,
        weight_decay=1e-3,
        visible=PIXELS,
        hidden=FIRST,
        doubled="visible" if doubled else "none",
        deviation=0.001 if doubled else 0.01,
        persistent=persistent,
    )


def top(epochs: int, *, doubled: bool = True, growing: int | None = None) -> Rbm:
    """Return the machine over the first one's hidden units; `growing` adds a Gibbs step after so many epochs."""
    return Rbm(
        name="top",
        epochs=epochs,
        learning_rate=0.05,
        weight_decay=1e-3,
        visible=FIRST,
        hidden=SECOND,
        doubled="hidden" if doubled else "none",
        recognise=PIXELS,
        recognise_copies=2 if doubled else 1,
        epochs_per_gibbs_step=growing,
    )


def joint(epochs: int, *, gibbs_steps: int, rate_divisor: float = 1.000015) -> Joint:
    """Return the joint training."""
    return Joint(
        name="joint",
        epochs=epochs,
        learning_rate=1e-3,
        rate_divisor=rate_divisor,
        weight_decay=2e-4,
        visible=PIXELS,
        hidden1=FIRST,
        hidden2=SECOND,
        gibbs_steps=gibbs_steps,
    )


def preset(
    stages: tuple[Stage, ...],
    *,
    dataset: str,
    epochs: int,
    target: float | None = None,
    labels: tuple[int, ...] = (),
    temperatures: int = 0,
    timeout_s: float = 600.0,
    measure_s: float = 0.5,
    fewest_updates: int = 1000,
    mean_field_steps: int = 50,
    watch_epochs: int = 0,
) -> Preset:
    """Return a preset: the stages, then fine-tuning for `epochs`."""
    return Preset(
        dataset=dataset,
        epochs=epochs,
        batch_size=BATCH,
        optimizer=falling(epochs, EXAMPLES[dataset]),
        target=None if target is None else Target(at_least=target),
        measure_s=measure_s,
        timeout_s=timeout_s,
        boltzmann=Boltzmann(
            stages=stages,
            probe_epochs=3 * epochs,
            probe=falling(3 * epochs, EXAMPLES[dataset]),
            labels=labels,
            temperatures=temperatures,
            fewest_updates=fewest_updates,
            mean_field_steps=mean_field_steps,
            watch_epochs=watch_epochs,
        ),
    )


def family(name: str, summary: str, layers: tuple[Layer, ...], presets: dict[str, Preset]) -> Task:
    """Return a task on pictures of 784 pixels from 0 to 1."""
    return Task(
        name=name,
        version=1,
        summary=summary,
        input_shape=(PIXELS,),
        layers=layers,
        loss="softmax_cross_entropy",
        datasets=DATASETS,
        presets=presets,
    )


FEW = (10_000, 1_000, 100)
TEMPERATURES = 10_000


def task() -> Task:
    """Return the Deep Boltzmann Machine 784-500-1000.

    `full` reaches a bound above -130 nats right after the composition, which a wrong composition (halved weights)
    misses by 80; `paper` is the published recipe, 500 joint epochs; `paper-tenth` goes through all of its schedules in
    a tenth of the epochs, so that a wrong turn is seen early.
    """
    return family(
        "dbm-mnist",
        "Train a Deep Boltzmann Machine (784-500-1000) and fine-tune it.",
        classifier(FIRST, SECOND),
        {
            "smoke": preset(
                (bottom(1), top(1), joint(1, gibbs_steps=1)),
                dataset="digits",
                epochs=1,
                measure_s=0.2,
                fewest_updates=10,
            ),
            "quick": preset(
                (bottom(10), top(10), joint(5, gibbs_steps=1)),
                dataset="digits",
                epochs=6,
                target=0.9,
                mean_field_steps=20,
            ),
            "full": preset(
                (bottom(10), top(10), joint(10, gibbs_steps=1)),
                dataset="mnist",
                epochs=10,
                target=0.984,
                labels=FEW,
                temperatures=TEMPERATURES,
                timeout_s=14_400,
            ),
            "paper-tenth": preset(
                (bottom(10), top(20, growing=2), joint(50, gibbs_steps=5, rate_divisor=1.00015)),
                dataset="mnist",
                epochs=10,
                target=0.98,
                temperatures=TEMPERATURES,
                timeout_s=100_000,
                watch_epochs=10,
            ),
            "paper": preset(
                (bottom(100), top(200, growing=20), joint(500, gibbs_steps=5)),
                epochs=100,
                target=0.99,
                timeout_s=1_000_000,
                dataset="mnist",
                labels=FEW,
                temperatures=TEMPERATURES,
                watch_epochs=50,
            ),
        },
    )


def _one_machine(name: str, summary: str, *, persistent: bool) -> Task:
    rate = 0.01 if persistent else 0.05

    def stages(epochs: int) -> tuple[Stage, ...]:
        return (bottom(epochs, doubled=False, rate=rate, persistent=persistent),)

    return family(
        name,
        summary,
        classifier(FIRST),
        {
            "smoke": preset(stages(1), dataset="digits", epochs=1, measure_s=0.2, fewest_updates=10),
            "quick": preset(stages(20), dataset="digits", epochs=20, target=0.9),
            "full": preset(stages(10), dataset="mnist", epochs=10, target=0.98, labels=FEW, timeout_s=14_400),
        },
    )


def rbm() -> Task:
    """Return a restricted Boltzmann machine 784-500 by contrastive divergence, CD-1."""
    return _one_machine("rbm-mnist", "Train a restricted Boltzmann machine by CD-1.", persistent=False)


def pcd() -> Task:
    """Return the same machine with persistent chains, PCD-1."""
    return _one_machine("pcd-mnist", "Train a restricted Boltzmann machine by persistent chains.", persistent=True)


def dbn() -> Task:
    """Return a deep belief net: two machines one after the other, nothing doubled (Hinton, Osindero & Teh 2006)."""

    def stages(epochs: int) -> tuple[Stage, ...]:
        return bottom(epochs, doubled=False), top(epochs, doubled=False)

    return family(
        "dbn-mnist",
        "Train a deep belief net (784-500-1000) greedily and fine-tune it.",
        classifier(FIRST, SECOND),
        {
            "smoke": preset(stages(1), dataset="digits", epochs=1, measure_s=0.2, fewest_updates=10),
            "quick": preset(stages(20), dataset="digits", epochs=20, target=0.9),
            "full": preset(stages(10), dataset="mnist", epochs=10, target=0.98, labels=FEW, timeout_s=14_400),
        },
    )


def wake_sleep() -> Task:
    """Return the deep belief net, then untied and trained by the up-down algorithm (Hinton, Osindero & Teh 2006)."""

    def stages(epochs: int) -> tuple[Stage, ...]:
        up_down = WakeSleep(
            name="up-down",
            epochs=epochs,
            learning_rate=0.01,
            weight_decay=2e-4,
            momentum=(0.5, 0.5),
            visible=PIXELS,
            hidden1=FIRST,
            hidden2=SECOND,
        )
        return bottom(epochs, doubled=False), top(epochs, doubled=False), up_down

    return family(
        "wake-sleep-mnist",
        "Train a deep belief net greedily, untie it by wake-sleep, and fine-tune it.",
        classifier(FIRST, SECOND),
        {
            "smoke": preset(stages(1), dataset="digits", epochs=1, measure_s=0.2, fewest_updates=10),
            "quick": preset(stages(20), dataset="digits", epochs=20, target=0.9),
            "full": preset(
                stages(10), dataset="mnist", epochs=10, labels=FEW, temperatures=TEMPERATURES, timeout_s=14_400
            ),
        },
    )


def _plain(dataset: str, epochs: int, target: float | None, measure_s: float = 0.5) -> Preset:
    return Preset(
        dataset=dataset,
        epochs=epochs,
        batch_size=BATCH,
        optimizer=falling(epochs, EXAMPLES[dataset]),
        target=None if target is None else Target(at_least=target),
        measure_s=measure_s,
        timeout_s=14_400,
    )


def mlp() -> Task:
    """Return the net of the Deep Boltzmann Machine from a random start."""
    presets = {
        "smoke": _plain("digits", 1, None, 0.2),
        "quick": _plain("digits", 20, 0.9),
        "full": _plain("mnist", 10, 0.975),
    }
    summary = "Train the machine's net (784-500-1000-10) from a random start."
    return family("mlp-mnist", summary, classifier(FIRST, SECOND), presets)


def autoencoder() -> Task:
    """Return an autoencoder 784-500-50-500-784, trained on the cross-entropy of every pixel."""
    code = [layer for units in (FIRST, 50, FIRST) for layer in (Dense(units=units), Activation(kind="sigmoid"))]
    return Task(
        name="autoencoder-mnist",
        version=1,
        summary="Train an autoencoder (784-500-50-500-784) to give its input back.",
        input_shape=(PIXELS,),
        layers=(*code, Dense(units=PIXELS)),
        loss="sigmoid_cross_entropy",
        datasets=DATASETS,
        presets={
            "smoke": _plain("digits", 1, None, 0.2),
            "quick": _plain("digits", 20, 0.9),
            "full": _plain("mnist", 10, 0.97),
        },
    )
