"""MindSpore by hand: the functional step of its tutorials around any classifier, with Momentum or Adam."""

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from benchmarks.loops.case import Case
from harness.optimizers import Adam, Momentum


class HandWritten:
    """`value_and_grad` and an optimizer; in graph mode the step, its gather included, is under `mindspore.jit`."""

    def __init__(self, case: Case, net: Any) -> None:
        self.x, self.y = ms.Tensor(case.x), ms.Tensor(case.y)
        self.loss: Any = None
        net.set_train()
        loss_of, optimizer, clip_norm = nn.CrossEntropyLoss(), optimizer_of(case, net), case.optimizer.clip_norm

        def forward(xb: Any, yb: Any) -> Any:
            return loss_of(net(xb), yb)

        gradients_of = ms.value_and_grad(forward, None, optimizer.parameters)

        def step(xs: Any, ys: Any, indices: Any) -> Any:
            loss, gradients = gradients_of(ops.gather(xs, indices, 0), ops.gather(ys, indices, 0))
            if clip_norm is not None:
                gradients = ops.clip_by_global_norm(gradients, clip_norm)
            optimizer(gradients)
            return loss

        self.step = ms.jit(step) if case.mode == "graph" else step

    def train(self, order: Any) -> None:
        for row in order:
            self.loss = self.step(self.x, self.y, ms.Tensor(row))

    def synchronize(self) -> None:
        ms.hal.synchronize()

    def last_loss(self) -> float:
        """Return the loss of the last step."""
        return float(self.loss.asnumpy())


def optimizer_of(case: Case, net: Any) -> Any:
    """Return MindSpore's own optimizer of a task's, without its penalties and schedules."""
    match case.optimizer:
        case Momentum(learning_rate=rate, momentum=momentum):
            return nn.Momentum(net.trainable_params(), rate, momentum)
        case Adam(learning_rate=rate, epsilon=epsilon):
            return nn.Adam(net.trainable_params(), rate, eps=epsilon)
        case other:
            raise TypeError(f"these loops have Momentum and Adam, but got {other}")


def filled(net: Any, case: Case) -> Any:
    """Return a net whose parameters stand in the order of the task's layers, with the task's weights."""
    for parameter, weight in zip(net.trainable_params(), case.trained(), strict=True):
        parameter.set_data(ms.Tensor(np.array(weight)))
    return net
