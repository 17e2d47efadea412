"""Paddle by hand: a residual net for small pictures, as `paddle.vision`'s blocks are written."""

from typing import Any

from paddle import nn
from paddle.nn import functional

from benchmarks.loops.case import Case
from benchmarks.loops.on_paddle.plain import HandWritten, filled


class Block(nn.Layer):
    """Two convolutions, and what goes around them."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2D(inputs, filters, 3, stride, padding=1, bias_attr=False)
        self.norm1 = nn.BatchNorm2D(filters)
        self.conv2 = nn.Conv2D(filters, filters, 3, padding=1, bias_attr=False)
        self.norm2 = nn.BatchNorm2D(filters)
        self.shortcut: Any = nn.Identity()
        if stride > 1 or inputs != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2D(inputs, filters, 1, stride, bias_attr=False), nn.BatchNorm2D(filters)
            )

    def forward(self, x: Any) -> Any:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet(case: Case) -> Any:
    width = case.blocks()[0][0]
    layers = [nn.Conv2D(case.x.shape[1], width, 3, padding=1, bias_attr=False), nn.BatchNorm2D(width), nn.ReLU()]
    for filters, stride in case.blocks():
        layers.append(Block(width, filters, stride))
        width = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(width, 10))


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case, filled(resnet(case), case))}
