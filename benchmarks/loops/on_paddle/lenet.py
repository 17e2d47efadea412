"""Paddle by hand: the shortest honest loop for LeNet."""

from typing import Any

import paddle
from paddle import nn

from benchmarks.loops.case import Case


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, x: Any, y: Any, mode: str) -> None:
        self.x, self.y = paddle.to_tensor(x), paddle.to_tensor(y.astype("int64"))
        net = nn.Sequential(
            nn.Conv2D(1, 6, 5), nn.ReLU(), nn.MaxPool2D(2),
            nn.Conv2D(6, 16, 5), nn.ReLU(), nn.MaxPool2D(2), nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip
        self.net: Any = paddle.jit.to_static(net, full_graph=True) if mode == "graph" else net
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = paddle.optimizer.Momentum(0.01, 0.9, parameters=net.parameters())

    def train(self, order: Any) -> None:
        for indices in paddle.to_tensor(order):
            loss = self.loss(self.net(paddle.gather(self.x, indices)), paddle.gather(self.y, indices))
            loss.backward()
            self.optimizer.step()
            self.optimizer.clear_grad()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, Paddle computes before it returns."""


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case.x, case.y, case.mode)}
