"""PyTorch adapters broken on purpose, each in one way. They run inside torch's interpreter; parity must catch them."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import torch
from torch.nn import functional

from backends.torch import adapter, boltzmann, nets, optimizers
from harness.contract import Backend
from harness.optimizers import Adam, Nesterov

TorchBackend: Any = adapter.TorchBackend
TorchProgram: Any = adapter.TorchProgram
TorchBoltzmann: Any = boltzmann.TorchBoltzmann


def with_program(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose program has some methods replaced."""
    adapter.TorchProgram = type("Faulty", (TorchProgram,), methods)  # type: ignore[misc, assignment]
    return TorchBackend()  # type: ignore[no-any-return]


def with_nets(**functions: Callable[..., Any]) -> Backend:
    """Return a backend with some functions of its `nets` replaced."""
    for name, function in functions.items():
        setattr(nets, name, function)
    return TorchBackend()  # type: ignore[no-any-return]


def with_optimizers(**functions: Callable[..., Any]) -> Backend:
    """Return a backend with some functions of its `optimizers` replaced."""
    for name, function in functions.items():
        setattr(optimizers, name, function)
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
    right = optimizers.optimizer_for

    def optimizer_for(optimizer: Any, net: Any) -> Any:
        made = right(optimizer, net)
        if isinstance(optimizer, Nesterov):
            for group in made.param_groups:
                group["nesterov"] = False
        return made

    return with_optimizers(optimizer_for=optimizer_for)


def epsilon_wrong() -> Backend:
    right = optimizers.optimizer_for

    def optimizer_for(optimizer: Any, net: Any) -> Any:
        made = right(optimizer, net)
        if isinstance(optimizer, Adam):
            for group in made.param_groups:
                group["eps"] = 1e-7
        return made

    return with_optimizers(optimizer_for=optimizer_for)


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
    return with_optimizers(is_penalised=lambda shape: True)


def schedule_ignored() -> Backend:
    def prepare(self: Any) -> None:
        self.step += 1

    made: Any = optimizers
    made.Updater.prepare = prepare
    return with_program()


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


def with_updates(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose stages of Boltzmann machines have some methods replaced."""
    made: Any = adapter
    made.TorchBoltzmann = type("Faulty", (TorchBoltzmann,), methods)
    return TorchBackend()  # type: ignore[no-any-return]


def doubling_forgotten() -> Backend:
    """The side that stands for two copies is counted once, which makes a composition twice too strong."""
    right = boltzmann.probabilities
    boltzmann.probabilities = lambda x, weight, bias, copies: right(x, weight, bias, 1.0)
    return with_updates()


def trained(state: Any) -> list[str]:
    """Return the names of a stage's trained tensors: those that have a velocity."""
    return [name.removeprefix("velocity.") for name in state if name.startswith("velocity.")]


def rate_outside_velocity() -> Backend:
    """The velocity sums gradients, and the rate comes after it: as torch's own SGD does it."""

    def one_update(self: Any, x: Any, rate: Any, *rest: Any) -> Any:
        before = {name: self.w[name].clone() for name in trained(self.w)}
        row = TorchBoltzmann.one_update(self, x, torch.ones_like(rate), *rest)
        for name, value in before.items():
            self.w[name].copy_(value + rate * self.w[f"velocity.{name}"])
        return row

    return with_updates(one_update=one_update)


def chain_restarted() -> Backend:
    """Every update starts its chains where the one before it started them."""

    def one_update(self: Any, *given: Any) -> Any:
        kept = self.w["chain"].clone()
        row = TorchBoltzmann.one_update(self, *given)
        self.w["chain"].copy_(kept)
        return row

    return with_updates(one_update=one_update)


def draws_in_wrong_order() -> Backend:
    """The second Gibbs step draws its pictures with the numbers of the first."""

    def train(self: Any, *given: Any, tape: Any = None, **more: Any) -> None:
        if tape is not None:
            tape = {**tape, "visible1": tape["visible2"], "visible2": tape["visible1"]}
        TorchBoltzmann.train(self, *given, tape=tape, **more)

    return with_updates(train=train)


def own_noise() -> Backend:
    """The numbers that were handed in are passed over."""

    def train(self: Any, *given: Any, tape: Any = None, **more: Any) -> None:
        TorchBoltzmann.train(self, *given, **more)

    return with_updates(train=train)


def decay_on_biases() -> Backend:
    """The weight decay pulls at the biases too."""

    def one_update(self: Any, x: Any, rate: Any, *rest: Any) -> Any:
        pull = {name: rate * self.stage.weight_decay * self.w[name] for name in trained(self.w) if "bias" in name}
        row = TorchBoltzmann.one_update(self, x, rate, *rest)
        for name, value in pull.items():
            self.w[name].sub_(value)
            self.w[f"velocity.{name}"].sub_(value)
        return row

    return with_updates(one_update=one_update)


def sparsity_in_the_biases_alone() -> Backend:
    """The sparsity's gradient reaches the hidden biases, but not the weights."""

    right = boltzmann.joint_gradients

    def joint_gradients(stage: Any, w: Any, x: Any, draw: Any, steps: int) -> Any:
        free = msgspec.structs.replace(stage, sparsity_cost=0.0)
        chain, means = w["chain"].clone(), (w["mean1"].clone(), w["mean2"].clone())
        weights, _ = right(free, w, x, draw, steps)
        for name, value in zip(("chain", "mean1", "mean2"), (chain, *means), strict=True):
            w[name].copy_(value)
        gradients, row = right(stage, w, x, draw, steps)
        return gradients | {name: weights[name] for name in ("weight1", "weight2")}, row

    boltzmann.joint_gradients = joint_gradients
    return with_updates()


def with_forward(kind: Any, forward: Callable[[Any, Any], Any]) -> Backend:
    """Return a backend one of whose modules computes something else."""
    kind.forward = forward
    return with_program()


def mask_missing() -> Backend:
    """Every place sees later ones too."""
    right = nets.SelfAttentionLayer.forward

    def forward(self: Any, x: Any) -> Any:
        self.causal = False
        return right(self, x)

    return with_forward(nets.SelfAttentionLayer, forward)


def scores_unscaled() -> Backend:
    right = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = lambda q, k, v, **options: right(q, k, v, scale=1.0, **options)
    return with_program()


def shortcut_left_out() -> Backend:
    return with_forward(nets.ResidualModule, lambda self, x: self.layers(x))


def branches_turned() -> Backend:
    """The last branch's outputs come first."""

    def forward(self: Any, x: Any) -> Any:
        return torch.cat([self.get_submodule(name)(x) for name in reversed(self.paths)], dim=self.axis)

    return with_forward(nets.BranchesModule, forward)


def epsilon_outside() -> Backend:
    """The epsilon is added to the deviation, not to the variance."""

    def forward(self: Any, x: Any) -> Any:
        centred = x - x.mean(dim=-1, keepdim=True)
        return centred / (x.std(dim=-1, correction=0, keepdim=True) + self.eps) * self.weight + self.bias

    return with_forward(torch.nn.LayerNorm, forward)


def positions_shifted() -> Backend:
    return with_forward(nets.PositionsLayer, lambda self, x: x + self.weight.roll(1, dims=0))
