"""LeNet quick under each optimizer and each activation, so that a class sees the same curves in every framework."""

import msgspec

from harness.layers import Activation, ActivationName
from harness.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSprop
from harness.spec import Preset, Task
from tasks.lenet_mnist import task as lenet

EVALUATIONS = 5


def variant(name: str, what: str, optimizer: Optimizer, activation: ActivationName = "relu") -> Task:
    """Return LeNet on the digits with another optimizer or activation; without a target, since some learn slowly."""
    base = lenet()
    layers = tuple(Activation(kind=activation) if isinstance(one, Activation) else one for one in base.layers)

    def preset(of: Preset, epochs: int) -> Preset:
        evaluations = min(epochs, EVALUATIONS)
        return msgspec.structs.replace(of, optimizer=optimizer, epochs=epochs, evaluations=evaluations, target=None)

    presets = {
        "smoke": preset(base.presets["smoke"], 1),
        "quick": preset(base.presets["quick"], 5),
        "full": preset(base.presets["full"], 5),
    }
    return msgspec.structs.replace(
        base, name=f"lenet-{name}", version=1, summary=f"LeNet-5 with {what}.", layers=layers, presets=presets
    )


def sgd() -> Task:
    """Return LeNet with plain gradient descent."""
    return variant("sgd", "plain gradient descent", SGD(learning_rate=0.05))


def momentum() -> Task:
    """Return LeNet with momentum."""
    return variant("momentum", "momentum", Momentum(learning_rate=0.02))


def nesterov() -> Task:
    """Return LeNet with Nesterov's momentum."""
    return variant("nesterov", "Nesterov's momentum", Nesterov(learning_rate=0.02))


def adagrad() -> Task:
    """Return LeNet with AdaGrad."""
    return variant("adagrad", "AdaGrad", AdaGrad(learning_rate=0.01))


def rmsprop() -> Task:
    """Return LeNet with RMSprop."""
    return variant("rmsprop", "RMSprop", RMSprop(learning_rate=0.001))


def adam() -> Task:
    """Return LeNet with Adam."""
    return variant("adam", "Adam", Adam(learning_rate=0.001))


def sigmoid() -> Task:
    """Return LeNet with logistic units, which learn slowly: the lecture's case for ReLU."""
    return variant("sigmoid", "sigmoid activations", Momentum(learning_rate=0.02), "sigmoid")


def tanh() -> Task:
    """Return LeNet with tanh units."""
    return variant("tanh", "tanh activations", Momentum(learning_rate=0.02), "tanh")


def leaky_relu() -> Task:
    """Return LeNet with leaky ReLU."""
    return variant("leaky_relu", "leaky ReLU activations", Momentum(learning_rate=0.02), "leaky_relu")


def selu() -> Task:
    """Return LeNet with SELU."""
    return variant("selu", "SELU activations", Momentum(learning_rate=0.02), "selu")
