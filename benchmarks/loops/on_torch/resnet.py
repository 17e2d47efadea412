"""PyTorch by hand: a residual net for small pictures, as torchvision's blocks are written."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from benchmarks.loops.case import Case
from benchmarks.loops.on_torch.plain import HandWritten, filled


class Block(nn.Module):
    """Two convolutions, and what goes around them."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != filters:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet(case: Case) -> nn.Module:
    width = case.blocks()[0][0]
    layers: list[nn.Module] = [nn.Conv2d(case.x.shape[1], width, 3, padding=1, bias=False)]
    layers += [nn.BatchNorm2d(width), nn.ReLU()]
    for filters, stride in case.blocks():
        layers.append(Block(width, filters, stride))
        width = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case, filled(resnet(case), case))}
