"""PyTorch by hand: a Transformer's encoder on torch's attention kernel, and of `TransformerEncoderLayer`."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.loops.case import Case, Encoder
from benchmarks.loops.on_torch.plain import HandWritten, filled


class Attention(nn.Module):
    """Self-attention of four dense layers."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features)
        self.output = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        b, t, e = x.shape
        q = self.query(x).view(b, t, self.heads, -1).transpose(1, 2)
        k = self.key(x).view(b, t, self.heads, -1).transpose(1, 2)
        v = self.value(x).view(b, t, self.heads, -1).transpose(1, 2)
        y = functional.scaled_dot_product_attention(q, k, v)
        return self.output(y.transpose(1, 2).reshape(b, t, e))


class Block(nn.Module):
    """Attention and a net of two layers, each behind a normalisation and beside its input."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(features)
        self.attention = Attention(features, heads)
        self.norm2 = nn.LayerNorm(features)
        self.net = nn.Sequential(nn.Linear(features, 2 * features), nn.GELU(), nn.Linear(2 * features, features))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.net(self.norm2(x))


class Classifier(nn.Module):
    """Words and places, blocks, and a dense layer over all places side by side."""

    def __init__(self, sizes: Encoder) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.vocabulary, sizes.features)
        self.places = nn.Embedding(sizes.length, sizes.features)
        self.blocks = nn.Sequential(*(Block(sizes.features, sizes.heads) for _ in range(sizes.blocks)))
        self.norm = nn.LayerNorm(sizes.features)
        self.dense = nn.Linear(sizes.length * sizes.features, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.norm(self.blocks(self.words(x) + self.places.weight)).flatten(1))


def of_the_library(case: Case) -> nn.Module:
    """Return the same net of torch's own blocks, whose attention has one matrix for queries, keys and values."""
    net: Any = filled(Classifier(case.encoder()), case)
    net.blocks = nn.Sequential(*map(own_block, net.blocks))
    return net


def own_block(block: Any) -> nn.Module:
    """Return torch's own block with the weights of one of ours."""
    features, parts = (
        block.norm1.normalized_shape[0],
        (block.attention.query, block.attention.key, block.attention.value),
    )
    own: Any = nn.TransformerEncoderLayer(
        features, block.attention.heads, 2 * features, 0.0, "gelu", batch_first=True, norm_first=True
    )
    with torch.no_grad():
        own.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        own.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    for to, given in (
        (own.norm1, block.norm1), (own.self_attn.out_proj, block.attention.output), (own.norm2, block.norm2),
        (own.linear1, block.net[0]), (own.linear2, block.net[2]),
    ):  # fmt: skip
        to.load_state_dict(given.state_dict())
    return own


def candidates(case: Case) -> dict[str, Any]:
    return {
        "by hand": HandWritten(case, filled(Classifier(case.encoder()), case)),
        "nn.TransformerEncoderLayer": HandWritten(case, of_the_library(case)),
    }
