"""Small tasks that between them hold every layer, activation, loss and optimizer; every backend must compute them."""

from typing import Any

from harness.boltzmann import Joint, Rbm, Stage, WakeSleep
from harness.layers import (
    GRU,
    LSTM,
    Activation,
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
from harness.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop, StepSchedule
from harness.parity.stages import small
from harness.spec import Loss, Preset, Task

IMAGE = (2, 9, 8)


def case(
    name: str, layers: tuple[Layer, ...], optimizer: Optimizer, *, shape: tuple[int, ...] = (6,), loss: Loss
) -> Task:
    """Return a task with one preset, `only`."""
    return Task(
        name=name,
        version=1,
        summary=name,
        input_shape=shape,
        layers=layers,
        loss=loss,
        datasets=("none",),
        presets={"only": Preset(dataset="none", epochs=1, batch_size=8, optimizer=optimizer)},
        parity_batch=8,
    )


def dense_net(*hidden: Layer, out: int = 3) -> tuple[Layer, ...]:
    """Return two dense layers with others between them."""
    return (Dense(units=8), *hidden, Dense(units=out))


def zoo() -> tuple[Task, ...]:
    """Return the cases; the names say what each is for."""
    halving = StepSchedule(every=3, factor=0.5)
    softmax: Loss = "softmax_cross_entropy"
    every_activation = tuple(
        layer
        for kind in ("sigmoid", "tanh", "relu", "leaky_relu", "selu")
        for layer in (Dense(units=8), Activation(kind=kind, slope=0.1))
    )
    conv = (
        Conv2d(filters=4, kernel=3, padding=1),
        BatchNorm(),
        Activation(kind="relu"),
        MaxPool2d(),
        Conv2d(filters=5, kernel=2, stride=2, bias=False),
        PReLU(),
        AvgPool2d(),
        Flatten(),
        Dense(units=3),
    )
    lenet = (Conv2d(filters=4, kernel=3), Activation(kind="relu"), MaxPool2d(), Flatten(), Dense(units=3))
    flattened = (Flatten(), BatchNorm(), PReLU(), Dropout(rate=0.5), Maxout(units=4, pieces=3), Dense(units=3))
    dropped = dense_net(Activation(kind="tanh"), Dropout(rate=0.4))
    clipped = Momentum(learning_rate=0.5, clip_norm=0.1)
    words = (7,)
    stacked = (
        Embedding(vocabulary=20, units=5),
        LSTM(units=6, sequence=True),
        LSTM(units=4),
        Dense(units=3),
    )
    both_ways = (
        Embedding(vocabulary=20, units=5),
        LSTM(units=3, bidirectional=True, sequence=True),
        Dropout(rate=0.3),
        GRU(units=4, bidirectional=True),
        Dense(units=2),
    )
    rnn = (SimpleRNN(units=6, sequence=True), SimpleRNN(units=5, kind="relu"), Dense(units=2))
    no_bias = (
        LSTM(units=6, sequence=True, bias=False),
        GRU(units=5, bias=False, bidirectional=True, sequence=True),
        SimpleRNN(units=3, bias=False),
        Dense(units=2),
    )

    def convolved(filters: int, **options: Any) -> tuple[Layer, ...]:
        return Conv2d(filters=filters, kernel=3, padding=1, bias=False, **options), BatchNorm(), Activation(kind="relu")

    residual = (
        *convolved(4),
        Residual(layers=(*convolved(4), Conv2d(filters=4, kernel=3, padding=1))),
        Residual(
            layers=convolved(6, stride=2),
            shortcut=(Conv2d(filters=6, kernel=1, stride=2, bias=False), BatchNorm()),
        ),
        GlobalAvgPool2d(),
        Residual(layers=(Dense(units=6), Activation(kind="gelu"), Dropout(rate=0.3))),
        Dense(units=3),
    )
    inception = (
        Conv2d(filters=6, kernel=3, padding=1, groups=2),
        LocalResponseNorm(size=3, alpha=0.3, k=1.0),
        Branches(
            branches=(
                (Conv2d(filters=2, kernel=1), Activation(kind="relu")),
                (Conv2d(filters=3, kernel=3, padding=1), Activation(kind="tanh")),
                (MaxPool2d(size=3, stride=1, padding=1), Conv2d(filters=2, kernel=1)),
                (),
            )
        ),
        MaxPool2d(size=3, stride=2),
        Flatten(),
        Dense(units=3),
    )
    within = (MaxPool2d(), *convolved(4), Branches(branches=((), (MaxPool2d(), *convolved(5), Upsample2d()))))
    unet = (*convolved(3), Branches(branches=((), (*within, Upsample2d()))), Conv2d(filters=3, kernel=1))

    def block(units: int, **options: Any) -> tuple[Layer, ...]:
        widened = (LayerNorm(epsilon=1e-3), Dense(units=2 * units), Activation(kind="gelu"), Dense(units=units))
        attended = (LayerNorm(epsilon=1e-3), SelfAttention(heads=2, **options), Dropout(rate=0.2))
        return Residual(layers=attended), Residual(layers=widened)

    attention = (Embedding(vocabulary=20, units=6), Positions(), *block(6), LayerNorm(), Flatten(), Dense(units=3))
    characters = (Embedding(vocabulary=9, units=4), GRU(units=5, sequence=True), Dense(units=9))
    causal = (Dense(units=4), *block(4, causal=True), Dense(units=5))
    return (
        case("residual", residual, Momentum(learning_rate=0.05, l2=0.01), shape=(2, 8, 8), loss=softmax),
        case("inception", inception, Momentum(learning_rate=0.05), shape=(4, 9, 8), loss=softmax),
        case("places of images", unet, SGD(learning_rate=0.1), shape=(2, 8, 12), loss=softmax),
        case("attention", attention, Adam(learning_rate=0.01), shape=words, loss=softmax),
        case("causal", causal, SGD(learning_rate=0.1), shape=(6, 3), loss=softmax),
        case("characters", characters, Adam(learning_rate=0.01, clip_norm=1.0), shape=words, loss=softmax),
        case("activations", (*every_activation, Dense(units=3)), SGD(learning_rate=0.1), loss=softmax),
        case("pictures", lenet, Momentum(learning_rate=0.05), shape=IMAGE, loss=softmax),
        case("convolution", conv, Momentum(learning_rate=0.05, l2=0.01), shape=IMAGE, loss=softmax),
        case("flattened", flattened, SGD(learning_rate=0.05, l1=0.01), shape=IMAGE, loss=softmax),
        case("dropout", dropped, SGD(learning_rate=0.1, schedule=halving), loss="mean_squared_error"),
        case("momentum", dense_net(), Momentum(learning_rate=0.05, schedule=halving), loss="sigmoid_cross_entropy"),
        case("nesterov", dense_net(), Nesterov(learning_rate=0.05, l2=0.1, schedule=halving), loss=softmax),
        case("adagrad", dense_net(Activation(kind="tanh")), AdaGrad(learning_rate=0.05, l1=0.01), loss=softmax),
        case("rmsprop", (PReLU(), *dense_net(PReLU())), RMSprop(learning_rate=0.01, l2=0.01), loss=softmax),
        case("stacked", stacked, Adam(learning_rate=0.01, clip_norm=0.5), shape=words, loss=softmax),
        case("both ways", both_ways, SGD(learning_rate=0.1), shape=words, loss=softmax),
        case("gru", (GRU(units=6, sequence=True), GRU(units=5), Dense(units=2)), clipped, shape=(6, 4), loss=softmax),
        case("rnn", rnn, clipped, shape=(6, 4), loss=softmax),
        case("no bias", no_bias, SGD(learning_rate=0.1), shape=(6, 4), loss=softmax),
        case("plain adam", dense_net(Activation(kind="tanh")), Adam(learning_rate=0.01), loss=softmax),
        case("plain rmsprop", dense_net(Activation(kind="tanh")), RMSprop(learning_rate=0.01), loss=softmax),
        case("adam", dense_net(Maxout(units=5)), Adam(learning_rate=0.01, l2=0.01, schedule=halving), loss=softmax),
    )


def stage_zoo() -> tuple[Stage, ...]:
    """Return stages of Boltzmann machines that between them hold every case of `harness/boltzmann.py`, small."""
    common: dict[str, Any] = {"epochs": 4, "learning_rate": 0.05, "weight_decay": 1e-2, "slow_epochs": 1}
    stages = (
        Rbm(name="plain", visible=30, hidden=20, **common),
        Rbm(name="visibles doubled, CD-3", visible=30, hidden=20, doubled="visible", gibbs_steps=3, **common),
        Rbm(name="hiddens doubled", visible=20, hidden=14, doubled="hidden", recognise=30, **common),
        Rbm(name="belief net", visible=20, hidden=14, recognise=30, recognise_copies=1, **common),
        Rbm(name="persistent", visible=30, hidden=20, persistent=True, gibbs_steps=2, **common),
        Joint(name="joint", visible=30, hidden1=20, hidden2=14, mean_field_steps=4, gibbs_steps=2, **common),
        Joint(name="no mean field", visible=30, hidden1=20, hidden2=14, mean_field_steps=1, gibbs_steps=1, **common),
        WakeSleep(name="wake-sleep", visible=30, hidden1=20, hidden2=14, **common),
    )
    return tuple(small(stage) for stage in stages)
