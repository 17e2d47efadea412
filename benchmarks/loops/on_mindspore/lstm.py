"""MindSpore by hand: the functional step of its tutorials, with clipping, for a text classifier with one LSTM."""

from typing import Any

import mindspore as ms
from mindspore import nn, ops

from benchmarks.loops.case import Case


class Classifier(nn.Cell):  # type: ignore[misc]
    """Embedding, LSTM, and a dense layer on the last state."""

    def __init__(self, vocabulary: int, width: int, units: int, rate: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, units, batch_first=True)
        self.dense = nn.Dense(units, 2)
        self.drop = nn.Dropout(p=rate) if rate else nn.Identity()

    def construct(self, x: Any) -> Any:
        _, (last, _) = self.lstm(self.drop(self.embedding(x)))
        return self.dense(self.drop(last[0]))


class HandWritten:
    """`value_and_grad` and an optimizer; in graph mode the step, its gather included, is under `mindspore.jit`."""

    def __init__(self, case: Case) -> None:
        self.x, self.y = ms.Tensor(case.x), ms.Tensor(case.y)
        net, loss_of = Classifier(*case.sizes()), nn.CrossEntropyLoss()
        net.set_train()
        optimizer = nn.Adam(net.trainable_params(), case.optimizer.learning_rate)
        clip_norm = case.optimizer.clip_norm

        def forward(xb: Any, yb: Any) -> Any:
            return loss_of(net(xb), yb)

        gradients_of = ms.value_and_grad(forward, None, optimizer.parameters)

        def step(xs: Any, ys: Any, indices: Any) -> Any:
            loss, gradients = gradients_of(ops.gather(xs, indices, 0), ops.gather(ys, indices, 0))
            optimizer(ops.clip_by_global_norm(gradients, clip_norm))
            return loss

        self.step = ms.jit(step) if case.mode == "graph" else step

    def train(self, order: Any) -> None:
        for row in order:
            self.step(self.x, self.y, ms.Tensor(row))

    def synchronize(self) -> None:
        ms.hal.synchronize()


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case)}
