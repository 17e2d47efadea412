"""Paddle by hand: the shortest honest loop for a text classifier with one LSTM."""

from typing import Any

import numpy as np
import paddle
from paddle import nn

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


class Classifier(nn.Layer):
    """Embedding, LSTM, and a dense layer on the last state."""

    def __init__(self, vocabulary: int, width: int, units: int, rate: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, units)
        self.dense = nn.Linear(units, 2)
        self.drop = nn.Dropout(rate) if rate else nn.Identity()

    def forward(self, x: Any) -> Any:
        states, _ = self.lstm(self.drop(self.embedding(x)))
        return self.dense(self.drop(states[:, -1]))


class HandWritten:
    """A plain training loop over tensors that are in memory already."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = paddle.to_tensor(case.x), paddle.to_tensor(case.y.astype("int64"))
        net = Classifier(*case.sizes())
        own = dict(net.named_parameters())
        own["lstm.bias_hh_l0"].set_value(np.zeros_like(case.weights["lstm1.bias"]))
        for name, ours in PARTS.items():
            weight = case.weights[ours]
            own[name].set_value(np.ascontiguousarray(weight.T) if name == "dense.weight" else weight)
        clip = None if case.optimizer.clip_norm is None else nn.ClipGradByGlobalNorm(case.optimizer.clip_norm)
        self.optimizer = paddle.optimizer.Adam(
            case.optimizer.learning_rate, parameters=net.parameters(), grad_clip=clip
        )
        self.net: Any = paddle.jit.to_static(net, full_graph=True) if case.mode == "graph" else net
        self.loss = nn.CrossEntropyLoss()

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
