"""Boltzmann machines and what is made of them: their training's stages, the state that passes on, and the arithmetic.

All units are binary, `s` is the logistic function. Matrices of a Boltzmann machine are `(below, above)`. `B` is the
mini-batch, `C` the number of persistent chains. Every stage starts with `v = x > u`: the pixels `x` in [0, 1] are made
binary anew at every visit, and so is every state drawn: 1 where `u < p`, with `u` uniform in [0, 1).

All gradients are uphill and divided by B or C; then `velocity = momentum * velocity + rate * (gradient - decay * w)`
and `w += velocity`, decay for matrices only, the rate inside the velocity, as in the code that came with Salakhutdinov
& Hinton 2009, from which the whole recipe is taken.
"""

from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

State = dict[str, NDArray[np.float32]]
Shape = tuple[int, ...]


class _Stage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="stage"):
    name: str
    epochs: int
    learning_rate: float
    weight_decay: float
    momentum: tuple[float, float] = (0.5, 0.9)
    """The first epochs' momentum and that of all later ones."""
    slow_epochs: int = 5
    """How many epochs the first momentum holds."""


class Rbm(_Stage, frozen=True, kw_only=True):
    """A restricted Boltzmann machine, by contrastive divergence (Hinton 2002) or persistent chains (Tieleman 2008).

    With U = 2 if `doubled` is "visible" else 1 and D = 2 if it is "hidden" else 1 (the two copies that make room for
    the missing neighbour in a deep machine):

        p0 = s(U (v0 W + b)); h = 1[u < p0]
        k times: v = 1[u < s(D (h W' + a))]; p = s(U (v W + b)); and, but for the last time, h = 1[u < p]
        gradients  W: (v0' p0 - v' p) / B,  a: mean(v0 - v),  b: mean(p0 - p)

    With `persistent`, the k steps start from `chain` (B, H) instead of h, and after them `chain = 1[u < p]`. With
    `recognise`, v0 is not the picture v but `1[u < s(2 (v below.weight + below.bias))]`, the hidden states of a first
    machine with doubled visibles. The reconstruction error is `sum((v0 - v)**2) / B`.
    """

    visible: int
    hidden: int
    doubled: Literal["none", "visible", "hidden"] = "none"
    recognise: int = 0
    """How many pixels the machine below has; 0: there is none."""
    recognise_copies: Literal[1, 2] = 2
    """1 if the machine below was trained without doubling, as in a deep belief net; then the 2 above is a 1."""
    gibbs_steps: int = 1
    """k, of CD-k or PCD-k."""
    epochs_per_gibbs_step: int | None = None
    """If given, k starts at `gibbs_steps` and grows by one after so many epochs, and the rate is divided by k."""
    persistent: bool = False
    deviation: float = 0.01
    """Of the normal distribution that the first weights are drawn from; biases start at zero."""

    def gibbs_steps_at(self, epoch: int) -> int:
        """Return k in an epoch, counted from 0."""
        return self.gibbs_steps + (epoch // self.epochs_per_gibbs_step if self.epochs_per_gibbs_step else 0)

    def rate_at(self, update: int, per_epoch: int) -> float:
        """Return the learning rate of an update, counted from 0."""
        return self.learning_rate / (self.gibbs_steps_at(update // per_epoch) if self.epochs_per_gibbs_step else 1)


class Joint(_Stage, frozen=True, kw_only=True):
    """A deep Boltzmann machine with two hidden layers, by mean field and persistent chains (Salakhutdinov 2009).

        mean field   m1 = s(2 v W1 + b); m2 = s(m1 W2 + c); `mean_field_steps` times:
                     m1 = s(v W1 + m2 W2' + b); m2 = s(m1 W2 + c)
        chains       `gibbs_steps` times: h1 = 1[u < q1]; h2 = 1[u < s(h1 W2 + c)]; w = 1[u < s(h1 W1' + a)];
                     q1 = s(w W1 + h2 W2' + b); at the end q2 = s(q1 W2 + c)       (q1 is kept as `chain`)
        sparsity     r = damping r + (1 - damping) mean(m); e = cost (r - target), for both layers
        gradients    W1: v' m1 / B - w' q1 / C - mean(v)' e1;  W2: m1' m2 / B - q1' q2 / C - mean(m1)' e2 - e1' mean(m2)
                     a: mean(v) - mean(w);  b: mean(m1) - mean(q1) - e1;  c: mean(m2) - mean(q2) - e2

    The reconstruction error is `sum((v - s(m1 W1' + a))**2) / B`.
    """

    visible: int
    hidden1: int
    hidden2: int
    chains: int = 100
    mean_field_steps: int = 10
    gibbs_steps: int = 5
    rate_divisor: float = 1.000015
    """The learning rate is divided by it after every update."""
    lowest_rate: float = 1e-4
    sparsity_targets: tuple[float, float] = (0.2, 0.1)
    sparsity_cost: float = 1e-3
    sparsity_damping: float = 0.9

    def gibbs_steps_at(self, epoch: int) -> int:
        """Return the Gibbs steps per update in an epoch."""
        return self.gibbs_steps

    def rate_at(self, update: int, per_epoch: int) -> float:
        """Return the learning rate of an update, counted from 0."""
        return max(float(self.learning_rate / self.rate_divisor**update), self.lowest_rate)


class WakeSleep(_Stage, frozen=True, kw_only=True):
    """A deep belief net, untied: recognition apart from generation, by the up-down algorithm (Hinton et al. 2006).

    The contrastive form of wake-sleep (Hinton, Dayan, Frey & Neal 1995): R and r recognise, G and a generate, and W
    with its biases b and c is the machine on top.

        wake         h = 1[u < s(v R + r)]; p0 = s(h W + c); g = 1[u < p0]
        on top       k times: n = 1[u < s(g W' + b)]; p = s(n W + c); and, but for the last time, g = 1[u < p]
        sleep        f = 1[u < s(n G' + a)]
        gradients    W: (h' p0 - n' p) / B,  b: mean(h - n),  c: mean(p0 - p)
                     G: (v - s(h G' + a))' h / B,  a: mean(v - s(h G' + a))
                     R: f' (n - s(f R + r)) / B,   r: mean(n - s(f R + r))

    G is `(below, above)` as all matrices here. The wake phase climbs the bound on the likelihood in a, G and the
    machine on top; the sleep phase fits R to the net's own dreams. The reconstruction error is
    `sum((v - s(h G' + a))**2) / B`.
    """

    visible: int
    hidden1: int
    hidden2: int
    gibbs_steps: int = 3

    def gibbs_steps_at(self, epoch: int) -> int:
        """Return the Gibbs steps per update in an epoch."""
        return self.gibbs_steps

    def rate_at(self, update: int, per_epoch: int) -> float:
        """Return the learning rate of an update, counted from 0."""
        return self.learning_rate


Stage = Rbm | Joint | WakeSleep


def rates(stage: Stage, first: int, count: int, per_epoch: int) -> NDArray[np.float32]:
    """Return learning rate and momentum of `count` updates from update `first` on, (count, 2)."""
    return np.array(
        [
            (stage.rate_at(update, per_epoch), stage.momentum[update // per_epoch >= stage.slow_epochs])
            for update in range(first, first + count)
        ],
        np.float32,
    ).reshape(count, 2)


def parameter_shapes(stage: Stage) -> dict[str, Shape]:
    """Return the shapes of what a stage trains, by name."""
    match stage:
        case Rbm(visible=v, hidden=h):
            return {"weight": (v, h), "visible_bias": (v,), "hidden_bias": (h,)}
        case Joint(visible=v, hidden1=h1, hidden2=h2):
            shapes: dict[str, Shape] = {"weight1": (v, h1), "weight2": (h1, h2)}
            return shapes | {"visible_bias": (v,), "hidden1_bias": (h1,), "hidden2_bias": (h2,)}
        case WakeSleep(visible=v, hidden1=h1, hidden2=h2):
            shapes = {"recognition": (v, h1), "generation": (v, h1), "weight2": (h1, h2), "recognition_bias": (h1,)}
            return shapes | {"visible_bias": (v,), "hidden1_bias": (h1,), "hidden2_bias": (h2,)}


def state_shapes(stage: Stage, batch: int) -> dict[str, Shape]:
    """Return the shapes of all that a stage carries from update to update, by name: enough to go on from."""
    trained = parameter_shapes(stage)
    shapes = trained | {f"velocity.{name}": shape for name, shape in trained.items()}
    match stage:
        case Rbm():
            if stage.persistent:
                shapes["chain"] = (batch, stage.hidden)
            if stage.recognise:
                shapes |= {"below.weight": (stage.recognise, stage.visible), "below.bias": (stage.visible,)}
        case Joint():
            shapes["chain"] = (stage.chains, stage.hidden1)
            shapes |= {"mean1": (stage.hidden1,), "mean2": (stage.hidden2,)}
    return shapes


def draw_shapes(stage: Stage, batch: int, gibbs_steps: int) -> dict[str, Shape]:
    """Return the shapes of the uniform numbers that one update uses, in the order in which it uses them."""
    match stage:
        case Rbm(visible=v, hidden=h):
            shapes: dict[str, Shape] = {"picture": (batch, stage.recognise or v)}
            if stage.recognise:
                shapes["below"] = (batch, v)
            if not stage.persistent:
                shapes["hidden0"] = (batch, h)
            for k in range(1, gibbs_steps + 1):
                shapes[f"visible{k}"] = (batch, v)
                if k < gibbs_steps or stage.persistent:
                    shapes[f"hidden{k}"] = (batch, h)
        case Joint(visible=v, hidden1=h1, hidden2=h2, chains=chains):
            shapes = {"picture": (batch, v)}
            for k in range(1, gibbs_steps + 1):
                shapes |= {f"hidden1.{k}": (chains, h1), f"hidden2.{k}": (chains, h2), f"visible{k}": (chains, v)}
        case WakeSleep(visible=v, hidden1=h1, hidden2=h2):
            shapes = {"picture": (batch, v), "hidden1.0": (batch, h1), "hidden2.0": (batch, h2)}
            for k in range(1, gibbs_steps + 1):
                shapes[f"hidden1.{k}"] = (batch, h1)
                if k < gibbs_steps:
                    shapes[f"hidden2.{k}"] = (batch, h2)
            shapes["dream"] = (batch, v)
    return shapes


def statistics_names(stage: Stage) -> tuple[str, ...]:
    """Return what every update reports, one number each.

    `mean_field_change` is the mean of `abs(m1 - its value one step before)` at the last mean-field step, over B and H1.
    """
    if not isinstance(stage, Joint):
        return ("reconstruction_error",)
    return ("reconstruction_error", "mean_field_change", "chain_visible", "chain_hidden1", "chain_hidden2")


def initial_state(stage: Stage, batch: int, seed: int) -> State:
    """Draw the state that a stage starts from, the same bytes for every backend.

    Weights come from N(0, deviation^2), those of a joint stage, of an untied one and of a machine below are left at
    zero for `harness/stage_sequence.py` to fill in; biases and velocities are zero; chains start at fair coin tosses.
    """
    random = np.random.default_rng([seed, 5])
    state = {name: np.zeros(shape, np.float32) for name, shape in state_shapes(stage, batch).items()}
    if isinstance(stage, Rbm):
        state["weight"] = random.normal(0, stage.deviation, state["weight"].shape).astype(np.float32)
    elif isinstance(stage, Joint):
        for number, target in enumerate(stage.sparsity_targets, start=1):
            state[f"mean{number}"][:] = target
    if "chain" in state:
        state["chain"] = random.integers(0, 2, state["chain"].shape).astype(np.float32)
    return state
