"""PyTorch by hand: the shortest honest loop for a text classifier with one LSTM."""

import os
from typing import Any

import torch
from torch import Tensor, nn

from backends.torch.adapter import COMPILE_OPTIONS
from backends.torch.knobs import FLUSH_VARIABLE
from benchmarks.loops.case import Case

PARTS = {
    "embedding.weight": "embedding1.weight",
    "lstm.weight_ih_l0": "lstm1.input_weight",
    "lstm.weight_hh_l0": "lstm1.state_weight",
    "lstm.bias_ih_l0": "lstm1.bias",
    "dense.weight": "dense1.weight",
    "dense.bias": "dense1.bias",
}
"""The task's names of what starts from its weights: how many numbers are denormal depends on them."""


class Classifier(nn.Module):
    """Embedding, LSTM, and a dense layer on the last state."""

    def __init__(self, vocabulary: int, width: int, units: int, rate: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, units, batch_first=True)
        self.dense = nn.Linear(units, 2)
        self.drop = nn.Dropout(rate) if rate else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(self.drop(self.embedding(x)))
        return self.dense(self.drop(states[:, -1]))


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, case: Case) -> None:
        torch.set_flush_denormal(os.environ.get(FLUSH_VARIABLE) == "1")
        self.x, self.y = torch.from_numpy(case.x), torch.from_numpy(case.y).long()
        net = Classifier(*case.sizes())
        with torch.no_grad():
            net.lstm.bias_hh_l0.zero_()
            for own, name in PARTS.items():
                net.get_parameter(own).copy_(torch.from_numpy(case.weights[name]))
        self.parameters = list(net.parameters())
        self.net: Any = torch.compile(net, options=COMPILE_OPTIONS) if case.mode == "graph" else net
        self.loss = nn.CrossEntropyLoss()
        self.clip_norm = case.optimizer.clip_norm or float("inf")
        self.optimizer = torch.optim.Adam(self.parameters, lr=case.optimizer.learning_rate)

    def train(self, order: Any) -> None:
        for indices in torch.from_numpy(order):
            self.optimizer.zero_grad()
            loss = self.loss(self.net(self.x[indices]), self.y[indices])
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
            self.optimizer.step()

    def synchronize(self) -> None:
        """Do nothing: on the CPU, torch computes before it returns."""


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
