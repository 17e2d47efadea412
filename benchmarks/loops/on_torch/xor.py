"""PyTorch by hand: the shortest honest loop for XOR."""

from typing import Any

import torch
from torch import nn

from benchmarks.loops.case import Case


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = torch.from_numpy(case.x), torch.from_numpy(case.y).float().reshape(-1, 1)
        self.net: Any = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=case.optimizer.learning_rate)
        if case.mode == "graph":
            self.net = torch.compile(self.net)
        self.loss = nn.BCEWithLogitsLoss()

    def train(self, order: Any) -> None:
        for indices in torch.from_numpy(order):
            self.optimizer.zero_grad()
            loss = self.loss(self.net(self.x[indices]), self.y[indices])
            loss.backward()
            self.optimizer.step()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, torch computes before it returns."""


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
