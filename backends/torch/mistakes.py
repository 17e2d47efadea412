"""One training step as PyTorch's own tutorial writes it, for students' mistakes (`harness/mistakes.py`)."""

from typing import Any

import torch
from torch import nn

from backends.torch import DEVICES
from harness.mistakes import Array, Step
from harness.spec import DeviceKind


class LeNet(nn.Module):
    """LeNet-5 for gray images of 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, images: Any) -> Any:
        return self.classifier(self.features(images))


def train_one_step(images: Array, labels: Array, device: DeviceKind) -> float:
    torch.manual_seed(0)
    where = torch.device(DEVICES[device])
    model = LeNet().to(where)
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = torch.from_numpy(images).to(where), torch.from_numpy(labels).to(where)

    optimizer.zero_grad()
    loss = loss_function(model(x), y)
    loss.backward()
    optimizer.step()
    return float(loss.item())


STEP = Step(train=train_one_step, channel_axis=1, labels="int64")
