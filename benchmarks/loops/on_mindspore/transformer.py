"""MindSpore by hand: a Transformer's encoder over words, whose attention is written out as in its tutorials."""

from typing import Any

from mindspore import nn, ops

from benchmarks.loops.case import Case, Encoder
from benchmarks.loops.on_mindspore.plain import HandWritten, filled


class Attention(nn.Cell):  # type: ignore[misc]
    """Self-attention of four dense layers."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (features // heads) ** -0.5
        self.query = nn.Dense(features, features)
        self.key = nn.Dense(features, features)
        self.value = nn.Dense(features, features)
        self.output = nn.Dense(features, features)

    def construct(self, x: Any) -> Any:
        b, t, e = x.shape
        q = self.query(x).reshape(b, t, self.heads, -1).transpose(0, 2, 1, 3)
        k = self.key(x).reshape(b, t, self.heads, -1).transpose(0, 2, 3, 1)
        v = self.value(x).reshape(b, t, self.heads, -1).transpose(0, 2, 1, 3)
        weights = ops.softmax(ops.matmul(q, k) * self.scale, -1)
        return self.output(ops.matmul(weights, v).transpose(0, 2, 1, 3).reshape(b, t, e))


class Block(nn.Cell):  # type: ignore[misc]
    """Attention and a net of two layers, each behind a normalisation and beside its input."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm((features,), epsilon=1e-5)
        self.attention = Attention(features, heads)
        self.norm2 = nn.LayerNorm((features,), epsilon=1e-5)
        self.net = nn.SequentialCell(
            nn.Dense(features, 2 * features), nn.GELU(approximate=False), nn.Dense(2 * features, features)
        )

    def construct(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.net(self.norm2(x))


class Classifier(nn.Cell):  # type: ignore[misc]
    """Words and places, blocks, and a dense layer over all places side by side."""

    def __init__(self, sizes: Encoder) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.vocabulary, sizes.features)
        self.places = nn.Embedding(sizes.length, sizes.features)
        self.blocks = nn.SequentialCell([Block(sizes.features, sizes.heads) for _ in range(sizes.blocks)])
        self.norm = nn.LayerNorm((sizes.features,), epsilon=1e-5)
        self.dense = nn.Dense(sizes.length * sizes.features, 2)

    def construct(self, x: Any) -> Any:
        y = self.norm(self.blocks(self.words(x) + self.places.embedding_table))
        return self.dense(y.reshape(y.shape[0], -1))


def candidates(case: Case) -> dict[str, Any]:
    return {"by hand": HandWritten(case, filled(Classifier(case.encoder()), case))}
