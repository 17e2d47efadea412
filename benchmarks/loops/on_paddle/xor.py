"""Paddle by hand: the shortest honest loop for XOR."""

from typing import Any

import paddle
from paddle import nn

from benchmarks.loops.case import Case


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = paddle.to_tensor(case.x), paddle.to_tensor(case.y.astype("float32").reshape(-1, 1))
        net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = paddle.optimizer.Adam(case.optimizer.learning_rate, parameters=net.parameters())
        self.net: Any = paddle.jit.to_static(net, full_graph=True) if case.mode == "graph" else net
        self.loss = nn.BCEWithLogitsLoss()

    def train(self, order: Any) -> None:
        for indices in paddle.to_tensor(order):
            loss = self.loss(self.net(paddle.gather(self.x, indices)), paddle.gather(self.y, indices))
            loss.backward()
            self.optimizer.step()
            self.optimizer.clear_grad()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, Paddle computes before it returns."""


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
