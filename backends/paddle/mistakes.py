"""One training step as PaddlePaddle's own tutorial writes it, for students' mistakes (`harness/mistakes.py`)."""

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional

from backends.paddle import DEVICES
from harness.mistakes import Array, Step
from harness.spec import DeviceKind


class LeNet(nn.Layer):
    """LeNet-5 for gray images of 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2D(1, 6, 5), nn.ReLU(), nn.MaxPool2D(2), nn.Conv2D(6, 16, 5), nn.ReLU(), nn.MaxPool2D(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, images: Any) -> Any:
        return self.classifier(self.features(images))


def train_one_step(images: Array, labels: Array, device: DeviceKind) -> float:
    paddle.set_device(DEVICES[device])
    paddle.seed(0)
    model = LeNet()
    model.train()
    optimizer = paddle.optimizer.Adam(parameters=model.parameters())
    x, y = paddle.to_tensor(images), paddle.to_tensor(labels)

    loss = functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    return float(loss.item())


STEP = Step(train=train_one_step, channel_axis=1, labels="int64")
