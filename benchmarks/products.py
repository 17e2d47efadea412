"""The matrix products of one update of a Boltzmann machine, and each framework's own way to compute one.

An update's operations are counted from its products alone, 2 m k n for one of (m, k) by (k, n). With B pictures in a
mini-batch, C chains, k Gibbs steps and M mean-field steps they add up to

    Rbm     2 B V H (3 + 2 k), and with a machine below 2 B R V more
    Joint   2 B V H1 (1 + 1 + 1) + 2 B H1 H2 (1 + 2 M + 1) + 2 C V H1 (2 k + 1) + 2 C H1 H2 (2 k + 1 + 1)

in the order: from below, gradient, reconstruction; first m2, mean field, gradient; chains, gradient; chains, q2,
gradient. `v W1` counts once, since no backend computes it anew in each mean-field step.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.boltzmann import Joint, Rbm, Stage
from harness.measure.clock import TARGET_BLOCK_S, time_block

LARGE = 2048
Matrix = NDArray[np.float32]


class Product(Struct, frozen=True):
    """`left right` of shapes (m, k) and (k, n), one of which may lie transposed in memory."""

    m: int
    k: int
    n: int
    transposed: Literal["neither", "left", "right"] = "neither"

    @property
    def operations(self) -> int:
        """Floating-point operations."""
        return 2 * self.m * self.k * self.n

    def __str__(self) -> str:
        left = f"({self.k}, {self.m})'" if self.transposed == "left" else f"({self.m}, {self.k})"
        right = f"({self.n}, {self.k})'" if self.transposed == "right" else f"({self.k}, {self.n})"
        return f"{left} {right}"

    def matrices(self) -> tuple[Matrix, Matrix]:
        """Draw the two matrices as they lie in memory."""
        draw = np.random.default_rng(0)
        left = (self.k, self.m) if self.transposed == "left" else (self.m, self.k)
        right = (self.n, self.k) if self.transposed == "right" else (self.k, self.n)
        return draw.standard_normal(left, np.float32), draw.standard_normal(right, np.float32)


LARGE_PRODUCT = Product(LARGE, LARGE, LARGE)


def products(stage: Stage, batch: int, gibbs_steps: int) -> dict[Product, int]:
    """Return the products of one update and how often each is computed."""
    counts: dict[Product, int] = {}

    def add(count: int, *product: Any) -> None:
        counts[Product(*product)] = counts.get(Product(*product), 0) + count

    match stage:
        case Rbm(visible=v, hidden=h, recognise=below):
            if below:
                add(1, batch, below, v)
            add(1 + gibbs_steps, batch, v, h)
            add(gibbs_steps, batch, h, v, "right")
            add(2, v, batch, h, "left")
        case Joint(visible=v, hidden1=h1, hidden2=h2, chains=chains, mean_field_steps=steps):
            add(1, batch, v, h1)
            add(1 + steps, batch, h1, h2)
            add(steps, batch, h2, h1, "right")
            add(gibbs_steps + 1, chains, h1, h2)
            add(gibbs_steps, chains, h1, v, "right")
            add(gibbs_steps, chains, v, h1)
            add(gibbs_steps, chains, h2, h1, "right")
            for rows in (batch, chains):
                add(1, v, rows, h1, "left")
                add(1, h1, rows, h2, "left")
            add(1, batch, h1, v, "right")
    return counts


class Repeated:
    """One product again and again, as something that `time_block` can time."""

    def __init__(self, multiply: Callable[[], Any], synchronize: Callable[[], Any]) -> None:
        self.multiply = multiply
        self.synchronize = synchronize

    def train(self, order: NDArray[np.int32]) -> None:
        for _ in order:
            self.multiply()

    def losses(self) -> NDArray[np.float32]:
        """Return nothing: a product has no loss."""
        return np.zeros(0, np.float32)

    def seconds(self) -> float:
        """Return the mean seconds of one product over a block."""
        order = np.zeros((2, 1), np.int32)
        time_block(self, order, "first")
        once = time_block(self, order, "calibration").seconds / len(order)
        order = np.zeros((min(max(2, math.ceil(TARGET_BLOCK_S / once)), 500), 1), np.int32)
        return time_block(self, order, "steady").seconds / len(order)


def repeated(framework: str, mode: str, product: Product) -> Repeated:
    """Return a product as a framework's own call computes it; the calls are made one by one from Python."""
    a, b = product.matrices()
    left, right = product.transposed == "left", product.transposed == "right"
    match framework:
        case "torch":
            return _torch(a, b, left=left, right=right)
        case "tensorflow":
            return _tensorflow(a, b, left=left, right=right, xla=mode == "xla")
        case "mindspore":
            return _mindspore(a, b, left=left, right=right)
        case _:
            out = np.empty((product.m, product.n), np.float32)
            x, y = (a.T if left else a), (b.T if right else b)
            return Repeated(lambda: np.matmul(x, y, out=out), lambda: None)


def _torch(a: Matrix, b: Matrix, *, left: bool, right: bool) -> Repeated:
    import torch

    x, y = torch.from_numpy(a), torch.from_numpy(b)
    x, y = (x.T if left else x), (y.T if right else y)
    return Repeated(lambda: torch.mm(x, y), torch.get_device_module("cpu").synchronize)


def _tensorflow(a: Matrix, b: Matrix, *, left: bool, right: bool, xla: bool) -> Repeated:
    import tensorflow as tf

    def multiply(x: Any, y: Any) -> Any:
        return tf.matmul(x, y, transpose_a=left, transpose_b=right)

    # A tf.function of one operator would only add the cost of its call.
    run = tf.function(multiply, jit_compile=True, autograph=False) if xla else multiply
    x, y = tf.constant(a), tf.constant(b)
    return Repeated(lambda: run(x, y), tf.test.experimental.sync_devices)


def _mindspore(a: Matrix, b: Matrix, *, left: bool, right: bool) -> Repeated:
    import mindspore as ms
    from mindspore import ops

    x, y = ms.Tensor(a), ms.Tensor(b)
    multiply = ops.MatMul(transpose_a=left, transpose_b=right)
    return Repeated(lambda: multiply(x, y), ms.hal.synchronize)
