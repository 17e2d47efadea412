"""JAX adapters broken on purpose, each in one way. They run inside JAX's interpreter; parity must catch them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from msgspec.structs import replace

from backends.jax import adapter, boltzmann, nets, optimizers, recurrent
from harness.contract import Backend
from harness.optimizers import Adam, Momentum, Nesterov

JaxBackend: Any = adapter.JaxBackend
JaxProgram: Any = adapter.JaxProgram
JaxBoltzmann: Any = boltzmann.JaxBoltzmann


def with_functions(module: Any, **functions: Callable[..., Any]) -> Backend:
    """Return a backend with some functions of one of its modules replaced."""
    for name, function in functions.items():
        setattr(module, name, function)
    return JaxBackend()  # type: ignore[no-any-return]


def with_program(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose program has some methods replaced."""
    return with_functions(adapter, JaxProgram=type("Faulty", (JaxProgram,), methods))


def with_stage(**methods: Callable[..., Any]) -> Backend:
    """Return a backend whose stages of Boltzmann machines have some methods replaced."""
    return with_functions(adapter, JaxBoltzmann=type("Faulty", (JaxBoltzmann,), methods))


def with_layer(name: str, function: Callable[[Any, Any], Any]) -> Backend:
    """Return a backend that computes the layer of that name by another function of x and its parameters."""
    right = nets.layer

    def layer(named: Any, x: Any, p: Any, key: Any) -> Any:
        return function(x, p) if named.name == name else right(named, x, p, key)

    return with_functions(nets, layer=layer)


def with_optimizer(kind: type, change: Callable[[Any], Any]) -> Backend:
    """Return a backend that takes another optimizer where the task has one of a kind."""
    right = optimizers.direction_of

    def direction_of(optimizer: Any, *given: Any) -> Any:
        return right(change(optimizer) if isinstance(optimizer, kind) else optimizer, *given)

    return with_functions(optimizers, direction_of=direction_of)


def honest() -> Backend:
    return with_program()


def loss_summed() -> Backend:
    right = nets.loss
    return with_functions(nets, loss=lambda kind, outputs, y: right(kind, outputs, y) * len(y))


def softmax_twice() -> Backend:
    right = nets.loss
    return with_functions(nets, loss=lambda kind, outputs, y: right(kind, jax.nn.softmax(outputs), y))


def weight_transposed() -> Backend:
    """The second dense layer multiplies by W instead of W'; it is square, so that nothing complains."""
    return with_layer("dense2", lambda x, p: x @ p["weight"] + p["bias"])


def nesterov_ignored() -> Backend:
    return with_optimizer(Nesterov, lambda optimizer: Momentum(learning_rate=0.05, momentum=optimizer.momentum))


def epsilon_wrong() -> Backend:
    return with_optimizer(Adam, lambda optimizer: replace(optimizer, epsilon=1e-7))


def dropout_in_evaluation() -> Backend:
    def outputs_of(layers: Any, w: Any, x: Any, indices: Any) -> Any:
        return nets.net(layers, w, x[indices], jax.random.key(0))[0]

    return with_functions(adapter, outputs_of=outputs_of)


def order_shuffled() -> Backend:
    def train(self: Any, order: Any) -> None:
        JaxProgram.train(self, np.random.default_rng(0).permutation(order))

    return with_program(train=train)


def bias_missing() -> Backend:
    """The bias is there to be read, but takes no part in the sum."""
    return with_layer("dense1", lambda x, p: recurrent.product(x, p["weight"]) + 0 * p["bias"])


def bias_unlisted() -> Backend:
    def parameters(self: Any) -> Any:
        return {name: value for name, value in JaxProgram.parameters(self).items() if name != "dense1.bias"}

    return with_program(parameters=parameters)


def weights_own() -> Backend:
    """The model starts from its own random weights: only parity's first level can say so plainly."""
    random = np.random.default_rng(1)

    class Changed(JaxBackend):
        def build(self, *args: Any, weights: Any, **kwargs: Any) -> Any:
            own = {name: random.standard_normal(a.shape).astype(np.float32) for name, a in weights.items()}
            return super().build(*args, weights=own, **kwargs)

    return Changed()  # type: ignore[no-any-return]


def layer_cut_off() -> Backend:
    """The first layer gets no gradient."""
    return with_layer("dense1", lambda x, p: recurrent.product(x, lax.stop_gradient(p["weight"])) + p["bias"])


def penalty_on_biases() -> Backend:
    return with_functions(optimizers, is_penalised=lambda shape: True)


def schedule_ignored() -> Backend:
    made: Any = optimizers.Updater
    right = made.numbers

    def numbers(self: Any, steps: range) -> Any:
        return np.repeat(right(self, range(1)), len(steps), axis=0)

    made.numbers = numbers
    return with_program()


