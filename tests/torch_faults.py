"""PyTorch adapters broken on purpose, each in one way. They run inside torch's interpreter; parity must catch them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from backends.torch import adapter, nets
from harness.contract import Backend
from harness.optimizers import Adam, Nesterov

TorchBackend: Any = adapter.TorchBackend
TorchProgram: Any = adapter.TorchProgram


def with_program(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose program has some methods replaced."""
    adapter.TorchProgram = type("Faulty", (TorchProgram,), methods)  # type: ignore[misc, assignment]
    return TorchBackend()  # type: ignore[no-any-return]


def with_nets(**functions: Callable[..., Any]) -> Backend:
    """Return a backend with some functions of its `nets` replaced."""
    for name, function in functions.items():
        setattr(nets, name, function)
    return TorchBackend()  # type: ignore[no-any-return]


def with_weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Backend:
    """Return a backend that changes the weights before it builds."""

    class Changed(TorchBackend):
        def build(self, *args: Any, weights: Any, **kwargs: Any) -> Any:
            return super().build(*args, weights=change(dict(weights)), **kwargs)

    return Changed()  # type: ignore[no-any-return]


def honest() -> Backend:
    return with_program()


def loss_summed() -> Backend:
    right = nets.loss
    return with_nets(loss=lambda kind, outputs, y: right(kind, outputs, y) * len(y))


def softmax_twice() -> Backend:
    return with_nets(loss=lambda kind, outputs, y: functional.cross_entropy(outputs.softmax(dim=1), y))


def weight_transposed() -> Backend:
    """The second dense layer multiplies by W instead of W'; it is square, so that nothing complains."""
    right = nets.layer_module

    class Transposed(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            return x @ self.weight + self.bias

    def layer_module(named: Any) -> Any:
        return Transposed(*named.input_shape, *named.output_shape) if named.name == "dense2" else right(named)

    return with_nets(layer_module=layer_module)


def nesterov_ignored() -> Backend:
    right = nets.optimizer_for

    def optimizer_for(optimizer: Any, net: Any) -> Any:
        made = right(optimizer, net)
        if isinstance(optimizer, Nesterov):
            for group in made.param_groups:
                group["nesterov"] = False
        return made

    return with_nets(optimizer_for=optimizer_for)


def epsilon_wrong() -> Backend:
    right = nets.optimizer_for

    def optimizer_for(optimizer: Any, net: Any) -> Any:
        made = right(optimizer, net)
        if isinstance(optimizer, Adam):
            for group in made.param_groups:
                group["eps"] = 1e-7
        return made

    return with_nets(optimizer_for=optimizer_for)


def dropout_in_evaluation() -> Backend:
    def predict(self: Any, split: str, indices: Any) -> Any:
        self.net.train()
        with torch.inference_mode():
            return self.net(self.data[f"{split}_x"][torch.from_numpy(indices)])

    return with_program(predict=predict)


def order_shuffled() -> Backend:
    def train(self: Any, order: Any) -> None:
        TorchProgram.train(self, np.random.default_rng(0).permutation(order))

    return with_program(train=train)


def bias_missing() -> Backend:
    """The bias is there to be read, but takes no part in the sum."""
    right = nets.layer_module

    class Unbiased(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            return x @ self.weight.T

    def layer_module(named: Any) -> Any:
        return Unbiased(*named.input_shape, *named.output_shape) if named.name == "dense1" else right(named)

    return with_nets(layer_module=layer_module)


def bias_unlisted() -> Backend:
    def parameters(self: Any) -> Any:
        return {name: value for name, value in TorchProgram.parameters(self).items() if name != "dense1.bias"}

    return with_program(parameters=parameters)


def weights_own() -> Backend:
    """The model starts from its own random weights: only parity's first level can say so plainly."""
    random = np.random.default_rng(1)
    return with_weights(lambda w: {n: random.standard_normal(a.shape).astype(np.float32) for n, a in w.items()})


def layer_cut_off() -> Backend:
    """The first layer gets no gradient, as torch.compile's did with 2.13.0 (see `backends/torch/adapter.py`)."""
    right = nets.layer_module

    class Frozen(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            return functional.linear(x, self.weight.detach() + 0 * self.weight, self.bias)

    def layer_module(named: Any) -> Any:
        return Frozen(*named.input_shape, *named.output_shape) if named.name == "dense1" else right(named)

    return with_nets(layer_module=layer_module)


def penalty_on_biases() -> Backend:
    return with_nets(is_penalised=lambda shape: True)


def schedule_ignored() -> Backend:
    def prepare_update(self: Any) -> None:
        self.step += 1

    return with_program(prepare_update=prepare_update)


def statistics_inverted() -> Backend:
    """Batch normalisation keeps what it should forget: another framework's meaning of momentum."""
    right = nets.layer_module

    def layer_module(named: Any) -> Any:
        module = right(named)
        if hasattr(module, "running_mean"):
            module.momentum = 1 - module.momentum
        return module

    return with_nets(layer_module=layer_module)


def crashes() -> Backend:
    raise RuntimeError("this adapter cannot even be made")
