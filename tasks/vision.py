"""The nets that made vision deep: VGG, Inception and ResNet on small pictures, and a U-Net that names every pixel.

Each is the published idea at the size of a 32 x 32 picture, so that a class can run it; what is smaller is said.
"""

from msgspec.structs import replace

from harness.layers import (
    Activation,
    BatchNorm,
    Branches,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    MaxPool2d,
    Residual,
    Upsample2d,
)
from harness.optimizers import Adam, Momentum, Optimizer, StepSchedule
from harness.spec import Preset, Target, Task

BATCH = 64
STEPS = 60_000 // BATCH
"""Per epoch on Fashion-MNIST."""
CIFAR_STEPS = 50_000 // BATCH
SCENE_CLASSES = 11
"""The ground, and the ten digits."""


def convolved(filters: int, kernel: int = 3, stride: int = 1) -> tuple[Layer, ...]:
    """Return a convolution that keeps its pictures' size but for the stride, normalised, with ReLU."""
    conv = Conv2d(filters=filters, kernel=kernel, stride=stride, padding=kernel // 2, bias=False)
    return conv, BatchNorm(), Activation(kind="relu")


def classifier(
    name: str,
    summary: str,
    small: tuple[Layer, ...],
    large: tuple[Layer, ...],
    *,
    quick: Preset,
    full: Optimizer,
    epochs: int,
) -> Task:
    """Return a task on the digits with a small net, and on Fashion-MNIST with the net as it was published.

    The large ones have no target: no run of theirs has said yet what can be asked of them.
    """
    return Task(
        name=name,
        version=1,
        summary=summary,
        input_shape=(1, 32, 32),
        layers=small,
        loss="softmax_cross_entropy",
        datasets=("digits", "fashion-mnist", "mnist", "cifar-10"),
        parity_batch=8,
        presets={
            "smoke": replace(quick, epochs=1, target=None, measure_s=0.2, inference_s=0.1),
            "quick": quick,
            "full": Preset(
                dataset="fashion-mnist",
                epochs=epochs,
                batch_size=BATCH,
                optimizer=full,
                evaluations=epochs,
                timeout_s=36_000,
                layers=large,
            ),
            "cifar": Preset(
                dataset="cifar-10",
                epochs=2 * epochs,
                batch_size=BATCH,
                optimizer=replace(full, schedule=StepSchedule(every=epochs * CIFAR_STEPS, factor=0.1)),
                evaluations=epochs,
                timeout_s=72_000,
                input_shape=(3, 32, 32),
                layers=large,
            ),
        },
    )


def on_digits(epochs: int, rate: float, at_least: float) -> Preset:
    """Return the quick preset of a classifier."""
    optimizer, target = Momentum(learning_rate=rate), Target(at_least=at_least)
    return Preset(dataset="digits", epochs=epochs, batch_size=BATCH, optimizer=optimizer, target=target)


def stages(filters: tuple[int, ...], blocks: int) -> tuple[Layer, ...]:
    """Return a residual net: stages of `blocks` blocks of two convolutions, each stage with half the side.

    Where the shape changes the shortcut is a convolution of one pixel, normalised: option B of He et al. 2015.
    """
    layers = [*convolved(filters[0])]
    width = filters[0]
    for stage, wide in enumerate(filters):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            path = (*convolved(wide, stride=stride), Conv2d(filters=wide, kernel=3, padding=1, bias=False), BatchNorm())
            changes = stride > 1 or wide != width
            shortcut = (Conv2d(filters=wide, kernel=1, stride=stride, bias=False), BatchNorm()) if changes else ()
            layers += [Residual(layers=path, shortcut=shortcut), Activation(kind="relu")]
            width = wide
    return (*layers, GlobalAvgPool2d(), Dense(units=10))


def resnet() -> Task:
    """Return ResNet-20 for small pictures: 16, 32 and 64 filters, three blocks each (He et al. 2015, section 4.2).

    `quick` has one block a stage and half the filters; PyTorch reached 0.91 to 0.95 (three seeds).
    """
    falling = Momentum(learning_rate=0.05, l2=5e-4, schedule=StepSchedule(every=4 * STEPS, factor=0.1))
    return classifier(
        "resnet",
        "Classify pictures with a residual net, ResNet-20 in full.",
        stages((8, 16, 32), blocks=1),
        stages((16, 32, 64), blocks=3),
        quick=on_digits(8, 0.05, 0.85),
        full=falling,
        epochs=10,
    )


def vgg_layers(filters: tuple[tuple[int, ...], ...], units: int) -> tuple[Layer, ...]:
    """Return convolutions of 3 x 3 in groups, a maximum behind each group, and two dense layers with dropout."""
    groups = [(*(layer for wide in group for layer in convolved(wide)), MaxPool2d()) for group in filters]
    head = (Flatten(), Dense(units=units), Activation(kind="relu"), Dropout(rate=0.5), Dense(units=10))
    return (*(layer for group in groups for layer in group), *head)


def vgg() -> Task:
    """Return a VGG net (Simonyan & Zisserman 2014), normalised, for small pictures: six convolutions, three groups."""
    falling = Momentum(learning_rate=0.02, l2=5e-4, schedule=StepSchedule(every=4 * STEPS, factor=0.1))
    return classifier(
        "vgg",
        "Classify pictures with stacked 3x3 convolutions, in VGG's way.",
        vgg_layers(((8,), (16,), (32,)), units=64),
        vgg_layers(((32, 32), (64, 64), (128, 128)), units=256),
        quick=on_digits(4, 0.02, 0.9),
        full=falling,
        epochs=8,
    )


def inception_module(one: int, reduced: int, three: int, pooled: int) -> Branches:
    """Return an Inception module without its branch of 5 x 5: 1 x 1, 3 x 3 behind a reduction, and a pooled one."""
    return Branches(
        branches=(
            convolved(one, kernel=1),
            (*convolved(reduced, kernel=1), *convolved(three)),
            (MaxPool2d(size=3, stride=1, padding=1), *convolved(pooled, kernel=1)),
        )
    )


def inception() -> Task:
    """Return a small GoogLeNet (Szegedy et al. 2015): Inception modules, batch normalisation, no side classifiers.

    In `quick` PyTorch reached 0.80 to 0.93 (three seeds).
    """

    def layers(scale: int) -> tuple[Layer, ...]:
        return (
            *convolved(4 * scale),
            MaxPool2d(size=3, stride=2, padding=1),
            inception_module(2 * scale, 2 * scale, 4 * scale, 2 * scale),
            inception_module(4 * scale, 4 * scale, 6 * scale, 2 * scale),
            MaxPool2d(size=3, stride=2, padding=1),
            inception_module(4 * scale, 4 * scale, 8 * scale, 4 * scale),
            GlobalAvgPool2d(),
            Dropout(rate=0.2),
            Dense(units=10),
        )

    falling = Momentum(learning_rate=0.05, l2=5e-4, schedule=StepSchedule(every=4 * STEPS, factor=0.1))
    return classifier(
        "inception",
        "Classify pictures with Inception modules, GoogLeNet's idea.",
        layers(2),
        layers(8),
        quick=on_digits(8, 0.05, 0.75),
        full=falling,
        epochs=8,
    )


def unet_layers(filters: tuple[int, ...]) -> tuple[Layer, ...]:
    """Return a U-Net (Ronneberger, Fischer & Brox 2015): each level is the next one's outputs beside its own input."""

    def level(depth: int) -> tuple[Layer, ...]:
        here = convolved(filters[depth])
        if depth == len(filters) - 1:
            return (*here, *convolved(filters[depth]))
        below = (MaxPool2d(), *level(depth + 1), Upsample2d())
        return (*here, Branches(branches=((), below)), *convolved(filters[depth]))

    return (*level(0), Conv2d(filters=SCENE_CLASSES, kernel=1))


def unet() -> Task:
    """Return the segmentation of scenes made of several digits among clutter and noise: a class for every pixel.

    Upsampling repeats pixels where the paper learns a transposed convolution, and pictures keep their size. The ground
    alone is 0.78 of the pixels; in `quick` PyTorch reached 0.84, and 0.21 of intersection over union (one seed).
    """
    adam = Adam(learning_rate=0.01)
    return Task(
        name="unet",
        version=1,
        summary="Name the digit at every pixel of a cluttered scene with a U-Net.",
        input_shape=(1, 32, 32),
        layers=unet_layers((8, 16)),
        loss="softmax_cross_entropy",
        datasets=("digits", "mnist", "fashion-mnist"),
        parity_batch=4,
        presets={
            "smoke": Preset(
                dataset="digits",
                epochs=1,
                batch_size=32,
                optimizer=adam,
                measure_s=0.2,
                inference_s=0.1,
            ),
            "quick": Preset(
                dataset="digits",
                epochs=10,
                batch_size=32,
                optimizer=adam,
                target=Target(at_least=0.81),
            ),
            "full": Preset(
                dataset="mnist",
                epochs=10,
                batch_size=32,
                optimizer=Adam(learning_rate=0.002, schedule=StepSchedule(every=2500, factor=0.5)),
                evaluations=5,
                timeout_s=36_000,
                layers=unet_layers((16, 32, 64)),
            ),
        },
    )