def statistics_inverted() -> Backend:
    """Batch normalisation keeps what it should forget: another framework's meaning of momentum."""
    right = nets.batch_norm

    def batch_norm(norm: Any, *given: Any, **more: Any) -> Any:
        return right(replace(norm, momentum=1 - norm.momentum), *given, **more)

    return with_functions(nets, batch_norm=batch_norm)


def crashes() -> Backend:
    raise RuntimeError("this adapter cannot even be made")


def doubling_forgotten() -> Backend:
    """The side that stands for two copies is counted once, which makes a composition twice too strong."""
    right = boltzmann.above
    return with_functions(boltzmann, above=lambda x, weight, bias, copies=1.0: right(x, weight, bias))


def with_update(change: Callable[[Any, Any, Any, Any], Any], *, rate: float | None = None) -> Backend:
    """Return a backend whose updates end as `change` has it, from the stage, the states before and after and the row.

    With `rate`, the update itself is made with that learning rate.
    """
    right = boltzmann.one_update

    def one_update(stage: Any, gibbs_steps: int, w: Any, data: Any, row: Any) -> Any:
        given = row if rate is None else row | {"rates": jnp.stack([jnp.float32(rate), row["rates"][1]])}
        after, report = right(stage, gibbs_steps, w, data, given)
        return after | change(stage, w, after, row), report

    return with_functions(boltzmann, one_update=one_update)


def trained(state: Any) -> list[str]:
    """Return the names of a stage's trained arrays: those that have a velocity."""
    return [name.removeprefix("velocity.") for name in state if name.startswith("velocity.")]


def rate_outside_velocity() -> Backend:
    """The velocity sums gradients, and the rate comes after it: as torch's SGD does it."""

    def change(_stage: Any, w: Any, after: Any, row: Any) -> Any:
        return {name: w[name] + row["rates"][0] * after[f"velocity.{name}"] for name in trained(w)}

    return with_update(change, rate=1.0)


def chain_restarted() -> Backend:
    """Every update starts its chains where the one before it started them."""
    return with_update(lambda _stage, w, _after, _row: {"chain": w["chain"]})


def draws_in_wrong_order() -> Backend:
    """The second Gibbs step draws its pictures with the numbers of the first."""

    def train(self: Any, *given: Any, tape: Any = None, **more: Any) -> None:
        if tape is not None:
            tape = {**tape, "visible1": tape["visible2"], "visible2": tape["visible1"]}
        JaxBoltzmann.train(self, *given, tape=tape, **more)

    return with_stage(train=train)


def own_noise() -> Backend:
    """The numbers that were handed in are passed over."""

    def train(self: Any, *given: Any, tape: Any = None, **more: Any) -> None:
        JaxBoltzmann.train(self, *given, **more)

    return with_stage(train=train)


def decay_on_biases() -> Backend:
    """The weight decay pulls at the biases too."""

    def change(stage: Any, w: Any, after: Any, row: Any) -> Any:
        found: dict[str, Any] = {}
        for name in (name for name in trained(w) if "bias" in name):
            pull = row["rates"][0] * stage.weight_decay * w[name]
            found |= {name: after[name] - pull, f"velocity.{name}": after[f"velocity.{name}"] - pull}
        return found

    return with_update(change)


def sparsity_in_the_biases_alone() -> Backend:
    """The sparsity's gradient reaches the hidden biases, but not the weights."""
    right = boltzmann.joint_gradients

    def joint_gradients(stage: Any, *given: Any) -> Any:
        gradients, kept, report = right(stage, *given)
        free = right(replace(stage, sparsity_cost=0.0), *given)[0]
        return gradients | {name: free[name] for name in ("weight1", "weight2")}, kept, report

    return with_functions(boltzmann, joint_gradients=joint_gradients)


def mask_missing() -> Backend:
    """Every place sees later ones too."""
    right = nets.self_attention
    return with_functions(nets, self_attention=lambda layer, x, p: right(replace(layer, causal=False), x, p))


def scores_unscaled() -> Backend:
    right = jax.nn.dot_product_attention
    return with_functions(jax.nn, dot_product_attention=lambda q, k, v, **more: right(q, k, v, scale=1.0, **more))


def shortcut_left_out() -> Backend:
    right = nets.joined

    def joined(named: Any, outputs: Any) -> Any:
        return outputs[0] if named.name.rpartition(".")[2].startswith("residual") else right(named, outputs)

    return with_functions(nets, joined=joined)


def branches_turned() -> Backend:
    """The last branch's outputs come first."""
    right = nets.joined
    return with_functions(nets, joined=lambda named, outputs: right(named, outputs[::-1]))


def epsilon_outside() -> Backend:
    """The epsilon is added to the deviation, not to the variance."""

    def layer_norm(norm: Any, x: Any, p: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / (x.std(axis=-1, keepdims=True) + norm.epsilon) * p["weight"] + p["bias"]

    return with_functions(nets, layer_norm=layer_norm)


def positions_shifted() -> Backend:
    return with_layer("positions1", lambda x, p: x + jnp.roll(p["weight"], 1, axis=0))
