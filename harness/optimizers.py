"""The optimizers, with one definition each that every backend computes, whatever its own library calls by the name.

`g` is the gradient of the mean loss of the mini-batch with respect to a parameter `w`, plus the penalties
`l2 * w + l1 * sign(w)` where `w` is a weight of two or more axes (biases, slopes and batch-norm scales go free). With
`clip_norm`, the gradients of all parameters together, before the penalties, are scaled by `min(1, clip_norm / norm)`,
`norm` being the root of the sum of all their squares (Pascanu et al. 2013). All accumulators start at zero. `lr` is the
learning rate of the current step; it stays outside the velocity.
"""

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from harness.errors import UsageError


class StepSchedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multiply the learning rate by `factor` after every `every` optimizer steps."""

    every: int
    factor: float


class _Optimizer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="optimizer"):
    learning_rate: float
    l1: float = 0.0
    l2: float = 0.0
    schedule: StepSchedule | None = None
    clip_norm: float | None = None

    def rate_at(self, step: int) -> float:
        """Return the learning rate of optimizer step `step`, counted from 0."""
        if self.schedule is None:
            return self.learning_rate
        return float(self.learning_rate * self.schedule.factor ** (step // self.schedule.every))


class SGD(_Optimizer, frozen=True, kw_only=True):
    """`w -= lr * g`."""


class Momentum(_Optimizer, frozen=True, kw_only=True):
    """`v = momentum * v + g; w -= lr * v` (Polyak 1964)."""

    momentum: float = 0.9


class Nesterov(_Optimizer, frozen=True, kw_only=True):
    """`v = momentum * v + g; w -= lr * (g + momentum * v)` (Sutskever et al. 2013, in the form most libraries use)."""

    momentum: float = 0.9


class AdaGrad(_Optimizer, frozen=True, kw_only=True):
    """`s += g*g; w -= lr * g / (sqrt(s) + epsilon)` (Duchi et al. 2011)."""

    epsilon: float = 1e-10


class RMSprop(_Optimizer, frozen=True, kw_only=True):
    """`s = rho * s + (1 - rho) * g*g; w -= lr * g / (sqrt(s) + epsilon)` (Hinton 2012, lecture 6e)."""

    rho: float = 0.99
    epsilon: float = 1e-8


class Adam(_Optimizer, frozen=True, kw_only=True):
    """Kingma & Ba 2015, algorithm 1: the epsilon is added to the bias-corrected root.

    `m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*g*g; w -= lr * m_hat / (sqrt(v_hat) + epsilon)` with
    `m_hat = m / (1 - beta1**t)`, `v_hat = v / (1 - beta2**t)` and `t` counted from 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


Optimizer = SGD | Momentum | Nesterov | AdaGrad | RMSprop | Adam
BY_NAME: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind for kind in (SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam)
}
"""What each is called where one is asked for by its name."""


class Key(Struct, frozen=True):
    """A number of a preset that may be changed by its name, and what it may be."""

    low: float
    high: float
    is_whole: bool = False
    may_be_low: bool = True

    def read(self, text: str) -> float | None:
        """Return the number that a text is, None where it is none that may be."""
        if (
            re.fullmatch(r"\d{1,9}" if self.is_whole else r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", text, re.I | re.A)
            is None
        ):
            return None
        number = int(text) if self.is_whole else float(text)
        return number if self.low <= number <= self.high and (self.may_be_low or number > self.low) else None


PART = Key(0, 1)
NUMBERS = {
    "learning_rate": Key(0, 1e3, may_be_low=False),
    "momentum": PART,
    "rho": PART,
    "beta1": PART,
    "beta2": PART,
    "epsilon": Key(0, 1, may_be_low=False),
    "l1": Key(0, 1e3),
    "l2": Key(0, 1e3),
    "clip_norm": Key(0, 1e6, may_be_low=False),
}
"""The numbers of all optimizers that may be changed by their names."""


def changed(before: Optimizer, wanted: str | None, numbers: Mapping[str, float], *, of: str) -> Optimizer:
    """Return the optimizer with other numbers, of another kind if one is wanted, whose own numbers are then its usual.

    Raises:
        UsageError: it has no such number, or another kind is wanted without a learning rate.
    """
    kind = type(before) if wanted is None else BY_NAME[wanted]
    known = [key for key in NUMBERS if key in kind.__struct_fields__]
    for key in numbers:
        if key not in known:
            raise UsageError(
                "--set {key} does not fit {of}: the optimizer {optimizer} has {known}",
                key=key,
                of=of,
                optimizer=kind.__name__.lower(),
                known=", ".join(known),
            )
    if kind is type(before):
        return replace(before, **numbers)
    if "learning_rate" not in numbers:
        raise UsageError(
            "--set optimizer={optimizer} needs a learning rate of its own, since that of {before} fits no other: add "
            "--set learning_rate=0.01, for example",
            optimizer=kind.__name__.lower(),
            before=type(before).__name__.lower(),
        )
    kept = {name: getattr(before, name) for name in ("l1", "l2", "schedule", "clip_norm")}
    return kind(**(kept | dict(numbers)))
