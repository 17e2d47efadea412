"""Paddle by hand: contrastive divergence of a restricted Boltzmann machine, op by op."""

from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from harness.boltzmann import Rbm, State


class HandWritten:
    """CD-1 with doubled visibles, momentum and weight decay, as in the stage `bottom` of `dbm-mnist`."""

    def __init__(self, stage: Rbm, pixels: NDArray[np.float32], state: State) -> None:
        self.stage = stage
        self.pixels = paddle.to_tensor(np.array(pixels))
        self.now = [paddle.to_tensor(state[name]) for name in ("weight", "visible_bias", "hidden_bias")]
        self.velocity = [paddle.zeros_like(tensor) for tensor in self.now]
        self.errors: Any = paddle.zeros([0])

    @paddle.no_grad()
    def train(self, order: NDArray[np.int32]) -> None:
        sigmoid, draw = paddle.nn.functional.sigmoid, paddle.bernoulli
        rate, momentum, decay = self.stage.learning_rate, self.stage.momentum[0], self.stage.weight_decay
        errors = []
        for indices in paddle.to_tensor(order):
            weight, visible_bias, hidden_bias = self.now
            v0 = draw(paddle.gather(self.pixels, indices))
            p0 = sigmoid(2 * (v0 @ weight + hidden_bias))
            v = draw(sigmoid(paddle.matmul(draw(p0), weight, transpose_y=True) + visible_bias))
            p = sigmoid(2 * (v @ weight + hidden_bias))
            products = paddle.matmul(v0, p0, transpose_x=True) - paddle.matmul(v, p, transpose_x=True)
            pulls = [products / v.shape[0] - decay * weight, (v0 - v).mean(0), (p0 - p).mean(0)]
            self.velocity = [momentum * old + rate * pull for old, pull in zip(self.velocity, pulls, strict=True)]
            self.now = [old + step for old, step in zip(self.now, self.velocity, strict=True)]
            errors.append((v0 - v).square().sum() / v.shape[0])
        self.errors = paddle.stack(errors)

    def synchronize(self) -> None:
        """Do nothing: on the CPU, Paddle computes before it returns."""

    def losses(self) -> NDArray[np.float32]:
        return np.asarray(self.errors.numpy())
