"""One training step as MindSpore's own quickstart writes it, for students' mistakes (`harness/mistakes.py`)."""

from typing import Any

import mindspore as ms
from mindspore import nn

from backends.mindspore import DEVICES
from harness.mistakes import Array, Step
from harness.spec import DeviceKind


class LeNet(nn.Cell):  # type: ignore[misc]
    """LeNet-5 for gray images of 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.SequentialCell(
            nn.Conv2d(1, 6, 5, pad_mode="valid"),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(6, 16, 5, pad_mode="valid"),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
        )
        self.classifier = nn.SequentialCell(
            nn.Flatten(), nn.Dense(400, 120), nn.ReLU(), nn.Dense(120, 84), nn.ReLU(), nn.Dense(84, 10)
        )

    def construct(self, images: Any) -> Any:
        return self.classifier(self.features(images))


def train_one_step(images: Array, labels: Array, device: DeviceKind) -> float:
    ms.set_device(DEVICES[device])
    ms.set_seed(0)
    model = LeNet()
    loss_function = nn.CrossEntropyLoss()
    optimizer = nn.Adam(model.trainable_params())

    def forward(x: Any, y: Any) -> Any:
        return loss_function(model(x), y)

    gradients_of = ms.value_and_grad(forward, None, optimizer.parameters)
    loss, gradients = gradients_of(ms.Tensor(images), ms.Tensor(labels))
    optimizer(gradients)
    return float(loss.asnumpy())


STEP = Step(train=train_one_step, channel_axis=1, labels="int32")
