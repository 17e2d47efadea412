"""Paddle by hand: the plain loop around any classifier, with Momentum or Adam."""

from typing import Any

import numpy as np
import paddle
from paddle import nn

from benchmarks.loops.case import Case
from harness.optimizers import Adam, Momentum


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, case: Case, net: Any) -> None:
        self.x, self.y = paddle.to_tensor(case.x), paddle.to_tensor(case.y.astype("int64"))
        self.optimizer = optimizer_of(case, net.parameters())
        self.net: Any = paddle.jit.to_static(net, full_graph=True) if case.mode == "graph" else net
        self.loss_of = nn.CrossEntropyLoss()
        self.loss: Any = None

    def train(self, order: Any) -> None:
        for indices in paddle.to_tensor(order):
            self.loss = self.loss_of(self.net(paddle.gather(self.x, indices)), paddle.gather(self.y, indices))
            self.loss.backward()
            self.optimizer.step()
            self.optimizer.clear_grad()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, Paddle computes before it returns."""

    def last_loss(self) -> float:
        """Return the loss of the last step."""
        return float(self.loss)


def optimizer_of(case: Case, parameters: list[Any]) -> Any:
    """Return Paddle's own optimizer of a task's, without its penalties and schedules."""
    clip = None if case.optimizer.clip_norm is None else nn.ClipGradByGlobalNorm(case.optimizer.clip_norm)
    match case.optimizer:
        case Momentum(learning_rate=rate, momentum=momentum):
            return paddle.optimizer.Momentum(rate, momentum, parameters=parameters, grad_clip=clip)
        case Adam(learning_rate=rate, epsilon=epsilon):
            return paddle.optimizer.Adam(rate, epsilon=epsilon, parameters=parameters, grad_clip=clip)
        case other:
            raise TypeError(f"these loops have Momentum and Adam, but got {other}")


def filled(net: Any, case: Case) -> Any:
    """Return a net whose parameters stand in the order of the task's layers, with the task's weights."""
    trained = [parameter for parameter in net.parameters() if not parameter.stop_gradient]
    for parameter, weight in zip(trained, case.turned(), strict=True):
        parameter.set_value(np.ascontiguousarray(weight))
    return net
