"""MindSpore by hand: the functional step of its tutorials, for XOR."""

from typing import Any

import mindspore as ms
from mindspore import nn, ops

from benchmarks.loops.case import Case


class HandWritten:
    """`value_and_grad` and an optimizer; in graph mode the step, its gather included, is under `mindspore.jit`."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = ms.Tensor(case.x), ms.Tensor(case.y.astype("float32").reshape(-1, 1))
        net, loss_of = nn.SequentialCell(nn.Dense(2, 8), nn.Tanh(), nn.Dense(8, 1)), nn.BCEWithLogitsLoss()
        net.set_train()
        optimizer = nn.Adam(net.trainable_params(), case.optimizer.learning_rate)

        def forward(xb: Any, yb: Any) -> Any:
            return loss_of(net(xb), yb)

        gradients_of = ms.value_and_grad(forward, None, optimizer.parameters)

        def step(xs: Any, ys: Any, indices: Any) -> Any:
            loss, gradients = gradients_of(ops.gather(xs, indices, 0), ops.gather(ys, indices, 0))
            optimizer(gradients)
            return loss

        self.step = ms.jit(step) if case.mode == "graph" else step

    def train(self, order: Any) -> None:
        for row in order:
            self.step(self.x, self.y, ms.Tensor(row))

    def synchronize(self) -> None:
        ms.hal.synchronize()


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
