"""MindSpore by hand: a residual net for small pictures, as its tutorials write the blocks."""

from typing import Any

from mindspore import nn, ops

from benchmarks.loops.case import Case
from benchmarks.loops.on_mindspore.plain import HandWritten, filled


class Block(nn.Cell):  # type: ignore[misc]
    """Two convolutions, and what goes around them."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, pad_mode="pad", padding=1)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, pad_mode="pad", padding=1)
        self.norm2 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU()
        self.shortcut = nn.Identity()
        if stride > 1 or inputs != filters:
            conv = nn.Conv2d(inputs, filters, 1, stride, pad_mode="valid")
            self.shortcut = nn.SequentialCell(conv, nn.BatchNorm2d(filters))

    def construct(self, x: Any) -> Any:
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Cell):  # type: ignore[misc]
    """A convolution, blocks, the mean of each channel, and a dense layer."""

    def __init__(self, channels: int, blocks: list[tuple[int, int]]) -> None:
        super().__init__()
        width = blocks[0][0]
        conv = nn.Conv2d(channels, width, 3, pad_mode="pad", padding=1)
        layers = [conv, nn.BatchNorm2d(width), nn.ReLU()]
        for filters, stride in blocks:
            layers.append(Block(width, filters, stride))
            width = filters
        self.layers = nn.SequentialCell(layers)
        self.dense = nn.Dense(width, 10)

    def construct(self, x: Any) -> Any:
        return self.dense(ops.mean(self.layers(x), (2, 3)))


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case, filled(ResNet(case.x.shape[1], case.blocks()), case))}
