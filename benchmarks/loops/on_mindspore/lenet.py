"""MindSpore by hand: the functional step of its tutorials; and its own `Model.train`."""

from typing import Any

import mindspore as ms
from mindspore import dataset, nn, ops
from mindspore.train import Model

from benchmarks.loops.case import Case


def lenet() -> Any:
    net = nn.SequentialCell(
        nn.Conv2d(1, 6, 5, pad_mode="valid", has_bias=True), nn.ReLU(), nn.MaxPool2d(2, 2),
        nn.Conv2d(6, 16, 5, pad_mode="valid", has_bias=True), nn.ReLU(), nn.MaxPool2d(2, 2), nn.Flatten(),
        nn.Dense(400, 120), nn.ReLU(), nn.Dense(120, 84), nn.ReLU(), nn.Dense(84, 10),
    )  # fmt: skip
    net.set_train()
    return net


class HandWritten:
    """`value_and_grad` and an optimizer; in graph mode the step, its gather included, is under `mindspore.jit`."""

    def __init__(self, x: Any, y: Any, mode: str) -> None:
        self.x, self.y = ms.Tensor(x), ms.Tensor(y)
        net, loss_of = lenet(), nn.CrossEntropyLoss()
        optimizer = nn.Momentum(net.trainable_params(), 0.01, 0.9)

        def forward(xb: Any, yb: Any) -> Any:
            return loss_of(net(xb), yb)

        gradients_of = ms.value_and_grad(forward, None, optimizer.parameters)

        def step(xs: Any, ys: Any, indices: Any) -> Any:
            loss, gradients = gradients_of(ops.gather(xs, indices, 0), ops.gather(ys, indices, 0))
            optimizer(gradients)
            return loss

        self.step = ms.jit(step) if mode == "graph" else step
        self.mode = ms.GRAPH_MODE if mode == "graph" else ms.PYNATIVE_MODE

    def train(self, order: Any) -> None:
        ms.set_context(mode=self.mode)
        for row in order:
            self.step(self.x, self.y, ms.Tensor(row))
        ms.set_context(mode=ms.PYNATIVE_MODE)

    def synchronize(self) -> None:
        ms.hal.synchronize()


class ModelTrain:
    """`Model.train` over the same examples in the same order, gathered beforehand."""

    def __init__(self, x: Any, y: Any, mode: str) -> None:
        self.x, self.y = x, y
        self.mode = ms.GRAPH_MODE if mode == "graph" else ms.PYNATIVE_MODE
        net = lenet()
        self.model = Model(net, nn.CrossEntropyLoss(), nn.Momentum(net.trainable_params(), 0.01, 0.9))

    def train(self, order: Any) -> None:
        rows = order.ravel()
        data = dataset.NumpySlicesDataset((self.x[rows], self.y[rows]), ["x", "y"], shuffle=False).batch(order.shape[1])
        ms.set_context(mode=self.mode)
        self.model.train(1, data, dataset_sink_mode=False)
        ms.set_context(mode=ms.PYNATIVE_MODE)

    def synchronize(self) -> None:
        ms.hal.synchronize()


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case.x, case.y, case.mode), "Model.train": ModelTrain(case.x, case.y, case.mode)}
