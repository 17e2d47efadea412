"""Paddle adapters broken on purpose, each in one way. They run inside Paddle's interpreter; parity must catch them."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from backends.paddle import adapter, boltzmann, nets, optimizers  # the adapter first: it starts Paddle without a word
from harness.contract import Backend
from harness.optimizers import Adam, Nesterov

starts: Any = adapter
paddle = starts.paddle
PaddleBackend: Any = adapter.PaddleBackend
PaddleProgram: Any = adapter.PaddleProgram
PaddleBoltzmann: Any = boltzmann.PaddleBoltzmann


def with_program(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose program has some methods replaced."""
    adapter.PaddleProgram = type("Faulty", (PaddleProgram,), methods)  # type: ignore[misc, assignment]
    return PaddleBackend()


def with_functions(module: Any, **functions: Callable[..., Any]) -> Backend:
    """Return a backend with some functions of one of its modules replaced."""
    for name, function in functions.items():
        setattr(module, name, function)
    return PaddleBackend()


def with_dense(name: str, forward: Callable[[Any, Any], Any]) -> Backend:
    """Return a backend whose dense layer of that name computes something else."""
    right = nets.layer_module
    faulty = type("Faulty", (paddle.nn.Linear,), {"forward": forward})

    def layer_module(named: Any) -> Any:
        return faulty(*named.input_shape, *named.output_shape) if named.name == name else right(named)

    return with_functions(nets, layer_module=layer_module)


def with_optimizer(kind: type, **changes: Any) -> Backend:
    """Return a backend that builds one kind of optimizer from another definition."""
    right = optimizers.optimizer_for

    def optimizer_for(optimizer: Any, trained: Any) -> Any:
        if isinstance(optimizer, kind):
            changed: Any = optimizer
            optimizer = msgspec.structs.replace(changed, **changes)
        return right(optimizer, trained)

    return with_functions(optimizers, optimizer_for=optimizer_for)


def honest() -> Backend:
    return with_program()


def loss_summed() -> Backend:
    right = nets.loss
    return with_functions(nets, loss=lambda kind, outputs, y: right(kind, outputs, y) * len(y))


def softmax_twice() -> Backend:
    functional = paddle.nn.functional
    return with_functions(
        nets, loss=lambda kind, outputs, y: functional.cross_entropy(functional.softmax(outputs, axis=1), y)
    )


def weight_transposed() -> Backend:
    """The second dense layer multiplies by W instead of W'; it is square, so that nothing complains."""
    return with_dense("dense2", lambda self, x: x @ self.weight.T + self.bias)


def nesterov_ignored() -> Backend:
    right = optimizers.optimizer_for

    def optimizer_for(optimizer: Any, trained: Any) -> Any:
        made = right(optimizer, trained)
        if isinstance(optimizer, Nesterov):
            made._use_nesterov = False
        return made

    return with_functions(optimizers, optimizer_for=optimizer_for)


def epsilon_wrong() -> Backend:
    return with_optimizer(Adam, epsilon=1e-7)


def dropout_in_evaluation() -> Backend:
    def predict(self: Any, split: str, indices: Any) -> Any:
        self.net.train()
        with paddle.no_grad():
            return self.forward(self.data[f"{split}_x"], paddle.to_tensor(indices))

    return with_program(predict=predict)


def order_shuffled() -> Backend:
    def train(self: Any, order: Any) -> None:
        PaddleProgram.train(self, np.random.default_rng(0).permutation(order))

    return with_program(train=train)


def bias_missing() -> Backend:
    """The bias is there to be read, but takes no part in the sum."""
    return with_dense("dense1", lambda self, x: x @ self.weight + 0 * self.bias)


def bias_unlisted() -> Backend:
    def parameters(self: Any) -> Any:
        return {name: value for name, value in PaddleProgram.parameters(self).items() if name != "dense1.bias"}

    return with_program(parameters=parameters)


def weights_own() -> Backend:
    """The model starts from its own random weights: only parity's first level can say so plainly."""
    random = np.random.default_rng(1)

    class Changed(PaddleBackend):  # type: ignore[misc]
        def build(self, *args: Any, weights: Any, **kwargs: Any) -> Any:
            own = {name: random.standard_normal(a.shape).astype(np.float32) for name, a in weights.items()}
            return super().build(*args, weights=own, **kwargs)

    return Changed()


def layer_cut_off() -> Backend:
    """The first layer gets no gradient."""
    return with_dense("dense1", lambda self, x: x @ (self.weight.detach() + 0 * self.weight) + self.bias)


def penalty_on_biases() -> Backend:
    return with_functions(optimizers, is_penalised=lambda shape: True)


def schedule_ignored() -> Backend:
    right = optimizers.Updater.__init__

    def made(self: Any, optimizer: Any, trained: Any) -> None:
        right(self, msgspec.structs.replace(optimizer, schedule=None), trained)

    optimizers.Updater.__init__ = made  # type: ignore[method-assign]
    return PaddleBackend()


def statistics_inverted() -> Backend:
    """Batch normalisation keeps what it should forget: another framework's meaning of momentum."""
    right = nets.layer_module

    def layer_module(named: Any) -> Any:
        module = right(named)
        if isinstance(module, nets.BatchNormLayer):
            module._momentum = 1 - module._momentum
        return module

    return with_functions(nets, layer_module=layer_module)


def second_bias_trained() -> Backend:
    """The recurrent layer's second bias learns too, so that their sum moves twice as fast."""

    def build(self: Any, *args: Any, **kwargs: Any) -> None:
        PaddleProgram.__init__(self, *args, **kwargs)
        biases = [p for name, p in self.net.named_parameters() if name.endswith("rnn.bias_hh_l0")]
        self.updater = optimizers.Updater(self.updater.definition, [*self.tensors.values(), *biases])

    return with_program(__init__=build)


