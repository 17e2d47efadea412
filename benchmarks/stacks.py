"""Random stacks of layers, compositions included: what the gate must let pass, whatever their conditioning."""

import random

from harness.layers import (
    GRU,
    LSTM,
    Activation,
    ActivationName,
    AvgPool2d,
    BatchNorm,
    Branches,
    Conv2d,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    Maxout,
    MaxPool2d,
    Positions,
    PReLU,
    Residual,
    SelfAttention,
    SimpleRNN,
    Upsample2d,
)
from harness.model import named_layers
from harness.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop
from harness.parity.zoo import case
from harness.spec import Loss, Task

Shape = tuple[int, ...]
KINDS: tuple[ActivationName, ...] = ("sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu")


def stack(seed: int) -> Task:
    """Return the task of a seed: one to six layers or compositions, a last dense layer, a loss and an optimizer."""
    draw = random.Random(seed)
    start = draw.choice(("features", "image", "image", "words", "steps"))
    shape: Shape = {"features": (6,), "image": (4, 8, 8), "words": (6,), "steps": (6, 4)}[start]
    layers: list[Layer] = []
    if start == "words":
        layers.append(Embedding(vocabulary=12, units=4))
    for _ in range(draw.randint(1, 6)):
        layers += _some(draw, _shape(layers, shape), deep=True)
    reached = _shape(layers, shape)
    loss: Loss = draw.choice(("softmax_cross_entropy", "softmax_cross_entropy", "mean_squared_error"))
    if len(reached) == 3 and draw.random() < 0.7:
        layers.append(draw.choice((Flatten(), GlobalAvgPool2d())))
    elif len(reached) == 2 and draw.random() < 0.6:
        layers.append(draw.choice((Flatten(), GRU(units=3), LSTM(units=3))))
    last = Conv2d(filters=3, kernel=1) if len(_shape(layers, shape)) == 3 else Dense(units=3)
    return case(f"stack {seed}", (*layers, last), _optimizer(draw), shape=shape, loss=loss)


def _shape(layers: list[Layer], shape: Shape) -> Shape:
    if not layers:
        return shape
    made = case("shape", tuple(layers), SGD(learning_rate=0.1), shape=shape, loss="mean_squared_error")
    return named_layers(made)[-1].output_shape


def _optimizer(draw: random.Random) -> Optimizer:
    l2 = draw.choice((0.0, 0.0, 0.01))
    return draw.choice(
        (
            SGD(learning_rate=0.05, l2=l2),
            Momentum(learning_rate=0.02, l2=l2),
            Nesterov(learning_rate=0.02, l2=l2),
            AdaGrad(learning_rate=0.02, l2=l2),
            RMSprop(learning_rate=0.002, l2=l2),
            Adam(learning_rate=0.005, l2=l2),
            Adam(learning_rate=0.005, clip_norm=1.0),
        )
    )


def _some(draw: random.Random, shape: Shape, *, deep: bool) -> list[Layer]:
    """Return one layer, a usual group of layers, or a composition that goes on from a shape."""
    anywhere: list[list[Layer]] = [
        [Activation(kind=draw.choice(KINDS), slope=0.1)],
        [Dropout(rate=0.3)],
    ]
    match len(shape):
        case 1:
            some: list[list[Layer]] = [
                [Dense(units=draw.choice((4, 6)), bias=draw.random() < 0.8)],
                [Dense(units=5), BatchNorm()],
                [Dense(units=5), BatchNorm(), Activation(kind=draw.choice(KINDS))],
                [LayerNorm()],
                [PReLU()],
                [Maxout(units=4)],
            ]
            kept: list[Layer] = [Dense(units=shape[0]), Activation(kind=draw.choice(KINDS))]
        case 2:
            some = [
                [Dense(units=4)],
                [LayerNorm()],
                [Positions()],
                [SelfAttention(heads=draw.choice((1, 2)) if shape[1] % 2 == 0 else 1, causal=draw.random() < 0.5)],
                [GRU(units=4, sequence=True)],
                [LSTM(units=4, sequence=True, bidirectional=draw.random() < 0.3)],
                [SimpleRNN(units=4, sequence=True)],
            ]
            kept = [LayerNorm(), Dense(units=shape[1])]
        case _:
            channels, side = shape[0], min(shape[1:])
            some = [
                [Conv2d(filters=4, kernel=3, padding=1, bias=draw.random() < 0.7)],
                [Conv2d(filters=4, kernel=3, padding=1), BatchNorm()],
                [Conv2d(filters=4, kernel=1, groups=2 if channels % 2 == 0 else 1), BatchNorm(), PReLU()],
                [LocalResponseNorm(size=3, alpha=0.2, k=1.0)],
                [PReLU()],
                [MaxPool2d(size=3, stride=1, padding=1)],
            ]
            if side >= 4:
                some += [
                    [MaxPool2d()],
                    [AvgPool2d()],
                    [MaxPool2d(size=3, stride=2, padding=1)],
                    [Conv2d(filters=6, kernel=3, stride=2, padding=1)],
                ]
            if side <= 4:
                some.append([Upsample2d()])
            kept = [Conv2d(filters=channels, kernel=3, padding=1), BatchNorm()]
    if deep:
        inner = [layer for _ in range(draw.randint(1, 2)) for layer in _keeping(draw, shape)]
        some += [
            [Residual(layers=(*inner, *kept))],
            [Residual(layers=tuple(kept), shortcut=tuple(_keeping(draw, shape)))],
            [Branches(branches=((), tuple(kept)))],
        ]
    return draw.choice(anywhere + some + some)


def _keeping(draw: random.Random, shape: Shape) -> list[Layer]:
    """Return layers after which the shape is as before."""
    while True:
        layers = _some(draw, shape, deep=False)
        if _shape(layers, shape) == shape:
            return layers
