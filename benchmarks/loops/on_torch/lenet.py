"""PyTorch by hand: the shortest honest loop for LeNet. torch has no high-level trainer of its own."""

from typing import Any

import torch
from torch import nn

from backends.torch.adapter import COMPILE_OPTIONS
from benchmarks.loops.case import Case


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, x: Any, y: Any, mode: str) -> None:
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y).long()
        net = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip
        self.net: Any = torch.compile(net, options=COMPILE_OPTIONS) if mode == "graph" else net
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def train(self, order: Any) -> None:
        for indices in torch.from_numpy(order):
            self.optimizer.zero_grad()
            loss = self.loss(self.net(self.x[indices]), self.y[indices])
            loss.backward()
            self.optimizer.step()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, torch computes before it returns."""


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case.x, case.y, case.mode)}