def to_static_off() -> Backend:
    """What a `sitecustomize` might do: graph mode is then eager mode by another name."""
    paddle.jit.enable_to_static(False)
    return PaddleBackend()


def crashes() -> Backend:
    raise RuntimeError("this adapter cannot even be made")


def with_updates(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose stages of Boltzmann machines have some methods replaced."""
    made: Any = adapter
    made.PaddleBoltzmann = type("Faulty", (PaddleBoltzmann,), methods)
    return PaddleBackend()


def with_update(change: Callable[..., Any]) -> Backend:
    """Return a backend whose update is another one: `change` gets the right one and what that gets."""
    right = boltzmann.one_update
    return with_functions(boltzmann, one_update=lambda *given: change(right, *given))


def trained(state: Any) -> list[str]:
    """Return the names of a stage's trained tensors: those that have a velocity."""
    return [name.removeprefix("velocity.") for name in state if name.startswith("velocity.")]


def doubling_forgotten() -> Backend:
    """The side that stands for two copies is counted once, which makes a composition twice too strong."""
    right = boltzmann.probabilities
    return with_functions(boltzmann, probabilities=lambda x, weight, bias, copies: right(x, weight, bias, 1.0))


def rate_outside_velocity() -> Backend:
    """The velocity sums gradients, and the rate comes after it: as Paddle's own Momentum does it."""

    def change(right: Any, stage: Any, k: Any, x: Any, rate: Any, momentum: Any, w: Any, uniform: Any) -> Any:
        after, row = right(stage, k, x, paddle.ones_like(rate), momentum, w, uniform)
        return after | {name: w[name] + rate * after[f"velocity.{name}"] for name in trained(w)}, row

    return with_update(change)


def chain_restarted() -> Backend:
    """Every update starts its chains where the one before it started them."""

    def change(right: Any, *given: Any) -> Any:
        after, row = right(*given)
        return after | {"chain": given[5]["chain"]}, row

    return with_update(change)


def draws_in_wrong_order() -> Backend:
    """The second Gibbs step draws its pictures with the numbers of the first."""

    def train(self: Any, *given: Any, tape: Any = None, **more: Any) -> None:
        if tape is not None:
            tape = {**tape, "visible1": tape["visible2"], "visible2": tape["visible1"]}
        PaddleBoltzmann.train(self, *given, tape=tape, **more)

    return with_updates(train=train)


def own_noise() -> Backend:
    """The numbers that were handed in are passed over."""

    def train(self: Any, *given: Any, tape: Any = None, **more: Any) -> None:
        PaddleBoltzmann.train(self, *given, **more)

    return with_updates(train=train)


def decay_on_biases() -> Backend:
    """The weight decay pulls at the biases too."""

    def change(right: Any, stage: Any, k: Any, x: Any, rate: Any, momentum: Any, w: Any, uniform: Any) -> Any:
        after, row = right(stage, k, x, rate, momentum, w, uniform)
        for name in (name for name in trained(w) if "bias" in name):
            pull = rate * stage.weight_decay * w[name]
            after |= {name: after[name] - pull, f"velocity.{name}": after[f"velocity.{name}"] - pull}
        return after, row

    return with_update(change)


def sparsity_in_the_biases_alone() -> Backend:
    """The sparsity's gradient reaches the hidden biases, but not the weights."""
    right = boltzmann.joint_gradients

    def joint_gradients(stage: Any, *given: Any) -> Any:
        free, _, _ = right(msgspec.structs.replace(stage, sparsity_cost=0.0), *given)
        gradients, moved, row = right(stage, *given)
        return gradients | {name: free[name] for name in ("weight1", "weight2")}, moved, row

    return with_functions(boltzmann, joint_gradients=joint_gradients)


def with_forward(kind: Any, forward: Callable[[Any, Any], Any]) -> Backend:
    """Return a backend one of whose layers computes something else."""
    kind.forward = forward
    return with_program()


def with_attention(**changes: Any) -> Backend:
    """Return a backend whose attention has other constants."""
    right = nets.SelfAttentionLayer.forward

    def forward(self: Any, x: Any) -> Any:
        for name, value in changes.items():
            setattr(self, name, value)
        return right(self, x)

    return with_forward(nets.SelfAttentionLayer, forward)


def mask_missing() -> Backend:
    """Every place sees later ones too."""
    return with_attention(causal=False)


def scores_unscaled() -> Backend:
    return with_attention(scale=1.0)


def shortcut_left_out() -> Backend:
    """The shortcut is there to be trained, but takes no part in the sum."""
    return with_forward(nets.ResidualLayer, lambda self, x: self.layers(x) + 0 * self.shortcut(x))


def branches_turned() -> Backend:
    """The last branch's outputs come first."""

    def forward(self: Any, x: Any) -> Any:
        return paddle.concat([path(x) for path in reversed(list(self.children()))], axis=self.axis)

    return with_forward(nets.BranchesLayer, forward)


def epsilon_outside() -> Backend:
    """The epsilon is added to the deviation, not to the variance."""

    def forward(self: Any, x: Any) -> Any:
        centred = x - x.mean(-1, keepdim=True)
        return centred / (x.std(-1, unbiased=False, keepdim=True) + self._epsilon) * self.weight + self.bias

    return with_forward(paddle.nn.LayerNorm, forward)


def positions_shifted() -> Backend:
    return with_forward(nets.PositionsLayer, lambda self, x: x + paddle.roll(self.weight, 1, axis=0))
