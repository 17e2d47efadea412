"""PyTorch by hand: the plain loop around any classifier, with SGD or Adam."""

from typing import Any

import torch
from torch import nn

from backends.torch.adapter import COMPILE_OPTIONS
from benchmarks.loops.case import Case
from harness.optimizers import Adam, Momentum


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, case: Case, net: nn.Module) -> None:
        self.x, self.y = torch.from_numpy(case.x), torch.from_numpy(case.y).long()
        self.parameters = list(net.parameters())
        self.optimizer = optimizer_of(case, self.parameters)
        self.clip_norm = case.optimizer.clip_norm
        self.net: Any = torch.compile(net, options=COMPILE_OPTIONS) if case.mode == "graph" else net
        self.loss_of = nn.CrossEntropyLoss()
        self.loss: Any = None

    def train(self, order: Any) -> None:
        for indices in torch.from_numpy(order):
            self.optimizer.zero_grad()
            self.loss = self.loss_of(self.net(self.x[indices]), self.y[indices])
            self.loss.backward()
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
            self.optimizer.step()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, torch computes before it returns."""

    def last_loss(self) -> float:
        """Return the loss of the last step."""
        return float(self.loss)


def optimizer_of(case: Case, parameters: list[Any]) -> torch.optim.Optimizer:
    """Return torch's own optimizer of a task's, without its penalties and schedules."""
    match case.optimizer:
        case Momentum(learning_rate=rate, momentum=momentum):
            return torch.optim.SGD(parameters, lr=rate, momentum=momentum)
        case Adam(learning_rate=rate, epsilon=epsilon):
            return torch.optim.Adam(parameters, lr=rate, eps=epsilon)
        case other:
            raise TypeError(f"these loops have SGD with momentum and Adam, but got {other}")


def filled(net: nn.Module, case: Case) -> nn.Module:
    """Return a net whose parameters stand in the order of the task's layers, with the task's weights."""
    with torch.no_grad():
        for parameter, weight in zip(net.parameters(), case.trained(), strict=True):
            parameter.copy_(torch.from_numpy(weight))
    return net
