"""Paddle by hand: a Transformer's encoder over words, with `nn.MultiHeadAttention`."""

from typing import Any

from paddle import nn

from benchmarks.loops.case import Case, Encoder
from benchmarks.loops.on_paddle.plain import HandWritten, filled


class Block(nn.Layer):
    """Attention and a net of two layers, each behind a normalisation and beside its input."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(features)
        self.attention = nn.MultiHeadAttention(features, heads)
        self.norm2 = nn.LayerNorm(features)
        self.net = nn.Sequential(nn.Linear(features, 2 * features), nn.GELU(), nn.Linear(2 * features, features))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.net(self.norm2(x))


class Classifier(nn.Layer):
    """Words and places, blocks, and a dense layer over all places side by side."""

    def __init__(self, sizes: Encoder) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.vocabulary, sizes.features)
        self.places = nn.Embedding(sizes.length, sizes.features)
        self.blocks = nn.Sequential(*(Block(sizes.features, sizes.heads) for _ in range(sizes.blocks)))
        self.norm = nn.LayerNorm(sizes.features)
        self.dense = nn.Linear(sizes.length * sizes.features, 2)

    def forward(self, x: Any) -> Any:
        return self.dense(self.norm(self.blocks(self.words(x) + self.places.weight)).flatten(1))


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case, filled(Classifier(case.encoder()), case))}
